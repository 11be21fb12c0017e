import Testing

@testable import Translator

@Suite("A matcher decides on bytes, and takes a missing label for an empty one")
struct LabelMatcherTests {
    struct Row: Sendable {
        var type: UInt64
        var pattern: String
        /// Values that pass, and that do not; the empty one stands for no label.
        var passes: [String]
        var fails: [String]
    }

    /// The table of the remote read reference, and what follows from it.
    static let rows = [
        Row(type: 0, pattern: "", passes: [""], fails: ["x", " ", "\u{0}"]),
        Row(type: 0, pattern: "x", passes: ["x"], fails: ["", "X", "xx", "x\n"]),
        Row(type: 1, pattern: "x", passes: ["", "y", "xx"], fails: ["x"]),
        Row(type: 1, pattern: "", passes: ["x", " "], fails: [""]),
        Row(type: 2, pattern: "x|", passes: ["", "x"], fails: ["y", "xx"]),
        Row(type: 2, pattern: ".*", passes: ["", "x", "a\nb"], fails: []),
        Row(type: 2, pattern: "x?", passes: ["", "x"], fails: ["xx"]),
        Row(type: 2, pattern: ".+", passes: ["x", "\n"], fails: [""]),
        Row(type: 2, pattern: "a|b", passes: ["a", "b"], fails: ["", "ab", "c", "a\n"]),
        Row(type: 2, pattern: "ab", passes: ["ab"], fails: ["xab", "abx", ""]),
        Row(type: 2, pattern: "", passes: [""], fails: ["x"]),
        Row(type: 3, pattern: "x", passes: ["", "y", "xx"], fails: ["x"]),
        Row(type: 3, pattern: ".*", passes: [], fails: ["", "x"]),
        Row(type: 3, pattern: ".+", passes: [""], fails: ["x"]),
        Row(type: 3, pattern: "x|", passes: ["y"], fails: ["", "x"]),
        Row(type: 3, pattern: "", passes: ["x"], fails: [""]),
    ]

    @Test("equality, inequality and regular expressions of whole values", arguments: Self.rows)
    func truthTable(row: Row) throws {
        let matcher = try LabelMatcher(type: row.type, name: [0x61], value: Array(row.pattern.utf8), place: "")
        for value in row.passes { #expect(matcher.matches(Array(value.utf8)), "\(value) should pass") }
        for value in row.fails { #expect(!matcher.matches(Array(value.utf8)), "\(value) should fail") }
        #expect(matcher.acceptsEmpty == row.passes.contains(""))
    }

    @Test("values that are canonically equivalent are still two values")
    func normalization() throws {
        let composed = Array("\u{e9}".utf8)
        let decomposed = Array("e\u{301}".utf8)
        for (type, same, other) in [(0, true, false), (1, false, true), (2, true, false), (3, false, true)] {
            let matcher = try LabelMatcher(type: UInt64(type), name: [0x61], value: composed, place: "")
            #expect(matcher.matches(composed) == same)
            #expect(matcher.matches(decomposed) == other)
        }
    }
}
