import TimestreamModel

/// Counts the rows of each series that the matchers want.
struct SeriesLister: PageCollector, ~Copyable {
    private(set) var budget: ReadBudget
    private var rows = RowReader(.counts)
    private var selection: SeriesSelection
    /// By the series' numbers.
    private var counts: [Int] = []

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
            if Int(series) == self.counts.count { self.counts.append(0) }
            let (sum, overflows) = self.counts[Int(series)].addingReportingOverflow(try RowReader.count(row, text))
            self.counts[Int(series)] = overflows ? .max : sum
        }
        // Once as it is here, and once sorted.
        let sortedBytes = self.selection.memoryBytes + self.counts.count * SeriesSet.seriesBytes
        try self.budget.require(self.selection.memoryBytes + sortedBytes + page.memoryBytes)
        return true
    }

    consuming func finish() -> SeriesList {
        let names = self.rows.names
        return SeriesList(sets: self.selection.finish(), names: names, countsByNumber: self.counts)
    }
}

/// The series of one query, in the order of their labels, each with the number of its rows.
final class SeriesList: Sendable {
    /// Sorted; without samples.
    let set: SeriesSet
    /// By the places in `set`.
    let counts: [Int]
    let names: LabelNames
    let memoryBytes: Int

    private let sets: LabelSetTable
    /// The place of each label set: several may be of one series.
    private let places: [Int32]

    init(sets: consuming LabelSetTable, names: LabelNames, countsByNumber: [Int]) {
        var set = SeriesSet(sets, names: names)
        let places = set.normalize()
        var counts = [Int](repeating: 0, count: set.series.count)
        for (number, place) in places.enumerated() {
            let (sum, overflows) = counts[Int(place)].addingReportingOverflow(countsByNumber[number])
            counts[Int(place)] = overflows ? .max : sum
        }
        self.memoryBytes = 2 * sets.memoryBytes + set.series.count * SeriesSet.seriesBytes
        self.set = set
        self.counts = counts
        self.names = names
        self.sets = sets
        self.places = places
    }

    /// All rows.
    var rowCount: Int {
        self.counts.reduce(0) { sum, count in
            let (total, overflows) = sum.addingReportingOverflow(count)
            return overflows ? .max : total
        }
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
