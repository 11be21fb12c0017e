import RegularExpressions
package import TimestreamModel

/// What a remote read with some matchers asks a table for, and what of each matcher the statement says.
///
/// For operators: nothing is sent. The statement is the one for a table whose columns are known and which has one for
/// each label that the matchers name, and neither an overflow column nor native histograms. Every matcher is checked
/// again on every series, whatever the statement says.
package struct QueryExplanation: Sendable {
    /// How a matcher compares, as PromQL writes it.
    package enum Operation: String, Sendable, CaseIterable {
        case equal = "="
        case notEqual = "!="
        case matches = "=~"
        case doesNotMatch = "!~"

        /// The number of `LabelMatcher.Type`.
        fileprivate var number: UInt64 {
            switch self {
            case .equal: 0
            case .notEqual: 1
            case .matches: 2
            case .doesNotMatch: 3
            }
        }
    }

    /// What a statement says of a matcher.
    package enum Part: Sendable, Equatable {
        /// Rows pass the condition if, and only if, their series pass the matcher.
        case exact(sql: String)
        /// Other rows pass as well.
        case wider(sql: String, why: String)
        /// There is no condition.
        case none(why: String)
        /// No row that Timestream can hold passes the matcher, so nothing is sent.
        case impossible
    }

    /// What is sent; nil if no row can match.
    package let statement: String?
    /// The times that it asks for, in milliseconds, both inclusive; nil if none of them can have a sample.
    package let range: ClosedRange<Int64>?
    /// For each matcher, in their order.
    package let parts: [Part]
    /// Columns that the table is taken to have: those of labels, and that of special values' metric names.
    package let assumedColumns: [String]
    /// Whether the statement has regular expressions; one that Timestream refuses is sent again without them.
    package let hasExpressions: Bool
    /// Whether a series without any labels passes all matchers; Prometheus refuses such a selector.
    package let acceptsEverything: Bool

    /// More samples than these are read by further statements.
    package static let samplesPerStatement = ReadLimits.samplesPerRun
    /// The column of labels that have none of their own: if a table has it, rows with it pass every condition on a
    /// label that has to be there.
    package static let overflowColumn = ColumnName.overflowDimension
    /// Bytes of the longest statement; conditions that do not fit are left out.
    package static let maximumBytes = ReadStatement.maximumBytes

    /// - Parameters:
    ///   - range: milliseconds since 1970-01-01 UTC, both inclusive.
    ///   - matchers: names and values in UTF-8 bytes.
    /// - Throws: `ReadError` as for a request with these matchers: bad patterns, what is not UTF-8, or none at all.
    package init(
        table: TableName,
        range: ClosedRange<Int64>,
        matchers: [(name: [UInt8], operation: Operation, value: [UInt8])]
    ) throws(ReadError) {
        if matchers.isEmpty { throw .noMatchers(query: "the selector") }
        var parsed: [LabelMatcher] = []
        for (place, matcher) in matchers.enumerated() {
            parsed.append(
                try LabelMatcher(
                    type: matcher.operation.number,
                    name: matcher.name,
                    value: matcher.value,
                    place: "\(place + 1)"
                )
            )
        }
        let query = ReadRequest.Query(startMilliseconds: range.lowerBound, endMilliseconds: range.upperBound)
        self.range = query.range
        self.acceptsEverything = parsed.allSatisfy(\.acceptsEmpty)

        let columns = Self.columns(for: parsed)
        func make(_ matchers: [LabelMatcher]) -> ReadStatement? {
            ReadStatement.make(
                table,
                range: query.range ?? range,
                matchers: matchers,
                columns: columns,
                patterns: .expressions
            )
        }
        // In the statement's own order each matcher adds its condition at the end.
        let isMetric = { (place: Int) in parsed[place].name == LabelMatcher.metricName }
        let order = parsed.indices.filter(isMetric) + parsed.indices.filter { !isMetric($0) }
        var parts = [Part](repeating: .impossible, count: parsed.count)
        var possible: [LabelMatcher] = []
        var statement = make([])
        for place in order {
            guard let before = statement, let longer = make(possible + [parsed[place]]) else { continue }
            possible.append(parsed[place])
            statement = longer
            let condition = longer.text.utf8.dropFirst(before.text.utf8.count + " AND ".utf8.count)
            parts[place] = Self.part(parsed[place], condition: String(condition) ?? "")
        }
        self.parts = parts
        let isPossible = query.range != nil && possible.count == parsed.count
        self.statement = isPossible ? statement?.text : nil
        self.hasExpressions = isPossible && statement?.expressions.isEmpty == false
        self.assumedColumns = (isPossible ? statement?.columns ?? [] : [])
            .sorted { $0.lexicographicallyPrecedes($1) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Every table's columns, and our own of each label.
    private static func columns(for matchers: [LabelMatcher]) -> TableColumns {
        var known: Set<[UInt8]> = [
            TableColumns.time, TableColumns.measureName, TableColumns.doubleValue, TableColumns.bigintValue,
            TableColumns.specialMetric,
        ]
        for matcher in matchers where matcher.name != LabelMatcher.metricName {
            if let column = TableColumns.columns(ofLabel: matcher.name).first { known.insert(column) }
        }
        return TableColumns(known: known)
    }

    // MARK: One matcher

    private static func part(_ matcher: LabelMatcher, condition: String) -> Part {
        let exact = ValueSieve.exactForm(of: matcher).flatMap { Self.sql(of: $0.sieve, matcher) }
        if let exact, exact.bytes.elementsEqual(condition.utf8) {
            return condition.isEmpty ? .none(why: "every series passes") : .exact(sql: condition)
        }
        if matcher.matchesEverything { return .none(why: "every series passes") }
        if condition.isEmpty { return .none(why: Self.reasonForNothing(matcher)) }
        return .wider(sql: condition, why: Self.reasonForWider(matcher, condition: condition))
    }

    /// A sieve in the words of a statement that loses and adds nothing; nil if there are none.
    ///
    /// Put together here once more, so that a statement that says anything else is never told as exact.
    private static func sql(of sieve: ValueSieve, _ matcher: LabelMatcher) -> SQLText? {
        var sql = SQLText()
        guard matcher.name != LabelMatcher.metricName else {
            // Rows of special values tell their metric in a column of its own.
            guard case .anyOf(let values) = sieve else { return nil }
            let measures = values.flatMap(TableColumns.measures)
            sql.append("(")
            sql.append(column: TableColumns.measureName, isIn: measures)
            sql.append(" OR (")
            sql.append(column: TableColumns.measureName, isIn: [Array(ColumnName.specialMeasure.utf8)])
            sql.append(" AND ")
            sql.append(column: TableColumns.specialMetric, isIn: measures)
            sql.append("))")
            return sql
        }
        guard let column = TableColumns.columns(ofLabel: matcher.name).first else { return nil }
        if matcher.acceptsEmpty {
            sql.append("(")
            sql.append(identifier: column)
            sql.append(" IS NULL OR ")
        }
        switch sieve.storable(limitBytes: ReadStatement.maximumValueBytes) {
        case .nothingPasses: return nil
        // Nothing has to be said of values that no row can have.
        case .everythingPasses: return SQLText()
        case .sieve(let storable): sql.append(column: column, passes: storable)
        }
        if matcher.acceptsEmpty { sql.append(")") }
        return sql
    }

    private static func reasonForNothing(_ matcher: LabelMatcher) -> String {
        if matcher.name == LabelMatcher.metricName {
            if case .notEqual([]) = matcher.condition { return "that a series has a name is not asked" }
            if case .matches(let expression) = matcher.condition, expression.wildcards?.isNotEmpty == true {
                return "that a series has a name is not asked"
            }
        } else if TableColumns.columns(ofLabel: matcher.name).isEmpty {
            return "Timestream can hold no such label, and series without it pass"
        }
        return Self.reasonNotSent(matcher)
    }

    /// Why what says the same as a matcher is not in the statement.
    private static func reasonNotSent(_ matcher: LabelMatcher) -> String {
        switch matcher.condition {
        case .equal, .notEqual: break
        case .matches(let expression), .doesNotMatch(let expression):
            if expression.literals != nil { break }
            if !expression.isCheapToBacktrack {
                return
                    "the regular expression is not sent: it could keep an engine busy that tries one way after the other"
            }
            let limit = ValueSieve.maximumExpressionBytes
            if expression.wildcards == nil, expression.commonSyntax(limitBytes: limit) == nil {
                return
                    "the regular expression is not sent: written out it has more than \(limit) bytes, or what engines"
                    + " read differently"
            }
        }
        return "the condition does not fit into a statement"
    }

    private static let elsewhere =
        "the label stands with others in \(ColumnName.overflowDimension), which is not searched"

    private static func reasonForWider(_ matcher: LabelMatcher, condition: String) -> String {
        let isMetric = matcher.name == LabelMatcher.metricName
        if isMetric, let exact = ValueSieve.exactForm(of: matcher) {
            var sent = SQLText()
            sent.append("(")
            sent.append(column: TableColumns.measureName, passes: exact.sieve)
            sent.append(" OR ")
            if condition.utf8.starts(with: sent.bytes) { return "names that are stored escaped come too" }
        }
        let specials = "special values (NaN, infinities, staleness) and native histograms come of every metric"
        switch matcher.condition {
        case .equal: return Self.elsewhere
        case .notEqual: return isMetric ? specials : Self.elsewhere
        case .doesNotMatch(let expression):
            if isMetric, expression.literals != nil { return specials }
            return Self.reasonNotSent(matcher) + "; only that there is a value"
        case .matches(let expression):
            let what = expression.literalPrefix.isEmpty ? "that there is a value" : "the beginning that all values have"
            return Self.reasonNotSent(matcher) + "; only " + what
        }
    }
}

extension LabelMatcher {
    /// Whether it is a pattern for "any value or none".
    fileprivate var matchesEverything: Bool {
        guard case .matches(let expression) = self.condition else { return false }
        return expression.wildcards?.isEverything == true
    }
}
