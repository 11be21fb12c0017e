/// Bits, the highest first, in the codes that Prometheus' histogram chunks are made of.
///
/// - Source: `tsdb/docs/format/chunks.md` of Prometheus, and the code that it points to.
struct HistogramBitWriter: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Bits of the last byte that are still free.
    private var free = 0

    init(bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    mutating func setByte(_ index: Int, to byte: UInt8) {
        self.bytes[index] = byte
    }

    /// Appends the lowest `count` bits of a value.
    mutating func append(_ value: UInt64, bits count: Int) {
        var remaining = count
        while remaining > 0 {
            if self.free == 0 {
                self.bytes.append(0)
                self.free = 8
            }
            let taken = min(self.free, remaining)
            let piece = UInt8(truncatingIfNeeded: value >> UInt64(remaining - taken)) & (0xFF >> UInt8(8 - taken))
            self.bytes[self.bytes.count - 1] |= piece << UInt8(self.free - taken)
            self.free -= taken
            remaining -= taken
        }
    }

    // MARK: Numbers of varying width

    /// Widths of the values and of the ones before them that tell the width; a zero ends the ones, but for the last.
    private static let widths = [3, 6, 9, 12, 18, 25, 56]

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
        for (index, width) in Self.widths.enumerated() where fits(UInt64(width)) {
            let ones = index + 1
            self.append((1 << UInt64(ones) - 1) << 1, bits: ones + 1)
            self.append(value, bits: width)
            return
        }
        self.append(0xFF, bits: 8)
        self.append(value, bits: 64)
    }

    /// What the last XOR that needed it said of the bits that are not zero.
    struct Window: Sendable, Equatable {
        var leading: UInt8 = .max
        var trailing: UInt8 = 0
    }

    /// Appends a double's bits as the difference to those before.
    mutating func append(xor bits: UInt64, previous: UInt64, _ window: inout Window) {
        let difference = bits ^ previous
        guard difference != 0 else { return self.append(0, bits: 1) }
        // Five bits must hold it.
        let leading = UInt8(min(difference.leadingZeroBitCount, 31))
        let trailing = UInt8(difference.trailingZeroBitCount)
        if window.leading != .max, leading >= window.leading, trailing >= window.trailing {
            self.append(0b10, bits: 2)
            let count = 64 - Int(window.leading) - Int(window.trailing)
            self.append(difference >> UInt64(window.trailing), bits: count)
            return
        }
        window = Window(leading: leading, trailing: trailing)
        let count = 64 - Int(leading) - Int(trailing)
        self.append(0b11, bits: 2)
        self.append(UInt64(leading), bits: 5)
        // 64 becomes 0, which would mean nothing else.
        self.append(UInt64(count), bits: 6)
        self.append(difference >> UInt64(trailing), bits: count)
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
