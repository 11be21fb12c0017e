import TimestreamModel

/// What the answer to a request may still take.
struct ReadBudget: Sendable {
    let limits: ReadLimits
    private(set) var samples = 0
    private(set) var series = 0

    init(limits: ReadLimits) {
        self.limits = limits
    }

    mutating func takeSample() throws(ReadError) {
        guard self.samples < self.limits.maxSamples else { throw .tooManySamples(limit: self.limits.maxSamples) }
        self.samples += 1
    }

    mutating func takeSeries() throws(ReadError) {
        guard self.series < self.limits.maxSeries else { throw .tooManySeries(limit: self.limits.maxSeries) }
        self.series += 1
    }
}

/// Groups the rows of a query's pages by their full label set, and drops those that the matchers do not want.
///
/// A label set is looked at once; each further row of it costs a hash and a comparison of its cells. Rows of one series
/// may be far apart, and its special values stand in rows of their own.
struct SeriesCollector: ~Copyable {
    private let matchers: [LabelMatcher]
    private let matcherNames: [Int32]
    private var names = LabelNames()
    private var layout: RowLayout?

    private var accepted = LabelSetTable()
    /// Of the accepted sets, by their numbers.
    private var samples: [[SeriesSet.Sample]] = []
    /// Sets that some matcher does not want: remembered so as not to try it again with each row.
    private var rejected = LabelSetTable()
    /// Sets remembered so; then all are forgotten, since the limits bound only what is wanted.
    private let maximumRejected: Int

    // Neighbours are often rows of one series: then the first comparison ends the search.
    private var lastAccepted: Int32 = -1
    private var lastRejected: Int32 = -1
    private var key: [LabelSetTable.Part] = []
    private let seed = UInt64.random(in: .min ... .max)

    private static let specialMeasure = Array(ColumnName.specialMeasure.utf8)

    init(matchers: [LabelMatcher], limits: ReadLimits) {
        self.matchers = matchers
        self.maximumRejected = max(limits.maxSeries, 1_000)
        var names = LabelNames()
        self.matcherNames = matchers.map { names.number(of: $0.name) }
        self.names = names
    }

    // MARK: Rows

    /// Takes a page's rows.
    ///
    /// - Throws: `ReadError.tooManySamples` or `.tooManySeries`; `.store` if the page is no answer to our statement.
    mutating func add(_ page: QueryPage, budget: inout ReadBudget) throws(ReadError) {
        let width = page.columns.count
        guard width > 0, !page.cells.isEmpty else { return }
        let layout: RowLayout
        if let known = self.layout, known.columns == page.columns {
            layout = known
        } else {
            layout = RowLayout(page.columns, names: &self.names)
            self.layout = layout
        }
        guard let timeColumn = layout.time, let measureColumn = layout.measureName, page.cells.count % width == 0 else {
            throw Self.malformed("rows without time or measure name")
        }
        let text = page.arena.span
        let arena = unsafe text.bytes
        let cells = page.cells.span
        for firstCell in stride(from: 0, to: cells.count, by: width) {
            var metric = cells[firstCell + measureColumn]
            guard metric.count > 0 else { continue }
            let isSpecial = Self.isSpecialMeasure(text.extracting(try Self.range(metric, in: text)))
            // Rows without a value of ours are those of other writers: multi-measure records, text, Booleans.
            guard let valueColumn = isSpecial ? layout.bigintValue : layout.doubleValue else { continue }
            let value = cells[firstCell + valueColumn]
            guard !value.isNull else { continue }
            if isSpecial {
                guard let column = layout.specialMetric else { continue }
                metric = cells[firstCell + column]
                guard metric.count > 0 else { continue }
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
            guard let series = try self.series(arena, &budget) else { continue }
            let timestamp = text.extracting(try Self.range(cells[firstCell + timeColumn], in: text))
            let number = text.extracting(try Self.range(value, in: text))
            guard let milliseconds = CellText.timestampMilliseconds(timestamp),
                let bits = isSpecial ? CellText.bigintBits(number) : CellText.doubleBits(number)
            else { throw Self.malformed("a time or a value that is none") }
            try budget.takeSample()
            self.samples[Int(series)].append(SeriesSet.Sample(timestampMilliseconds: milliseconds, bits: bits))
        }
    }

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

    private static func isSpecialMeasure(_ text: Span<UInt8>) -> Bool {
        guard text.count == Self.specialMeasure.count else { return false }
        for index in 0..<text.count where text[index] != Self.specialMeasure[index] { return false }
        return true
    }

    // MARK: Series

    /// The number of the series that `key` stands for; nil if a matcher does not want it.
    private mutating func series(_ arena: RawSpan, _ budget: inout ReadBudget) throws(ReadError) -> Int32? {
        if self.lastAccepted >= 0, self.accepted.holds(self.lastAccepted, self.key, in: arena) {
            return self.lastAccepted
        }
        if self.lastRejected >= 0, self.rejected.holds(self.lastRejected, self.key, in: arena) { return nil }
        let hash = LabelSetTable.hash(self.key, in: arena, seed: self.seed)
        if let found = self.accepted.find(self.key, in: arena, hash: hash) {
            self.lastAccepted = found
            return found
        }
        if let found = self.rejected.find(self.key, in: arena, hash: hash) {
            self.lastRejected = found
            return nil
        }
        guard self.isWanted(arena) else {
            if self.rejected.count >= self.maximumRejected { self.rejected = LabelSetTable() }
            self.lastRejected = self.rejected.insert(self.key, in: arena, hash: hash)
            return nil
        }
        try budget.takeSeries()
        self.lastAccepted = self.accepted.insert(self.key, in: arena, hash: hash)
        self.samples.append([])
        return self.lastAccepted
    }

    private func isWanted(_ arena: RawSpan) -> Bool {
        for (matcher, name) in zip(self.matchers, self.matcherNames) {
            var value: [UInt8] = []
            if let part = self.key.first(where: { $0.name == name }) {
                value = unsafe arena.extracting(part.range).withUnsafeBytes { unsafe Array($0) }
            }
            if name == LabelNames.metricName {
                guard let metric = TableColumns.metric(ofMeasure: value) else { return false }
                value = metric
            }
            guard matcher.matches(value) else { return false }
        }
        return true
    }

    // MARK: Result

    /// All series, sorted; those that two writers have stored under different names of one label become one.
    consuming func finish() -> SeriesSet {
        var set = SeriesSet()
        let order = self.names.names.indices.sorted {
            self.names.names[$0].lexicographicallyPrecedes(self.names.names[$1])
        }
        var ranks = [Int32](repeating: 0, count: order.count)
        for (rank, number) in order.enumerated() { ranks[number] = Int32(rank) }
        set.names = order.map { self.names.names[$0] }
        set.values = self.accepted.bytes
        set.series.reserveCapacity(self.accepted.count)
        for number in 0..<self.accepted.count {
            let first = set.labels.count
            for part in self.accepted.parts(of: Int32(number)) {
                var label = SeriesSet.Label(
                    name: ranks[Int(part.name)],
                    valueCount: part.count,
                    valueStart: part.start
                )
                if part.name == LabelNames.metricName {
                    let stored = Array(set.values[part.range])
                    let metric = TableColumns.metric(ofMeasure: stored) ?? []
                    if metric.isEmpty { continue }
                    if metric != stored {
                        label.valueStart = set.values.count
                        label.valueCount = Int32(metric.count)
                        set.values += metric
                    }
                }
                set.labels.append(label)
            }
            // In order but for `__name__`, which comes first in the key and has its place among the others.
            set.labels[first...].sort { $0.name < $1.name }
            set.series.append(SeriesSet.Series(labels: first..<set.labels.count, samples: self.samples[number]))
            self.samples[number] = []
        }
        set.normalize()
        return set
    }
}
