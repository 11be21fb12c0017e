import TestSupport
import Testing
import TimestreamModel

@testable import Translator

private let range = #" FROM "db"."tbl" WHERE "time" BETWEEN from_milliseconds(1) AND from_milliseconds(2)"#

@Suite("Statements for lists of series, and for runs of them")
struct SeriesStatementTests {
    private func columns(_ names: [String]) -> TableColumns {
        TableColumns(known: Set(names.map { Array($0.utf8) }))
    }

    private func make(
        _ shape: ReadStatement.Shape,
        _ columns: TableColumns,
        _ matchers: [LabelMatcher] = [],
        restrictions: [LabelRestriction] = [],
        patterns: PatternUse = .expressions
    ) -> ReadStatement? {
        ReadStatement.make(
            readTable,
            shape,
            range: 1...2,
            matchers: matchers,
            restrictions: restrictions,
            columns: columns,
            patterns: patterns
        )
    }

    private let common = [
        "time", "measure_name", "measure_value::double", "measure_value::varchar", "job", "promx_empty",
    ]

    @Test("series are counted by all their columns, and only rows of ours are")
    func series() throws {
        let groups = #""measure_name", "job", "promx_metric", "promx_x_22""#
        let statement = try #require(
            self.make(.series, self.columns(self.common + ["measure_value::bigint", "promx_metric", "promx_x_22"]))
        )
        let own =
            #" AND ("measure_value::double" IS NOT NULL OR ("measure_name" = 'promx_special' AND "#
            + #""measure_value::bigint" IS NOT NULL))"#
        #expect(
            statement.text == "SELECT \(groups), COUNT(*) AS \"promx_rows\"" + range + own + " GROUP BY " + groups
        )
        // Columns that turn out to be missing are found in it.
        for name in ["job", "PROMX_METRIC", "measure_value::double"] {
            #expect(statement.column(spelled: Array(name.utf8)) != nil)
        }
        let withoutSpecials = try #require(self.make(.series, self.columns(self.common)))
        #expect(withoutSpecials.text.contains(#" AND ("measure_value::double" IS NOT NULL) GROUP BY "#))
        // A table without any value of ours has no series of ours.
        #expect(self.make(.series, self.columns(["time", "measure_name", "job"])) == nil)
        #expect(self.make(.columns, self.columns([]))?.text == "SELECT *" + range + " LIMIT 1")
    }

    @Test("the end of the statement keeps its place, however many conditions there are")
    func sizeLimit() throws {
        let value = String(repeating: "x", count: 2_000)
        let matchers = try (0..<200).map { number in
            try LabelMatcher(type: 1, name: Array("job".utf8), value: Array("\(value)\(number)".utf8), place: "")
        }
        let names = (0..<128).map { "dimension\($0)" + String(repeating: "y", count: 40) }
        let statement = try #require(self.make(.series, self.columns(self.common + names), matchers))
        #expect(statement.text.utf8.count <= ReadStatement.maximumBytes)
        #expect(statement.text.utf8.count > ReadStatement.maximumBytes - 4_200)
        let groups = names.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
        #expect(statement.text.hasSuffix(" GROUP BY \"measure_name\", \(groups), \"job\""))
    }

    @Test("a run's labels become conditions, which are left out with the patterns")
    func restrictions() throws {
        let columns = self.columns(self.common + ["promx_metric", "promx_http_2Eroute", "http.route"])
        let restrictions = [
            LabelRestriction(label: LabelMatcher.metricName, values: [Array("up".utf8), []]),
            LabelRestriction(label: Array("job".utf8), values: [[], Array("a'b".utf8)]),
            LabelRestriction(label: Array("http.route".utf8), values: [Array("/".utf8)]),
        ]
        let statement = try #require(self.make(.samples, columns, restrictions: restrictions))
        let metric =
            #" AND ("measure_name" IN ('up', 'promx_unnamed') OR ("measure_name" = 'promx_special' AND "#
            + #""promx_metric" IN ('up', 'promx_unnamed')))"#
        let job = #" AND ("job" IS NULL OR "job" IN ('', 'a''b'))"#
        let route = #" AND ("promx_http_2Eroute" = '/' OR "http.route" = '/')"#
        #expect(statement.text == "SELECT *" + range + metric + job + route)
        let plain = self.make(.samples, columns, restrictions: restrictions, patterns: .none)
        #expect(plain?.text == "SELECT *" + range)
    }

    /// A list of series with these labels.
    private func list(_ series: [[String: String]]) throws -> SeriesList {
        let names = Set(series.flatMap(\.keys)).subtracting(["__name__"]).sorted()
        let columns =
            [QueryPage.Column(name: "measure_name", scalarType: "VARCHAR")]
            + names.map { .init(name: $0, scalarType: "VARCHAR") } + [.init(name: "promx_rows", scalarType: "BIGINT")]
        var page = QueryPage(queryID: "Q", columns: columns, cells: [], arena: [], nextToken: nil)
        for labels in series {
            page.append(Array((labels["__name__"] ?? "").utf8))
            for name in names { page.append(labels[name].map { Array($0.utf8) }) }
            page.append([UInt8(ascii: "1")])
        }
        var lister = SeriesLister(matchers: [], budget: unlimitedBudget)
        _ = try lister.take(page)
        return lister.finish()
    }

    @Test("only labels that exclude others of the list are named, the most telling first")
    func telling() throws {
        var series: [[String: String]] = []
        for number in 0..<100 {
            var labels = ["__name__": "up", "job": "j\(number / 50)", "path": "p\(100 + number)"]
            if number >= 90 { labels["zone"] = "z" }
            series.append(labels)
        }
        let list = try self.list(series)
        let counts = list.distinctCounts()
        let found = list.restrictions(to: 0..<10, distinctCounts: counts)
        #expect(found.map { String(decoding: $0.label, as: UTF8.self) }.first == "path")
        #expect(Set(found.map { String(decoding: $0.label, as: UTF8.self) }) == ["path", "job", "zone"])
        #expect(found.first?.values.count == 10)
        #expect(found.first { $0.label == Array("zone".utf8) }?.values == [[]])
        #expect(list.restrictions(to: 0..<100, distinctCounts: counts).isEmpty)
    }

    @Test("lists of values that do not fit into a statement are left out", arguments: [10, 2_000])
    func longValues(length: Int) throws {
        let tail = String(repeating: "v", count: length)
        let series = (0..<400).map { ["__name__": "m\($0 % 2)", "id": "\(1_000 + $0)" + tail] }
        let list = try self.list(series)
        let found = list.restrictions(to: 0..<200, distinctCounts: list.distinctCounts())
        // The first two hundred in order are all of one metric.
        let names = Set(found.map { String(decoding: $0.label, as: UTF8.self) })
        #expect(names == (length == 10 ? ["__name__", "id"] : ["__name__"]))
        let statement = try #require(
            self.make(.samples, self.columns(self.common + ["id"]), restrictions: found)
        )
        #expect(statement.text.utf8.count <= ReadStatement.maximumBytes)
        #expect(statement.text.contains("\"id\" IN (") == (length == 10))
    }

    @Test("a range is cut into parts that cover it, without holes and overlaps")
    func slices() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<500 {
            let start = Int64.random(in: -5...1_000_000, using: &generator)
            let range = start...start + Int64.random(in: 0...50, using: &generator)
            let count = Int.random(in: 1...60, using: &generator)
            let parts = SeriesRuns.slices(range, count)
            #expect(parts.count == min(count, range.count))
            #expect(parts.first?.lowerBound == range.lowerBound && parts.last?.upperBound == range.upperBound)
            #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upperBound + 1 == $1.lowerBound })
            let sizes = parts.map(\.count)
            #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
        }
    }
}
