/// A histogram's values, taken out of its message: what the chunk encoders work with.
///
/// Can be read into again and again; its arrays keep their memory.
struct NativeHistogram: HistogramVisitor, Equatable, Sendable {
    struct Span: Equatable, Sendable {
        /// The index of the first bucket; in spans after the first one, the gap before it.
        var offset: Int32
        var length: UInt32
    }

    /// The buckets of one sign.
    struct Side: Equatable, Sendable {
        var spans: [Span] = []
        /// Deltas of an integer histogram, `Int64` as bits; counts of a float histogram, doubles as bits.
        var values: [UInt64] = []

        fileprivate mutating func empty() {
            self.spans.removeAll(keepingCapacity: true)
            self.values.removeAll(keepingCapacity: true)
        }
    }

    var isFloat = false
    /// A `UInt64`, or the bits of a float histogram's double.
    var count: UInt64 = 0
    var zeroCount: UInt64 = 0
    var sumBits: UInt64 = 0
    var schema: Int32 = 0
    var zeroThresholdBits: UInt64 = 0
    var resetHint: Int32 = 0
    var positive = Side()
    var negative = Side()
    /// Bounds of custom buckets, doubles as bits.
    var bounds: [UInt64] = []

    static let reset: Int32 = 1
    static let gauge: Int32 = 3

    var isStale: Bool { self.sumBits == HistogramReader.staleBits }

    /// Takes the values of a valid message in canonical form: it says first which kind it is.
    ///
    /// - Throws: `ProtocolError.malformedProtobuf`, not for what `HistogramReader` has read.
    mutating func read(_ bytes: RawSpan, range: Range<Int>) throws(ProtocolError) {
        self.empty()
        try HistogramWalk.walk(bytes, range, &self)
    }

    /// Leaves only the kind, as in a stale marker's chunk.
    mutating func empty() {
        self.isFloat = false
        self.count = 0
        self.zeroCount = 0
        self.sumBits = 0
        self.schema = 0
        self.zeroThresholdBits = 0
        self.resetHint = 0
        self.positive.empty()
        self.negative.empty()
        self.bounds.removeAll(keepingCapacity: true)
    }

    // MARK: Fields

    mutating func take(_ field: HistogramField, scalar value: UInt64) {
        switch field {
        case .countInt:
            self.isFloat = false
            self.count = value
        case .countFloat:
            self.isFloat = true
            self.count = value
        case .sum: self.sumBits = value
        case .schema: self.schema = HistogramWalk.unzigzag32(value)
        case .zeroThreshold: self.zeroThresholdBits = value
        case .zeroCountInt: if !self.isFloat { self.zeroCount = value }
        case .zeroCountFloat: if self.isFloat { self.zeroCount = value }
        case .resetHint: self.resetHint = Int32(truncatingIfNeeded: value)
        default: break
        }
    }

    mutating func take(_ field: HistogramField, offset: Int32, length: UInt32) {
        let span = Span(offset: offset, length: length)
        if field == .negativeSpans { self.negative.spans.append(span) } else { self.positive.spans.append(span) }
    }

    mutating func take(_ field: HistogramField, element value: UInt64) {
        switch field {
        case .negativeDeltas: if !self.isFloat { self.negative.values.append(value) }
        case .negativeCounts: if self.isFloat { self.negative.values.append(value) }
        case .positiveDeltas: if !self.isFloat { self.positive.values.append(value) }
        case .positiveCounts: if self.isFloat { self.positive.values.append(value) }
        case .customValues: self.bounds.append(value)
        default: break
        }
    }
}
