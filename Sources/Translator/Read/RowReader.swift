import TimestreamModel

/// Takes the rows of a query's pages apart, one at a time, without making a string of any cell.
struct RowReader: ~Copyable {
    /// What a statement's rows are.
    enum Kind {
        /// `SELECT *`
        case samples
        /// Series, and how many rows each has.
        case counts
    }

    private let kind: Kind
    private(set) var names: LabelNames
    private var layout: RowLayout?
    private var columns = Columns()
    /// The labels of the row at hand: its metric first, as stored, then the others by name.
    private(set) var key: [LabelSetTable.Part] = []

    /// Where a page's rows have what every row needs.
    private struct Columns {
        var measureName = 0
        var time = 0
    }

    /// What a row's value is.
    enum Form {
        case number
        /// A bit pattern.
        case special
        /// A part of a histogram, from 1.
        case histogram(part: Int)

        /// Whether the measure is one of ours, and the metric's name in a column of its own.
        var isApart: Bool { if case .number = self { false } else { true } }
    }

    /// The cells of a row that are no labels.
    struct Row {
        let form: Form
        fileprivate var time: QueryPage.Cell
        fileprivate var value: QueryPage.Cell
        /// Where rows are counted, the bytes of their histograms.
        fileprivate var byteCount = QueryPage.Cell.null
    }

    private static let specialMeasure = Array(ColumnName.specialMeasure.utf8)

    init(_ kind: Kind, names: LabelNames = LabelNames()) {
        self.kind = kind
        self.names = names
    }

    mutating func number(of name: [UInt8]) -> Int32 {
        self.names.number(of: name)
    }

    /// Gets ready for a page's rows.
    ///
    /// - Returns: false if there are none.
    /// - Throws: `ReadError.store` if the page is no answer to our statement.
    mutating func begin(_ page: QueryPage) throws(ReadError) -> Bool {
        guard !page.columns.isEmpty, !page.cells.isEmpty else { return false }
        let layout: RowLayout
        if let known = self.layout, known.columns == page.columns {
            layout = known
        } else {
            layout = RowLayout(page.columns, names: &self.names)
            self.layout = layout
        }
        let time = self.kind == .samples ? layout.time : layout.rowCount
        guard let time, let measureName = layout.measureName, page.cells.count % page.columns.count == 0 else {
            throw Self.malformed("rows without time, count or measure name")
        }
        self.columns = Columns(measureName: measureName, time: time)
        return true
    }

    /// Reads a row's labels into `key`.
    ///
    /// - Returns: nil for rows of other writers: multi-measure records, text, Booleans.
    mutating func read(_ firstCell: Int, _ cells: Span<QueryPage.Cell>, _ text: Span<UInt8>) throws(ReadError) -> Row? {
        guard let layout = self.layout else { return nil }
        var metric = cells[firstCell + self.columns.measureName]
        guard metric.count > 0 else { return nil }
        let form = Self.form(ofMeasure: text.extracting(try Self.range(metric, in: text)))
        let valueColumn: Int?
        switch (self.kind, form) {
        case (.counts, _): valueColumn = layout.rowCount
        case (.samples, .number): valueColumn = layout.doubleValue
        case (.samples, .special): valueColumn = layout.bigintValue
        case (.samples, .histogram): valueColumn = layout.histogramData
        }
        guard let valueColumn else { return nil }
        let value = cells[firstCell + valueColumn]
        guard !value.isNull else { return nil }
        if form.isApart {
            guard let column = layout.specialMetric else { return nil }
            metric = cells[firstCell + column]
            guard metric.count > 0 else { return nil }
        }

        self.key.removeAll(keepingCapacity: true)
        try self.appendPart(LabelNames.metricName, metric, text)
        var previousName = LabelNames.metricName
        for label in layout.labels {
            let cell = cells[firstCell + label.column]
            // An empty value is the same as no label; of two columns of one label the first one counts.
            guard cell.count > 0, label.name != previousName else { continue }
            previousName = label.name
            try self.appendPart(label.name, cell, text)
        }
        if let column = layout.overflow, cells[firstCell + column].count > 0 {
            try self.appendOverflow(cells[firstCell + column], text)
        }
        var row = Row(form: form, time: cells[firstCell + self.columns.time], value: value)
        if self.kind == .counts, let column = layout.byteCount { row.byteCount = cells[firstCell + column] }
        return row
    }

    /// Adds the labels that have no column of their own.
    private mutating func appendOverflow(_ cell: QueryPage.Cell, _ text: Span<UInt8>) throws(ReadError) {
        let range = try Self.range(cell, in: text)
        var found: [LabelSetTable.Part] = []
        let value = text.extracting(range)
        let isOurs = OverflowText.forEachLabel(value) { nameRange, valueRange in
            let name = nameRange.map { value[$0] }
            guard !name.isEmpty, name != LabelMatcher.metricName, !valueRange.isEmpty else { return }
            found.append(
                LabelSetTable.Part(
                    name: self.names.number(of: name),
                    count: Int32(valueRange.count),
                    start: range.lowerBound + valueRange.lowerBound
                )
            )
        }
        // A part of a series' labels would be another series.
        guard isOurs else { throw Self.malformed("an overflow column that is none of ours") }
        // A label with a column of its own has its value there.
        for part in found where !self.key.contains(where: { $0.name == part.name }) { self.key.append(part) }
        let names = self.names.names
        self.key[1...].sort { names[Int($0.name)].lexicographicallyPrecedes(names[Int($1.name)]) }
    }

    /// Since 1970-01-01 UTC.
    static func timestampMilliseconds(_ row: Row, _ text: Span<UInt8>) throws(ReadError) -> Int64 {
        let time = CellText.timestampMilliseconds(text.extracting(try Self.range(row.time, in: text)))
        guard let time else { throw Self.malformed("a time that is none") }
        return time
    }

    /// The bit pattern of a row that is no histogram's.
    static func bits(_ row: Row, _ text: Span<UInt8>) throws(ReadError) -> UInt64 {
        let number = text.extracting(try Self.range(row.value, in: text))
        let bits: UInt64?
        if case .special = row.form { bits = CellText.bigintBits(number) } else { bits = CellText.doubleBits(number) }
        guard let bits else { throw Self.malformed("a value that is none") }
        return bits
    }

    /// Where the text of a histogram's part is.
    static func textRange(_ row: Row, _ text: Span<UInt8>) throws(ReadError) -> Range<Int> {
        try Self.range(row.value, in: text)
    }

    /// How many rows a row stands for, and the bytes of histograms that they hold.
    static func counts(_ row: Row, _ text: Span<UInt8>) throws(ReadError) -> (rows: Int, bytes: Int) {
        let rows = try Self.count(row.value, text)
        return (rows, row.byteCount.isNull ? 0 : try Self.count(row.byteCount, text))
    }

    private static func count(_ cell: QueryPage.Cell, _ text: Span<UInt8>) throws(ReadError) -> Int {
        let bits = CellText.bigintBits(text.extracting(try Self.range(cell, in: text)))
        guard let bits, let count = Int(exactly: bits) else { throw Self.malformed("a count that is none") }
        return count
    }

    // MARK: Cells

    private mutating func appendPart(_ name: Int32, _ cell: QueryPage.Cell, _ text: Span<UInt8>) throws(ReadError) {
        let range = try Self.range(cell, in: text)
        self.key.append(LabelSetTable.Part(name: name, count: cell.count, start: range.lowerBound))
    }

    /// Where a cell's text is; a null where there must be none is as wrong as one that points elsewhere.
    @inline(__always)
    private static func range(_ cell: QueryPage.Cell, in text: Span<UInt8>) throws(ReadError) -> Range<Int> {
        let start = Int(cell.offset)
        let end = start + Int(cell.count)
        guard start >= 0, end >= start, end <= text.count else { throw Self.malformed("a cell outside the page") }
        return start..<end
    }

    private static func malformed(_ what: String) -> ReadError {
        .store(TimestreamError(.malformedResponse, message: "a query's page has \(what)"))
    }

    @inline(__always)
    private static func form(ofMeasure name: Span<UInt8>) -> Form {
        // Nearly all names end here: those of metrics that start so are escaped.
        for index in ColumnName.prefix.indices where index >= name.count || name[index] != ColumnName.prefix[index] {
            return .number
        }
        return Self.ownForm(ofMeasure: name)
    }

    private static func ownForm(ofMeasure name: Span<UInt8>) -> Form {
        if let part = HistogramRecord.part(ofMeasure: name) { return .histogram(part: part) }
        guard name.count == Self.specialMeasure.count else { return .number }
        for index in name.indices where name[index] != Self.specialMeasure[index] { return .number }
        return .special
    }
}
