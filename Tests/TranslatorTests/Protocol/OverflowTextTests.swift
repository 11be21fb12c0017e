import Common
import Foundation
import TestSupport
import Testing

@testable import Translator

@Suite("Labels without a column of their own")
struct OverflowTextTests {
    private static func labels(_ text: [UInt8]) -> [[[UInt8]]]? {
        var found: [[[UInt8]]] = []
        let isOurs = OverflowText.forEachLabel(text.span) { name, value in
            found.append([Array(text[name]), Array(text[value])])
        }
        return isOurs ? found : nil
    }

    @Test("any labels come back from their text", arguments: 1...50 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pieces = ["a", "=", ",", ":", "1:", "ü", "🦊", "\"", "\\", "\n", "\0", " ", "%2C"]
        func text() -> [UInt8] {
            (0...Int.random(in: 0...6, using: &generator)).flatMap { _ in
                Array((pieces.randomElement(using: &generator) ?? "a").utf8)
            }
        }
        var json: [UInt8] = [UInt8(ascii: "\"")]
        var expected: [[[UInt8]]] = []
        var size = 0
        for index in 0..<Int.random(in: 1...20, using: &generator) {
            let (name, value) = (text(), text())
            if index > 0 { json.append(UInt8(ascii: ",")) }
            size += OverflowText.append(name, value, to: &json) + (index > 0 ? 1 : 0)
            expected.append([name, value])
        }
        json.append(UInt8(ascii: "\""))
        let decoded = try JSONSerialization.jsonObject(with: Data(json), options: .fragmentsAllowed) as? String
        let stored = Array(try #require(decoded).utf8)
        #expect(stored.count == size)
        #expect(Self.labels(stored) == expected)
    }

    @Test(
        "what is none of ours is told",
        arguments: [
            "", "a", "1", "1:", "1:a", "1:a=", "1:a=1", "1:a=1:", "1:a=2:b", "1:a=1:bc", "1:a=1:b,", "1:a=1:b;1:c=1:d",
            "2:a=1:b", ":a=1:b", "1:a1:b", "-1:a=1:b", "99999999999999999999:a=1:b", "000001:a=1:b", " 1:a=1:b",
        ]
    )
    func foreign(text: String) {
        #expect(Self.labels(Array(text.utf8)) == nil)
    }
}
