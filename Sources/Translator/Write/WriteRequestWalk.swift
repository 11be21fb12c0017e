/// One pass over a decoded `prometheus.WriteRequest`: what it holds, as flat arrays.
///
/// A malformed message throws; a series that cannot be stored is counted in `refusals` and costs only itself.
/// - Source: remote write 1.0 specification, `prompb/remote.proto` and `types.proto`.
struct WriteRequestWalk: ~Copyable {
    struct Series {
        /// The labels but `__name__`, as numbers of `labels`, in `labelSets`.
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
    private(set) var labelSets: [Int32] = []
    private(set) var series: [Series] = []
    private(set) var samples: [WritePlan.Record] = []
    private(set) var refusals = RefusalSummary()
    /// Everything of its kind in the request, stored or not.
    private(set) var counts = WriteCounts()

    private let options: WriteOptions
    private let maximumLabels: Int
    private let memoryLimitBytes: Int
    /// How many samples there may be before the series at hand ends.
    private var sampleLimit = 0
    // Of the series before: a label with the same bytes at the same place is the same label.
    private var previousRanges: [Range<Int>] = []
    private var previousLabels: [Int32] = []
    // Of the series at hand.
    private var currentRanges: [Range<Int>] = []
    private var currentLabels: [Int32] = []

    /// Reads a whole request.
    ///
    /// - Parameter memoryLimitBytes: what the walk and the sorting after it may take.
    /// - Throws: `ProtocolError.malformedProtobuf`, nothing of such a request may be stored; `.overMemory`.
    static func walk(
        _ bytes: RawSpan,
        options: WriteOptions,
        memoryLimitBytes: Int
    ) throws(ProtocolError) -> WriteRequestWalk {
        var walk = WriteRequestWalk(bytes.byteCount, options: options, memoryLimitBytes: memoryLimitBytes)
        var reader = ProtobufReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1:
                let range = try reader.message(field)
                try walk.timeSeries(bytes, range)
            case 3:
                try Self.check(bytes, try reader.message(field))
                walk.counts.metadata += 1
            default:
                try reader.skip(field)
            }
        }
        return walk
    }

    private init(_ byteCount: Int, options: WriteOptions, memoryLimitBytes: Int) {
        self.table = LabelTable(expectedLabels: byteCount / 512)
        self.options = options
        self.maximumLabels = min(options.maxLabelsPerSeries, WriteOptions.maximumLabels)
        self.memoryLimitBytes = memoryLimitBytes
    }

    // MARK: Memory

    /// A sample is 24 bytes, thrice while its array doubles, or twice and once in its place in order.
    private static let bytesOfSample = 80
    /// A series is 24 bytes, and 40 more while it is sorted.
    private static let bytesOfSeries = 112
    private static let bytesOfLabelInSet = 12

    /// Finds out how many samples there is still room for.
    ///
    /// The smallest sample is two bytes of a body and forty times that here: what a body declares says little about what
    /// it costs.
    private mutating func setSampleLimit() throws(ProtocolError) {
        let others =
            self.series.count * Self.bytesOfSeries + self.labelSets.count * Self.bytesOfLabelInSet
            + self.table.memoryBytes
        guard others <= self.memoryLimitBytes else { throw .overMemory(limitBytes: self.memoryLimitBytes) }
        self.sampleLimit = (self.memoryLimitBytes - others) / Self.bytesOfSample
    }

    /// What a plan keeps of the walk.
    var retainedBytes: Int {
        self.series.capacity * MemoryLayout<Series>.stride + self.labelSets.capacity * MemoryLayout<Int32>.stride
            + self.table.labels.capacity * MemoryLayout<LabelTable.Label>.stride + self.table.fragments.capacity
    }

    /// Hands the samples over, so that they can be put in order without a second copy of them all.
    mutating func takeSamples() -> [WritePlan.Record] {
        var samples: [WritePlan.Record] = []
        swap(&samples, &self.samples)
        return samples
    }

    mutating func setPriorities(_ priorities: [Int32]) {
        for (index, priority) in priorities.enumerated() { self.table.names[index].priority = priority }
        for series in self.series where series.setCount > 1 {
            let range = Int(series.setStart)..<Int(series.setStart + series.setCount)
            // Lists of about ten, mostly in order already: insertion is the fastest sort there is.
            for index in range.dropFirst() {
                let label = self.labelSets[index]
                let priority = self.priority(label)
                var position = index
                while position > range.lowerBound, self.priority(self.labelSets[position - 1]) > priority {
                    self.labelSets[position] = self.labelSets[position - 1]
                    position -= 1
                }
                self.labelSets[position] = label
            }
        }
    }

    private func priority(_ label: Int32) -> Int32 {
        self.table.names[Int(self.table.labels[Int(label)].name)].priority
    }

    // MARK: Messages

    private mutating func timeSeries(_ bytes: RawSpan, _ range: Range<Int>) throws(ProtocolError) {
        try self.setSampleLimit()
        let position = self.counts.series
        self.counts.series += 1
        swap(&self.previousRanges, &self.currentRanges)
        swap(&self.previousLabels, &self.currentLabels)
        self.currentRanges.removeAll(keepingCapacity: true)
        self.currentLabels.removeAll(keepingCapacity: true)
        var labelCount = 0
        var histograms = 0
        let firstSample = self.samples.count

        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch field.number {
            case 1:
                let label = try reader.message(field)
                labelCount += 1
                // Past the limit labels are still checked for their form, but no longer kept.
                if labelCount <= self.maximumLabels {
                    try self.label(bytes, label)
                } else {
                    try Self.check(bytes, label)
                }
            case 2:
                try self.sample(bytes, try reader.message(field))
            case 3:
                try Self.check(bytes, try reader.message(field))
                self.counts.exemplars += 1
            case 4:
                try Self.check(bytes, try reader.message(field))
                self.counts.histograms += 1
                histograms += 1
            default:
                try reader.skip(field)
            }
        }
        if histograms > 0 {
            self.refusals.add(
                .nativeHistogram,
                samples: histograms,
                detail: "timeseries[\(position)]: native histograms are not stored"
            )
        }
        self.finishSeries(bytes, position: position, labelCount: labelCount, firstSample: firstSample)
    }

    private mutating func label(_ bytes: RawSpan, _ range: Range<Int>) throws(ProtocolError) {
        let index = self.currentRanges.count
        self.currentRanges.append(range)
        if index < self.previousRanges.count, self.previousRanges[index].count == range.count,
            bytes.hasSameBytes(at: self.previousRanges[index].lowerBound, as: range)
        {
            self.currentLabels.append(self.previousLabels[index])
            return
        }
        var name = range.lowerBound..<range.lowerBound
        var value = name
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: name = try reader.message(field)
            case 2: value = try reader.message(field)
            default: try reader.skip(field)
            }
        }
        self.currentLabels.append(self.table.intern(name, value, in: bytes))
    }

    private mutating func sample(_ bytes: RawSpan, _ range: Range<Int>) throws(ProtocolError) {
        var bits: UInt64 = 0
        var timestamp: Int64 = 0
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch (field.number, field.wireType) {
            case (1, .fixed64): bits = try reader.fixed64()
            case (2, .varint): timestamp = Int64(bitPattern: try reader.varint())
            case (1, _), (2, _): throw .malformedProtobuf(offset: reader.position, .fieldType)
            default: try reader.skip(field)
            }
        }
        guard self.samples.count < self.sampleLimit else { throw .overMemory(limitBytes: self.memoryLimitBytes) }
        self.counts.samples += 1
        self.samples.append(WritePlan.Record(series: Int32(self.series.count), timestamp: timestamp, bits: bits))
    }

    /// Walks a message that is not kept: a malformed one makes the whole request malformed.
    private static func check(_ bytes: RawSpan, _ range: Range<Int>) throws(ProtocolError) {
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() { try reader.skip(field) }
    }

    // MARK: Series

    /// Keeps the series, or takes its samples back and counts why.
    private mutating func finishSeries(_ bytes: RawSpan, position: Int, labelCount: Int, firstSample: Int) {
        let sampleCount = self.samples.count - firstSample
        let setStart = self.labelSets.count
        var metric: Int32 = -1
        var fragmentBytes: Int32 = 0
        if let fault = self.collectLabels(labelCount, position, &metric, &fragmentBytes) {
            self.labelSets.removeSubrange(setStart...)
            self.samples.removeSubrange(firstSample...)
            guard sampleCount > 0 else { return }
            if case .nameTooLong = fault.reason, self.options.dropsLongNames {
                self.counts.droppedLongNames += sampleCount
                return
            }
            let detail = self.refusals.wantsDetail ? self.describe(fault, position, bytes) : ""
            self.refusals.add(fault.reason, samples: sampleCount, detail: detail)
            return
        }
        guard sampleCount > 0 else {
            self.labelSets.removeSubrange(setStart...)
            return
        }
        for label in self.labelSets[setStart...] { self.table.countUse(of: label) }
        self.table.countUse(of: metric)
        self.series.append(
            Series(
                setStart: Int32(setStart),
                setCount: Int32(self.labelSets.count - setStart),
                metric: metric,
                position: Int32(position),
                fragmentBytes: fragmentBytes
            )
        )
    }

    private struct SeriesFault {
        var reason: RefusalSummary.Reason
        /// The label at fault, if it is one label.
        var label: Int32?
    }

    /// Appends the series' labels to `labelSets`, `__name__` apart.
    private mutating func collectLabels(
        _ labelCount: Int,
        _ position: Int,
        _ metric: inout Int32,
        _ fragmentBytes: inout Int32
    ) -> SeriesFault? {
        var storedBytes = 0
        guard labelCount <= self.maximumLabels else { return SeriesFault(reason: .tooManyLabels) }
        for number in self.currentLabels {
            let label = self.table.labels[Int(number)]
            switch label.fault {
            case .none: break
            case .emptyName: return SeriesFault(reason: .emptyLabelName, label: number)
            case .invalidUTF8: return SeriesFault(reason: .invalidUTF8, label: number)
            case .nameTooLong: return SeriesFault(reason: .nameTooLong, label: number)
            case .valueTooLong: return SeriesFault(reason: .recordTooLarge, label: number)
            }
            let name = Int(label.name)
            guard self.table.names[name].lastSeries != Int32(position) else {
                return SeriesFault(reason: .duplicateLabelName, label: number)
            }
            self.table.names[name].lastSeries = Int32(position)
            guard label.valueCount > 0 else { continue }
            storedBytes += Int(label.storedBytes)
            fragmentBytes += label.fragmentCount + 1
            if label.name == LabelTable.metricName {
                metric = number
            } else {
                self.labelSets.append(number)
            }
        }
        guard metric >= 0 else { return SeriesFault(reason: .missingMetricName) }
        guard storedBytes <= WriteOptions.maximumLabelBytes else { return SeriesFault(reason: .recordTooLarge) }
        return nil
    }

    private func describe(_ fault: SeriesFault, _ position: Int, _ bytes: RawSpan) -> String {
        var text = "timeseries[\(position)]: "
        switch fault.reason {
        case .missingMetricName: text += "no metric name (label __name__)"
        case .tooManyLabels: text += "more than \(self.maximumLabels) labels"
        case .recordTooLarge: text += "labels of more than \(WriteOptions.maximumLabelBytes) bytes together"
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
