/// A chunk of histograms, as remote read streams it.
struct HistogramChunk: Sendable, Equatable {
    /// Of the first and the last histogram, since 1970-01-01 UTC.
    var minimumTimeMilliseconds: Int64
    var maximumTimeMilliseconds: Int64
    var isFloat: Bool
    var data: [UInt8]

    /// `prometheus.Chunk.Encoding`: HISTOGRAM or FLOAT_HISTOGRAM.
    var encoding: UInt64 { self.isFloat ? 3 : 2 }
}

/// Encodes the histograms of a series, in order of time, as Prometheus does.
///
/// A chunk has one layout. Where Prometheus would put empty buckets into the histograms of a chunk so that one more fits,
/// a new chunk is begun here, so that every histogram keeps its own spans. Within a chunk of a counter there is no counter
/// reset, and readers count on that; a chunk's first histogram says in the chunk's head what is known.
/// - Source: `tsdb/docs/format/chunks.md` and `tsdb/chunkenc/{histogram,float_histogram,histogram_meta}.go` of Prometheus.
struct HistogramChunkEncoder: Sendable {
    static let maximumHistograms = 120
    /// No more is added to a chunk of so many bytes: an answer's frames are to be about 1 MiB, and a chunk is never cut.
    static let fullBytes = 128 * 1024

    private enum Head: UInt8 {
        case unknown = 0b0000_0000
        case noReset = 0b0100_0000
        case reset = 0b1000_0000
        case gauge = 0b1100_0000
    }

    private var writer = BitWriter()
    private var head = Head.unknown
    private var histogramCount = 0
    private var minimumTime: Int64 = 0
    /// The histogram before, which may stand in the chunk before.
    private var previous: NativeHistogram?
    // What the differences are to.
    private var time: Int64 = 0
    private var timeDelta: Int64 = 0
    private var countDelta: UInt64 = 0
    private var zeroCountDelta: UInt64 = 0
    private var positiveDeltas: [UInt64] = []
    private var negativeDeltas: [UInt64] = []
    private var countWindow = BitWriter.Window()
    private var zeroCountWindow = BitWriter.Window()
    private var sumWindow = BitWriter.Window()
    private var positiveWindows: [BitWriter.Window] = []
    private var negativeWindows: [BitWriter.Window] = []

    var memoryBytes: Int { self.writer.memoryBytes }

    /// Takes the next histogram.
    ///
    /// - Returns: the chunk before, if this one begins another.
    mutating func append(_ histogram: NativeHistogram, timestampMilliseconds: Int64) -> HistogramChunk? {
        if let previous = self.previous, previous.isFloat != histogram.isFloat {
            let chunk = self.flush()
            self.previous = nil
            self.begin(histogram, timestampMilliseconds, .unknown)
            return chunk
        }
        let reset = self.previous.map { self.reset(from: $0, to: histogram) }
        if self.histogramCount > 0, self.fits(histogram, reset) {
            self.add(histogram, timestampMilliseconds)
            return nil
        }
        let chunk = self.flush()
        self.begin(histogram, timestampMilliseconds, reset ?? .unknown)
        return chunk
    }

    /// Ends the chunk at hand; the next histogram is still compared with the last one.
    mutating func flush() -> HistogramChunk? {
        guard self.histogramCount > 0, let previous = self.previous else { return nil }
        var data: [UInt8] = []
        data.reserveCapacity(self.writer.byteCount)
        self.writer.finish(head: UInt16(self.histogramCount), into: &data)
        self.histogramCount = 0
        return HistogramChunk(
            minimumTimeMilliseconds: self.minimumTime,
            maximumTimeMilliseconds: self.time,
            isFloat: previous.isFloat,
            data: data
        )
    }

    /// Ends the chunk at hand and forgets the series: another one follows, or a float.
    mutating func finish() -> HistogramChunk? {
        let chunk = self.flush()
        self.previous = nil
        return chunk
    }

    private func reset(from previous: NativeHistogram, to histogram: NativeHistogram) -> CounterReset {
        guard self.head == .gauge else { return CounterReset.between(previous, histogram) }
        // A counter after a gauge continues nothing; Prometheus calls that no reset of one kind, and unknown of the other.
        if histogram.resetHint == NativeHistogram.reset { return .reset }
        return histogram.isFloat ? .unknown : .continued
    }

    private func fits(_ histogram: NativeHistogram, _ reset: CounterReset?) -> Bool {
        guard let previous = self.previous, self.histogramCount < Self.maximumHistograms,
            self.writer.byteCount < Self.fullBytes
        else { return false }
        if histogram.resetHint == NativeHistogram.gauge {
            guard self.head == .gauge else { return false }
        } else {
            guard self.head != .gauge, reset == .continued else { return false }
        }
        // Of a stale marker nothing is written but that it is one.
        if histogram.isStale { return true }
        return !previous.isStale && previous.schema == histogram.schema
            && previous.zeroThresholdBits == histogram.zeroThresholdBits && previous.bounds == histogram.bounds
            && previous.positive.spans == histogram.positive.spans
            && previous.negative.spans == histogram.negative.spans
    }

    // MARK: The first histogram

    private mutating func begin(_ histogram: NativeHistogram, _ timestampMilliseconds: Int64, _ reset: CounterReset) {
        self.head =
            switch (histogram.resetHint, reset) {
            case (NativeHistogram.gauge, _): .gauge
            case (NativeHistogram.reset, _), (_, .reset): .reset
            case (_, .continued): .noReset
            case (_, .unknown): .unknown
            }
        // The number of histograms comes last.
        self.writer.append(0, bits: 16)
        self.writer.append(UInt64(self.head.rawValue), bits: 8)
        let histogram = Self.written(histogram)
        self.writer.append(zeroThreshold: histogram.zeroThresholdBits)
        self.writer.append(varbit: Int64(histogram.schema))
        self.writer.append(histogram.positive.spans)
        self.writer.append(histogram.negative.spans)
        if histogram.schema == HistogramReader.customSchema {
            self.writer.append(unsignedVarbit: UInt64(histogram.bounds.count))
            for bound in histogram.bounds { self.writer.append(bound: bound) }
        }

        self.writer.append(varbit: timestampMilliseconds)
        if histogram.isFloat {
            for bits in [histogram.count, histogram.zeroCount, histogram.sumBits] { self.writer.append(bits, bits: 64) }
            for side in [histogram.positive, histogram.negative] {
                for bits in side.values { self.writer.append(bits, bits: 64) }
            }
        } else {
            self.writer.append(unsignedVarbit: histogram.count)
            self.writer.append(unsignedVarbit: histogram.zeroCount)
            self.writer.append(histogram.sumBits, bits: 64)
            for side in [histogram.positive, histogram.negative] {
                for delta in side.values { self.writer.append(varbit: Int64(bitPattern: delta)) }
            }
        }

        self.minimumTime = timestampMilliseconds
        self.timeDelta = 0
        self.countDelta = 0
        self.zeroCountDelta = 0
        self.positiveDeltas = [UInt64](repeating: 0, count: histogram.positive.values.count)
        self.negativeDeltas = [UInt64](repeating: 0, count: histogram.negative.values.count)
        self.countWindow = BitWriter.Window()
        self.zeroCountWindow = BitWriter.Window()
        self.sumWindow = BitWriter.Window()
        self.positiveWindows = .init(repeating: .init(), count: histogram.positive.values.count)
        self.negativeWindows = .init(repeating: .init(), count: histogram.negative.values.count)
        self.note(histogram, timestampMilliseconds)
    }

    /// What is written of a histogram: of a stale marker, the kind and the sum.
    private static func written(_ histogram: NativeHistogram) -> NativeHistogram {
        guard histogram.isStale else { return histogram }
        return NativeHistogram(isFloat: histogram.isFloat, sumBits: histogram.sumBits)
    }

    private mutating func note(_ histogram: NativeHistogram, _ timestampMilliseconds: Int64) {
        self.time = timestampMilliseconds
        self.previous = histogram
        self.histogramCount += 1
    }

    // MARK: Further histograms

    private mutating func add(_ histogram: NativeHistogram, _ timestampMilliseconds: Int64) {
        guard let previous = self.previous else { return }
        let histogram = Self.written(histogram)
        let timeDelta = timestampMilliseconds &- self.time
        self.writer.append(varbit: timeDelta &- self.timeDelta)
        self.timeDelta = timeDelta
        if histogram.isFloat {
            self.writer.append(xor: histogram.count, previous: previous.count, &self.countWindow)
            self.writer.append(xor: histogram.zeroCount, previous: previous.zeroCount, &self.zeroCountWindow)
            self.writer.append(xor: histogram.sumBits, previous: previous.sumBits, &self.sumWindow)
            for (index, bits) in histogram.positive.values.enumerated() {
                self.writer.append(xor: bits, previous: previous.positive.values[index], &self.positiveWindows[index])
            }
            for (index, bits) in histogram.negative.values.enumerated() {
                self.writer.append(xor: bits, previous: previous.negative.values[index], &self.negativeWindows[index])
            }
        } else {
            let countDelta = histogram.count &- previous.count
            let zeroCountDelta = histogram.zeroCount &- previous.zeroCount
            let isStale = histogram.isStale
            self.appendInteger(isStale ? 0 : countDelta &- self.countDelta)
            self.appendInteger(isStale ? 0 : zeroCountDelta &- self.zeroCountDelta)
            self.countDelta = countDelta
            self.zeroCountDelta = zeroCountDelta
            self.writer.append(xor: histogram.sumBits, previous: previous.sumBits, &self.sumWindow)
            for (index, value) in histogram.positive.values.enumerated() {
                let delta = value &- previous.positive.values[index]
                self.appendInteger(delta &- self.positiveDeltas[index])
                self.positiveDeltas[index] = delta
            }
            for (index, value) in histogram.negative.values.enumerated() {
                let delta = value &- previous.negative.values[index]
                self.appendInteger(delta &- self.negativeDeltas[index])
                self.negativeDeltas[index] = delta
            }
        }
        self.note(histogram, timestampMilliseconds)
    }

    private mutating func appendInteger(_ bits: UInt64) {
        self.writer.append(varbit: Int64(bitPattern: bits))
    }
}
