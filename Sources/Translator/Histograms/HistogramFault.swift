/// Why a histogram is refused; a finite set, so that it can be a metric's label.
///
/// - Source: `Validate` in `model/histogram/{histogram,float_histogram,generic}.go` of Prometheus.
enum HistogramFault: String, Error, Sendable, CaseIterable {
    case unknownSchema
    case negativeSpanOffset
    case bucketsMismatch
    case negativeBucket
    case countMismatch
    case countTooSmall
    case countOverflow
    case negativeCount
    case customBoundsNaN
    case customBoundsOrder
    case customBoundsInfinite
    case customBoundsTooFew
    case customZeroBucket
    case customNegativeBuckets
    case exponentialWithBounds

    /// One sentence without a full stop, fit for the answer to the sender.
    var description: String {
        switch self {
        case .unknownSchema: "its schema is none of -4 to 52 or -53"
        case .negativeSpanOffset: "a span has a negative offset"
        case .bucketsMismatch: "its spans speak of another number of buckets than it has"
        case .negativeBucket: "a bucket has a negative count"
        case .countMismatch: "its count is not the sum of its buckets"
        case .countTooSmall: "its count is less than the sum of its buckets"
        case .countOverflow: "its buckets hold more than 64 bits can count"
        case .negativeCount: "its count or its zero count is negative"
        case .customBoundsNaN: "a custom bound is NaN"
        case .customBoundsOrder: "its custom bounds are not in strictly increasing order"
        case .customBoundsInfinite: "its last custom bound is +Inf, which is implied"
        case .customBoundsTooFew: "it has fewer custom bounds than its spans reach over"
        case .customZeroBucket: "it has custom buckets and a zero bucket"
        case .customNegativeBuckets: "it has custom buckets and negative ones"
        case .exponentialWithBounds: "it has custom bounds although its schema is exponential"
        }
    }
}

extension HistogramReader {
    static let customSchema: Int32 = -53
    /// Up to 8 all readers know; Prometheus takes higher ones too, and reduces them when it reads.
    static let exponentialSchemas: ClosedRange<Int32> = -4...52

    /// What is wrong with the histogram; nil if Prometheus would take it.
    ///
    /// Stale markers are checked like others, with a sum that is NaN.
    var fault: HistogramFault? {
        if self.schema == Self.customSchema {
            if let fault = self.customFault { return fault }
        } else if Self.exponentialSchemas.contains(self.schema) {
            if let fault = self.layoutFault(of: self.positive) ?? self.layoutFault(of: self.negative) { return fault }
            if self.bounds.count > 0 { return .exponentialWithBounds }
        } else {
            return .unknownSchema
        }
        return self.isFloat ? self.floatFault : self.integerFault
    }

    private func buckets(of side: Side) -> Int {
        self.isFloat ? side.counts : side.deltas
    }

    private func layoutFault(of side: Side) -> HistogramFault? {
        if side.hasNegativeGap { return .negativeSpanOffset }
        return side.spanBuckets == UInt64(self.buckets(of: side)) ? nil : .bucketsMismatch
    }

    private var customFault: HistogramFault? {
        if self.bounds.hasNaN { return .customBoundsNaN }
        if !self.bounds.isIncreasing { return .customBoundsOrder }
        if self.bounds.endsInInfinity { return .customBoundsInfinite }
        if self.positive.startsBelowZero { return .negativeSpanOffset }
        if let fault = self.layoutFault(of: self.positive) { return fault }
        if Int64(self.bounds.count) + 1 < self.positive.reach { return .customBoundsTooFew }
        let isZeroBucketEmpty = self.isFloat ? self.floatZeroCount == 0 : self.integerZeroCount == 0
        guard isZeroBucketEmpty, Double(bitPattern: self.zeroThresholdBits) == 0 else { return .customZeroBucket }
        guard self.negative.spans == 0, self.buckets(of: self.negative) == 0 else { return .customNegativeBuckets }
        return nil
    }

    private var integerFault: HistogramFault? {
        if self.positive.overflows || self.negative.overflows { return .countOverflow }
        if self.positive.hasNegativeDeltaBucket || self.negative.hasNegativeDeltaBucket { return .negativeBucket }
        let (buckets, wraps) = self.positive.deltaTotal.addingReportingOverflow(self.negative.deltaTotal)
        let (total, carries) = buckets.addingReportingOverflow(self.integerZeroCount)
        if wraps || carries { return .countOverflow }
        // Observations of NaN are counted, but they are in no bucket.
        if Double(bitPattern: self.sumBits).isNaN { return total > self.integerCount ? .countTooSmall : nil }
        return total == self.integerCount ? nil : .countMismatch
    }

    /// The counts of float histograms need not add up: they are results of arithmetic.
    private var floatFault: HistogramFault? {
        if self.positive.hasNegativeCount || self.negative.hasNegativeCount { return .negativeBucket }
        return self.floatCount < 0 || self.floatZeroCount < 0 ? .negativeCount : nil
    }

    /// Of an integer histogram.
    var integerCount: UInt64 {
        if case .integer(let value) = self.count { value } else { 0 }
    }

    /// Zero if the member is that of a float histogram.
    var integerZeroCount: UInt64 {
        if case .integer(let value) = self.zeroCount { value } else { 0 }
    }

    /// Of a float histogram.
    var floatCount: Double {
        if case .float(let bits) = self.count { Double(bitPattern: bits) } else { 0 }
    }

    /// Zero if the member is that of an integer histogram.
    var floatZeroCount: Double {
        if case .float(let bits) = self.zeroCount { Double(bitPattern: bits) } else { 0 }
    }
}
