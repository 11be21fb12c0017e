import TimestreamModel

/// Groups the rows of a query's pages by their full label set, and drops those that the matchers do not want.
struct SeriesCollector: PageCollector, ~Copyable {
    private(set) var budget: ReadBudget
    private var rows = RowReader(.samples)
    private var selection: SeriesSelection
    /// By the series' numbers.
    private var samples = SampleRows()
    /// With more samples than these, the rest is not wanted.
    private let stopAfter: Int
    private(set) var isOverflowing = false

    /// - Parameter stopAfter: how many samples are worth reading in one piece; a histogram counts by its memory.
    init(matchers: [LabelMatcher], budget: ReadBudget, stopAfter: Int = .max) {
        self.budget = budget
        self.stopAfter = stopAfter
        self.selection = SeriesSelection(matchers: matchers, limits: budget.limits, rows: &self.rows)
    }

    /// - Throws: `ReadError.tooManySamples`, `.tooManySeries` or `.overMemory`; `.store` if the page is no answer to our
    ///   statement.
    mutating func take(_ page: QueryPage) throws(ReadError) -> Bool {
        guard try self.rows.begin(page) else { return true }
        let text = page.arena.span
        let arena = unsafe text.bytes
        let cells = page.cells.span
        for firstCell in stride(from: 0, to: cells.count, by: page.columns.count) {
            guard let row = try self.rows.read(firstCell, cells, text),
                let series = try self.selection.number(of: self.rows.key, in: arena, &self.budget)
            else { continue }
            try self.samples.add(row, text, to: Int(series), &self.budget)
        }
        self.isOverflowing = self.samples.weight > self.stopAfter
        try self.budget.require(self.memoryBytes + page.memoryBytes)
        return !self.isOverflowing
    }

    private var memoryBytes: Int { self.selection.memoryBytes + self.samples.memoryBytes }

    /// All series, sorted; those that two writers have stored under different names of one label become one.
    consuming func finish() -> SeriesSet {
        let names = self.rows.names
        let sets = self.selection.finish()
        var set = SeriesSet(sets, names: names)
        self.samples.move(to: &set)
        set.normalize()
        // Of some there are only parts of histograms.
        set.series.removeAll { $0.sampleCount == 0 }
        return set
    }
}
