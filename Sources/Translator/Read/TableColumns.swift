/// What is known of a table's columns while one query is answered, by their names in UTF-8 bytes.
///
/// Timestream adds a column when the first record needs it, so knowledge of an earlier answer is a hint: it may make a
/// statement shorter or wider, but never decides that something is not there. Only an error of this very query does.
struct TableColumns: Sendable {
    /// The columns of the last `SELECT *`; nil before the first one.
    private(set) var known: Set<[UInt8]>?
    /// Columns that Timestream has said to be missing while this query was answered.
    private(set) var absent: Set<[UInt8]> = []

    init(known: Set<[UInt8]>?) {
        self.known = known
    }

    func isKnown(_ column: [UInt8]) -> Bool {
        self.known?.contains(column) ?? false
    }

    /// Whether to count on a column that most tables have: yes, until there is a reason not to.
    func isLikely(_ column: [UInt8]) -> Bool {
        !self.absent.contains(column) && (self.known?.contains(column) ?? true)
    }

    mutating func learn(_ columns: Set<[UInt8]>) {
        self.known = columns
        self.absent.subtract(columns)
    }

    mutating func learn(isMissing column: [UInt8]) {
        self.absent.insert(column)
        self.known?.remove(column)
    }

    /// The known columns that tell series apart beside the measure name, in the order of their bytes.
    var dimensions: [[UInt8]] {
        (self.known ?? []).filter {
            Self.label(ofColumn: $0) != nil || $0 == Self.specialMetric || $0 == Self.overflow
        }
        .sorted { $0.lexicographicallyPrecedes($1) }
    }

    // MARK: Columns of labels

    /// Columns of every table that are no labels.
    static let time = Array("time".utf8)
    static let measureName = Array("measure_name".utf8)
    static let doubleValue = Array("measure_value::double".utf8)
    static let bigintValue = Array("measure_value::bigint".utf8)
    /// Our names in statements that count rows: of their number, and of the bytes of histograms that they hold.
    static let rowCount = Array("promx_rows".utf8)
    static let byteCount = Array("promx_bytes".utf8)
    static let specialMetric = Array(ColumnName.specialMetricDimension.utf8)
    static let overflow = Array(ColumnName.overflowDimension.utf8)
    static let histogramData = Array(HistogramRecord.dataName.utf8)
    private static let histogramNumbers = [HistogramRecord.countName, HistogramRecord.sumName].map { Array($0.utf8) }
    private static let noLabels = Array(ColumnName.noLabelsDimension.utf8)
    private static let valuePrefix = Array("measure_value".utf8)

    /// The label that a VARCHAR column holds; nil for columns that hold none.
    ///
    /// An empty name, or `__name__` beside the real one, would make Prometheus refuse the whole answer.
    static func label(ofColumn column: [UInt8]) -> [UInt8]? {
        if column == Self.time || column == Self.measureName || column.starts(with: Self.valuePrefix) { return nil }
        if column == Self.specialMetric || column == Self.noLabels || column == Self.overflow { return nil }
        if column == Self.histogramData || Self.histogramNumbers.contains(column) { return nil }
        let label = ColumnName.label(ofDimension: column)
        return label.isEmpty || label == LabelMatcher.metricName ? nil : label
    }

    /// The columns that can hold a label: the one that we write to, and the label's own name, which other writers use.
    /// Empty if Timestream can hold no such label.
    static func columns(ofLabel label: [UInt8]) -> [[UInt8]] {
        let ours = ColumnName.dimension(forLabel: label)
        return (ours == label ? [ours] : [ours, label]).filter { column in
            column.count <= ColumnName.maximumDimensionNameBytes && Self.label(ofColumn: column) == label
        }
    }

    /// The measure names under which a metric can be stored: ours, with and without colons escaped, and the name as other
    /// writers use it.
    /// Empty if Timestream can hold no such metric.
    static func measures(ofMetric metric: [UInt8]) -> [[UInt8]] {
        guard !metric.isEmpty else { return [Array(ColumnName.noNameMeasure.utf8)] }
        let ours = ColumnName.measure(forMetric: metric)
        var measures = [ours]
        for other in [ColumnName.measure(forMetric: metric, escapesColons: true), metric]
        where !measures.contains(other) {
            measures.append(other)
        }
        return measures.filter { measure in
            measure.count <= ColumnName.maximumMeasureNameBytes && Self.metric(ofMeasure: measure) == metric
        }
    }

    /// The metric name of a measure; empty for series without one, and nil for those of special values and histograms.
    static func metric(ofMeasure measure: [UInt8]) -> [UInt8]? {
        if measure.elementsEqual(ColumnName.specialMeasure.utf8) { return nil }
        if HistogramRecord.part(ofMeasure: measure.span) != nil { return nil }
        if measure.elementsEqual(ColumnName.noNameMeasure.utf8) { return [] }
        return ColumnName.metric(ofMeasure: measure)
    }
}
