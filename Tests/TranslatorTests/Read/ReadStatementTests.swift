import Testing
import TimestreamModel

@testable import Translator

private let start = "SELECT * FROM \"db\".\"tbl\" WHERE \"time\" BETWEEN from_milliseconds(1) AND from_milliseconds(2)"

@Suite("A query becomes a statement that holds names and values as nothing else")
struct ReadStatementTests {
    private func make(
        _ matchers: [ReadRequestBuilder.Matcher],
        known: [String]? = ["job", "promx_metric", "promx_http_2Eroute"],
        missing: [String] = [],
        patterns: PatternUse = .expressions
    ) throws -> ReadStatement? {
        var columns = TableColumns(known: known.map { Set($0.map { Array($0.utf8) }) })
        for column in missing { columns.learn(isMissing: Array(column.utf8)) }
        let matchers = try matchers.map { matcher in
            try LabelMatcher(type: UInt64(matcher.type.rawValue), name: matcher.name, value: matcher.value, place: "")
        }
        return ReadStatement.make(
            TableName(database: "db", table: "tbl"),
            range: 1...2,
            matchers: matchers,
            columns: columns,
            patterns: patterns
        )
    }

    private func conditions(_ statement: ReadStatement?) throws -> String {
        let text = try #require(statement).text
        try #require(text.hasPrefix(start))
        _ = try SQLParser.parse(text)
        return String(text.dropFirst(start.count))
    }

    @Test(
        "labels",
        arguments: [
            ("job", .equal, "a", #" AND "job" = 'a'"#),
            ("job", .equal, "", #" AND ("job" IS NULL OR "job" = '')"#),
            ("job", .notEqual, "a", #" AND ("job" IS NULL OR "job" <> 'a')"#),
            ("job", .notEqual, "", #" AND "job" <> ''"#),
            ("job", .equal, "it's", #" AND "job" = 'it''s'"#),
            ("job", .equal, "'; DROP TABLE x --", #" AND "job" = '''; DROP TABLE x --'"#),
            ("job", .equal, "a\\'b\"c", #" AND "job" = 'a\''b"c'"#),
            ("job", .equal, "line\nfeed\u{0}\u{1F98A}%_", " AND \"job\" = 'line\nfeed\u{0}\u{1F98A}%_'"),
            ("http.route", .equal, "/", #" AND "promx_http_2Eroute" = '/'"#),
            // A column that is not known to be there is asked for only if rows without it cannot match.
            ("zone", .equal, "a", #" AND "zone" = 'a'"#),
            ("zone", .notEqual, "a", ""),
            ("zone", .equal, "", ""),
            ("time", .equal, "noon", #" AND "promx_time" = 'noon'"#),
            ("a\"b'c", .equal, "x", #" AND "promx_a_22b_27c" = 'x'"#),
            ("promx_metric", .equal, "x", #" AND "promx_promx__metric" = 'x'"#),
        ] as [(String, ReadRequestBuilder.MatcherType, String, String)]
    )
    func labels(name: String, type: ReadRequestBuilder.MatcherType, value: String, expected: String) throws {
        #expect(try self.conditions(try self.make([.init(name, type, value)])) == expected)
    }

    @Test(
        "regular expressions become lists, LIKE, REGEXP_LIKE, or nothing",
        arguments: [
            (.regex, "a|b", #" AND "job" IN ('a', 'b')"#),
            (.regex, "a", #" AND "job" = 'a'"#),
            (.regex, "a|b|", #" AND ("job" IS NULL OR "job" IN ('', 'a', 'b'))"#),
            (.regex, ".*", ""),
            (.regex, ".+", #" AND "job" <> ''"#),
            (.regex, "no_de%!.*", #" AND "job" LIKE 'no!_de!%!!%' ESCAPE '!'"#),
            (.regex, "it's.+", #" AND "job" LIKE 'it''s_%' ESCAPE '!'"#),
            (.regex, ".*end", #" AND "job" LIKE '%end' ESCAPE '!'"#),
            (.regex, "a.+b_.*", #" AND "job" LIKE 'a_%b!_%' ESCAPE '!'"#),
            (.regex, "a.*b.*c.*d.*", #" AND "job" LIKE 'a%' ESCAPE '!'"#),
            (.regex, "a.b", #" AND REGEXP_LIKE("job", '\A(?:a(?s:.)b)\z')"#),
            (.regex, "(a.*)?", #" AND ("job" IS NULL OR REGEXP_LIKE("job", '\A(?:(?:a(?:(?s:.))*)?)\z'))"#),
            (.regex, "it's[0-9]+", #" AND REGEXP_LIKE("job", '\A(?:it\''s(?:[0-9])+)\z')"#),
            // What engines read differently, or what could keep one busy: only the beginning, or that there is a value.
            (.regex, "a\\b.*[b]+", #" AND "job" LIKE 'a%' ESCAPE '!'"#),
            (.regex, "([a-z]+[.])+x", #" AND "job" <> ''"#),
            (.regex, "x([a-z]+[.])+", #" AND "job" LIKE 'x%' ESCAPE '!'"#),
            (.notRegex, "a|b", #" AND ("job" IS NULL OR "job" NOT IN ('a', 'b'))"#),
            (.notRegex, "a|", #" AND "job" NOT IN ('', 'a')"#),
            (.notRegex, "a.*", #" AND ("job" IS NULL OR "job" NOT LIKE 'a%' ESCAPE '!')"#),
            (.notRegex, ".+", #" AND ("job" IS NULL OR "job" = '')"#),
            (.notRegex, "a[0-9]+", #" AND ("job" IS NULL OR NOT REGEXP_LIKE("job", '\A(?:a(?:[0-9])+)\z'))"#),
            (.notRegex, "(a.*)?", #" AND NOT REGEXP_LIKE("job", '\A(?:(?:a(?:(?s:.))*)?)\z')"#),
            (.notRegex, "a\\b.*", ""),
            (.notRegex, "(a\\b.*)?", #" AND "job" <> ''"#),
        ] as [(ReadRequestBuilder.MatcherType, String, String)]
    )
    func patterns(type: ReadRequestBuilder.MatcherType, pattern: String, expected: String) throws {
        #expect(try self.conditions(try self.make([.init("job", type, pattern)])) == expected)
    }

    @Test(
        "metric names, and the special values of their series",
        arguments: [
            (
                .equal, "up",
                #" AND ("measure_name" = 'up' OR ("measure_name" = 'promx_special' AND "promx_metric" = 'up'))"#
            ),
            (
                .equal, "a b",
                #" AND ("measure_name" IN ('promx_a_20b', 'a b') OR ("measure_name" = 'promx_special'"#
                    + #" AND "promx_metric" IN ('promx_a_20b', 'a b')))"#
            ),
            (
                .equal, "",
                #" AND ("measure_name" = 'promx_unnamed' OR ("measure_name" = 'promx_special'"#
                    + #" AND "promx_metric" = 'promx_unnamed'))"#
            ),
            (
                .equal, "promx_special",
                #" AND ("measure_name" = 'promx_promx__special' OR ("measure_name" = 'promx_special'"#
                    + #" AND "promx_metric" = 'promx_promx__special'))"#
            ),
            (.notEqual, "up", #" AND "measure_name" <> 'up'"#),
            (.notEqual, "", ""),
            (.regex, ".+", ""),
            (.notRegex, "a|b", #" AND "measure_name" NOT IN ('a', 'b')"#),
            (
                .regex, "http_.*",
                #" AND ("measure_name" LIKE 'http!_%' ESCAPE '!' OR "measure_name" LIKE 'promx!_%' ESCAPE '!')"#
                    + #" AND ("promx_metric" IS NULL OR "promx_metric" LIKE 'http!_%' ESCAPE '!'"#
                    + #" OR "promx_metric" LIKE 'promx!_%' ESCAPE '!')"#
            ),
            (
                .regex, "http_[a-z]+",
                #" AND (REGEXP_LIKE("measure_name", '\A(?:http\_(?:[a-z])+)\z') OR "measure_name" LIKE 'promx!_%' ESCAPE '!')"#
                    + #" AND ("promx_metric" IS NULL OR REGEXP_LIKE("promx_metric", '\A(?:http\_(?:[a-z])+)\z')"#
                    + #" OR "promx_metric" LIKE 'promx!_%' ESCAPE '!')"#
            ),
            (
                .notRegex, "http.*",
                #" AND ("measure_name" NOT LIKE 'http%' ESCAPE '!' OR "measure_name" LIKE 'promx!_%' ESCAPE '!')"#
                    + #" AND ("promx_metric" IS NULL OR "promx_metric" NOT LIKE 'http%' ESCAPE '!'"#
                    + #" OR "promx_metric" LIKE 'promx!_%' ESCAPE '!')"#
            ),
            (
                .notRegex, ".+",
                #" AND ("measure_name" = 'promx_unnamed' OR ("measure_name" = 'promx_special'"#
                    + #" AND "promx_metric" = 'promx_unnamed'))"#
            ),
        ] as [(ReadRequestBuilder.MatcherType, String, String)]
    )
    func metrics(type: ReadRequestBuilder.MatcherType, value: String, expected: String) throws {
        #expect(try self.conditions(try self.make([.init("__name__", type, value)])) == expected)
    }

    @Test("without the column of special values' metrics all of them are asked for")
    func withoutSpecials() throws {
        let statement = try self.make([.init("__name__", .equal, "up")], known: ["job"])
        #expect(try self.conditions(statement) == #" AND "measure_name" IN ('up', 'promx_special')"#)
        // Of a table never seen it is taken to be there, as in most: an error tells if it is not.
        let first = try self.make([.init("__name__", .equal, "up")], known: nil)
        #expect(try #require(first).columns == [Array("promx_metric".utf8)])
        let second = try self.make([.init("__name__", .equal, "up")], known: nil, missing: ["promx_metric"])
        #expect(try #require(second).columns.isEmpty)
    }

    @Test("histograms of the metric are asked for, unless the table is known to have none")
    func histograms() throws {
        let names = #"'promx_special', "# + HistogramRecord.measureNames.map { "'\($0)'" }.joined(separator: ", ")
        let up: [ReadRequestBuilder.Matcher] = [.init("__name__", .equal, "up")]
        let condition = #" AND ("measure_name" = 'up' OR ("measure_name" IN (\#(names)) AND "promx_metric" = 'up'))"#
        for known in [nil, ["promx_metric", "promx_data"]] {
            let statement = try #require(try self.make(up, known: known))
            #expect(try self.conditions(statement) == condition)
            #expect(statement.assumedAbsent.isEmpty)
            // Its column is not named, so it need not be there.
            #expect(statement.columns == [Array("promx_metric".utf8)])
        }
        let without = try #require(try self.make(up))
        #expect(without.assumedAbsent == [Array("promx_data".utf8)])
    }

    @Test("counted are the rows that have a value of ours, and the bytes of histograms")
    func counting() throws {
        func make(_ known: [String]) -> ReadStatement? {
            ReadStatement.make(
                TableName(database: "d", table: "t"),
                .series,
                range: 1...2,
                matchers: [],
                columns: TableColumns(known: Set(known.map { Array($0.utf8) })),
                patterns: .expressions
            )
        }
        let own = ["promx_data", "promx_count", "promx_sum", "promx_metric", "time", "measure_name"]
        let text = try #require(make(own + ["job", "measure_value::double", "measure_value::varchar"])).text
        _ = try SQLParser.parse(text)
        let start =
            #"SELECT "measure_name", "job", "promx_metric", COUNT(*) AS "promx_rows", "#
            + #"SUM(LENGTH("promx_data")) AS "promx_bytes" FROM "#
        #expect(text.hasPrefix(start))
        #expect(text.contains(#" AND ("measure_value::double" IS NOT NULL OR ("measure_name" IN ('promx_histogram', "#))
        #expect(text.contains(#"'promx_histogram_16') AND "promx_data" IS NOT NULL))"#))
        #expect(text.hasSuffix(#" GROUP BY "measure_name", "job", "promx_metric""#))
        #expect(try #require(make(own)).columns.contains(Array("promx_data".utf8)))
        #expect(make(["job", "time", "measure_name"]) == nil)
        let floats = try #require(make(["job", "measure_value::double"])).text
        #expect(!floats.contains("LENGTH") && floats.contains(#" AND ("measure_value::double" IS NOT NULL) GROUP"#))
    }

    @Test(
        "a matcher that no stored series can pass needs no statement",
        arguments: [
            .init("job", .equal, String(repeating: "x", count: 2_049)),
            .init("job", .regex, String(repeating: "x", count: 2_049)),
            .init("job", .regex, String(repeating: "x", count: 2_049) + ".*"),
            .init("job", .regex, ".*" + String(repeating: "x", count: 2_049)),
            .init("job", .notRegex, ".*"),
            .init("__name__", .notRegex, "(?s:.*)"),
            .init("__name__", .regex, ".*" + String(repeating: "m", count: 257)),
            .init(String(repeating: "l", count: 61), .equal, "x"),
            .init(String(repeating: ".", count: 61), .equal, "x"),
            .init("__name__", .equal, String(repeating: "m", count: 257)),
            .init("", .equal, "x"),
        ] as [ReadRequestBuilder.Matcher]
    )
    func impossible(matcher: ReadRequestBuilder.Matcher) throws {
        #expect(try self.make([.init("__name__", .notEqual, "up"), matcher]) == nil)
    }

    @Test(
        "a label that Timestream cannot hold is absent: matchers that accept the empty value are true",
        arguments: [
            .init(String(repeating: "l", count: 61), .notEqual, "x"),
            .init(String(repeating: "l", count: 61), .equal, ""),
            .init("", .equal, ""),
            .init("job", .notEqual, String(repeating: "x", count: 2_049)),
            .init("__name__", .notEqual, String(repeating: "m", count: 257)),
            .init("__name__", .notRegex, ".*" + String(repeating: "m", count: 257)),
            .init("job", .notRegex, String(repeating: "x", count: 2_049) + ".*"),
        ] as [ReadRequestBuilder.Matcher]
    )
    func alwaysTrue(matcher: ReadRequestBuilder.Matcher) throws {
        #expect(try self.conditions(try self.make([matcher])).isEmpty)
    }

    @Test("a column that was said to be missing decides by the matcher's truth table")
    func missingColumn() throws {
        #expect(try self.make([.init("job", .equal, "a")], missing: ["job", "promx_overflow"]) == nil)
        #expect(try self.make([.init("job", .regex, ".+")], missing: ["job", "promx_overflow"]) == nil)
        // It may be a label without a column of its own, until the overflow column is missing too.
        let overflow = #" AND "promx_overflow" IS NOT NULL"#
        #expect(try self.conditions(try self.make([.init("job", .equal, "a")], missing: ["job"])) == overflow)
        #expect(try self.conditions(try self.make([.init("job", .notEqual, "a")], missing: ["job"])).isEmpty)
        #expect(try self.conditions(try self.make([.init("job", .regex, ".*")], missing: ["job"])).isEmpty)
    }

    @Test("a label that other writers may store under its own name is looked for there as well")
    func rawColumn() throws {
        let matcher = ReadRequestBuilder.Matcher("http.route", .equal, "/")
        let both = try self.make([matcher], known: ["promx_http_2Eroute", "http.route"])
        #expect(try self.conditions(both) == #" AND ("promx_http_2Eroute" = '/' OR "http.route" = '/')"#)
        let ours = try #require(try self.make([matcher]))
        #expect(ours.assumedAbsent == [Array("http.route".utf8), Array("promx_overflow".utf8)])
        let theirs = try #require(try self.make([matcher], known: ["http.route"]))
        #expect(theirs.columns == [Array("http.route".utf8)])
        #expect(theirs.assumedAbsent == [Array("promx_http_2Eroute".utf8), Array("promx_overflow".utf8)])
        let missing = ["promx_http_2Eroute", "http.route", "promx_overflow"]
        #expect(try self.make([matcher], known: nil, missing: missing) == nil)
    }

    @Test("once the table has an overflow column, labels that have to be there are looked for in it as well")
    func overflowColumn() throws {
        func sql(_ type: ReadRequestBuilder.MatcherType, _ value: String, known: [String]) throws -> String {
            try self.conditions(try self.make([.init("pod", type, value)], known: known + ["promx_overflow"]))
        }
        #expect(try sql(.equal, "a", known: ["pod"]) == #" AND ("pod" = 'a' OR "promx_overflow" IS NOT NULL)"#)
        #expect(try sql(.equal, "a", known: []) == #" AND "promx_overflow" IS NOT NULL"#)
        #expect(try sql(.notEqual, "", known: []) == #" AND "promx_overflow" IS NOT NULL"#)
        #expect(
            try sql(.regex, "a[0-9]+", known: ["pod"])
                == #" AND (REGEXP_LIKE("pod", '\A(?:a(?:[0-9])+)\z') OR "promx_overflow" IS NOT NULL)"#
        )
        #expect(
            try sql(.notRegex, "(a.+b)?", known: ["pod"])
                == #" AND (NOT REGEXP_LIKE("pod", '\A(?:(?:a(?:(?s:.))+b)?)\z') OR "promx_overflow" IS NOT NULL)"#
        )
        #expect(try sql(.regex, "a[0-9]+", known: []) == #" AND "promx_overflow" IS NOT NULL"#)
        // Without a column the label is in the overflow or not there: both pass.
        #expect(try sql(.notEqual, "a", known: []) == "")
        #expect(try sql(.notEqual, "a", known: ["pod"]) == #" AND ("pod" IS NULL OR "pod" <> 'a')"#)
    }

    @Test("several matchers of one label all count, metric names first")
    func several() throws {
        let statement = try self.make([
            .init("job", .notEqual, "a"), .init("job", .notEqual, "b"), .init("__name__", .notEqual, "up"),
        ])
        let expected =
            #" AND "measure_name" <> 'up' AND ("job" IS NULL OR "job" <> 'a') AND ("job" IS NULL OR "job" <> 'b')"#
        #expect(try self.conditions(statement) == expected)
    }

    @Test("without patterns only what is no regular expression is left")
    func withoutPatterns() throws {
        let matchers: [ReadRequestBuilder.Matcher] = [.init("job", .regex, "a|b"), .init("zone", .equal, "z")]
        let statement = try #require(try self.make(matchers, patterns: .none))
        #expect(try self.conditions(statement) == #" AND "job" <> '' AND "zone" = 'z'"#)
        #expect(statement.patterns == .none)
        #expect(try #require(try self.make(matchers)).patterns == .simple)
    }

    @Test("without regular expressions, or without one that the store does not take, a wider condition is there")
    func withoutExpressions() throws {
        let matchers: [ReadRequestBuilder.Matcher] = [
            .init("job", .regex, "a[0-9]+"), .init("job", .regex, ".*[xy]"), .init("job", .regex, "a|b"),
        ]
        let simple = try #require(try self.make(matchers, patterns: .simple))
        #expect(
            try self.conditions(simple) == #" AND "job" LIKE 'a%' ESCAPE '!' AND "job" <> '' AND "job" IN ('a', 'b')"#
        )
        #expect(simple.patterns == .simple && simple.expressions.isEmpty)
        let all = try #require(try self.make(matchers))
        #expect(all.patterns == .expressions && all.expressions.count == 2)
        let parsed = try matchers.map { try LabelMatcher(type: 2, name: $0.name, value: $0.value, place: "") }
        let one = ReadStatement.make(
            TableName(database: "db", table: "tbl"),
            range: 1...2,
            matchers: parsed,
            columns: TableColumns(known: [Array("job".utf8)]),
            patterns: .expressions,
            isRefused: { $0.starts(with: Array(#"\A(?:a"#.utf8)) }
        )
        #expect(try #require(one).expressions.count == 1)
        #expect(try self.conditions(one).hasPrefix(#" AND "job" LIKE 'a%' ESCAPE '!' AND REGEXP_LIKE("job", "#))
    }

    @Test("a regular expression that is too long gives way to its beginning")
    func longExpression() throws {
        let names = (0..<1_500).map { "node\($0)[xyz]" }.joined(separator: "|")
        let statement = try #require(try self.make([.init("job", .regex, names)]))
        #expect(try self.conditions(statement) == #" AND "job" LIKE 'node%' ESCAPE '!'"#)
        #expect(try self.conditions(try self.make([.init("job", .notRegex, names)])).isEmpty)
    }

    @Test("conditions that do not fit are left out, and the statement keeps to Timestream's limit")
    func sizeLimit() throws {
        let value = String(repeating: "'", count: 2_000)
        let many = (0..<100).map { ReadRequestBuilder.Matcher("job", .notEqual, value + "\($0)") }
        let statement = try #require(try self.make(many + [.init("zone", .equal, "z")]))
        #expect(statement.text.utf8.count <= ReadStatement.maximumBytes)
        #expect(statement.text.utf8.count > ReadStatement.maximumBytes - 4_100)
        #expect(statement.text.hasSuffix(#" AND "zone" = 'z'"#))
        // A list that is too long becomes its beginning.
        let literals = (0..<900).map { "node" + String(repeating: "x", count: 400) + "\($0)" }
        let list = try #require(try self.make([.init("job", .regex, literals.joined(separator: "|"))]))
        #expect(list.text.contains(#""job" LIKE 'node"#))
    }

    @Test("database and table are quoted")
    func tableNames() throws {
        let statement = ReadStatement.make(
            TableName(database: "a\"b", table: "c.d-e"),
            range: 0...9_223_372_036_854,
            matchers: [],
            columns: TableColumns(known: nil),
            patterns: .expressions
        )
        let expected =
            #"SELECT * FROM "a""b"."c.d-e" WHERE "time" BETWEEN from_milliseconds(0) "#
            + "AND from_milliseconds(9223372036854)"
        #expect(statement?.text == expected)
    }
}
