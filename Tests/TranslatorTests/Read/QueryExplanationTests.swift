import TestSupport
import Testing
import TimestreamModel

@testable import Translator

private let table = TableName(database: "db", table: "tbl")

private func explain(
    _ matchers: [(String, QueryExplanation.Operation, String)],
    range: ClosedRange<Int64> = 1...2
) throws(ReadError) -> QueryExplanation {
    try QueryExplanation(
        table: table,
        range: range,
        matchers: matchers.map { (Array($0.0.utf8), $0.1, Array($0.2.utf8)) }
    )
}

@Suite("What a statement says of each matcher is told")
struct QueryExplanationTests {
    private static let long = String(repeating: "x", count: 3_000)

    @Test(
        "exactly",
        arguments: [
            ("job", .equal, "a", #""job" = 'a'"#),
            ("job", .equal, "", #"("job" IS NULL OR "job" = '')"#),
            ("job", .notEqual, "it's", #"("job" IS NULL OR "job" <> 'it''s')"#),
            ("job", .notEqual, "", #""job" <> ''"#),
            ("job", .matches, "a|b", #""job" IN ('a', 'b')"#),
            ("job", .matches, "a|", #"("job" IS NULL OR "job" IN ('', 'a'))"#),
            ("job", .matches, "a_.*", #""job" LIKE 'a!_%' ESCAPE '!'"#),
            ("job", .matches, ".+", #""job" <> ''"#),
            ("job", .matches, "a.+", #""job" LIKE 'a_%' ESCAPE '!'"#),
            ("job", .matches, ".*b", #""job" LIKE '%b' ESCAPE '!'"#),
            ("job", .matches, "a.*[bc]", #"REGEXP_LIKE("job", '\A(?:a(?:(?s:.))*[bc])\z')"#),
            ("job", .matches, "(a.*)?", #"("job" IS NULL OR REGEXP_LIKE("job", '\A(?:(?:a(?:(?s:.))*)?)\z'))"#),
            ("job", .doesNotMatch, "a.*", #"("job" IS NULL OR "job" NOT LIKE 'a%' ESCAPE '!')"#),
            ("job", .doesNotMatch, "(a.*)?", #"NOT REGEXP_LIKE("job", '\A(?:(?:a(?:(?s:.))*)?)\z')"#),
            ("job", .doesNotMatch, ".+", #"("job" IS NULL OR "job" = '')"#),
            ("job", .doesNotMatch, "a|b", #"("job" IS NULL OR "job" NOT IN ('a', 'b'))"#),
            ("job", .doesNotMatch, "", #""job" <> ''"#),
            ("job", .matches, "a|\(long)", #""job" = 'a'"#),
            ("http.route", .equal, "/", #""promx_http_2Eroute" = '/'"#),
            (
                "__name__", .equal, "up",
                #"("measure_name" = 'up' OR ("measure_name" = 'promx_special' AND "promx_metric" = 'up'))"#
            ),
            (
                "__name__", .matches, "up|down",
                #"("measure_name" IN ('down', 'up') OR ("measure_name" = 'promx_special'"#
                    + #" AND "promx_metric" IN ('down', 'up')))"#
            ),
        ] as [(String, QueryExplanation.Operation, String, String)]
    )
    func exact(name: String, operation: QueryExplanation.Operation, value: String, sql: String) throws {
        let explanation = try explain([(name, operation, value)])
        #expect(explanation.parts == [.exact(sql: sql)])
        #expect(explanation.statement?.hasSuffix(" AND " + sql) == true)
    }

    @Test(
        "wider",
        arguments: [
            ("job", .matches, "a\\b.*b", #""job" LIKE 'a%' ESCAPE '!'"#, "read differently; only the beginning"),
            ("job", .matches, "a(x*y)+", #""job" LIKE 'a%' ESCAPE '!'"#, "keep an engine busy"),
            ("job", .matches, "a.*b.*c.*d.*", #""job" LIKE 'a%' ESCAPE '!'"#, "keep an engine busy"),
            ("job", .matches, "(x*y)+", #""job" <> ''"#, "only that there is a value"),
            ("job", .doesNotMatch, "(a\\b.*)?", #""job" <> ''"#, "only that there is a value"),
            (
                "__name__", .matches, "a.*b",
                #"("measure_name" LIKE 'a%b' ESCAPE '!' OR "measure_name" LIKE 'promx!_%' ESCAPE '!') AND "#
                    + #"("promx_metric" IS NULL OR "promx_metric" LIKE 'a%b' ESCAPE '!' "#
                    + #"OR "promx_metric" LIKE 'promx!_%' ESCAPE '!')"#, "names that are stored escaped come too"
            ),
            (
                "__name__", .doesNotMatch, "a[bc]*",
                #"(NOT REGEXP_LIKE("measure_name", '\A(?:a(?:[bc])*)\z') OR "measure_name" LIKE 'promx!_%' ESCAPE '!') AND "#
                    + #"("promx_metric" IS NULL OR NOT REGEXP_LIKE("promx_metric", '\A(?:a(?:[bc])*)\z') "#
                    + #"OR "promx_metric" LIKE 'promx!_%' ESCAPE '!')"#, "names that are stored escaped come too"
            ),
            (
                "__name__", .matches, "a\\b.*",
                #"("measure_name" LIKE 'a%' ESCAPE '!' OR "measure_name" LIKE 'promx!_%' ESCAPE '!') AND "#
                    + #"("promx_metric" IS NULL OR "promx_metric" LIKE 'a%' ESCAPE '!' "#
                    + #"OR "promx_metric" LIKE 'promx!_%' ESCAPE '!')"#, "only the beginning"
            ),
            ("__name__", .notEqual, "up", #""measure_name" <> 'up'"#, "special values"),
            ("__name__", .doesNotMatch, "up|down", #""measure_name" NOT IN ('down', 'up')"#, "special values"),
        ] as [(String, QueryExplanation.Operation, String, String, String)]
    )
    func wider(name: String, operation: QueryExplanation.Operation, value: String, sql: String, why: String) throws {
        guard case .wider(sql, let reason)? = try explain([(name, operation, value)]).parts.first else {
            Issue.record("it is not told as wider")
            return
        }
        #expect(reason.contains(why))
    }

    @Test(
        "not at all",
        arguments: [
            ("job", .matches, ".*", "every series passes"),
            ("job", .notEqual, long, "every series passes"),
            ("job", .doesNotMatch, "a[^\\x00-\\x{10FFFF}]", "every series passes"),
            ("job", .doesNotMatch, "a\\b.*", "the regular expression is not sent"),
            ("job", .matches, "((a*b)+)?", "the regular expression is not sent"),
            ("job", .matches, "(\\ba)?", "what engines read differently"),
            ("__name__", .notEqual, "", "has a name is not asked"),
            ("__name__", .matches, ".+", "has a name is not asked"),
            (long, .notEqual, "a", "no such label"),
        ] as [(String, QueryExplanation.Operation, String, String)]
    )
    func nothing(name: String, operation: QueryExplanation.Operation, value: String, why: String) throws {
        let explanation = try explain([(name, operation, value)])
        guard case .none(let reason)? = explanation.parts.first else {
            Issue.record("\(explanation.parts)")
            return
        }
        #expect(reason.contains(why))
        #expect(explanation.statement?.hasSuffix(" AND from_milliseconds(2)") == true)
    }

    @Test(
        "of what no row can have nothing is sent",
        arguments: [
            ("job", .equal, long), (long, .equal, "a"), (long, .matches, ".+"), ("__name__", .equal, long),
            ("job", .matches, "\(long).*"),
            ("job", .doesNotMatch, ".*"),
            ("job", .matches, "a[^\\x00-\\x{10FFFF}]"),
        ] as [(String, QueryExplanation.Operation, String)]
    )
    func impossible(name: String, operation: QueryExplanation.Operation, value: String) throws {
        let explanation = try explain([("zone", .equal, "z"), (name, operation, value), ("__name__", .equal, "up")])
        #expect(explanation.statement == nil)
        #expect(explanation.parts[1] == .impossible)
        for place in [0, 2] {
            guard case .exact = explanation.parts[place] else {
                Issue.record("the others are told all the same")
                continue
            }
        }
        #expect(explanation.assumedColumns.isEmpty)
    }

    @Test("a list too long for a statement is told as the wider condition that fits, or as none")
    func tooLong() throws {
        let values = (0..<900).map { "a\($0)" + String(repeating: "v", count: 400) }.joined(separator: "|")
        let explanation = try explain([("job", .matches, values), ("zone", .doesNotMatch, values)])
        guard case .wider(#""job" LIKE 'a%' ESCAPE '!'"#, _) = explanation.parts[0] else {
            Issue.record("\(explanation.parts[0])")
            return
        }
        #expect(explanation.parts[1] == .none(why: "the condition does not fit into a statement"))
        // One that fits alone need not fit beside another.
        let half = (0..<400).map { "a\($0)" + String(repeating: "v", count: 400) }.joined(separator: "|")
        let both = try explain([("job", .matches, half), ("zone", .matches, half)])
        guard case .exact = both.parts[0], case .wider = both.parts[1] else {
            Issue.record("the second one cannot be there as a whole")
            return
        }
        #expect(both.statement.map { $0.utf8.count <= QueryExplanation.maximumBytes } == true)
    }

    @Test("times that no sample has are cut off")
    func range() throws {
        #expect(try explain([("job", .equal, "a")], range: -5...7).range == 0...7)
        let none = try explain([("job", .equal, "a")], range: -5 ... -1)
        #expect(none.range == nil && none.statement == nil)
    }

    @Test("what the gateway refuses is refused with the same words")
    func refusals() {
        #expect(throws: ReadError.self) { try explain([("job", .matches, "(")]) }
        #expect(throws: ReadError.self) { try explain([]) }
        #expect(throws: ReadError.self) {
            try QueryExplanation(table: table, range: 0...1, matchers: [([0xFF], .equal, [])])
        }
    }

    @Test("matchers that all accept the empty value are told")
    func acceptsEverything() throws {
        #expect(try explain([("job", .matches, ".*"), ("zone", .notEqual, "a")]).acceptsEverything)
        #expect(try !explain([("job", .matches, ".*"), ("zone", .notEqual, "")]).acceptsEverything)
    }
}

@Suite("What is explained is what is sent, and does what is said of it")
struct QueryExplanationPropertyTests {
    private static let names = ["__name__", "job", "zone", "http.route"]
    private static let values = ["", "a", "b", "ab", "a_b", "a%", "http.requests", "promx_x", "\u{e9}"]
    private static let patterns = [
        ".*", ".+", "", "a", "a|b", "a|", "a.*", "a.+", ".*b", "(a.*)?", "a_.*", "a%.*", "promx_.*", "(?i)a", "[ab]",
        "http\\.requests|b", "a.b?", "[^a]*", "[^a].*", "a\\b.*", "(a*b)+", "(?i)a[_%].*", "promx_[a-z]+", "h.*[.].+",
    ]

    private static func rows(using generator: inout SeededGenerator) -> [MemoryTable.Row] {
        // One of every column, so that the table is as the explanation takes it to be.
        var rows = [
            MemoryTable.Row("m", ["job": "j", "zone": "z", "promx_http_2Eroute": "r"], 5, 1),
            MemoryTable.Row(special: "m", ["job": "j"], 5, bits: 0x7FF0_0000_0000_0002),
        ]
        for _ in 0..<60 {
            var dimensions: [String: String] = [:]
            for column in ["job", "zone", "promx_http_2Eroute"] {
                let value = Self.values.randomElement(using: &generator) ?? ""
                if !value.isEmpty { dimensions[column] = value }
            }
            let metric = Self.values.dropFirst().randomElement(using: &generator) ?? "a"
            let measure = String(decoding: ColumnName.measure(forMetric: Array(metric.utf8)), as: UTF8.self)
            let isSpecial = Int.random(in: 0..<3, using: &generator) == 0
            rows.append(
                isSpecial
                    ? MemoryTable.Row(special: measure, dimensions, 5, bits: 0x7FF0_0000_0000_0002)
                    : MemoryTable.Row(measure, dimensions, 5, 1)
            )
        }
        return rows
    }

    private static func label(_ name: String, of row: MemoryTable.Row) -> [UInt8] {
        guard name == "__name__" else { return row.dimensions[ColumnName.dimension(forLabel: Array(name.utf8))] ?? [] }
        let measure = row.dimensions[Array(ColumnName.specialMetricDimension.utf8)] ?? row.measure
        return ColumnName.metric(ofMeasure: measure)
    }

    @Test("random matchers against random rows", arguments: 1...25 as ClosedRange<UInt64>)
    func random(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let store = MemoryTable(Self.rows(using: &generator))
        let reader = TableReader(table: table)
        // So that the reader knows the columns.
        _ = try await read(store, readRequest([.init("__name__", .equal, "m")]), reader: reader)
        for _ in 0..<20 {
            var matchers: [(String, QueryExplanation.Operation, String)] = []
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let operation = QueryExplanation.Operation.allCases.randomElement(using: &generator) ?? .equal
                let isPattern = operation == .matches || operation == .doesNotMatch
                let value = (isPattern ? Self.patterns : Self.values).randomElement(using: &generator) ?? ""
                matchers.append((Self.names.randomElement(using: &generator) ?? "", operation, value))
            }
            let explanation = try explain(matchers, range: 0...10)

            let types: [QueryExplanation.Operation: ReadRequestBuilder.MatcherType] = [
                .equal: .equal, .notEqual: .notEqual, .matches: .regex, .doesNotMatch: .notRegex,
            ]
            let asked = matchers.map { ReadRequestBuilder.Matcher($0.0, types[$0.1] ?? .equal, $0.2) }
            let before = store.statements.count
            _ = try await read(store, readRequest(asked, 0...10), reader: reader)
            #expect(Array(store.statements.dropFirst(before)) == (explanation.statement.map { [$0] } ?? []))

            for (matcher, part) in zip(matchers, explanation.parts) {
                try await self.check(matcher, part, store)
            }
        }
    }

    /// Runs a matcher's condition alone, and compares its rows with those that the matcher wants.
    private func check(
        _ matcher: (String, QueryExplanation.Operation, String),
        _ part: QueryExplanation.Part,
        _ store: MemoryTable
    ) async throws {
        let type = UInt64(QueryExplanation.Operation.allCases.firstIndex(of: matcher.1) ?? 0)
        let truth = try LabelMatcher(
            type: type,
            name: Array(matcher.0.utf8),
            value: Array(matcher.2.utf8),
            place: ""
        )
        // Nothing is sent where no row can match.
        if part == .impossible {
            #expect(!store.rows.contains { truth.matches(Self.label(matcher.0, of: $0)) })
            return
        }
        let wanted = store.rows.count { truth.matches(Self.label(matcher.0, of: $0)) }
        let alone = try explain([matcher], range: 0...10)
        #expect(alone.parts == [part])
        let statement = try #require(alone.statement)
        let before = store.rowsRead
        _ = try await store.query(statement, nextToken: nil, deadline: .now + .seconds(10))
        let found = store.rowsRead - before
        switch part {
        case .exact: #expect(found == wanted, "\(matcher): \(statement)")
        case .wider: #expect(found >= wanted, "\(matcher): \(statement)")
        case .none(let why):
            #expect(found == store.rows.count)
            if why == "every series passes" { #expect(wanted == found, "\(matcher)") }
        case .impossible: Issue.record("\(matcher) is possible")
        }
    }
}
