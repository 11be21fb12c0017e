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
    /// Whether a statement without the conditions of regular expressions would be another one.
    let hasPatterns: Bool

    /// The longest statement Timestream takes (developer guide, "Quotas").
    static let maximumBytes = 262_144
    /// The longest value a dimension can have (developer guide, "Quotas").
    static let maximumValueBytes = 2_048

    /// Makes the statement for a table as far as its columns are known.
    ///
    /// - Parameters:
    ///   - range: milliseconds, both inclusive.
    ///   - restrictions: what the wanted series have beyond what the matchers say; left out as patterns are.
    ///   - usesPatterns: whether conditions that come from regular expressions may be sent.
    /// - Returns: nil if no row can match, whatever the table holds.
    static func make(
        _ table: TableName,
        _ shape: Shape = .samples,
        range: ClosedRange<Int64>,
        matchers: [LabelMatcher],
        restrictions: [LabelRestriction] = [],
        columns: TableColumns,
        usesPatterns: Bool
    ) -> ReadStatement? {
        var builder = StatementBuilder(columns: columns, usesPatterns: usesPatterns)
        guard builder.begin(table, shape, range) else { return nil }
        // The measure name first: Timestream partitions by it.
        for matcher in matchers where matcher.name == LabelMatcher.metricName {
            guard builder.addMetric(ValueSieve.forms(of: matcher)) else { return nil }
        }
        for matcher in matchers where matcher.name != LabelMatcher.metricName {
            guard builder.addLabel(matcher.name, ValueSieve.forms(of: matcher), acceptsEmpty: matcher.acceptsEmpty)
            else { return nil }
        }
        for restriction in restrictions { builder.add(restriction) }
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

/// Adds conditions as long as they fit: each one left out only makes the result wider.
private struct StatementBuilder {
    /// One way to say a condition.
    private struct Candidate {
        var sql: SQLText
        var columns: [[UInt8]] = []
        var assumedAbsent: [[UInt8]] = []
        var isPattern: Bool
    }

    private let known: TableColumns
    private let usesPatterns: Bool
    private var sql = SQLText()
    private var columns: Set<[UInt8]> = []
    private var assumedAbsent: Set<[UInt8]> = []
    private var hasPatterns = false
    /// Kept free for what comes after the conditions.
    private var tailBytes = 0

    private static let specialMeasure = Array(ColumnName.specialMeasure.utf8)

    init(columns: TableColumns, usesPatterns: Bool) {
        self.known = columns
        self.usesPatterns = usesPatterns
    }

    var statement: ReadStatement {
        ReadStatement(
            text: String(decoding: self.sql.bytes, as: UTF8.self),
            columns: self.columns,
            assumedAbsent: self.assumedAbsent,
            hasPatterns: self.hasPatterns
        )
    }

    /// - Returns: false if the table has no row of ours, as far as its columns tell.
    mutating func begin(_ table: TableName, _ shape: ReadStatement.Shape, _ range: ClosedRange<Int64>) -> Bool {
        self.sql.append("SELECT ")
        switch shape {
        case .samples, .columns:
            self.sql.append("*")
        case .series:
            self.appendSeriesColumns()
            // They come again at the end.
            self.tailBytes = self.sql.bytes.count
            self.sql.append(", COUNT(*) AS ")
            self.sql.append(identifier: TableColumns.rowCount)
            if self.known.isKnown(TableColumns.histogramData) {
                self.sql.append(", SUM(LENGTH(")
                self.sql.append(identifier: TableColumns.histogramData)
                self.sql.append(")) AS ")
                self.sql.append(identifier: TableColumns.byteCount)
            }
        }
        self.sql.append(" FROM ")
        self.sql.append(identifier: Array(table.database.utf8))
        self.sql.append(".")
        self.sql.append(identifier: Array(table.table.utf8))
        self.sql.append(" WHERE ")
        self.sql.append(identifier: TableColumns.time)
        self.sql.append(" BETWEEN from_milliseconds(")
        self.sql.append(range.lowerBound)
        self.sql.append(") AND from_milliseconds(")
        self.sql.append(range.upperBound)
        self.sql.append(")")
        return shape != .series || self.addOwnRowsOnly()
    }

    mutating func end(_ shape: ReadStatement.Shape) {
        switch shape {
        case .samples: break
        case .columns: self.sql.append(" LIMIT 1")
        case .series:
            self.sql.append(" GROUP BY ")
            self.appendSeriesColumns()
        }
    }

    private mutating func appendSeriesColumns() {
        self.sql.append(identifier: TableColumns.measureName)
        for column in self.known.dimensions {
            self.sql.append(", ")
            self.sql.append(identifier: column)
            self.columns.insert(column)
        }
    }

    /// Leaves out rows of other writers, whose values are none of ours: where rows are counted, nobody looks at them.
    private mutating func addOwnRowsOnly() -> Bool {
        let values: [(column: [UInt8], measures: [[UInt8]])] = [
            (TableColumns.doubleValue, []), (TableColumns.bigintValue, [Self.specialMeasure]),
            (TableColumns.histogramData, HistogramRecord.measureNameBytes),
        ].filter { self.known.isKnown($0.0) }
        guard !values.isEmpty else { return false }
        self.sql.append(" AND (")
        for (index, value) in values.enumerated() {
            if index > 0 { self.sql.append(" OR ") }
            if !value.measures.isEmpty {
                self.sql.append("(")
                self.sql.append(column: TableColumns.measureName, isIn: value.measures)
                self.sql.append(" AND ")
            }
            self.sql.append(identifier: value.column)
            self.sql.append(value.measures.isEmpty ? " IS NOT NULL" : " IS NOT NULL)")
            self.columns.insert(value.column)
        }
        self.sql.append(")")
        return true
    }

    mutating func add(_ restriction: LabelRestriction) {
        let forms = [ValueSieve.Form(sieve: .anyOf(restriction.values), isPattern: true)]
        // Series that are there cannot be impossible, so what these return tells nothing.
        if restriction.label == LabelMatcher.metricName {
            _ = self.addMetric(forms)
        } else {
            _ = self.addLabel(restriction.label, forms, acceptsEmpty: restriction.values.contains([]))
        }
    }

    /// Adds the first of the candidates that is allowed and fits.
    private mutating func add(_ candidates: [Candidate]) {
        for candidate in candidates where self.usesPatterns || !candidate.isPattern {
            let byteCount = self.sql.bytes.count + candidate.sql.bytes.count + self.tailBytes + 16
            guard byteCount <= ReadStatement.maximumBytes else { continue }
            self.sql.append(" AND ")
            self.sql.append(candidate.sql)
            self.columns.formUnion(candidate.columns)
            self.assumedAbsent.formUnion(candidate.assumedAbsent)
            self.hasPatterns = self.hasPatterns || candidate.isPattern
            return
        }
    }

    // MARK: Labels

    /// - Parameter forms: the conditions of a matcher, the narrowest first.
    /// - Returns: false if no series can pass the matcher.
    mutating func addLabel(_ label: [UInt8], _ forms: [ValueSieve.Form], acceptsEmpty: Bool) -> Bool {
        let storable = TableColumns.columns(ofLabel: label)
        // Such a name is refused when it is written, in the overflow column too.
        if storable.isEmpty { return acceptsEmpty }
        let possible = storable.filter { !self.known.absent.contains($0) }
        var named = possible.filter(self.known.isKnown)
        if acceptsEmpty {
            // Rows without the label pass, so there is nothing to lose by not asking, and an error to win by asking for a
            // column that is not there. Of two columns ours says what the label is.
            guard let first = possible.first, named.contains(first) else { return true }
            named = [first]
        } else {
            // A label without a column of its own may be in the overflow column, if the table has that.
            let mayOverflow = !self.known.absent.contains(TableColumns.overflow)
            guard let first = possible.first else {
                if mayOverflow { self.addOverflow() }
                return mayOverflow
            }
            if named.isEmpty {
                if self.known.isKnown(TableColumns.overflow) {
                    self.addOverflow(assumedAbsent: possible)
                    return true
                }
                named = [first]
            }
        }
        let hasOverflow = !acceptsEmpty && self.known.isKnown(TableColumns.overflow)
        var candidates: [Candidate] = []
        for form in forms {
            var storable = form.sieve
            switch form.sieve {
            case .anyOf(let values):
                let short = values.filter { $0.count <= ReadStatement.maximumValueBytes }
                if short.isEmpty { return false }
                storable = .anyOf(short)
            case .noneOf(let values):
                let short = values.filter { $0.count <= ReadStatement.maximumValueBytes }
                if short.isEmpty { continue }
                storable = .noneOf(short)
            case .prefix(let prefix):
                if prefix.count > ReadStatement.maximumValueBytes { return false }
            }
            candidates.append(
                Candidate(
                    sql: Self.condition(named, storable, acceptsEmpty: acceptsEmpty, orOverflow: hasOverflow),
                    columns: hasOverflow ? named + [TableColumns.overflow] : named,
                    assumedAbsent: acceptsEmpty
                        ? [] : possible.filter { !named.contains($0) } + (hasOverflow ? [] : [TableColumns.overflow]),
                    isPattern: form.isPattern
                )
            )
        }
        self.add(candidates)
        return true
    }

    /// Only rows that have labels without a column of their own; which ones is looked at afterwards.
    private mutating func addOverflow(assumedAbsent: [[UInt8]] = []) {
        var sql = SQLText()
        sql.append(identifier: TableColumns.overflow)
        sql.append(" IS NOT NULL")
        self.add([
            Candidate(sql: sql, columns: [TableColumns.overflow], assumedAbsent: assumedAbsent, isPattern: false)
        ])
    }

    /// A label's condition: true for the column's missing value too if the matcher accepts the empty string.
    ///
    /// - Parameter orOverflow: whether the label may stand in the overflow column as well.
    private static func condition(
        _ columns: [[UInt8]],
        _ sieve: ValueSieve,
        acceptsEmpty: Bool,
        orOverflow: Bool
    ) -> SQLText {
        var sql = SQLText()
        let isGroup = acceptsEmpty || columns.count > 1 || orOverflow
        if isGroup { sql.append("(") }
        for (index, column) in columns.enumerated() {
            if index > 0 { sql.append(" OR ") }
            if acceptsEmpty {
                sql.append(identifier: column)
                sql.append(" IS NULL OR ")
            }
            switch sieve {
            case .anyOf(let values): sql.append(column: column, isIn: values)
            case .noneOf(let values): sql.append(column: column, isIn: values, negated: true)
            case .prefix(let prefix): sql.append(column: column, startsWith: prefix)
            }
        }
        if orOverflow {
            sql.append(" OR ")
            sql.append(identifier: TableColumns.overflow)
            sql.append(" IS NOT NULL")
        }
        if isGroup { sql.append(")") }
        return sql
    }

    // MARK: Metric names

    /// - Returns: false if no series can pass the matcher.
    mutating func addMetric(_ forms: [ValueSieve.Form]) -> Bool {
        let splitsSpecials = self.known.isLikely(TableColumns.specialMetric)
        let asksForHistograms = self.known.isLikely(TableColumns.histogramData)
        let own = [Self.specialMeasure] + (asksForHistograms ? HistogramRecord.measureNameBytes : [])
        var candidates: [Candidate] = []
        for form in forms {
            var sql = SQLText()
            var columns: [[UInt8]] = []
            var assumedAbsent: [[UInt8]] = []
            switch form.sieve {
            case .anyOf(let values):
                let measures = values.flatMap(TableColumns.measures)
                if measures.isEmpty { return false }
                if splitsSpecials { columns = [TableColumns.specialMetric] }
                if !asksForHistograms { assumedAbsent = [TableColumns.histogramData] }
                Self.append(measures, own, splitsSpecials: splitsSpecials, to: &sql)
            case .noneOf(let values):
                // Rows of special values and of histograms pass: their metric is looked at afterwards.
                let measures = values.filter { !$0.isEmpty }.flatMap(TableColumns.measures)
                if measures.isEmpty { continue }
                sql.append(column: TableColumns.measureName, isIn: measures, negated: true)
            case .prefix(let prefix):
                if prefix.count > ColumnName.maximumMeasureNameBytes { return false }
                if splitsSpecials { columns = [TableColumns.specialMetric] }
                Self.append(prefix: prefix, splitsSpecials: splitsSpecials, to: &sql)
            }
            candidates.append(
                Candidate(sql: sql, columns: columns, assumedAbsent: assumedAbsent, isPattern: form.isPattern)
            )
        }
        self.add(candidates)
        return true
    }

    /// Rows of these measures, and of special values and histograms of these metrics.
    private static func append(_ measures: [[UInt8]], _ own: [[UInt8]], splitsSpecials: Bool, to sql: inout SQLText) {
        guard splitsSpecials else {
            sql.append(column: TableColumns.measureName, isIn: measures + own)
            return
        }
        sql.append("(")
        sql.append(column: TableColumns.measureName, isIn: measures)
        sql.append(" OR (")
        sql.append(column: TableColumns.measureName, isIn: own)
        sql.append(" AND ")
        sql.append(column: TableColumns.specialMetric, isIn: measures)
        sql.append("))")
    }

    /// Rows of measures that start so, of all escaped names, whose originals may start so, and of their special values and
    /// histograms.
    private static func append(prefix: [UInt8], splitsSpecials: Bool, to sql: inout SQLText) {
        func either(_ column: [UInt8]) {
            sql.append(column: column, startsWith: prefix)
            sql.append(" OR ")
            sql.append(column: column, startsWith: ColumnName.prefix)
        }
        sql.append("(")
        either(TableColumns.measureName)
        sql.append(")")
        guard splitsSpecials else { return }
        sql.append(" AND (")
        sql.append(identifier: TableColumns.specialMetric)
        sql.append(" IS NULL OR ")
        either(TableColumns.specialMetric)
        sql.append(")")
    }
}
