import TimestreamModel

/// Adds conditions as long as they fit: each one left out only makes the result wider.
struct StatementBuilder {
    /// One way to say a condition.
    struct Candidate {
        var sql: SQLText
        var columns: [[UInt8]] = []
        var assumedAbsent: [[UInt8]] = []
        var form: ValueSieve.Form
    }

    let known: TableColumns
    private var sql = SQLText()
    private var columns: Set<[UInt8]> = []
    private var assumedAbsent: Set<[UInt8]> = []
    private var patterns = PatternUse.none
    private var expressions: Set<[UInt8]> = []
    /// Kept free for what comes after the conditions.
    private var tailBytes = 0

    static let specialMeasure = Array(ColumnName.specialMeasure.utf8)

    init(columns: TableColumns) {
        self.known = columns
    }

    var statement: ReadStatement {
        ReadStatement(
            text: String(decoding: self.sql.bytes, as: UTF8.self),
            columns: self.columns,
            assumedAbsent: self.assumedAbsent,
            patterns: self.patterns,
            expressions: self.expressions
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
        let forms = [ValueSieve.Form(sieve: .anyOf(restriction.values), needs: .simple)]
        // Series that are there cannot be impossible, so what these return tells nothing.
        if restriction.label == LabelMatcher.metricName {
            _ = self.addMetric(forms)
        } else {
            _ = self.addLabel(restriction.label, forms, acceptsEmpty: restriction.values.contains([]))
        }
    }

    /// Adds the first of the candidates that fits.
    mutating func add(_ candidates: [Candidate]) {
        for candidate in candidates {
            let byteCount = self.sql.bytes.count + candidate.sql.bytes.count + self.tailBytes + 16
            guard byteCount <= ReadStatement.maximumBytes else { continue }
            self.sql.append(" AND ")
            self.sql.append(candidate.sql)
            self.columns.formUnion(candidate.columns)
            self.assumedAbsent.formUnion(candidate.assumedAbsent)
            self.patterns = max(self.patterns, candidate.form.needs)
            if case .expression(let expression, _) = candidate.form.sieve { self.expressions.insert(expression) }
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
            let sieve: ValueSieve
            switch form.sieve.storable(limitBytes: ReadStatement.maximumValueBytes) {
            case .nothingPasses: return false
            case .everythingPasses: continue
            case .sieve(let storable): sieve = storable
            }
            candidates.append(
                Candidate(
                    sql: Self.condition(named, sieve, acceptsEmpty: acceptsEmpty, orOverflow: hasOverflow),
                    columns: hasOverflow ? named + [TableColumns.overflow] : named,
                    assumedAbsent: acceptsEmpty
                        ? [] : possible.filter { !named.contains($0) } + (hasOverflow ? [] : [TableColumns.overflow]),
                    form: form
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
        let form = ValueSieve.Form(sieve: .noneOf([[]]), needs: .none)
        self.add([Candidate(sql: sql, columns: [TableColumns.overflow], assumedAbsent: assumedAbsent, form: form)])
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
            sql.append(column: column, passes: sieve)
        }
        if orOverflow {
            sql.append(" OR ")
            sql.append(identifier: TableColumns.overflow)
            sql.append(" IS NOT NULL")
        }
        if isGroup { sql.append(")") }
        return sql
    }
}
