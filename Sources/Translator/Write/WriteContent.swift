/// What a write request holds, as flat arrays.
///
/// The walk of either protocol version fills it, series by series; `WritePlan` packs it. A series that cannot be stored
/// is counted in `refusals` and costs only itself.
struct WriteContent: ~Copyable {
    /// A native histogram of the request, in its canonical form without the timestamp.
    struct Histogram: Sendable {
        /// Where its message stands in `histogramMessages`.
        var start: Int32
        var count: Int32
        /// Of its records: names and values of all dimensions.
        var dimensionBytes: Int32
        /// How many records it becomes.
        var partCount: Int32
    }

    struct Series {
        /// The labels, `__name__` among them, as numbers of the table's labels, in `labelSets`; by name, byte by byte.
        var setStart: Int32
        var setCount: Int32
        /// The label `__name__`.
        var metric: Int32
        /// Its place in the request's `timeseries`.
        var position: Int32
        /// Bytes of JSON that its labels and its metric name are.
        var fragmentBytes: Int32
    }

    private(set) var table: LabelTable
    /// The labels of the series at hand.
    var line = LabelLine()
    /// What is wrong with that series as a whole, found before its end.
    private var seriesFault: RefusalSummary.Reason?
    private(set) var labelSets: [Int32] = []
    private(set) var series: [Series] = []
    /// Floats and histograms.
    private(set) var samples: [WritePlan.Record] = []
    private(set) var histograms: [Histogram] = []
    private(set) var histogramMessages: [UInt8] = []
    private(set) var metadata = RequestMetadata()
    var refusals = RefusalSummary()
    /// Everything of its kind in the request, stored or not.
    var counts = WriteCounts()

    let maximumLabels: Int
    private let maximumSeries: Int
    private let options: WriteOptions
    private let memoryLimitBytes: Int
    /// How many samples there may be before the series at hand ends.
    private var sampleLimit = 0
    /// Where the samples of the series at hand start, and its histograms.
    private var firstSample = 0
    private var firstHistogram = 0

    init(byteCount: Int, options: WriteOptions, memoryLimitBytes: Int) {
        self.table = LabelTable(
            expectedLabels: byteCount / 512,
            dimensions: options.dimensions,
            escapesColons: options.escapesColons,
            guards: options.guards
        )
        self.options = options
        self.maximumLabels = min(options.maxLabelsPerSeries, WriteOptions.maximumLabels)
        self.maximumSeries = options.guards.maxSeriesPerRequest ?? .max
        self.memoryLimitBytes = memoryLimitBytes
    }

    // MARK: Memory

    /// A sample is 24 bytes, thrice while its array doubles, or twice and once in its place in order.
    private static let bytesOfSample = 80
    /// A series is 20 bytes, and 40 more while it is sorted.
    private static let bytesOfSeries = 112
    private static let bytesOfLabelInSet = 12
    /// A histogram is 16 bytes, thrice while its array doubles; each of its records is a sample more.
    private static let bytesOfHistogram = 48

    /// Finds out how many samples there is still room for.
    ///
    /// The smallest sample is two bytes of a body and forty times that here: what a body declares says little about what
    /// it costs.
    private mutating func setSampleLimit() throws(ProtocolError) {
        var others = self.table.memoryBytes
        others += self.series.count * Self.bytesOfSeries + self.labelSets.count * Self.bytesOfLabelInSet
        others += self.histograms.count * Self.bytesOfHistogram + self.histogramMessages.count * 3
        others += self.metadata.memoryBytes
        guard others <= self.memoryLimitBytes else { throw .overMemory(limitBytes: self.memoryLimitBytes) }
        self.sampleLimit = (self.memoryLimitBytes - others) / Self.bytesOfSample
    }

    /// What a plan keeps of it.
    var retainedBytes: Int {
        var bytes = self.table.labels.capacity * MemoryLayout<LabelTable.Label>.stride + self.table.fragments.capacity
        bytes += self.series.capacity * MemoryLayout<Series>.stride
        bytes += self.labelSets.capacity * MemoryLayout<Int32>.stride
        bytes += self.histograms.capacity * MemoryLayout<Histogram>.stride + self.histogramMessages.capacity
        bytes += self.metadata.memoryBytes
        return bytes
    }

    /// Hands the samples over, so that they can be put in order without a second copy of them all.
    mutating func takeSamples() -> [WritePlan.Record] {
        var samples: [WritePlan.Record] = []
        swap(&samples, &self.samples)
        return samples
    }

    // MARK: Series

    /// - Parameter position: where its message starts.
    mutating func beginSeries(at position: Int) throws(ProtocolError) {
        try self.setSampleLimit()
        self.counts.series += 1
        self.seriesFault = self.counts.series > self.maximumSeries ? .tooManySeries : nil
        self.line.next(at: position)
        self.firstSample = self.samples.count
        self.firstHistogram = self.histograms.count
    }

    /// Adds a label to the series at hand.
    ///
    /// - Parameter field: its bytes in the message, key and length included.
    mutating func addLabel(_ name: Range<Int>, _ value: Range<Int>, field: Range<Int>, _ bytes: RawSpan) {
        guard self.line.count < self.maximumLabels else {
            // Past the limit labels are still checked for their form, but no longer kept.
            self.noteFault(.tooManyLabels)
            return self.line.forgetPlace()
        }
        let number = self.table.intern(name, value, in: bytes)
        self.line.put(number, field: field, bytes, self.table)
    }

    /// Notes that the series at hand cannot be stored; the first reason counts.
    mutating func noteFault(_ reason: RefusalSummary.Reason) {
        if self.seriesFault == nil { self.seriesFault = reason }
    }

    /// Notes something wrong beside the samples of the series at hand, which are stored all the same.
    mutating func refuse(_ detail: String) {
        self.refusals.add(.invalidReference, samples: 0, detail: "timeseries[\(self.counts.series - 1)]: \(detail)")
    }

    mutating func addSample(timestamp: Int64, bits: UInt64) throws(ProtocolError) {
        guard self.samples.count < self.sampleLimit else { throw .overMemory(limitBytes: self.memoryLimitBytes) }
        self.counts.samples += 1
        self.samples.append(WritePlan.Record(series: Int32(self.series.count), timestamp: timestamp, bits: bits))
    }

    /// Adds what the sender tells of a metric.
    mutating func addMetadata(
        _ kind: MetricMetadata.Kind,
        name: Range<Int>,
        help: Range<Int>,
        unit: Range<Int>,
        _ bytes: RawSpan
    ) throws(ProtocolError) {
        self.counts.metadata += 1
        self.metadata.add(kind, name: name, help: help, unit: unit, in: bytes)
        guard self.metadata.memoryBytes <= self.memoryLimitBytes else {
            throw .overMemory(limitBytes: self.memoryLimitBytes)
        }
    }

    /// Where the metric name of the series that ended last stands; empty if it has none.
    var metricName: Range<Int> {
        guard let metric = self.line.metric else { return 0..<0 }
        let label = self.table.labels[Int(metric)]
        return Int(label.valueStart)..<Int(label.valueStart + label.valueCount)
    }

    /// Adds a native histogram to the series at hand, or counts why it cannot be stored.
    mutating func addHistogram(_ bytes: RawSpan, _ range: Range<Int>) throws(ProtocolError) {
        self.counts.histograms += 1
        let reader = try HistogramReader(bytes, range: range)
        if let fault = reader.fault {
            let position = self.counts.series - 1
            self.refusals.add(
                .invalidHistogram,
                samples: 1,
                detail: "timeseries[\(position)]: a histogram is invalid: \(fault.description)"
            )
            return
        }
        if reader.isStale, self.options.refusesSpecialValues {
            let position = self.counts.series - 1
            self.refusals.add(.specialValue, samples: 1, detail: "timeseries[\(position)]: a stale histogram")
            return
        }
        if reader.isStale, self.options.dropsSpecialValues {
            self.counts.droppedSpecialValues += 1
            self.counts.droppedHistograms += 1
            return
        }
        guard self.samples.count < self.sampleLimit, reader.messageBytes < self.memoryLimitBytes / 3 else {
            throw .overMemory(limitBytes: self.memoryLimitBytes)
        }
        let start = self.histogramMessages.count
        try reader.appendMessage(of: bytes, range: range, to: &self.histogramMessages)
        try self.setSampleLimit()
        self.samples.append(
            WritePlan.Record(
                series: Int32(self.series.count),
                isHistogram: true,
                timestamp: reader.timestampMilliseconds,
                bits: UInt64(self.histograms.count)
            )
        )
        self.histograms.append(
            Histogram(
                start: Int32(start),
                count: Int32(self.histogramMessages.count - start),
                dimensionBytes: 0,
                partCount: 0
            )
        )
    }

    /// Keeps the series, or takes its samples back and counts why.
    mutating func endSeries(_ bytes: RawSpan) {
        self.line.end()
        let position = Int32(self.counts.series - 1)
        let setStart = self.labelSets.count
        var series = Series(setStart: Int32(setStart), setCount: 0, metric: -1, position: position, fragmentBytes: 0)
        let fault = self.collectLabels(into: &series, bytes)
        if fault == nil, self.histograms.count > self.firstHistogram { self.measureHistograms(series) }
        if fault == nil, let times = self.options.guards.timestampsMilliseconds {
            self.keepSamples(of: times, position)
        }
        let sampleCount = self.samples.count - self.firstSample
        guard fault == nil, sampleCount > 0 else {
            self.labelSets.removeLast(self.labelSets.count - setStart)
            if let fault, sampleCount > 0 { self.refuse(fault, position, samples: sampleCount, bytes) }
            self.samples.removeLast(sampleCount)
            return
        }
        series.setCount = Int32(self.labelSets.count - setStart)
        self.series.append(series)
    }

    /// Finds out how many records each histogram of the series at hand takes; one that takes too many is refused.
    private mutating func measureHistograms(_ series: Series) {
        // The metric's name is the value of a dimension here.
        let metricBytes = self.table.labels[Int(series.metric)].valueCount
        let measureBytes = self.table.labels[Int(series.metric)].storedBytes
        let dimensionBytes =
            self.line.sums.storedBytes - measureBytes + metricBytes
            + Int32(ColumnName.specialMetricDimension.utf8.count + ColumnName.overflowDimension.utf8.count)
        var hasTooLarge = false
        for number in self.firstHistogram..<self.histograms.count {
            let histogram = self.histograms[number]
            let parts = HistogramRecord.count(
                messageBytes: Int(histogram.count),
                dimensionBytes: Int(dimensionBytes)
            )
            self.histograms[number].dimensionBytes = dimensionBytes
            self.histograms[number].partCount = Int32(parts ?? 0)
            guard parts == nil else { continue }
            self.refusals.add(
                .recordTooLarge,
                samples: 1,
                detail: "timeseries[\(series.position)]: a histogram of \(histogram.count) bytes takes more than "
                    + "\(HistogramRecord.measureNames.count) records"
            )
            hasTooLarge = true
        }
        guard hasTooLarge else { return }
        self.filterSamples { sample, content in
            !sample.isHistogram || content.histograms[Int(sample.bits)].partCount > 0
        }
    }

    /// Whether samples refused for a reason are left out and counted instead.
    func isDropped(_ reason: RefusalSummary.Reason) -> Bool { self.options.guards.dropped.contains(reason) }

    /// Takes samples of the series at hand back, unless they are to be kept.
    mutating func filterSamples(_ isKept: (WritePlan.Record, inout WriteContent) -> Bool) {
        var kept = self.firstSample
        for index in self.firstSample..<self.samples.count {
            let sample = self.samples[index]
            guard isKept(sample, &self) else { continue }
            self.samples[kept] = sample
            kept += 1
        }
        self.samples.removeLast(self.samples.count - kept)
    }

    private struct SeriesFault {
        var reason: RefusalSummary.Reason
        /// The label at fault, if it is one label.
        var label: Int32?
    }

    /// Appends the series' labels to `labelSets`.
    private mutating func collectLabels(into series: inout Series, _ bytes: RawSpan) -> SeriesFault? {
        if let reason = self.seriesFault { return SeriesFault(reason: reason) }
        let sums = self.line.sums
        if sums.faulty > 0, let fault = self.labelFault() { return fault }
        if sums.empty == 0 {
            self.labelSets.append(contentsOf: self.line.numbers)
        } else {
            // The same as no label at all.
            for (index, entry) in self.line.entries.enumerated() where !entry.isEmpty {
                self.labelSets.append(self.line.numbers[index])
            }
        }
        // Names in strict order are distinct names.
        if sums.notInOrder > 0, let fault = self.putInOrder(setStart: Int(series.setStart), bytes) { return fault }
        guard let metric = self.line.metric else { return SeriesFault(reason: .missingMetricName) }
        guard sums.storedBytes <= WriteOptions.maximumLabelBytes else { return SeriesFault(reason: .recordTooLarge) }
        series.metric = metric
        series.fragmentBytes = sums.fragmentBytes
        return nil
    }

    private func labelFault() -> SeriesFault? {
        for (index, entry) in self.line.entries.enumerated() {
            let number = self.line.numbers[index]
            switch entry.fault {
            case .none: continue
            case .emptyName: return SeriesFault(reason: .emptyLabelName, label: number)
            case .invalidUTF8: return SeriesFault(reason: .invalidUTF8, label: number)
            case .nameTooLong: return SeriesFault(reason: .nameTooLong, label: number)
            case .valueTooLong: return SeriesFault(reason: .recordTooLarge, label: number)
            case .nameOverLimit: return SeriesFault(reason: .labelNameOverLimit, label: number)
            case .valueOverLimit: return SeriesFault(reason: .labelValueOverLimit, label: number)
            }
        }
        return nil
    }

    /// Sorts the labels of a sender that does not, and finds a name that comes twice.
    private mutating func putInOrder(setStart: Int, _ bytes: RawSpan) -> SeriesFault? {
        var names = Set<Int32>()
        for (index, entry) in self.line.entries.enumerated() where !names.insert(entry.name).inserted {
            return SeriesFault(reason: .duplicateLabelName, label: self.line.numbers[index])
        }
        // At most 128, and nearly in order.
        for index in setStart..<self.labelSets.count {
            let label = self.labelSets[index]
            let name = self.table.labels[Int(label)].name
            var place = index
            while place > setStart {
                let other = self.labelSets[place - 1]
                if self.table.isName(self.table.labels[Int(other)].name, before: name, in: bytes) { break }
                self.labelSets[place] = other
                place -= 1
            }
            self.labelSets[place] = label
        }
        return nil
    }

    private mutating func refuse(_ fault: SeriesFault, _ position: Int32, samples: Int, _ bytes: RawSpan) {
        if case .nameTooLong = fault.reason, self.options.dropsLongNames {
            self.counts.droppedLongNames += samples
            self.counts.droppedHistograms += self.samples[self.firstSample...].count { $0.isHistogram }
            return
        }
        if self.isDropped(fault.reason) {
            let histograms = self.samples[self.firstSample...].count { $0.isHistogram }
            return self.drop(fault.reason, samples: samples, histograms: histograms)
        }
        let detail = self.refusals.wantsDetail ? self.describe(fault, position, bytes) : ""
        self.refusals.add(fault.reason, samples: samples, detail: detail)
    }

    private func describe(_ fault: SeriesFault, _ position: Int32, _ bytes: RawSpan) -> String {
        var text = "timeseries[\(position)]: "
        switch fault.reason {
        case .missingMetricName: text += "no metric name (label __name__)"
        case .tooManyLabels: text += "more than \(self.maximumLabels) labels"
        case .recordTooLarge: text += "labels of more than \(WriteOptions.maximumLabelBytes) bytes together"
        case .invalidReference: text += "label references that are not pairs of symbols"
        case .labelNameOverLimit:
            text +=
                "a label name of more than \(self.options.guards.maxLabelNameBytes ?? 0) bytes (max_label_name_bytes)"
        case .labelValueOverLimit:
            text += "a value of more than \(self.options.guards.maxLabelValueBytes ?? 0) bytes (max_label_value_bytes)"
        case .tooManySeries: text += "more than \(self.maximumSeries) series in a request (max_series_per_request)"
        case .emptyLabelName: text += "a label with an empty name"
        case .duplicateLabelName: text += "label name repeated"
        case .invalidUTF8: text += "a label that is not valid UTF-8"
        case .nameTooLong:
            text += "a name too long for Timestream (label \(ColumnName.maximumDimensionNameBytes) bytes, "
            text += "metric \(ColumnName.maximumMeasureNameBytes) bytes)"
        default: text += fault.reason.rawValue
        }
        if let number = fault.label, fault.reason != .invalidUTF8, fault.reason != .emptyLabelName {
            let label = self.table.labels[Int(number)]
            let isMetric = label.name == LabelTable.metricName && fault.reason == .nameTooLong
            let start = Int(isMetric ? label.valueStart : label.nameStart)
            let count = min(Int(isMetric ? label.valueCount : label.nameCount), 80)
            let name = unsafe bytes.extracting(start..<start + count).withUnsafeBytes {
                unsafe String(decoding: $0, as: UTF8.self)
            }
            text += ": \"\(name)\""
        }
        return text
    }
}
