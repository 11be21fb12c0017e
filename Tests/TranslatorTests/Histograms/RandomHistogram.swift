extension TestHistogram {
    /// A valid histogram of any kind.
    ///
    /// - Parameter buckets: at most so many of each sign.
    static func random(buckets: Int = 40, _ random: inout some RandomNumberGenerator) -> TestHistogram {
        var histogram = TestHistogram()
        let isFloat = Bool.random(using: &random)
        let isCustom = Int.random(in: 0..<5, using: &random) == 0
        histogram.positive = self.side(isFloat, isCustom, buckets, &random)
        if isCustom {
            histogram.schema = -53
            let reach = histogram.positive.spans.reduce(0) { $0 + Int($1.offset) + Int($1.length) }
            var bound = Double.random(in: -10...10, using: &random)
            for _ in 0..<max(reach - 1, 0) + Int.random(in: 0...2, using: &random) {
                histogram.bounds.append(bound.bitPattern)
                bound += Bool.random(using: &random) ? 0.25 : Double.random(in: 0.001...1000, using: &random)
            }
        } else {
            histogram.schema = Int32.random(in: -4...9, using: &random)
            histogram.negative = self.side(isFloat, false, Bool.random(using: &random) ? buckets : 0, &random)
            let thresholds: [Double] = [0, 0x1p-128, 0.001, 0x1p10, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
            histogram.zeroThreshold = (thresholds.randomElement(using: &random) ?? 0).bitPattern
        }
        let sums: [UInt64] = [
            0, self.stale, 0x7FF8_0000_0000_0001, 0xFFF8_0000_DEAD_BEEF, Double.infinity.bitPattern, (-0.0).bitPattern,
            (1.5).bitPattern,
        ]
        histogram.sum = sums.randomElement(using: &random) ?? 0
        if isFloat {
            let zero = isCustom ? 0 : Double.random(in: 0...5, using: &random)
            histogram.zeroCount = [nil, .float(isCustom ? 0 : zero.bitPattern)].randomElement(using: &random) ?? nil
            histogram.count = .float(Double.random(in: 0...1e9, using: &random).bitPattern)
        } else {
            let zero = isCustom || Bool.random(using: &random) ? 0 : UInt64.random(in: 0...1 << 50, using: &random)
            // With a member or without, zero is zero.
            histogram.zeroCount = zero == 0 && Bool.random(using: &random) ? nil : .integer(zero)
            let total = zero + self.total(histogram.positive) + self.total(histogram.negative)
            let surplus: UInt64 = Double(bitPattern: histogram.sum).isNaN ? 3 : 0
            histogram.count = total + surplus == 0 && Bool.random(using: &random) ? nil : .integer(total + surplus)
        }
        histogram.resetHint = Int32.random(in: 0...4, using: &random)
        histogram.timestamp = [0, 1, 1_700_000_000_000, -5].randomElement(using: &random) ?? 0
        histogram.startTimestamp = [0, 0, 1_690_000_000_000].randomElement(using: &random) ?? 0
        return histogram
    }

    /// The observations in an integer side's buckets.
    static func total(_ side: Side) -> UInt64 {
        var bucket: Int64 = 0
        var total: UInt64 = 0
        for delta in side.deltas {
            bucket += delta
            total += UInt64(bucket)
        }
        return total
    }

    private static func side(
        _ isFloat: Bool,
        _ isCustom: Bool,
        _ limit: Int,
        _ random: inout some RandomNumberGenerator
    ) -> Side {
        var side = Side()
        var rest = Int.random(in: 0...limit, using: &random)
        while rest > 0 || Int.random(in: 0..<10, using: &random) == 0 {
            let length = Int.random(in: 0...min(rest, 9), using: &random)
            var offset = Int32.random(in: 0...3, using: &random)
            if !isCustom {
                if Int.random(in: 0..<20, using: &random) == 0 {
                    offset = Int32.random(in: 0...Int32.max, using: &random)
                }
                if side.spans.isEmpty, Bool.random(using: &random) { offset = -offset }
            }
            side.spans.append(Span(offset: offset, length: UInt32(length)))
            rest -= length
        }
        var bucket: Int64 = 0
        for _ in 0..<side.spans.reduce(0, { $0 + Int($1.length) }) {
            let most: Int64 = [0, 3, 100, 100_000, 1 << 40].randomElement(using: &random) ?? 0
            let next = Int64.random(in: 0...most, using: &random)
            if isFloat {
                side.counts.append((Double(next) / 8).bitPattern)
            } else {
                side.deltas.append(next - bucket)
                bucket = next
            }
        }
        return side
    }
}
