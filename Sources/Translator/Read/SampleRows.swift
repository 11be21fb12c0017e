/// The samples of rows, by numbers of their series: floats, and histograms put together from their parts.
struct SampleRows: Sendable {
    private var samples: [[SeriesSet.Sample]]
    private var sampleCount = 0
    private var histograms = HistogramAssembler()

    init(seriesCount: Int = 0) {
        self.samples = Array(repeating: [], count: seriesCount)
    }

    var memoryBytes: Int {
        self.samples.count * SeriesSet.seriesBytes + self.sampleCount * SeriesSet.sampleBytes
            + self.histograms.memoryBytes
    }

    /// What the samples take, as a number of floats.
    var weight: Int { self.sampleCount + self.histograms.memoryBytes / SeriesSet.sampleBytes }

    /// What rows would take, as a number of floats.
    ///
    /// - Parameter textBytes: of the histograms' parts that they hold.
    static func weight(rows: Int, areHistograms: Bool, textBytes: Int) -> Int {
        guard areHistograms else { return rows }
        return HistogramAssembler.memoryBytes(rows: rows, textBytes: textBytes) / SeriesSet.sampleBytes + 1
    }

    /// Adds a row's sample, if it is of one of these times; of a histogram, the first part counts.
    ///
    /// - Parameter number: of the series; one more than the last one's at most.
    /// - Throws: `ReadError.tooManySamples`; `.store` if the row is no answer to our statement.
    @inline(__always)
    mutating func add(
        _ row: RowReader.Row,
        _ text: Span<UInt8>,
        to number: Int,
        times: ClosedRange<Int64>? = nil,
        _ budget: inout ReadBudget
    ) throws(ReadError) {
        let time = try RowReader.timestampMilliseconds(row, text)
        if let times, !times.contains(time) { return }
        if number == self.samples.count { self.samples.append([]) }
        if case .histogram(let part) = row.form {
            if part == 1 { try budget.takeSample() }
            let part = text.extracting(try RowReader.textRange(row, text))
            self.histograms.add(part, series: Int32(number), timestampMilliseconds: time)
            return
        }
        try budget.takeSample()
        let bits = try RowReader.bits(row, text)
        self.samples[number].append(SeriesSet.Sample(timestampMilliseconds: time, bits: bits))
        self.sampleCount += 1
    }

    /// Moves the samples to the series of these numbers, which are not in order yet.
    consuming func move(to set: inout SeriesSet) {
        set.histograms = self.histograms.finish()
        for number in set.series.indices {
            swap(&set.series[number].samples, &self.samples[number])
        }
        for number in set.histograms.series.indices {
            swap(&set.series[number].histograms, &set.histograms.series[number])
        }
        set.histograms.series = []
    }
}
