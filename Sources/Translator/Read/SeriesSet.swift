/// The answer to one query: series sorted by their labels, each with its floats and its histograms in order of time, no
/// time twice.
///
/// What a response encoder needs, whichever form the client wants.
struct SeriesSet: Sendable {
    struct Sample: Sendable {
        /// Since 1970-01-01 UTC.
        var timestampMilliseconds: Int64
        /// The value's bit pattern: arithmetic would change a signalling NaN.
        var bits: UInt64

        /// NaN, a stale marker or an infinity.
        var isSpecial: Bool { self.bits & 0x7FF0_0000_0000_0000 == 0x7FF0_0000_0000_0000 }
    }

    struct Label: Sendable {
        /// The place of its name in `names`.
        var name: Int32
        var valueCount: Int32
        /// Where its value starts in `values`.
        var valueStart: Int
    }

    struct Series: Sendable {
        /// Places in `labels`, in the order of the names' bytes.
        var labels: Range<Int>
        var samples: [Sample]
        var histograms: [HistogramSet.Entry] = []

        /// Floats and histograms.
        var sampleCount: Int { self.samples.count + self.histograms.count }
    }

    /// Sorted by bytes, so that names compare as their places.
    var names: [[UInt8]] = []
    var values: [UInt8] = []
    var labels: [Label] = []
    var series: [Series] = []
    /// The messages of the series' histograms.
    var histograms = HistogramSet()

    /// Floats and histograms.
    var sampleCount: Int { self.series.reduce(0) { $0 + $1.sampleCount } }

    // MARK: Memory

    /// What a sample takes in an array that has grown by doubling.
    static let sampleBytes = 24
    /// What a series takes besides its labels and its samples: its entry, and the head of its array.
    static let seriesBytes = 112

    var memoryBytes: Int {
        self.values.count + self.labels.count * MemoryLayout<Label>.stride + self.series.count * Self.seriesBytes
            + self.series.reduce(0) { $0 + $1.samples.count * Self.sampleBytes } + self.histograms.memoryBytes
    }

    // MARK: Making

    init() {}

    /// The series of all label sets, by their numbers, without samples.
    init(_ sets: borrowing LabelSetTable, names: LabelNames) {
        let order = names.names.indices.sorted { names.names[$0].lexicographicallyPrecedes(names.names[$1]) }
        var ranks = [Int32](repeating: 0, count: order.count)
        for (rank, number) in order.enumerated() { ranks[number] = Int32(rank) }
        self.names = order.map { names.names[$0] }
        self.values = sets.bytes
        self.series.reserveCapacity(sets.count)
        for number in 0..<sets.count {
            let first = self.labels.count
            for part in sets.parts(of: Int32(number)) {
                var label = Label(name: ranks[Int(part.name)], valueCount: part.count, valueStart: part.start)
                if part.name == LabelNames.metricName {
                    let stored = Array(self.values[part.range])
                    let metric = TableColumns.metric(ofMeasure: stored) ?? []
                    if metric.isEmpty { continue }
                    if metric != stored {
                        label.valueStart = self.values.count
                        label.valueCount = Int32(metric.count)
                        self.values += metric
                    }
                }
                self.labels.append(label)
            }
            // In order but for `__name__`, which comes first in the key and has its place among the others.
            self.labels[first...].sort { $0.name < $1.name }
            self.series.append(Series(labels: first..<self.labels.count, samples: []))
        }
    }

    func value(of label: Label) -> ArraySlice<UInt8> {
        self.values[label.valueStart..<label.valueStart + Int(label.valueCount)]
    }

    // MARK: Order

    /// Puts series and samples in order; series with the same labels become one.
    ///
    /// - Returns: where each of the series is now.
    @discardableResult
    mutating func normalize() -> [Int32] {
        let order = self.series.indices.sorted { self.compare(self.series[$0], self.series[$1]) < 0 }
        var sorted: [Series] = []
        sorted.reserveCapacity(order.count)
        var places = [Int32](repeating: 0, count: order.count)
        for index in order {
            let labels = self.series[index].labels
            // Taken out, so that the samples are not copied when they are sorted.
            let samples = self.series[index].samples
            let histograms = self.series[index].histograms
            self.series[index] = Series(labels: labels, samples: [])
            if let last = sorted.last, self.compare(last, self.series[index]) == 0 {
                sorted[sorted.count - 1].samples += samples
                sorted[sorted.count - 1].histograms += histograms
            } else {
                sorted.append(Series(labels: labels, samples: samples, histograms: histograms))
            }
            places[index] = Int32(sorted.count - 1)
        }
        for index in sorted.indices { Self.normalize(&sorted[index], self.histograms) }
        self.series = sorted
        return places
    }

    /// Puts the samples of a series in order; where it has a float and a histogram at one time, the float stays.
    static func normalize(_ series: inout Series, _ histograms: HistogramSet) {
        self.normalize(&series.samples)
        guard !series.histograms.isEmpty else { return }
        histograms.normalize(&series.histograms)
        HistogramSet.remove(from: &series.histograms, atTimesOf: series.samples)
    }

    /// Below zero, zero or above, as the left series comes before, with or after the right one.
    ///
    /// As Prometheus orders them: (name, value) pairs by bytes, a series whose labels are the beginning of another's first.
    private func compare(_ left: Series, _ right: Series) -> Int {
        let count = min(left.labels.count, right.labels.count)
        for offset in 0..<count {
            let one = self.labels[left.labels.lowerBound + offset]
            let other = self.labels[right.labels.lowerBound + offset]
            if one.name != other.name { return Int(one.name) - Int(other.name) }
            let difference = self.compareValues(one, other)
            if difference != 0 { return difference }
        }
        return left.labels.count - right.labels.count
    }

    private func compareValues(_ left: Label, _ right: Label) -> Int {
        let count = Int(min(left.valueCount, right.valueCount))
        for index in 0..<count {
            let difference = Int(self.values[left.valueStart + index]) - Int(self.values[right.valueStart + index])
            if difference != 0 { return difference }
        }
        return Int(left.valueCount - right.valueCount)
    }

    /// Sorts by time; of several values at one time a number wins over a special value, and else the lower bit pattern,
    /// so that the answer does not depend on the order of the rows.
    static func normalize(_ samples: inout [Sample]) {
        var isAscending = true
        for index in samples.indices.dropFirst()
        where samples[index - 1].timestampMilliseconds >= samples[index].timestampMilliseconds {
            isAscending = false
            break
        }
        if isAscending { return }
        samples.sort { left, right in
            if left.timestampMilliseconds != right.timestampMilliseconds {
                return left.timestampMilliseconds < right.timestampMilliseconds
            }
            if left.isSpecial != right.isSpecial { return right.isSpecial }
            return left.bits < right.bits
        }
        var kept = 0
        for index in samples.indices {
            if kept > 0, samples[kept - 1].timestampMilliseconds == samples[index].timestampMilliseconds { continue }
            samples[kept] = samples[index]
            kept += 1
        }
        samples.removeSubrange(kept...)
    }
}
