/// Timestamps as the query service writes and reads them: UTC, nanoseconds since 1970.
enum SQLTimestamp {
    private static let nanosecondsPerDay: Int64 = 86_400_000_000_000

    /// `2020-10-17 16:59:50.892000000`: always nine digits after the point, no zone.
    static func append(_ nanoseconds: Int64, to text: inout [UInt8]) {
        let (days, rest) = nanoseconds.floored(by: Self.nanosecondsPerDay)
        let (year, month, day) = Self.civil(days: days)
        DecimalDigits.append(year, width: 4, to: &text)
        text.append(UInt8(ascii: "-"))
        DecimalDigits.append(month, width: 2, to: &text)
        text.append(UInt8(ascii: "-"))
        DecimalDigits.append(day, width: 2, to: &text)
        text.append(UInt8(ascii: " "))
        Self.appendTimeOfDay(rest, to: &text)
    }

    /// `1 21:00:00.000000000`
    static func appendInterval(_ nanoseconds: Int64, to text: inout [UInt8]) {
        if nanoseconds < 0 { text.append(UInt8(ascii: "-")) }
        // The smallest integer has no positive twin; saturating is off by one nanosecond in 292 years.
        let magnitude = nanoseconds == .min ? .max : abs(nanoseconds)
        DecimalDigits.append(magnitude / Self.nanosecondsPerDay, to: &text)
        text.append(UInt8(ascii: " "))
        Self.appendTimeOfDay(magnitude % Self.nanosecondsPerDay, to: &text)
    }

    private static func appendTimeOfDay(_ nanoseconds: Int64, to text: inout [UInt8]) {
        let seconds = nanoseconds / 1_000_000_000
        DecimalDigits.append(seconds / 3600, width: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        DecimalDigits.append(seconds / 60 % 60, width: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        DecimalDigits.append(seconds % 60, width: 2, to: &text)
        text.append(UInt8(ascii: "."))
        DecimalDigits.append(nanoseconds % 1_000_000_000, width: 9, to: &text)
    }

    /// Reads `yyyy-mm-dd`, or with `hh:mm`, `:ss` and up to nine decimals after a blank or `T`; a `Z` may end it.
    ///
    /// - Returns: `nil` for anything else, and for times outside 64 bits of nanoseconds.
    static func parse(_ text: ArraySlice<UInt8>) -> Int64? {
        var rest = text
        guard let year = Self.digits(4, &rest), Self.drop(UInt8(ascii: "-"), &rest),
            let month = Self.digits(2, &rest), Self.drop(UInt8(ascii: "-"), &rest), let day = Self.digits(2, &rest),
            (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        guard Self.civil(days: days) == (year, month, day) else { return nil }
        var nanoseconds: Int64 = 0
        if Self.drop(UInt8(ascii: " "), &rest) || Self.drop(UInt8(ascii: "T"), &rest) {
            guard let hour = Self.digits(2, &rest), Self.drop(UInt8(ascii: ":"), &rest),
                let minute = Self.digits(2, &rest), hour < 24, minute < 60
            else { return nil }
            nanoseconds = (hour * 3600 + minute * 60) * 1_000_000_000
            if Self.drop(UInt8(ascii: ":"), &rest) {
                guard let second = Self.digits(2, &rest), second < 60, let fraction = Self.fraction(&rest) else {
                    return nil
                }
                nanoseconds += second * 1_000_000_000 + fraction
            }
            _ = Self.drop(UInt8(ascii: "Z"), &rest)
        }
        guard rest.isEmpty, case let (product, tooBig) = days.multipliedReportingOverflow(by: Self.nanosecondsPerDay),
            !tooBig, case let (sum, overflow) = product.addingReportingOverflow(nanoseconds), !overflow
        else { return nil }
        return sum
    }

    private static func fraction(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        guard Self.drop(UInt8(ascii: "."), &rest) else { return 0 }
        let digits = rest.prefix { $0 &- UInt8(ascii: "0") < 10 }
        guard (1...9).contains(digits.count) else { return nil }
        rest = rest.dropFirst(digits.count)
        var value: Int64 = 0
        for digit in digits { value = value * 10 + Int64(digit - UInt8(ascii: "0")) }
        for _ in digits.count..<9 { value *= 10 }
        return value
    }

    private static func digits(_ count: Int, _ rest: inout ArraySlice<UInt8>) -> Int64? {
        guard rest.count >= count else { return nil }
        var value: Int64 = 0
        for digit in rest.prefix(count) {
            guard digit &- UInt8(ascii: "0") < 10 else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        rest = rest.dropFirst(count)
        return value
    }

    private static func drop(_ byte: UInt8, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.first == byte else { return false }
        rest = rest.dropFirst()
        return true
    }

    // The proleptic Gregorian calendar in years that begin in March, so that the leap day comes last.

    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = year.floored(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).floored(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}

extension Int64 {
    /// Quotient and remainder, rounded towards minus infinity; the divisor is positive.
    func floored(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = self.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
