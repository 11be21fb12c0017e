/// Numbers and times as Timestream's answers spell them.
///
/// - Source: what the service was seen to send: timestamps as `2020-10-17 16:59:50.892000000` (UTC), doubles as Java's
///   `Double.toString` does, integers in decimal.
enum CellText {
    /// Milliseconds since 1970-01-01 UTC, rounded down; nil if the text is no timestamp.
    static func timestampMilliseconds(_ text: Span<UInt8>) -> Int64? {
        guard text.count >= 19, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] == UInt8(ascii: " "), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let century = Self.twoDigits(text, 0), let yearOfCentury = Self.twoDigits(text, 2),
            let month = Self.twoDigits(text, 5), let day = Self.twoDigits(text, 8),
            let hour = Self.twoDigits(text, 11), let minute = Self.twoDigits(text, 14),
            let second = Self.twoDigits(text, 17)
        else { return nil }
        let year = century * 100 + yearOfCentury
        guard (1...12).contains(month), day >= 1, day <= Self.days(inMonth: month, of: year), hour < 24, minute < 60,
            second < 60
        else { return nil }
        var milliseconds: Int64 = 0
        if text.count > 19 {
            guard text[19] == UInt8(ascii: "."), (21...29).contains(text.count) else { return nil }
            var scale: Int64 = 100
            for index in 20..<text.count {
                let digit = text[index] &- UInt8(ascii: "0")
                guard digit < 10 else { return nil }
                milliseconds += Int64(digit) * scale
                scale /= 10
            }
        }
        let seconds = (Self.daysSinceEpoch(year, month, day) * 24 + hour) * 3_600 + minute * 60 + second
        return Int64(seconds) * 1_000 + milliseconds
    }

    private static func twoDigits(_ text: Span<UInt8>, _ index: Int) -> Int? {
        let tens = text[index] &- UInt8(ascii: "0")
        let ones = text[index + 1] &- UInt8(ascii: "0")
        return tens < 10 && ones < 10 ? Int(tens) * 10 + Int(ones) : nil
    }

    private static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970-01-01 in the Gregorian calendar; years are counted from March, so that a leap day is the last.
    private static func daysSinceEpoch(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let years = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return years * 365 + years / 4 - years / 100 + years / 400 + dayOfYear - 719_468
    }

    /// The 64 bits that a BIGINT stands for.
    static func bigintBits(_ text: Span<UInt8>) -> UInt64? {
        let isNegative = text.count > 0 && text[0] == UInt8(ascii: "-")
        guard text.count > (isNegative ? 1 : 0) else { return nil }
        var magnitude: UInt64 = 0
        for index in (isNegative ? 1 : 0)..<text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (product, overflows) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carries) = product.addingReportingOverflow(UInt64(digit))
            guard !overflows, !carries else { return nil }
            magnitude = sum
        }
        guard magnitude <= (isNegative ? 1 << 63 : 1 << 63 - 1) else { return nil }
        return isNegative ? 0 &- magnitude : magnitude
    }

    /// The bits of the double nearest to the text; `NaN` becomes the bits that Prometheus writes for it.
    static func doubleBits(_ text: Span<UInt8>) -> UInt64? {
        guard let decimal = Decimal(text) else {
            return Self.specialBits(text)
        }
        // Whole numbers below 2^53 and powers of ten up to 22 are exact, so that one operation rounds once: the nearest.
        if decimal.isExact, decimal.digits < 1 << 53, abs(decimal.exponent) <= 22 {
            let digits = Double(decimal.digits)
            let power = Self.powersOfTen[abs(decimal.exponent)]
            let value = decimal.exponent < 0 ? digits / power : digits * power
            return (decimal.isNegative ? -value : value).bitPattern
        }
        let string = unsafe text.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
        return Double(string)?.bitPattern
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    private static func specialBits(_ text: Span<UInt8>) -> UInt64? {
        func isText(_ wanted: StaticString) -> Bool {
            guard text.count == wanted.utf8CodeUnitCount else { return false }
            for index in 0..<text.count where unsafe text[index] != wanted.utf8Start[index] { return false }
            return true
        }
        if isText("NaN") { return 0x7FF8_0000_0000_0001 }
        if isText("Infinity") { return Double.infinity.bitPattern }
        if isText("-Infinity") { return (-Double.infinity).bitPattern }
        return nil
    }

    /// `[-]digits[.digits][E[-]digits]`, taken apart.
    private struct Decimal {
        var isNegative = false
        var digits: UInt64 = 0
        var exponent = 0
        /// Whether all digits found room.
        var isExact = true

        /// - Returns: nil if the text is no decimal number.
        init?(_ text: Span<UInt8>) {
            var index = 0
            let end = text.count
            if index < end, text[index] == UInt8(ascii: "-") || text[index] == UInt8(ascii: "+") {
                self.isNegative = text[index] == UInt8(ascii: "-")
                index += 1
            }
            var digitCount = 0
            var pointPosition: Int?
            scan: while index < end {
                let byte = text[index]
                let digit = byte &- UInt8(ascii: "0")
                if digit < 10 {
                    digitCount += 1
                    if self.digits < 100_000_000_000_000_000 {
                        self.digits = self.digits * 10 + UInt64(digit)
                        if pointPosition != nil { self.exponent -= 1 }
                    } else {
                        self.isExact = false
                    }
                } else if byte == UInt8(ascii: "."), pointPosition == nil {
                    pointPosition = digitCount
                } else {
                    break scan
                }
                index += 1
            }
            guard digitCount > 0 else { return nil }
            guard index < end else { return }
            guard text[index] | 0x20 == UInt8(ascii: "e") else { return nil }
            index += 1
            var isExponentNegative = false
            if index < end, text[index] == UInt8(ascii: "-") || text[index] == UInt8(ascii: "+") {
                isExponentNegative = text[index] == UInt8(ascii: "-")
                index += 1
            }
            guard index < end, end - index <= 6 else { return nil }
            var exponent = 0
            while index < end {
                let digit = text[index] &- UInt8(ascii: "0")
                guard digit < 10 else { return nil }
                exponent = exponent * 10 + Int(digit)
                index += 1
            }
            self.exponent += isExponentNegative ? -exponent : exponent
        }
    }
}
