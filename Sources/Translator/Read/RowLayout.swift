import TimestreamModel

/// Label names met while a query is answered, as small numbers.
struct LabelNames: Sendable {
    /// The number of `__name__`.
    static let metricName: Int32 = 0

    private(set) var names: [[UInt8]] = [LabelMatcher.metricName]
    private var numbers: [[UInt8]: Int32] = [LabelMatcher.metricName: Self.metricName]

    mutating func number(of name: [UInt8]) -> Int32 {
        if let number = self.numbers[name] { return number }
        let number = Int32(self.names.count)
        self.names.append(name)
        self.numbers[name] = number
        return number
    }
}

/// What the columns of a page mean, by their names: their order is not specified.
struct RowLayout: Sendable {
    struct LabelColumn: Sendable {
        var column: Int
        var name: Int32
    }

    let columns: [QueryPage.Column]
    private(set) var time: Int?
    private(set) var measureName: Int?
    private(set) var doubleValue: Int?
    private(set) var bigintValue: Int?
    private(set) var specialMetric: Int?
    /// Labels without a column of their own.
    private(set) var overflow: Int?
    private(set) var histogramData: Int?
    /// The rows that a row stands for and the bytes of their histograms, where they are grouped by series.
    private(set) var rowCount: Int?
    private(set) var byteCount: Int?
    /// In the order of the label names' bytes; of two columns of one label, ours comes first.
    private(set) var labels: [LabelColumn] = []

    init(_ columns: [QueryPage.Column], names: inout LabelNames) {
        self.columns = columns
        var found: [(label: [UInt8], isOurs: Bool, column: Int)] = []
        for (index, column) in columns.enumerated() {
            let name = Array(column.name.utf8)
            switch name {
            case TableColumns.time: self.time = index
            case TableColumns.measureName: self.measureName = index
            case TableColumns.doubleValue: self.doubleValue = index
            case TableColumns.bigintValue: self.bigintValue = index
            case TableColumns.specialMetric: self.specialMetric = index
            case TableColumns.overflow where column.scalarType == "VARCHAR": self.overflow = index
            case TableColumns.histogramData: self.histogramData = index
            // Another writer may have dimensions of these names, which are text.
            case TableColumns.rowCount where column.scalarType == "BIGINT": self.rowCount = index
            case TableColumns.byteCount where column.scalarType == "BIGINT": self.byteCount = index
            default:
                // Columns of multi-measure records that are no text are of others.
                guard column.scalarType == "VARCHAR", let label = TableColumns.label(ofColumn: name) else { continue }
                found.append((label, ColumnName.dimension(forLabel: label) == name, index))
            }
        }
        found.sort { left, right in
            left.label == right.label ? left.isOurs && !right.isOurs : left.label.lexicographicallyPrecedes(right.label)
        }
        self.labels = found.map { LabelColumn(column: $0.column, name: names.number(of: $0.label)) }
    }
}
