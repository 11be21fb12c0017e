/// Whether a histogram of a counter continues the one before it.
///
/// - Source: `appendable` in `tsdb/chunkenc/{histogram,float_histogram}.go` of Prometheus.
enum CounterReset: Sendable {
    case continued
    case reset
    /// Nobody has looked, because the two cannot be compared.
    case unknown

    /// Compares two histograms of the same kind.
    static func between(_ previous: NativeHistogram, _ next: NativeHistogram) -> CounterReset {
        if next.resetHint == NativeHistogram.reset { return .reset }
        if next.isStale { return .continued }
        if previous.isStale { return .unknown }
        let isFloat = next.isFloat
        if Self.isLess(next.count, previous.count, isFloat) { return .reset }
        if next.schema != previous.schema
            || Double(bitPattern: next.zeroThresholdBits) != Double(bitPattern: previous.zeroThresholdBits)
        {
            return .unknown
        }
        if next.schema == HistogramReader.customSchema, next.bounds != previous.bounds { return .reset }
        if Self.isLess(next.zeroCount, previous.zeroCount, isFloat) { return .reset }
        if Self.isLess(next.positive, than: previous.positive, isFloat)
            || Self.isLess(next.negative, than: previous.negative, isFloat)
        {
            return .reset
        }
        return .continued
    }

    private static func isLess(_ left: UInt64, _ right: UInt64, _ isFloat: Bool) -> Bool {
        isFloat ? Double(bitPattern: left) < Double(bitPattern: right) : left < right
    }

    /// Whether some bucket holds less than before; one that is not there any more holds nothing.
    private static func isLess(
        _ next: NativeHistogram.Side,
        than previous: NativeHistogram.Side,
        _ isFloat: Bool
    ) -> Bool {
        var old = Buckets(previous, isFloat)
        var new = Buckets(next, isFloat)
        while let index = old.index {
            while let other = new.index, other < index { new.advance(next) }
            let count = new.index == index ? new.count : 0
            if Self.isLess(count, old.count, isFloat) { return true }
            old.advance(previous)
        }
        return false
    }

    /// The buckets of a side one after another, with their counts.
    private struct Buckets {
        /// Of the bucket at hand; nil behind the last one.
        private(set) var index: Int?
        /// An `Int64` or a double as bits; zero has no bits in either.
        private(set) var count: UInt64 = 0
        private let isFloat: Bool
        private var span = 0
        private var position: UInt32 = 0
        private var place = -1
        private var next = 0

        init(_ side: NativeHistogram.Side, _ isFloat: Bool) {
            self.isFloat = isFloat
            self.next = Int(side.spans.first?.offset ?? 0)
            self.advance(side)
        }

        mutating func advance(_ side: NativeHistogram.Side) {
            while self.span < side.spans.count, self.position == side.spans[self.span].length {
                self.span += 1
                self.position = 0
                if self.span < side.spans.count { self.next += Int(side.spans[self.span].offset) }
            }
            self.place += 1
            guard self.span < side.spans.count, self.place < side.values.count else {
                self.index = nil
                return
            }
            self.index = self.next
            self.next += 1
            self.position += 1
            let value = side.values[self.place]
            self.count = self.isFloat ? value : self.count &+ value
        }
    }
}
