import RegularExpressions

extension StatementBuilder {
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
            case .like, .expression:
                switch form.sieve.storable(limitBytes: ColumnName.maximumMeasureNameBytes) {
                case .nothingPasses: return false
                case .everythingPasses: continue
                case .sieve: break
                }
                if splitsSpecials { columns = [TableColumns.specialMetric] }
                Self.append(form.sieve, splitsSpecials: splitsSpecials, to: &sql)
            }
            candidates.append(Candidate(sql: sql, columns: columns, assumedAbsent: assumedAbsent, form: form))
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

    /// Rows of measures that pass, of all escaped names, whose originals may pass, and of their special values and
    /// histograms.
    private static func append(_ sieve: ValueSieve, splitsSpecials: Bool, to sql: inout SQLText) {
        func either(_ column: [UInt8]) {
            sql.append(column: column, passes: sieve)
            sql.append(" OR ")
            sql.append(column: column, isLike: Self.escapedNames)
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

    /// And our own measures.
    private static let escapedNames = Wildcards(prefix: ColumnName.prefix)
}
