import RegularExpressions
import TestSupport
import Testing
import TimestreamModel

@testable import TimestreamLocal

/// What REGEXP_LIKE gives for a value and a pattern.
private struct Search: CustomTestStringConvertible {
    var value: String
    var pattern: String
    var isFound: Bool

    init(_ value: String, _ pattern: String, _ isFound: Bool) {
        self.value = value
        self.pattern = pattern
        self.isFound = isFound
    }

    var testDescription: String { "\(self.pattern) in \(self.value)" }
}

@Suite("REGEXP_LIKE finds a pattern anywhere in a value")
struct SearchPatternTests {
    private static let searches = [
        Search("abc", "b", true), Search("abc", "", true), Search("", "", true), Search("", "a", false),
        Search("abc", "d", false),
        Search("abc", "^b", false), Search("abc", "^a", true), Search("abc", "b$", false), Search("abc", "c$", true),
        Search("abc", "^abc$", true), Search("xabc", "^(?:abc|b)$", false), Search("abc", #"\Aabc\z"#, true),
        Search("abc", "^a|x$", true), Search("bx", "^a|x$", true), Search("xa", "^a|x$", false),
        // The dot stops at line feeds, unless told otherwise; anchors do not care for them, unless told otherwise.
        Search("a\nb", "a.b", false), Search("a\nb", "(?s)a.b", true), Search("a\nb", "a(?s:.)b", true),
        Search("a\nb", "^b", false), Search("a\nb", "(?m)^b", true), Search("a\n", "a$", false),
        Search("a\n", "(?m)a$", true),
        Search("a\nb", "b", true), Search("\n\n", "x*$", true),
        Search("ABC", "b", false), Search("ABC", "(?i)b", true), Search("aBc", "(?i:b)c", true),
        Search("aBC", "(?i:b)c", false),
        Search("añb", "a.b", true), Search("a😀b", "a.b", true), Search("é", "^.$", true),
        Search("e\u{301}", "^.$", false),
        Search("a.b", #"a\.b"#, true), Search("axb", #"a\.b"#, false),
        Search("a.b", #"\Qa.b\E$"#, true), Search("a.b)", #"\Qa.b)"#, true), Search("axb", #"\Qa.b"#, false),
        Search(#"a\b"#, #"\Qa\b"#, true), Search("b)(?s:.*)", #"\Qa"#, false), Search("x", #"\\Q|x"#, true),
        Search("a]b", "[]]", true), Search("a]b", "[^]ab]", false), Search("a-b", "[a-]-", true),
        Search("[", #"[\[]"#, true),
        Search("&", "[&]", true), Search("one two", #"\btwo\b"#, true), Search("onetwo", #"\btwo"#, false),
        Search("aaa", "a{3}", true), Search("aa", "a{3}", false), Search("ab12", #"\d+$"#, true),
        Search("x", "(?P<n>x)", true),
    ]

    @Test("by table", arguments: searches)
    private func table(search: Search) throws {
        let pattern = try SQLSearchPattern(Array(search.pattern.utf8))
        #expect(pattern.isFound(in: Array(search.value.utf8)) == search.isFound)
    }

    @Test("the same through a query, on columns and on constants, with nulls")
    func query() async throws {
        try await withEngine { engine in
            let values = Set(Self.searches.map(\.value)).subtracting([""]).sorted()
            for start in stride(from: 0, to: values.count, by: 100) {
                let records = values[start..<min(start + 100, values.count)].map { record(["v": $0, "k": "1"]) }
                #expect(await engine.write(records + [record(["k": "2"])]).status == 200)
            }
            for search in Self.searches {
                let pattern = "'\(search.pattern.replacing("'", with: "''"))'"
                let value = "'\(search.value.replacing("'", with: "''"))'"
                let constant = await engine.query("SELECT regexp_like(\(value), \(pattern))")
                #expect(
                    constant.rows == [[String(search.isFound)]],
                    "\(search.testDescription): \(constant.message ?? "")"
                )
                guard !search.value.isEmpty else { continue }
                let count = await engine.query(
                    #"SELECT count(*) FROM "prom"."metrics" WHERE REGEXP_LIKE("v", \#(pattern)) AND "v" = \#(value)"#
                )
                #expect(count.rows == [[search.isFound ? "1" : "0"]], "\(search.testDescription)")
            }
            let nulls = await engine.query(
                #"""
                SELECT regexp_like("v", 'a'), regexp_like("v", NULL), regexp_like(NULL, 'a'), NOT regexp_like("v", ''),
                    regexp_like(COALESCE("v", ''), '^$') FROM "prom"."metrics" WHERE "v" IS NULL
                """#
            )
            #expect(nulls.rows == [[nil, nil, nil, nil, "true"]], "\(nulls.message ?? "")")
            #expect(nulls.types == Array(repeating: "BOOLEAN", count: 5))
            let grouped = await engine.query(
                #"""
                SELECT regexp_like("v", 'b'), count(*) FROM "prom"."metrics" WHERE "k" = '1' AND "v" LIKE 'a_c'
                GROUP BY regexp_like("v", 'b') ORDER BY 1
                """#
            )
            #expect(grouped.rows == [["true", "1"]] || grouped.rows == [["false", "1"], ["true", "1"]])
        }
    }

    @Test(
        "what is no pattern, or is read differently elsewhere, is refused and named",
        arguments: [
            "(", ")", "a)(b", "[", "*", "a**", #"\"#, "(?<=a)b", "(?!a)", #"(a)\1"#, "a++", "[a&&b]", "[[:alpha:]]",
            "[a[b]]",
            "(?x)a", #"\h"#, "a{1001}", "(?", "[z-a]",
            String(repeating: "(", count: 1001) + String(repeating: ")", count: 1001),
        ]
    )
    func refused(pattern: String) async throws {
        try await withEngine { engine in
            let answer = await engine.query("SELECT regexp_like('a', '\(pattern)')")
            #expect(answer.error == "ValidationException")
            #expect(
                answer.message?.hasPrefix("line 1:25: The pattern is not supported: ") == true,
                "\(answer.message ?? "")"
            )
            #expect(throws: SQLRunError.self) { try SQLSearchPattern(Array(pattern.utf8)) }
        }
    }

    @Test("a pattern that is computed, other types, and the other functions of patterns are refused and named")
    func refusedForms() async throws {
        try await withEngine { engine in
            #expect(await engine.write([record(["v": "a"])]).status == 200)
            let cases = [
                (#"regexp_like("v", "v")"#, "a pattern that is computed row by row is not supported"),
                (#"regexp_like("v")"#, "Unexpected parameters for function regexp_like"),
                (#"regexp_like("v", 1)"#, "Expected: varchar"), (#"regexp_like(1, 'a')"#, "Expected: varchar"),
                (#"regexp_extract("v", 'a')"#, "the function 'regexp_extract' is not supported"),
                (#"regexp_replace("v", 'a')"#, "the function 'regexp_replace' is not supported"),
            ]
            for (expression, message) in cases {
                let answer = await engine.query("SELECT \(expression) FROM \"prom\".\"metrics\"")
                #expect(answer.error == "ValidationException")
                #expect(answer.message?.contains(message) == true, "\(expression): \(answer.message ?? "")")
            }
        }
    }

    @Test("random patterns find what Swift's own regular expressions find")
    func differential() throws {
        var random = SeededGenerator(seed: 41)
        let pieces = ["a", "b", "ab", ".", "[ab]", "[^a]", "(", ")", "|", "*", "?", "+", "^", "$", "(?:", "{2}", "\\b"]
        var compared = 0
        while compared < 600 {
            let pattern = (0..<Int.random(in: 1...7, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }.joined()
            guard let ours = try? SQLSearchPattern(Array(pattern.utf8)), let theirs = try? Regex(pattern) else {
                continue
            }
            for _ in 0..<4 {
                let value = String(
                    (0..<Int.random(in: 0...6, using: &random)).map { _ in
                        "abc ".randomElement(using: &random) ?? "a"
                    }
                )
                // Word boundaries of words of Unicode agree with simple ones on these letters only.
                let found = value.firstMatch(of: theirs.wordBoundaryKind(.simple)) != nil
                #expect(ours.isFound(in: Array(value.utf8)) == found, "\(pattern) in '\(value)'")
                compared += 1
            }
        }
    }

    @Test("what the gateway prints for other engines is understood, and means the same")
    func commonSyntax() throws {
        for pattern in [
            "a.*b", "(?i)straße|x", "[^a-c]+", "a|b|", #"\d{2,3}x?"#, "node-[0-9]+", ".+", #"[\[\]&^-]"#, #"\pL+"#, "",
            #"a\.b"#, "(a|b)*c",
        ] {
            let whole = try RegularExpression(pattern)
            let common = try #require(whole.commonSyntax(limitBytes: 8_192))
            let search = try SQLSearchPattern(Array(common.utf8))
            for value in [
                "", "a", "b", "ab", "a\nb", "xab", "STRASSE", "straße", "X", "12x", "node-1", "node-1\n", "[", "&", "é",
                "abac",
            ] {
                #expect(
                    search.isFound(in: Array(value.utf8)) == whole.matches(Array(value.utf8)),
                    "\(pattern): \(value)"
                )
            }
        }
    }
}
