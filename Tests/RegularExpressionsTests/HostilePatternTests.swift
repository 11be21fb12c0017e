import TestSupport
import Testing

@testable import RegularExpressions

@Suite("Patterns made to hurt")
struct HostilePatternTests {
    @Test("no string of random bytes traps", arguments: [11, 12, 13] as [UInt64])
    func randomBytes(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let special = Array("\\()[]{}*+?|^$.-,:<>PpQEimsUxz0123{}dwsbAKk&=!ſ".utf8)
        var accepted = 0
        for _ in 0..<4000 {
            let bytes = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
                Int.random(in: 0..<4, using: &generator) == 0
                    ? UInt8.random(in: 0...255, using: &generator)
                    : special.randomElement(using: &generator) ?? 0
            }
            let pattern = String(decoding: bytes, as: UTF8.self)
            guard let expression = try? RegularExpression(pattern) else { continue }
            accepted += 1
            _ = expression.matches(bytes)
            _ = expression.commonSyntax(limitBytes: 8_192)
            _ = expression.isCheapToBacktrack
        }
        #expect(accepted > 100)
    }

    @Test("nesting is bounded as in Go, whatever opens the group")
    func nesting() throws {
        func nested(_ open: String, _ close: String, _ count: Int) -> String {
            String(repeating: open, count: count) + "x" + String(repeating: close, count: count)
        }
        _ = try RegularExpression(nested("(", ")", 999))
        _ = try RegularExpression(nested("(?:", ")", 200_000))
        _ = try RegularExpression(nested("(?:", ")*", 999))
        for pattern in [nested("(", ")", 1000), nested("(?:", ")*", 1000), nested("(a|b", ")", 1200)] {
            let error = try #require(throws: RegularExpressionError.self) { try RegularExpression(pattern) }
            #expect(error.message.hasPrefix("expression nests too deeply"))
        }
        let unclosed = try #require(throws: RegularExpressionError.self) {
            try RegularExpression(String(repeating: "(", count: 500_000))
        }
        #expect(unclosed.message == "missing closing ): `(`")
    }

    @Test("a short pattern that would become a huge program is refused")
    func tooLarge() throws {
        let patterns = [
            String(repeating: "(?:x{1000})", count: 3400), String(repeating: "[ab]{1000}", count: 1100),
            String(repeating: "\\pL", count: 40_000),
        ]
        for pattern in patterns {
            let error = try #require(throws: RegularExpressionError.self) { try RegularExpression(pattern) }
            #expect(error.message == "expression too large")
        }
        // Large, but not too large; and a thousand kinds of class, for which no automaton is kept.
        let expression = try RegularExpression(String(repeating: "(?:y?x{500}|z)", count: 10))
        #expect(expression.matches(Array(String(repeating: "x", count: 500).utf8) + Array("zzzzzzzzz".utf8)))
        let scalars = (0..<5000).compactMap { Unicode.Scalar(0x4E00 + $0) }
        let manyKinds = try RegularExpression(scalars.map { "[\($0)-\u{9FFF}]" }.joined() + "|b+")
        #expect(manyKinds.matches(Array("bbb".utf8)))
        #expect(manyKinds.matches(Array(String(repeating: "\u{9FFF}", count: 5000).utf8)))
        #expect(!manyKinds.matches(Array(String(repeating: "\u{4E00}", count: 5000).utf8)))
    }

    @Test("unfinished classes and groups, over and over, are read in one pass")
    func unfinished() throws {
        for piece in ["[[:", "[:", "\\Q", "[a-", "[^]", "(?i)", "{1,", "\\pL", "a|", "|", "^", "$", "(|"] {
            let pattern = String(repeating: piece, count: 20_000)
            let expression = try? RegularExpression(pattern)
            _ = expression?.matches([])
        }
        let inClass = "[" + String(repeating: "[:", count: 100_000) + "a]"
        #expect(try RegularExpression(inClass).matches([UInt8(ascii: ":")]))
        let properties = "[" + String(repeating: "\\pL\\PN", count: 2_000) + "]"
        #expect(try RegularExpression(properties).matches([UInt8(ascii: "!")]))
    }

    @Test("values of any bytes are read as Go reads them")
    func invalidValues() throws {
        let one = try RegularExpression("a.b")
        #expect(one.matches([0x61, 0xFF, 0x62]))
        #expect(one.matches([0x61, 0xEF, 0xBF, 0xBD, 0x62]))
        #expect(!one.matches([0x61, 0xE2, 0x82, 0x62]), "two stray bytes are two characters")
        #expect(one.matches([0x61, 0xE2, 0x82, 0xAC, 0x62]))
        #expect(!one.matches([0x61, 0xED, 0xA0, 0x80, 0x62]), "an encoded surrogate is three characters")
        let replacement = try RegularExpression("\u{FFFD}+")
        #expect(replacement.matches([0xFF, 0xEF, 0xBF, 0xBD, 0xC0]))
        #expect(replacement.literals == nil)
        #expect(try RegularExpression("\u{FFFD}").literals == nil)
        #expect(try RegularExpression("\u{FFFD}").matches([0x80]))
        #expect(try RegularExpression("x\u{FFFD}y.*").literalPrefix == [0x78])
        #expect(try RegularExpression("\\x{D800}").literals == [])
        #expect(try !RegularExpression("\\x{D800}").matches([0xED, 0xA0, 0x80]))
    }

    @Test("collections of every kind are matched, contiguous or not")
    func collections() throws {
        let expression = try RegularExpression("fo+[a-z]*")
        let bytes = Array("xxfooxx".utf8)
        #expect(expression.matches(bytes[2..<5]))
        #expect(expression.matches(ContiguousArray(bytes[2..<5])))
        #expect(expression.matches(Array("oof".utf8).reversed()))
        #expect(!expression.matches(CollectionOfOne(UInt8(ascii: "f"))))
        #expect(!expression.matches(EmptyCollection<UInt8>()))
        #expect(try RegularExpression("f?").matches(EmptyCollection<UInt8>()))
    }
}
