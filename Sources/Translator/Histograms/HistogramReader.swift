/// What one pass over a `Histogram` message finds: its scalars, and the sums that tell whether it is valid.
///
/// Of one size, however many buckets the message claims or has: nothing is allocated. Fields that do not belong to the
/// histogram's kind (deltas of a float histogram, counts of an integer one) are kept but otherwise ignored, as
/// Prometheus ignores them.
struct HistogramReader: HistogramVisitor, Sendable {
    /// A member of one of the `oneof`s; it may be there and zero.
    enum Count: Equatable, Sendable {
        case none
        case integer(UInt64)
        /// A double's bits.
        case float(UInt64)
    }

    private(set) var count = Count.none
    private(set) var zeroCount = Count.none
    /// Bits of a double: NaN payloads tell stale markers.
    private(set) var sumBits: UInt64 = 0
    private(set) var schema: Int32 = 0
    private(set) var zeroThresholdBits: UInt64 = 0
    /// 0 unknown, 1 reset, 2 no reset, 3 gauge; other numbers are kept too.
    private(set) var resetHint: Int32 = 0
    private(set) var timestampMilliseconds: Int64 = 0
    private(set) var startTimestampMilliseconds: Int64 = 0
    private(set) var negative = Side()
    private(set) var positive = Side()
    private(set) var bounds = Bounds()

    /// The buckets of one sign.
    struct Side: Sendable {
        fileprivate(set) var spans = 0
        /// Of the canonical form, keys and lengths included.
        fileprivate(set) var spanBytes = 0
        /// Buckets that the spans speak of.
        fileprivate(set) var spanBuckets: UInt64 = 0
        /// Buckets and gaps together.
        fileprivate(set) var reach: Int64 = 0
        fileprivate(set) var startsBelowZero = false
        fileprivate(set) var hasNegativeGap = false

        fileprivate(set) var deltas = 0
        fileprivate(set) var deltaBytes = 0
        fileprivate(set) var deltaTotal: UInt64 = 0
        fileprivate(set) var hasNegativeDeltaBucket = false
        fileprivate(set) var overflows = false
        private var current: Int64 = 0

        fileprivate(set) var counts = 0
        fileprivate(set) var hasNegativeCount = false

        fileprivate mutating func addSpan(offset: Int32, length: UInt32) {
            if offset < 0 {
                if self.spans == 0 { self.startsBelowZero = true } else { self.hasNegativeGap = true }
            }
            self.spans += 1
            self.spanBuckets += UInt64(length)
            self.reach += Int64(offset) + Int64(length)
            let size = HistogramReader.bytes(ofOffset: offset, length: length)
            self.spanBytes += 1 + ProtobufBytes.varintSize(UInt64(size)) + size
        }

        fileprivate mutating func addDelta(_ bits: UInt64) {
            self.deltas += 1
            self.deltaBytes += ProtobufBytes.varintSize(HistogramWalk.zigzag(bits))
            let (bucket, wraps) = self.current.addingReportingOverflow(Int64(bitPattern: bits))
            self.current = bucket
            if wraps { self.overflows = true }
            guard bucket >= 0 else {
                self.hasNegativeDeltaBucket = true
                return
            }
            let (total, carries) = self.deltaTotal.addingReportingOverflow(UInt64(bucket))
            self.deltaTotal = total
            if carries { self.overflows = true }
        }

        fileprivate mutating func addCount(_ bits: UInt64) {
            self.counts += 1
            if Double(bitPattern: bits) < 0 { self.hasNegativeCount = true }
        }
    }

    /// The bounds of custom buckets.
    struct Bounds: Sendable {
        fileprivate(set) var count = 0
        fileprivate(set) var hasNaN = false
        fileprivate(set) var isIncreasing = true
        fileprivate(set) var endsInInfinity = false
        private var last: Double = 0

        fileprivate mutating func add(_ bits: UInt64) {
            let bound = Double(bitPattern: bits)
            if bound.isNaN { self.hasNaN = true }
            if self.count > 0, bound <= self.last { self.isIncreasing = false }
            self.last = bound
            self.endsInInfinity = bound == .infinity
            self.count += 1
        }
    }

    /// Reads the message in `range`, which may be invalid as a histogram: see `fault`.
    ///
    /// - Throws: `ProtocolError.malformedProtobuf`.
    init(_ bytes: RawSpan, range: Range<Int>) throws(ProtocolError) {
        try HistogramWalk.walk(bytes, range, &self)
    }

    var isFloat: Bool {
        if case .float = self.count { true } else { false }
    }

    /// The end of a series: a sum with the bits of Prometheus' stale marker.
    var isStale: Bool { self.sumBits == Self.staleBits }

    static let staleBits: UInt64 = 0x7FF0_0000_0000_0002

    // MARK: Fields

    mutating func take(_ field: HistogramField, scalar value: UInt64) {
        switch field {
        case .countInt: self.count = .integer(value)
        case .countFloat: self.count = .float(value)
        case .sum: self.sumBits = value
        case .schema: self.schema = HistogramWalk.unzigzag32(value)
        case .zeroThreshold: self.zeroThresholdBits = value
        case .zeroCountInt: self.zeroCount = .integer(value)
        case .zeroCountFloat: self.zeroCount = .float(value)
        case .resetHint: self.resetHint = Int32(truncatingIfNeeded: value)
        case .timestamp: self.timestampMilliseconds = Int64(bitPattern: value)
        case .startTimestamp: self.startTimestampMilliseconds = Int64(bitPattern: value)
        default: preconditionFailure("a list is no scalar")
        }
    }

    mutating func take(_ field: HistogramField, offset: Int32, length: UInt32) {
        if field == .negativeSpans {
            self.negative.addSpan(offset: offset, length: length)
        } else {
            self.positive.addSpan(offset: offset, length: length)
        }
    }

    mutating func take(_ field: HistogramField, element value: UInt64) {
        switch field {
        case .negativeDeltas: self.negative.addDelta(value)
        case .negativeCounts: self.negative.addCount(value)
        case .positiveDeltas: self.positive.addDelta(value)
        case .positiveCounts: self.positive.addCount(value)
        case .customValues: self.bounds.add(value)
        default: preconditionFailure("a scalar is no list")
        }
    }
}
