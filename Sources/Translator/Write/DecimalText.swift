/// Numbers as the shortest decimal text that reads back to the same bits.
enum DecimalText {
    /// Appends a finite double: plain digits for 1e-7 <= |value| < 1e21, an exponent only outside; `-0` keeps its sign.
    static func append(_ value: Double, to output: inout OutputBuffer) {
        // Most samples are whole numbers; these need no float-to-text at all.
        if value == value.rounded(.towardZero), abs(value) < 9_007_199_254_740_992 {
            if value == 0 && value.sign == .minus { output.append(UInt8(ascii: "-")) }
            self.append(Int64(value), to: &output)
            return
        }
        if self.appendFewDecimals(value, to: &output) { return }
        // Swift's own text has the shortest digits; only where it puts the point and the exponent differs.
        var text = ShortText()
        value.write(to: &text)
        if abs(value) >= 1e-3 && abs(value) < 9_007_199_254_740_992 && text.bytes[text.count - 1] != UInt8(ascii: "0") {
            // No exponent and no zero at the end: our form already.
            unsafe output.append(text.bytes.span.bytes.extracting(0..<text.count))
        } else {
            self.layOut(text, to: &output)
        }
    }

    /// What the standard library writes of one double, at most 24 bytes, without a string on the heap.
    private struct ShortText: TextOutputStream {
        var bytes: InlineArray<32, UInt8> = .init(repeating: 0)
        var count = 0

        mutating func write(_ string: String) {
            for byte in string.utf8 { self.append(byte) }
        }

        /// The standard library's way past `String` for text that is ASCII; `write` does the same, with a copy.
        mutating func _writeASCII(_ buffer: UnsafeBufferPointer<UInt8>) {
            for index in buffer.indices { unsafe self.append(buffer[index]) }
        }

        private mutating func append(_ byte: UInt8) {
            self.bytes[self.count] = byte
            self.count += 1
        }
    }

    /// Numbers with at most nine decimals and 15 digits in all, which most measurements are.
    ///
    /// Such a decimal is its double's shortest text: no two of 15 digits have the same double. That it is the double's
    /// text at all is proved by the division, which rounds once as reading does, since both sides of it are exact.
    private static func appendFewDecimals(_ value: Double, to output: inout OutputBuffer) -> Bool {
        let size = abs(value)
        guard size >= 1e-3, size < 1e12 else { return false }
        var decimals = 3
        var scaled = (size * 1e3).rounded()
        if scaled / 1e3 != size {
            decimals = 6
            scaled = (size * 1e6).rounded()
            if scaled / 1e6 != size {
                decimals = 9
                scaled = (size * 1e9).rounded()
                if scaled / 1e9 != size { return false }
            }
        }
        guard scaled < 1e15 else { return false }
        var digits = UInt64(scaled)
        while true {
            let (quotient, remainder) = digits.quotientAndRemainder(dividingBy: 10)
            guard remainder == 0 else { break }
            digits = quotient
            decimals -= 1
        }
        if value < 0 { output.append(UInt8(ascii: "-")) }
        // From the last digit on, with the point where it belongs.
        var text: InlineArray<24, UInt8> = .init(repeating: 0)
        var index = 24
        var place = 0
        repeat {
            index -= 1
            if place == decimals {
                text[index] = UInt8(ascii: ".")
                index -= 1
            }
            let (quotient, remainder) = digits.quotientAndRemainder(dividingBy: 10)
            text[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder)
            digits = quotient
            place += 1
        } while digits != 0 || place <= decimals
        unsafe output.append(text.span.bytes.extracting(index..<24))
        return true
    }

    static func append(_ value: Int64, to output: inout OutputBuffer) {
        if value < 0 { output.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var index = 20
        repeat {
            index -= 1
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
            digits[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder)
            rest = quotient
        } while rest != 0
        unsafe output.append(digits.span.bytes.extracting(index..<20))
    }

    /// Takes `[-]digits[.digits][e±digits]` apart and writes it in our form.
    private static func layOut(_ text: ShortText, to output: inout OutputBuffer) {
        var digits: InlineArray<24, UInt8> = .init(repeating: 0)
        var digitCount = 0
        var pointPosition: Int?
        var exponent = 0
        var index = 0
        if text.bytes[0] == UInt8(ascii: "-") {
            output.append(UInt8(ascii: "-"))
            index = 1
        }
        scan: while index < text.count {
            let byte = text.bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "."):
                pointPosition = digitCount
            case UInt8(ascii: "e"):
                let isNegative = text.bytes[index] == UInt8(ascii: "-")
                if isNegative || text.bytes[index] == UInt8(ascii: "+") { index += 1 }
                while index < text.count {
                    exponent = exponent * 10 + Int(text.bytes[index] - UInt8(ascii: "0"))
                    index += 1
                }
                if isNegative { exponent = -exponent }
                break scan
            default:
                digits[digitCount] = byte
                digitCount += 1
            }
        }
        // value = 0.d1d2d3… × 10^scale, without zeros at either end.
        var scale = (pointPosition ?? digitCount) + exponent
        var first = 0
        while first < digitCount - 1 && digits[first] == UInt8(ascii: "0") {
            first += 1
            scale -= 1
        }
        while digitCount > first + 1 && digits[digitCount - 1] == UInt8(ascii: "0") { digitCount -= 1 }
        let count = digitCount - first
        output.reserve(count + 32)
        func digit(_ position: Int) -> UInt8 { digits[first + position] }

        if scale > 21 || scale < -6 {
            output.append(digit(0))
            if count > 1 {
                output.append(UInt8(ascii: "."))
                for position in 1..<count { output.append(digit(position)) }
            }
            output.append(UInt8(ascii: "E"))
            self.append(Int64(scale - 1), to: &output)
        } else if scale <= 0 {
            output.append("0.")
            for _ in 0..<(-scale) { output.append(UInt8(ascii: "0")) }
            for position in 0..<count { output.append(digit(position)) }
        } else {
            for position in 0..<max(count, scale) {
                if position == scale { output.append(UInt8(ascii: ".")) }
                output.append(position < count ? digit(position) : UInt8(ascii: "0"))
            }
        }
    }
}
