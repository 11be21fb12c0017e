import TimestreamModel

/// The SQL of one query: its rows are those that the matchers want, or more.
struct ReadStatement: Sendable {
    /// What its rows are.
    enum Shape: Sendable {
        /// All columns of every row.
        case samples
        /// The columns, and at most one row.
        case columns
        /// The series, how many rows each has, and the bytes of their histograms; the columns must be known.
        case series
    }

    let text: String
    /// Columns that the text names beside `time` and `measure_name`.
    let columns: Set<[UInt8]>
    /// Columns that would have to stand in the text if they existed; an answer that has one is not complete.
    let assumedAbsent: Set<[UInt8]>
    /// What it has of the conditions that come of regular expressions.
    let patterns: PatternUse
    /// The regular expressions in it.
    let expressions: Set<[UInt8]>

    /// The longest statement Timestream takes (developer guide, "Quotas").
    static let maximumBytes = 262_144
    /// The longest value a dimension can have (developer guide, "Quotas").
    static let maximumValueBytes = 2_048

    /// Makes the statement for a table as far as its columns are known.
    ///
    /// - Parameters:
    ///   - range: milliseconds, both inclusive.
    ///   - restrictions: what the wanted series have beyond what the matchers say; left out as patterns are.
    ///   - patterns: which conditions that come of regular expressions may be sent.
    ///   - isRefused: whether the store does not take a regular expression.
    /// - Returns: nil if no row can match, whatever the table holds.
    static func make(
        _ table: TableName,
        _ shape: Shape = .samples,
        range: ClosedRange<Int64>,
        matchers: [LabelMatcher],
        restrictions: [LabelRestriction] = [],
        columns: TableColumns,
        patterns: PatternUse,
        isRefused: (_ expression: [UInt8]) -> Bool = { _ in false }
    ) -> ReadStatement? {
        var builder = StatementBuilder(columns: columns)
        guard builder.begin(table, shape, range) else { return nil }
        func forms(_ matcher: LabelMatcher) -> [ValueSieve.Form] {
            ValueSieve.forms(of: matcher).filter { form in
                if case .expression(let expression, _) = form.sieve, isRefused(expression) { return false }
                return form.needs <= patterns
            }
        }
        // The measure name first: Timestream partitions by it.
        for matcher in matchers where matcher.name == LabelMatcher.metricName {
            guard builder.addMetric(forms(matcher)) else { return nil }
        }
        for matcher in matchers where matcher.name != LabelMatcher.metricName {
            guard builder.addLabel(matcher.name, forms(matcher), acceptsEmpty: matcher.acceptsEmpty) else { return nil }
        }
        if patterns != .none {
            for restriction in restrictions { builder.add(restriction) }
        }
        builder.end(shape)
        return builder.statement
    }

    /// The column of this text that an error names: SQL engines are known to change the case of names in their errors.
    func column(spelled name: [UInt8]) -> [UInt8]? {
        if self.columns.contains(name) { return name }
        func lowercased(_ bytes: [UInt8]) -> [UInt8] {
            bytes.map { $0 &- UInt8(ascii: "A") < 26 ? $0 | 0x20 : $0 }
        }
        return self.columns.first { lowercased($0) == lowercased(name) }
    }
}
