import Testing

@testable import RegularExpressions

@Suite("What a pattern tells a query")
struct OutputTests {
    static let languages: [(String, [String]?)] = [
        ("", [""]),
        ("foo", ["foo"]),
        ("foo|bar|foo", ["bar", "foo"]),
        ("|x?", ["", "x"]),
        ("^(?:a|b)$", ["a", "b"]),
        ("^a$|^b$|c", ["a", "b", "c"]),
        ("a^b|c", ["c"]),
        ("prefix-(a|b)-(x|y)?", ["prefix-a-", "prefix-a-x", "prefix-a-y", "prefix-b-", "prefix-b-x", "prefix-b-y"]),
        ("node[1-3]", ["node1", "node2", "node3"]),
        ("a{2,4}", ["aa", "aaa", "aaaa"]),
        ("(a|b){2}", ["aa", "ab", "ba", "bb"]),
        ("(?i)ab", ["AB", "Ab", "aB", "ab"]),
        ("(?i)k", ["K", "k", "\u{212A}"]),
        ("é|z", ["z", "é"]),
        ("[^\\x00-\\x{10FFFF}]", []),
        ("x[^\\x00-\\x{10FFFF}]|y", ["y"]),
        ("[0-9]{3}", (0..<1000).map { String(String($0 + 1000).dropFirst()) }),
        ("[0-9]{3}|x", nil),
        ("(?i)abcdefghij", nil),
        ("[0-9]{4}", nil),
        ("a*", nil),
        ("a|b.*", nil),
        (".", nil),
        ("\\ba", nil),
        ("(?m)a$\nb", nil),
    ]

    @Test("literals are all the values there are, in order, or nil", arguments: languages)
    func literals(pattern: String, expected: [String]?) throws {
        let literals = try RegularExpression(pattern).literals
        #expect(literals == expected.map { $0.map { Array($0.utf8) } })
    }

    @Test("more than a thousand alternatives are matched, but not told", arguments: ["\\.", "."])
    func manyLiterals(dot: String) throws {
        let names = (0..<5000).map { "host-\($0).example:9100" }
        let patterns = names.map { $0.split(separator: ".").joined(separator: dot) }
        let expression = try RegularExpression(patterns.joined(separator: "|"))
        #expect(expression.literals == nil)
        #expect(expression.literalPrefix == Array("host-".utf8))
        #expect(names.allSatisfy { expression.matches(Array($0.utf8)) })
        #expect(!expression.matches(Array("host-5000.example:9100".utf8)))
        #expect(!expression.matches([]))
        let fewer = try RegularExpression(patterns.prefix(1000).joined(separator: "|"))
        #expect(fewer.literals?.count == (dot == "." ? nil : 1000))
    }

    @Test(
        "a prefix is whole characters that every value starts with",
        arguments: [
            ("foo.*", "foo"), ("^foo", "foo"), ("foo|foobar.*", "foo"), ("(?:foo|fob)ar.*", "fo"), ("foo(bar)?", "foo"),
            ("(foo)+", "foo"), ("(foo){2}.*", "foofoo"), ("(foo){2,}x", "foofoo"), ("(foo)*", ""), ("a{3}b*", "aaa"),
            (".*foo", ""), ("[ab]c", ""), ("x[ab]c", "x"), ("(?i)foo", ""), ("1(?i)foo", "1"), ("\\bfoo.*", "foo"),
            ("(?m)^foo$\n.*", "foo\n"), ("é.*|è.*", ""), ("aé.*|aè.*", "a"), ("中.*", "中"), ("(a|ab)(c|d)", "a"),
            ("", ""), ("[^\\x00-\\x{10FFFF}]", ""), ("x\u{FFFD}.*", "x"), ("x*y", ""), ("(ab|ab)c.*", "abc"),
            ("(|a)b", ""),
        ]
    )
    func prefix(pattern: String, expected: String) throws {
        #expect(String(decoding: try RegularExpression(pattern).literalPrefix, as: UTF8.self) == expected)
    }

    static let word = "[0-9A-Z\\_a-z]"
    static let printed: [(String, String)] = [
        ("", "(?:)"),
        ("foo", "foo"),
        ("it's 5% _-/<>", "it\\'s\\ 5\\%\\ \\_\\-\\/\\<\\>"),
        ("a\\.b\\\\", "a\\.b\\\\"),
        ("\t\\x00\\x7f", "\\x09\\x00\\x7F"),
        ("é😀\\x{2028}", "é😀\u{2028}"),
        ("(?P<n>a)|(b)c??", "(?:b(?:c)?|a)"),
        ("(?i)k", "[Kk\u{212A}]"),
        ("(?i)ss", "[Ss\u{17F}][Ss\u{17F}]"),
        ("\\d", "[0-9]"),
        ("\\w", word),
        ("\\W", "[^0-9A-Z\\_a-z]"),
        ("\\s", "[\\x09\\x0A\\x0C\\x0D\\ ]"),
        ("[a&&b^-]", "[\\&\\-\\^ab]"),
        ("[[a]", "[\\[a]"),
        ("[^a]", "[^a]"),
        (".", "(?s:.)"),
        ("(?-s).", "[^\\n]"),
        ("^a$", "a"),
        ("a*^b*$c*", "(?:a)*\\A(?:b)*\\z(?:c)*"),
        ("(?:a{2,3}){2}b{2,}c{0}d{1}", "(?:(?:a){2,3}){2}(?:b){2,}d"),
        ("(a*)*(b?)+(?:c+)?", "(?:a)*(?:b)*(?:c)*"),
        ("a|b|ab|", "(?:(?:ab|[ab]))?"),
        ("a{,2}", "a\\{\\,2\\}"),
        ("\\Q(?i)", "\\(\\?i\\)"),
        ("\\x{D7FF}|\\x{D800}|\\x{E000}", "[\u{D7FF}\u{E000}]"),
        // Java leaves a counted repetition at the first round that is empty.
        ("(?:\\A|x){2}y", "(?:(?:\\A|x))(?:(?:\\A|x))y"),
        ("a(?:\\z|x){2,}", "a(?:(?:\\z|x))(?:(?:\\z|x))(?:(?:\\z|x))*"),
        ("a(?:\\z|x){2,4}", "a(?:(?:\\z|x))(?:(?:\\z|x))(?:(?:\\z|x)){0,2}"),
        ("a(?:\\z|x){2,3}", "a(?:(?:\\z|x))(?:(?:\\z|x))(?:(?:\\z|x))?"),
        (".*.*.+", "(?:(?s:.))+"),
    ]

    @Test("the common syntax has no construct that an engine reads its own way", arguments: printed)
    func commonSyntax(pattern: String, expected: String) throws {
        let printed = try #require(try RegularExpression(pattern).commonSyntax(limitBytes: 1_000))
        #expect(Array(printed.utf8) == Array("\\A(?:\(expected))\\z".utf8))
        #expect(try RegularExpression(pattern).commonSyntax(limitBytes: printed.utf8.count) == printed)
        #expect(try RegularExpression(pattern).commonSyntax(limitBytes: printed.utf8.count - 1) == nil)
    }

    @Test(
        "what would need lookaround has no common syntax",
        arguments: ["(?m)a*^b$c*", "(?m)a$\nb", "a\\bb*", "a\\Bb*", "[^\\x00-\\x{10FFFF}]"]
    )
    func lookaround(pattern: String) throws {
        #expect(try RegularExpression(pattern).commonSyntax(limitBytes: 1 << 20) == nil)
    }

    @Test("what is too long is given up, however it grows")
    func tooLong() throws {
        let pattern = "(?:\\z|" + String(repeating: "é", count: 700) + "){1000}"
        #expect(try RegularExpression(pattern).commonSyntax(limitBytes: 1 << 20) == nil)
        #expect(try RegularExpression(String(repeating: "\\pL", count: 200)).commonSyntax(limitBytes: 8_192) == nil)
    }

    @Test(
        "an engine that backtracks is spared patterns that would keep it busy",
        arguments: [
            ("(a*)*b", true), ("(a+)+b", true), ("(?:a|ab|b)*c", false), ("([a-z]+\\.)*x", false),
            ("(a|b|ab){20}", true), ("(a|b|ab){30}", false),
            ("(?:a{1,9}){5,9}b", false), (String(repeating: "a?", count: 30) + "b", false),
            (".*a.*b.*", true), (".*a.*b.*c.*", false), ("[a-z]+-[0-9]{1,3}", true), ("(?:foo|bar|f).*x", true),
            ("node-[0-9]+(-[a-z]+)?", true), ("(ab)*c", true), ("(ab|cd){3}", true), ("(a|bc)?d+", true),
        ]
    )
    func backtracking(pattern: String, expected: Bool) throws {
        #expect(try RegularExpression(pattern).isCheapToBacktrack == expected)
    }

    @Test(
        "literal texts with gaps are told as such",
        arguments: [
            (".*", ["", ""], [0]), (".+", ["", ""], [1]), ("a.*", ["a", ""], [0]), ("^a.+$", ["a", ""], [1]),
            (".*é.*", ["", "é", ""], [0, 0]), ("(a.*)b.+c", ["a", "b", "c"], [0, 1]), (".*.+x", ["", "x"], [1]),
            ("(?s)a.*", ["a", ""], [0]), ("a(?:.+)?", ["a", ""], [0]), ("(?-s)a.*", nil, nil), ("a.b", nil, nil),
            ("ab", nil, nil), ("a.{2,}", nil, nil), ("\u{FFFD}.*", nil, nil), ("[ab].*", nil, nil),
            ("(a.*)?", nil, nil),
        ] as [(String, [String]?, [Int]?)]
    )
    func wildcards(pattern: String, pieces: [String]?, gaps: [Int]?) throws {
        let wildcards = try RegularExpression(pattern).wildcards
        #expect(wildcards?.pieces == pieces?.map { Array($0.utf8) })
        #expect(wildcards?.gaps == gaps)
        #expect(wildcards?.isEverything ?? false == (pattern == ".*"))
        #expect(wildcards?.isNotEmpty ?? false == (pattern == ".+"))
    }

    @Test("classes are written as ranges, not by names that depend on the engine's Unicode")
    func largeClasses() throws {
        for pattern in ["\\pL+", "\\p{Greek}", "(?i)\\p{Lu}", "\\P{Han}", "[[:^alpha:]\\d]"] {
            let printed = try #require(try RegularExpression(pattern).commonSyntax(limitBytes: 1 << 20))
            #expect(!printed.contains("\\p") && !printed.contains("\\P") && !printed.contains("[:"))
        }
    }
}
