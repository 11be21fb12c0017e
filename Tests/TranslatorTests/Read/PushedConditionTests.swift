import TestSupport
import Testing
import TimestreamModel

@testable import Translator

/// What a statement asks for may be more than a matcher wants, but never less.
@Suite("Rows that a matcher wants pass the condition that is sent for it")
struct PushedConditionTests {
    private static let values = [
        "a", "b", "ab", "abc", "aab", "aaa", "A", "ba", "foo", "FOO", "foobar", "foo-bar", "xfoo", "host-1", "host-17",
        "0", "10",
        "a_b", "a%b", "a!b", "%", "_", "a.b", "a'b", "a''", "a\nb", "a\n", "\n", "\u{0}", "é", "e\u{301}", "\u{212A}",
        "k", "ß", "ss",
        "\u{1F600}", "a\u{1F600}", "promx_a", "promx_a_2Eb", "job:up:sum", "up", " ",
    ]
    private static let atoms = [
        "a", "b", "ab", "foo", "host-", "0", ".", ".*", ".+", "[a-c]", "[^b]", "\\d", "\\w", "\\W", "\\s", "(?i)k",
        "(?i:foo)", "é", "\\n",
        "_", "%", "'", "!", "\\.", "promx_", "\\pL", "^", "$", "\\b", "", "\u{1F600}", ":", "(?-s:.)",
    ]
    private static let counts = ["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"]

    private static func pattern(_ depth: Int, using generator: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<(depth == 0 ? 4 : 9), using: &generator) {
        case 4, 5:
            return (0..<Int.random(in: 2...3, using: &generator)).map { _ in Self.pattern(depth - 1, using: &generator)
            }
            .joined()
        case 6:
            let parts = (0..<Int.random(in: 2...3, using: &generator)).map { _ in
                Self.pattern(depth - 1, using: &generator)
            }
            return "(?:" + parts.joined(separator: "|") + ")"
        case 7:
            return
                "(?:\(Self.pattern(depth - 1, using: &generator)))\(Self.counts.randomElement(using: &generator) ?? "")"
        case 8:
            let inner = Self.pattern(depth - 1, using: &generator)
            return [".*\(inner)", "\(inner).*", ".+\(inner).*"].randomElement(using: &generator) ?? inner
        default:
            return Self.atoms.randomElement(using: &generator) ?? "a"
        }
    }

    private struct Row {
        var columns: [String: [UInt8]]
        /// What the matcher's label is.
        var value: [UInt8]
    }

    /// Every value in the label's column, in the overflow column, and none.
    private static let labelRows: [Row] = {
        var rows = [Row(columns: [:], value: []), Row(columns: ["job": []], value: [])]
        for value in Self.values {
            rows.append(Row(columns: ["job": Array(value.utf8)], value: Array(value.utf8)))
            rows.append(Row(columns: ["promx_overflow": Array("3:job".utf8)], value: Array(value.utf8)))
        }
        return rows
    }()

    /// Every metric as it may be stored, also of a special value, and of a series without a name.
    private static let metricRows: [Row] = {
        var rows: [Row] = []
        for metric in [""] + Self.values {
            for measure in TableColumns.measures(ofMetric: Array(metric.utf8)) {
                rows.append(Row(columns: ["measure_name": measure], value: Array(metric.utf8)))
                let special = ["measure_name": Array("promx_special".utf8), "promx_metric": measure]
                rows.append(Row(columns: special, value: Array(metric.utf8)))
            }
        }
        return rows
    }()

    private func check(
        _ matcher: LabelMatcher,
        _ rows: [Row],
        known: [String],
        isExact: Bool
    ) throws -> ReadStatement? {
        let statement = ReadStatement.make(
            readTable,
            range: 0...10,
            matchers: [matcher],
            columns: TableColumns(known: Set(known.map { Array($0.utf8) })),
            patterns: .expressions
        )
        guard let statement else {
            #expect(!rows.contains { matcher.matches($0.value) }, "\(matcher.condition): nothing is sent")
            return nil
        }
        let condition = try SQLParser.parse(statement.text).condition
        for row in rows {
            let passes = try condition.evaluate(time: 5) { row.columns[String(decoding: $0, as: UTF8.self)] }
            let isWanted = matcher.matches(row.value)
            if passes != true, isWanted { Issue.record("\(row) is lost by \(statement.text)") }
            if isExact, passes == true, !isWanted { Issue.record("\(row) is found by \(statement.text)") }
        }
        return statement
    }

    @Test("random patterns against every value, as labels and as metrics", arguments: 1...6 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var expressions = 0
        var likes = 0
        for _ in 0..<300 {
            let text = Self.pattern(2, using: &generator)
            let type = UInt64.random(in: 2...3, using: &generator)
            func matcher(_ name: String) throws(ReadError) -> LabelMatcher {
                try LabelMatcher(type: type, name: Array(name.utf8), value: Array(text.utf8), place: text)
            }
            let label = try matcher("job")
            let withOverflow = ["job", "promx_overflow"]
            _ = try self.check(label, Self.labelRows, known: withOverflow, isExact: false)
            // Without an overflow column the condition says no more and no less, if it says it at all.
            let rows = Self.labelRows.filter { $0.columns["promx_overflow"] == nil }
            let isExact = ValueSieve.exactForm(of: label) != nil
            let statement = try self.check(label, rows, known: ["job"], isExact: isExact)
            if statement?.text.contains("REGEXP_LIKE") == true { expressions += 1 }
            if statement?.text.contains(" LIKE ") == true { likes += 1 }
            _ = try self.check(
                try matcher("__name__"),
                Self.metricRows,
                known: ["job", "promx_metric"],
                isExact: false
            )
        }
        #expect(expressions > 50 && likes > 10)
    }
}
