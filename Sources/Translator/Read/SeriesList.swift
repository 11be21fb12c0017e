import TimestreamModel

/// Counts the rows of each series that the matchers want.
struct SeriesLister: PageCollector, ~Copyable {
    private(set) var budget: ReadBudget
    private var rows = RowReader(.counts)
    private var selection: SeriesSelection
    /// By the series' numbers, what their rows take.
    private var weights: [Int] = []
    private var sampleCount = 0

    init(matchers: [LabelMatcher], budget: ReadBudget) {
        self.budget = budget
        self.selection = SeriesSelection(matchers: matchers, limits: budget.limits, rows: &self.rows)
    }

    mutating func take(_ page: QueryPage) throws(ReadError) -> Bool {
        guard try self.rows.begin(page) else { return true }
        let text = page.arena.span
        let arena = unsafe text.bytes
        let cells = page.cells.span
        for firstCell in stride(from: 0, to: cells.count, by: page.columns.count) {
            guard let row = try self.rows.read(firstCell, cells, text),
                let series = try self.selection.number(of: self.rows.key, in: arena, &self.budget)
            else { continue }
            if Int(series) == self.weights.count { self.weights.append(0) }
            let counts = try RowReader.counts(row, text)
            var isHistogram = false
            var isSample = true
            if case .histogram(let part) = row.form { (isHistogram, isSample) = (true, part == 1) }
            let weight = SampleRows.weight(rows: counts.rows, areHistograms: isHistogram, textBytes: counts.bytes)
            self.weights[Int(series)] = Self.sum(self.weights[Int(series)], weight)
            if isSample { self.sampleCount = Self.sum(self.sampleCount, counts.rows) }
        }
        // Once as it is here, and once sorted.
        let sortedBytes = self.selection.memoryBytes + self.weights.count * SeriesSet.seriesBytes
        try self.budget.require(self.selection.memoryBytes + sortedBytes + page.memoryBytes)
        return true
    }

    consuming func finish() -> SeriesList {
        let names = self.rows.names
        return SeriesList(
            sets: self.selection.finish(),
            names: names,
            weightsByNumber: self.weights,
            sampleCount: self.sampleCount
        )
    }

    fileprivate static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflows) = left.addingReportingOverflow(right)
        return overflows ? .max : sum
    }
}

/// The series of one query, in the order of their labels, each with what its rows take.
final class SeriesList: Sendable {
    /// Sorted; without samples.
    let set: SeriesSet
    /// By the places in `set`, as numbers of floats.
    let weights: [Int]
    /// All floats and histograms.
    let sampleCount: Int
    let names: LabelNames
    let memoryBytes: Int

    private let sets: LabelSetTable
    /// The place of each label set: several may be of one series.
    private let places: [Int32]

    init(sets: consuming LabelSetTable, names: LabelNames, weightsByNumber: [Int], sampleCount: Int) {
        var set = SeriesSet(sets, names: names)
        let places = set.normalize()
        var weights = [Int](repeating: 0, count: set.series.count)
        for (number, place) in places.enumerated() {
            weights[Int(place)] = SeriesLister.sum(weights[Int(place)], weightsByNumber[number])
        }
        self.memoryBytes = 2 * sets.memoryBytes + set.series.count * SeriesSet.seriesBytes
        self.set = set
        self.weights = weights
        self.sampleCount = sampleCount
        self.names = names
        self.sets = sets
        self.places = places
    }

    /// The place of the series with these labels; nil if it is not in the list.
    func place(of key: [LabelSetTable.Part], in arena: RawSpan, after last: Int32) -> (place: Int, number: Int32)? {
        // Neighbours are often rows of one series.
        if last >= 0, self.sets.holds(last, key, in: arena) { return (Int(self.places[Int(last)]), last) }
        let hash = LabelSetTable.hash(key, in: arena, seed: self.sets.seed)
        guard let number = self.sets.find(key, in: arena, hash: hash) else { return nil }
        return (Int(self.places[Int(number)]), number)
    }
}
