/// Doubles as Java's `Double.toString` writes them, which is how the query service does.
///
/// Shortest digits that read back to the same bits; at least one digit on either side of the point; plain for
/// 1e-3 <= abs < 1e7, else one digit before the point and `E` with the exponent. Source: Java 19, `Double.toString`.
enum JavaDouble {
    static func append(_ value: Double, to text: inout [UInt8]) {
        guard value.isFinite else {
            text += Array((value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity").utf8)
            return
        }
        if value.sign == .minus { text.append(UInt8(ascii: "-")) }
        guard value != 0 else {
            text += Array("0.0".utf8)
            return
        }
        let (digits, exponent) = Self.shortest(value.magnitude)
        switch exponent {
        case 0..<7:
            for place in 0...max(exponent, digits.count - 1) {
                if place == exponent + 1 { text.append(UInt8(ascii: ".")) }
                text.append(place < digits.count ? digits[place] : UInt8(ascii: "0"))
            }
            if digits.count <= exponent + 1 { text += [UInt8(ascii: "."), UInt8(ascii: "0")] }
        case -3..<0:
            text += [UInt8(ascii: "0"), UInt8(ascii: ".")]
            for _ in 1..<(-exponent) { text.append(UInt8(ascii: "0")) }
            text += digits
        default:
            text += [digits[0], UInt8(ascii: ".")]
            if digits.count == 1 { text.append(UInt8(ascii: "0")) } else { text += digits[1...] }
            text.append(UInt8(ascii: "E"))
            DecimalDigits.append(Int64(exponent), to: &text)
        }
    }

    /// The digits without point or trailing zeros, and the exponent of the first one.
    private static func shortest(_ value: Double) -> (digits: [UInt8], exponent: Int) {
        var digits: [UInt8] = []
        digits.reserveCapacity(17)
        var exponent = 0
        var pointAt: Int?
        var isExponent = false
        var exponentText = 0
        var exponentIsNegative = false
        for byte in value.description.utf8 {
            switch byte {
            case UInt8(ascii: "."): pointAt = digits.count
            case UInt8(ascii: "e"): isExponent = true
            case UInt8(ascii: "-"): exponentIsNegative = true
            case UInt8(ascii: "+"): continue
            default:
                if isExponent {
                    exponentText = exponentText * 10 + Int(byte - UInt8(ascii: "0"))
                } else {
                    digits.append(byte)
                }
            }
        }
        exponent = (pointAt ?? digits.count) - 1 + (exponentIsNegative ? -exponentText : exponentText)
        let zeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
        digits.removeFirst(zeros)
        exponent -= zeros
        while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
        guard digits.count == 1, value < 0x1p-1022 else { return (digits, exponent) }
        return Self.twoDigits(value)
    }

    /// Where one digit would do, Java takes the nearest number of two digits; that differs for the smallest numbers, of
    /// which 4.9E-324 is the first.
    private static func twoDigits(_ value: Double) -> (digits: [UInt8], exponent: Int) {
        // A multiple of the smallest number, which is 4.940656458412465e-324; a small one, since one digit does.
        var mantissa = Double(value.bitPattern) * 4.940656458412465
        var exponent = -324
        while mantissa >= 10 {
            mantissa /= 10
            exponent += 1
        }
        var tenths = Int((mantissa * 10).rounded())
        if tenths == 100 {
            tenths = 10
            exponent += 1
        }
        let digits = [UInt8(ascii: "0") + UInt8(tenths / 10), UInt8(ascii: "0") + UInt8(tenths % 10)]
        return (digits[1] == UInt8(ascii: "0") ? [digits[0]] : digits, exponent)
    }
}
