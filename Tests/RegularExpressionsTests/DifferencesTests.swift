import Testing

@testable import RegularExpressions

/// What Go reads otherwise than Java, Joni or both: these are the traps for a gateway between Prometheus and SQL.
@Suite("Where engines differ, we follow Go")
struct DifferencesTests {
    struct Case: CustomTestStringConvertible {
        var pattern: String
        var matching: [String]
        var others: [String]

        init(_ pattern: String, _ matching: [String], not others: [String]) {
            (self.pattern, self.matching, self.others) = (pattern, matching, others)
        }

        var testDescription: String { self.pattern }
    }

    static let accepted: [Case] = [
        Case("foo", ["foo"], not: ["xfoo", "foox", "foo\n", "\nfoo", ""]),
        Case("^foo$", ["foo"], not: ["foo\n", "foo\r\n", "\nfoo"]),
        Case("(?m)^foo$", ["foo"], not: ["foo\n", "bar\nfoo"]),
        Case("f.o", ["f\no", "f\ro", "f\u{85}o", "f\u{2028}o", "f😀o"], not: ["fo", "foo\n"]),
        Case("(?-s)f.o", ["f\ro", "f\u{2028}o"], not: ["f\no"]),
        Case("(?P<n>a)b", ["ab"], not: ["a"]),
        Case("(?<under_score>a)b", ["ab"], not: ["a"]),
        Case("(?P<n>a)(?P<n>b)", ["ab"], not: ["a"]),
        Case("\\Aa\\z", ["a"], not: ["a\n"]),
        Case("\\Qa.b\\E", ["a.b"], not: ["axb"]),
        Case("\\Qa.b", ["a.b"], not: ["axb"]),
        Case("\\d", ["7"], not: ["\u{661}", "\u{FF11}"]),
        Case("\\w", ["a", "_"], not: ["é", "\u{661}"]),
        Case("\\s", [" ", "\t", "\n", "\u{C}", "\r"], not: ["\u{B}", "\u{A0}", "\u{2003}"]),
        Case("\\bé", [], not: ["é"]),
        Case(".*a\\bé", ["aé"], not: ["é"]),
        Case("[[:alpha:]]", ["a"], not: [":", "é", "p:"]),
        Case("[[:^alpha:]]", [":", "é"], not: ["a"]),
        Case("[[:word:]]+", ["a_1"], not: ["é"]),
        Case("\\pL", ["é", "中"], not: ["1", "pL"]),
        Case("\\PN", ["a"], not: ["1", "\u{2160}"]),
        Case("\\p{Greek}", ["α"], not: ["a"]),
        Case("\\p{^L}", ["1"], not: ["a"]),
        Case("\\P{^L}", ["a"], not: ["1"]),
        Case("\\p{Any}", ["a", "\u{10FFFF}"], not: [""]),
        Case("(?i)k", ["k", "K", "\u{212A}"], not: ["q"]),
        Case("(?i)s", ["s", "S", "\u{17F}"], not: ["\u{DF}"]),
        Case("(?i)ss", ["ss", "\u{17F}S"], not: ["\u{DF}", "\u{1E9E}"]),
        Case("(?i)\u{DF}", ["\u{DF}", "\u{1E9E}"], not: ["ss", "SS"]),
        Case("(?i)σ", ["σ", "ς", "Σ"], not: ["s"]),
        Case("(?i)i", ["i", "I"], not: ["\u{130}", "\u{131}"]),
        Case("(?i)[^k]", ["q"], not: ["k", "K", "\u{212A}"]),
        Case("(?i)\\W", ["-"], not: ["a", "\u{17F}", "\u{212A}"]),
        Case("(?U)a+b*?", ["aab"], not: ["b"]),
        Case("\\v", ["\u{B}"], not: ["\n", "\u{C}"]),
        Case("\\x{41}", ["A"], not: ["x", String(repeating: "x", count: 41)]),
        Case("\\101", ["A"], not: ["\u{8}1"]),
        Case("\\0", ["\0"], not: ["0"]),
        Case("\\07", ["\u{7}"], not: ["7"]),
        Case("[a&&b]", ["a", "b", "&"], not: [""]),
        Case("[a[b]]", ["a]", "[]", "b]"], not: ["a", "b"]),
        Case("[[b]", ["[", "b"], not: ["]"]),
        Case("[]a]", ["]", "a"], not: ["["]),
        Case("{", ["{"], not: [""]),
        Case("a{", ["a{"], not: ["a"]),
        Case("a{,2}", ["a{,2}"], not: ["", "a", "aa"]),
        Case("}", ["}"], not: [""]),
        Case("\\_\\-\\ \\<", ["_- <"], not: [""]),
        // Canonically equivalent, but other bytes, so other values.
        Case("\u{E9}", ["\u{E9}"], not: ["e\u{301}"]),
        Case("e\u{301}", ["e\u{301}"], not: ["\u{E9}"]),
    ]

    @Test("accepted, and matching as in Go", arguments: accepted)
    func matches(_ example: Case) throws {
        let engines = try Engines(example.pattern)
        for (values, expected) in [(example.matching, true), (example.others, false)] {
            for value in values {
                #expect(engines.dissenters(Array(value.utf8), expected: expected) == [], "\(value.debugDescription)")
            }
        }
    }

    /// Patterns, the place of the problem and Go's words for it.
    static let refused: [(String, Int, String)] = [
        ("a\\Z", 1, "invalid escape sequence: `\\Z`"),
        ("\\C", 0, "invalid escape sequence: `\\C`"),
        ("a\\E", 1, "invalid escape sequence: `\\E`"),
        ("[\\Qa\\E]", 1, "invalid escape sequence: `\\Q`"),
        ("\\p{Alpha}", 0, "invalid character class range: `\\p{Alpha}`"),
        ("é\\p{IsGreek}", 2, "invalid character class range: `\\p{IsGreek}`"),
        ("[\\p{javaLetter}]", 1, "invalid character class range: `\\p{javaLetter}`"),
        ("\\p{Lu", 0, "invalid character class range: `\\p{Lu`"),
        ("(?x)a", 0, "invalid or unsupported Perl syntax: `(?x`"),
        ("(?u)a", 0, "invalid or unsupported Perl syntax: `(?u`"),
        ("(?id)a", 0, "invalid or unsupported Perl syntax: `(?id`"),
        ("a*+", 1, "invalid nested repetition operator: `*+`"),
        ("a++", 1, "invalid nested repetition operator: `++`"),
        ("a?+", 1, "invalid nested repetition operator: `?+`"),
        ("a{2}+", 1, "invalid nested repetition operator: `{2}+`"),
        ("a**", 1, "invalid nested repetition operator: `**`"),
        ("a{2}{3}", 1, "invalid nested repetition operator: `{2}{3}`"),
        ("(a)\\1", 3, "invalid escape sequence: `\\1`"),
        ("(?<n>a)\\k<n>", 7, "invalid escape sequence: `\\k`"),
        ("(?P<n>a)(?P=n)", 8, "invalid or unsupported Perl syntax: `(?P`"),
        ("(?=a)", 0, "invalid or unsupported Perl syntax: `(?=`"),
        ("(?!a)", 0, "invalid or unsupported Perl syntax: `(?!`"),
        ("(?<=a)b", 0, "invalid named capture: `(?<=a)b`"),
        ("(?<!a)b>", 0, "invalid named capture: `(?<!a)b>`"),
        ("(?>a)", 0, "invalid or unsupported Perl syntax: `(?>`"),
        ("(?#c)", 0, "invalid or unsupported Perl syntax: `(?#`"),
        ("(?|a)", 0, "invalid or unsupported Perl syntax: `(?|`"),
        ("(?(1)a)", 0, "invalid or unsupported Perl syntax: `(?(`"),
        ("(?R)", 0, "invalid or unsupported Perl syntax: `(?R`"),
        ("\\K", 0, "invalid escape sequence: `\\K`"),
        ("\\G", 0, "invalid escape sequence: `\\G`"),
        ("\\R", 0, "invalid escape sequence: `\\R`"),
        ("\\X", 0, "invalid escape sequence: `\\X`"),
        ("\\h\\H\\V", 0, "invalid escape sequence: `\\h`"),
        ("\\N{DIGIT ONE}", 0, "invalid escape sequence: `\\N`"),
        ("\\e", 0, "invalid escape sequence: `\\e`"),
        ("\\cA", 0, "invalid escape sequence: `\\c`"),
        ("\\u0041", 0, "invalid escape sequence: `\\u`"),
        ("\\y", 0, "invalid escape sequence: `\\y`"),
        ("\\é", 0, "invalid escape sequence: `\\é`"),
        ("\\x{110000}", 0, "invalid escape sequence: `\\x{110000`"),
        ("a{1001}", 1, "invalid repeat count: `{1001}`"),
        ("a{3,2}", 1, "invalid repeat count: `{3,2}`"),
        ("(a{40}){40}", 7, "invalid repeat count: `{40}`"),
        ("*a", 0, "missing argument to repetition operator: `*`"),
        ("a|?", 2, "missing argument to repetition operator: `?`"),
        ("(+)", 1, "missing argument to repetition operator: `+`"),
        ("a(b(c)", 1, "missing closing ): `(`"),
        ("é)", 2, "unexpected ): `)`"),
        ("x[a-", 1, "missing closing ]: `[a-`"),
        ("[z-a]", 1, "invalid character class range: `z-a`"),
        ("[[:foo:]]", 1, "invalid character class range: `[:foo:]`"),
        ("a\\", 1, "trailing backslash at end of expression: `\\`"),
        ("(?P<a b>c)", 0, "invalid named capture: `(?P<a b>`"),
        ("(?i", 0, "invalid or unsupported Perl syntax: `(?i`"),
    ]

    @Test("refused, with the place and the construct", arguments: refused)
    func refuses(pattern: String, offset: Int, message: String) throws {
        let error = try #require(throws: RegularExpressionError.self) { try RegularExpression(pattern) }
        #expect(error == RegularExpressionError(offset: offset, message: message))
    }

    @Test("a long construct is quoted in part")
    func longExcerpt() throws {
        let error = try #require(throws: RegularExpressionError.self) {
            try RegularExpression("[" + String(repeating: "é", count: 1000))
        }
        #expect(error.message == "missing closing ]: `[" + String(repeating: "é", count: 39) + "…`")
        #expect(error.description == "\(error.message) at byte 0")
    }
}
