import TimestreamModel

/// Some neighbours of a query's series, in order, or a part of one of them.
struct SeriesRun: Sendable {
    var queryIndex: Int
    var set: SeriesSet
    /// What it takes besides the list that it is a run of.
    var memoryBytes: Int
    /// Whether its only series has begun in the run before.
    var continues = false
    /// Whether its only series goes on in the next run.
    var isContinued = false
    /// Whether series without samples are to be told.
    var isListOnly = false
}

/// The runs of all queries of a request, one after the other, each read when it is asked for.
///
/// A result that fits into one run is read by one statement. A larger one is read twice: first its series and what the
/// rows of each take, then their samples, by runs of that list which fit into memory; a series that alone does not is read by
/// slices of time. What is written meanwhile may or may not be seen, series that were not there at first are not.
struct SeriesRuns: Sendable {
    /// What is left of a query that does not fit into one run.
    private struct Rest: Sendable {
        var query: TableQuery
        let list: SeriesList
        let distinctCounts: [Int]
        /// The first series that has not been read.
        var nextPlace = 0
        /// Of that series, the times that have not been read, in order; empty if none has been read.
        var slices: [ClosedRange<Int64>] = []
        /// Whether a slice of that series has been read.
        var hasBegun = false
    }

    private let queries: [TableQuery?]
    private let listsOnly: [Bool]
    private let samplesPerRun: Int
    private var nextQuery = 0
    private var rest: Rest?
    private(set) var budget: ReadBudget

    /// - Parameter queries: nil for those that have nothing to read.
    init(_ queries: [TableQuery?], listsOnly: [Bool], budget: ReadBudget, samplesPerRun: Int) {
        self.queries = queries
        self.listsOnly = listsOnly
        self.budget = budget
        self.samplesPerRun = samplesPerRun
    }

    /// Reads the next run.
    ///
    /// - Parameter otherBytes: what the caller still holds of the runs before.
    /// - Returns: nil after the last one.
    mutating func next(besides otherBytes: Int = 0) async throws(ReadError) -> SeriesRun? {
        self.budget.heldBytes += otherBytes
        defer { self.budget.heldBytes -= otherBytes }
        while true {
            if var rest = self.rest {
                let run = try await self.nextRun(of: &rest)
                let isDone = rest.nextPlace == rest.list.set.series.count
                self.rest = isDone ? nil : rest
                if isDone { self.budget.heldBytes -= rest.list.memoryBytes }
                return run
            }
            guard self.nextQuery < self.queries.count else { return nil }
            let index = self.nextQuery
            self.nextQuery += 1
            guard let query = self.queries[index] else { continue }
            guard let run = try await self.start(query, index) else { continue }
            if !run.set.series.isEmpty || run.set.histograms.hasFaults { return run }
        }
    }

    /// Reads a query as a whole; if that is too much, sets `rest`.
    private mutating func start(_ query: TableQuery, _ index: Int) async throws(ReadError) -> SeriesRun? {
        var query = query
        if self.listsOnly[index] {
            guard let (list, budget) = try await query.list(self.budget) else { return nil }
            self.budget = budget
            return SeriesRun(queryIndex: index, set: list.set, memoryBytes: list.memoryBytes, isListOnly: true)
        }
        let budget = self.budget
        let limit = self.samplesPerRun
        let found = try await query.run { [matchers = query.matchers] in
            SeriesCollector(matchers: matchers, budget: budget, stopAfter: limit)
        }
        guard let found else { return nil }
        guard found.isOverflowing else {
            self.budget = found.budget
            let set = found.finish()
            return SeriesRun(queryIndex: index, set: set, memoryBytes: set.memoryBytes)
        }
        _ = consume found
        // The columns are known from what was read, all of them.
        guard let (list, after) = try await query.list(self.budget, columnsAreKnown: true) else { return nil }
        try after.checkRoom(samples: list.sampleCount)
        self.budget = after
        guard !list.set.series.isEmpty else { return nil }
        self.budget.heldBytes += list.memoryBytes
        self.rest = Rest(query: query, list: list, distinctCounts: list.distinctCounts())
        return nil
    }

    private mutating func nextRun(of rest: inout Rest) async throws(ReadError) -> SeriesRun {
        let list = rest.list
        let first = rest.nextPlace
        let index = self.nextQuery - 1
        if rest.slices.isEmpty, list.weights[first] > self.samplesPerRun {
            let count = min((list.weights[first] - 1) / self.samplesPerRun + 1, Self.maximumSlices)
            rest.slices = Self.slices(rest.query.range, count)
        }
        guard rest.slices.isEmpty else { return try await self.nextSlice(of: &rest, index) }

        var end = first
        var weight = 0
        while end < list.weights.count, end - first < ReadLimits.seriesPerRun,
            list.weights[end] <= self.samplesPerRun - weight
        {
            weight += list.weights[end]
            end += 1
        }
        let places = first..<end
        let budget = self.budget
        let restrictions = list.restrictions(to: places, distinctCounts: rest.distinctCounts)
        let times = rest.query.range
        let found = try await rest.query.run(restrictions: restrictions) {
            RunCollector(list, places: places, times: times, budget: budget)
        }
        rest.nextPlace = end
        guard let found else { return SeriesRun(queryIndex: index, set: SeriesSet(), memoryBytes: 0) }
        self.budget = found.budget
        let memoryBytes = found.memoryBytes
        return SeriesRun(queryIndex: index, set: found.finish(), memoryBytes: memoryBytes)
    }

    /// Of one series at once: what the store says of its bytes is not bound by any limit. Slices too large are halved.
    private static let maximumSlices = 10_000

    /// Reads the next slice of one series; of a slice that turns out too large, a half.
    private mutating func nextSlice(of rest: inout Rest, _ index: Int) async throws(ReadError) -> SeriesRun {
        let list = rest.list
        let places = rest.nextPlace..<rest.nextPlace + 1
        let restrictions = list.restrictions(to: places, distinctCounts: rest.distinctCounts)
        let budget = self.budget
        while true {
            let slice = rest.slices.removeFirst()
            let limit = slice.count == 1 ? .max : 2 * self.samplesPerRun
            var run = SeriesRun(queryIndex: index, set: list.set, memoryBytes: 0, continues: rest.hasBegun)
            run.set.series = [list.set.series[places.lowerBound]]
            // Times between milliseconds count as the one before: the last ones of a slice lie beyond its end.
            let end = min(slice.upperBound + 1, rest.query.range.upperBound)
            let found = try await rest.query.run(range: slice.lowerBound...end, restrictions: restrictions) {
                RunCollector(list, places: places, times: slice, budget: budget, stopAfter: limit)
            }
            if let found {
                if found.isOverflowing {
                    rest.slices = Self.slices(slice, 2) + rest.slices
                    continue
                }
                self.budget = found.budget
                run.memoryBytes = found.memoryBytes
                run.set = found.finish()
            }
            rest.hasBegun = !rest.slices.isEmpty
            run.isContinued = rest.hasBegun
            if !rest.hasBegun { rest.nextPlace += 1 }
            return run
        }
    }

    /// Cuts a range into parts of about the same length, as many as there are milliseconds at most.
    static func slices(_ range: ClosedRange<Int64>, _ count: Int) -> [ClosedRange<Int64>] {
        let length = Int64(range.count)
        let count = min(Int64(count), length)
        let (size, larger) = length.quotientAndRemainder(dividingBy: count)
        var start = range.lowerBound
        return (0..<count).map { number in
            let end = start + size - (number < larger ? 0 : 1)
            defer { start = end + 1 }
            return start...end
        }
    }
}

extension TableQuery {
    /// The series that the query wants, without their samples.
    ///
    /// - Parameter columnsAreKnown: whether an answer to this query has shown the columns. Series are told apart by the
    ///   columns that the statement names, so that it must name all there are.
    /// - Returns: nil if there are none; else what is left of the budget, too.
    mutating func list(
        _ budget: ReadBudget,
        columnsAreKnown: Bool = false
    ) async throws(ReadError) -> (list: SeriesList, budget: ReadBudget)? {
        if !columnsAreKnown {
            let row = try await self.run(.columns) { ColumnProbe() }
            guard row?.hasColumns == true else { return nil }
        }
        let found = try await self.run(.series) { [matchers = self.matchers] in
            SeriesLister(matchers: matchers, budget: budget)
        }
        guard let found else { return nil }
        let after = found.budget
        return (found.finish(), after)
    }

    /// Looks at no row: the columns are learned from every answer.
    private struct ColumnProbe: PageCollector {
        private(set) var hasColumns = false

        mutating func take(_ page: QueryPage) throws(ReadError) -> Bool {
            self.hasColumns = self.hasColumns || !page.columns.isEmpty
            return true
        }
    }
}
