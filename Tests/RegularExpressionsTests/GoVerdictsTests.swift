import Foundation
import Testing

@testable import RegularExpressions

/// `Vectors/go-regexp/ORIGIN.md` says what these are.
@Suite("Go's verdicts")
struct GoVerdictsTests {
    private struct Verdict: Decodable {
        var pattern: String
        var error: String?
        var matches: String?
    }

    private let values: [[UInt8]]
    private let verdicts: [Verdict]

    init() throws {
        let longer = ProcessInfo.processInfo.environment["GO_VERDICTS"].map { URL(fileURLWithPath: $0) }
        let stored = Bundle.module.url(
            forResource: "verdicts",
            withExtension: "jsonl",
            subdirectory: "Vectors/go-regexp"
        )
        let lines = try Data(contentsOf: try #require(longer ?? stored)).split(separator: 0x0A)
        let decoder = JSONDecoder()
        self.values = try decoder.decode([String].self, from: try #require(lines.first)).map { text in
            var digits = Array(text)[...]
            var bytes: [UInt8] = []
            while let high = digits.popFirst(), let low = digits.popFirst() {
                bytes.append(UInt8(String([high, low]), radix: 16) ?? 0)
            }
            return bytes
        }
        self.verdicts = try lines.dropFirst().map { try decoder.decode(Verdict.self, from: $0) }
    }

    @Test("we accept what Go accepts, and refuse the rest for the same reason")
    func accepts() {
        var wrong: [String] = []
        for verdict in self.verdicts {
            var reason: String?
            do throws(RegularExpressionError) {
                _ = try RegularExpression(verdict.pattern)
            } catch {
                reason = error.message
                if !(0...verdict.pattern.utf8.count).contains(error.offset) {
                    wrong.append("\(verdict.pattern): offset \(error.offset)")
                }
            }
            let isSame = verdict.error.map { reason?.hasPrefix($0) == true } ?? (reason == nil)
            if !isSame {
                wrong.append("\(verdict.pattern): \(reason ?? "accepted"), Go: \(verdict.error ?? "accepted")")
            }
        }
        #expect(wrong == [])
        #expect(self.verdicts.count >= 1500)
    }

    @Test("whatever the way, the same values match as in Go")
    func matches() throws {
        var wrong: [String] = []
        var compared = 0
        for verdict in self.verdicts {
            guard let matches = verdict.matches, let engines = try? Engines(verdict.pattern) else { continue }
            for (value, digit) in zip(self.values, matches) {
                let dissenters = engines.dissenters(value, expected: digit == "1")
                if !dissenters.isEmpty {
                    wrong.append("`\(verdict.pattern)` on \(value), Go: \(digit), not so: \(dissenters)")
                }
                compared += 1
            }
        }
        #expect(wrong == [])
        #expect(compared > 100_000)
    }
}
