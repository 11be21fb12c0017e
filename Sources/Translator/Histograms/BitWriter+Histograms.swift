/// The codes that histogram chunks are made of beside those of other chunks.
///
/// - Source: `tsdb/docs/format/chunks.md` of Prometheus, and the code that it points to.
extension BitWriter {
    // MARK: Numbers of varying width

    /// Widths of the values and of the ones before them that tell the width; a zero ends the ones, but for the last.
    private static let varbitWidths = [3, 6, 9, 12, 18, 25, 56]

    mutating func append(varbit value: Int64) {
        // The ranges are lopsided: a width of three holds -3 to 4.
        self.append(UInt64(bitPattern: value)) { width in
            value >= -((1 << (width - 1)) - 1) && value <= 1 << (width - 1)
        }
    }

    mutating func append(unsignedVarbit value: UInt64) {
        self.append(value) { width in value >> width == 0 }
    }

    @inline(__always)
    private mutating func append(_ value: UInt64, fits: (UInt64) -> Bool) {
        guard value != 0 else { return self.append(0, bits: 1) }
        for (index, width) in Self.varbitWidths.enumerated() where fits(UInt64(width)) {
            let ones = index + 1
            self.append((1 << UInt64(ones) - 1) << 1, bits: ones + 1)
            self.append(value & (1 << UInt64(width) - 1), bits: width)
            return
        }
        self.append(0xFF, bits: 8)
        self.append(value, bits: 64)
    }

    // MARK: Parts of a layout

    /// Appends the width of the zero bucket: one byte for zero and for usual powers of two, else nine.
    mutating func append(zeroThreshold bits: UInt64) {
        let threshold = Double(bitPattern: bits)
        if threshold == 0 {
            self.append(0, bits: 8)
        } else if threshold.sign == .plus, threshold.isNormal, threshold.significandBitPattern == 0,
            (-243...10).contains(threshold.exponent)
        {
            self.append(UInt64(threshold.exponent + 244), bits: 8)
        } else {
            self.append(255, bits: 8)
            self.append(bits, bits: 64)
        }
    }

    mutating func append(_ spans: [NativeHistogram.Span]) {
        self.append(unsignedVarbit: UInt64(spans.count))
        for span in spans {
            self.append(unsignedVarbit: UInt64(span.length))
            self.append(varbit: Int64(span.offset))
        }
    }

    /// Appends a custom bound: short if it is a multiple of a thousandth up to 33554.430.
    mutating func append(bound bits: UInt64) {
        let bound = Double(bitPattern: bits)
        let thousandths = bound * 1000
        if thousandths >= 0, thousandths <= 33_554_430 {
            let whole = thousandths.rounded(.toNearestOrAwayFromZero)
            if whole / 1000 == bound {
                self.append(unsignedVarbit: UInt64(whole) + 1)
                return
            }
        }
        self.append(0, bits: 1)
        self.append(bits, bits: 64)
    }
}
