import TimestreamModel

/// The series that a query's matchers want, each with a number, found by the labels of a row.
///
/// A label set is looked at once; each further row of it costs a hash and a comparison of its cells. Rows of one series
/// may be far apart, and its special values stand in rows of their own.
struct SeriesSelection: ~Copyable {
    private let matchers: [LabelMatcher]
    private let matcherNames: [Int32]
    private var accepted: LabelSetTable
    /// Sets that some matcher does not want: remembered so as not to try it again with each row.
    private var rejected: LabelSetTable
    /// Sets remembered so; then all are forgotten, since the limits bound only what is wanted.
    private let maximumRejected: Int

    // Neighbours are often rows of one series: then the first comparison ends the search.
    private var lastAccepted: Int32 = -1
    private var lastRejected: Int32 = -1

    init(matchers: [LabelMatcher], limits: ReadLimits, rows: inout RowReader) {
        let seed = UInt64.random(in: .min ... .max)
        self.accepted = LabelSetTable(seed: seed)
        self.rejected = LabelSetTable(seed: seed)
        self.matchers = matchers
        self.maximumRejected = max(limits.maxSeries, 1_000)
        var numbers: [Int32] = []
        for matcher in matchers { numbers.append(rows.number(of: matcher.name)) }
        self.matcherNames = numbers
    }

    var count: Int { self.accepted.count }

    var memoryBytes: Int { self.accepted.memoryBytes + self.rejected.memoryBytes }

    /// The number of the series that `key` stands for, one more than the last one's if it is new; nil if a matcher does not
    /// want it.
    mutating func number(
        of key: [LabelSetTable.Part],
        in arena: RawSpan,
        _ budget: inout ReadBudget
    ) throws(ReadError) -> Int32? {
        if self.lastAccepted >= 0, self.accepted.holds(self.lastAccepted, key, in: arena) { return self.lastAccepted }
        if self.lastRejected >= 0, self.rejected.holds(self.lastRejected, key, in: arena) { return nil }
        let hash = LabelSetTable.hash(key, in: arena, seed: self.accepted.seed)
        if let found = self.accepted.find(key, in: arena, hash: hash) {
            self.lastAccepted = found
            return found
        }
        if let found = self.rejected.find(key, in: arena, hash: hash) {
            self.lastRejected = found
            return nil
        }
        guard self.isWanted(key, arena) else {
            if self.rejected.count >= self.maximumRejected { self.rejected = LabelSetTable(seed: self.accepted.seed) }
            self.lastRejected = self.rejected.insert(key, in: arena, hash: hash)
            return nil
        }
        try budget.takeSeries()
        self.lastAccepted = self.accepted.insert(key, in: arena, hash: hash)
        return self.lastAccepted
    }

    private func isWanted(_ key: [LabelSetTable.Part], _ arena: RawSpan) -> Bool {
        for (matcher, name) in zip(self.matchers, self.matcherNames) {
            var value: [UInt8] = []
            if let part = key.first(where: { $0.name == name }) {
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

    /// The label sets by their numbers.
    consuming func finish() -> LabelSetTable {
        self.accepted
    }
}
