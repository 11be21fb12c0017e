import TimestreamModel

/// Collects the samples of some neighbours of a list; rows of other series are not looked at.
struct RunCollector: PageCollector, ~Copyable {
    private(set) var budget: ReadBudget
    private let list: SeriesList
    private let places: Range<Int>
    private let times: ClosedRange<Int64>
    private var rows: RowReader
    private var last: Int32 = -1
    /// By the places, from the first one of the run.
    private var samples: SampleRows
    private let stopAfter: Int
    private(set) var isOverflowing = false

    /// - Parameters:
    ///   - times: in milliseconds; samples at others belong to another run.
    ///   - stopAfter: with more samples than these, the run has to be another one; a histogram counts by its memory.
    init(
        _ list: SeriesList,
        places: Range<Int>,
        times: ClosedRange<Int64>,
        budget: ReadBudget,
        stopAfter: Int = .max
    ) {
        self.times = times
        self.list = list
        self.places = places
        self.budget = budget
        self.stopAfter = stopAfter
        self.rows = RowReader(.samples, names: list.names)
        self.samples = SampleRows(seriesCount: places.count)
    }

    mutating func take(_ page: QueryPage) throws(ReadError) -> Bool {
        guard try self.rows.begin(page) else { return true }
        let text = page.arena.span
        let arena = unsafe text.bytes
        let cells = page.cells.span
        for firstCell in stride(from: 0, to: cells.count, by: page.columns.count) {
            // What is not in the list has come after it was made.
            guard let row = try self.rows.read(firstCell, cells, text),
                let found = self.list.place(of: self.rows.key, in: arena, after: self.last)
            else { continue }
            self.last = found.number
            guard self.places.contains(found.place) else { continue }
            let number = found.place - self.places.lowerBound
            try self.samples.add(row, text, to: number, times: self.times, &self.budget)
        }
        self.isOverflowing = self.samples.weight > self.stopAfter
        try self.budget.require(self.memoryBytes + page.memoryBytes)
        return !self.isOverflowing
    }

    var memoryBytes: Int { self.samples.memoryBytes }

    /// The run's series, in order; one may have lost its samples meanwhile.
    consuming func finish() -> SeriesSet {
        var set = self.list.set
        set.series = Array(set.series[self.places])
        self.samples.move(to: &set)
        for index in set.series.indices { SeriesSet.normalize(&set.series[index], set.histograms) }
        return set
    }
}
