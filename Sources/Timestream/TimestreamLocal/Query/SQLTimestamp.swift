import Common

/// Timestamps as the query service writes and reads them: UTC, nanoseconds since 1970.
enum SQLTimestamp {
    private static let nanosecondsPerDay: Int64 = 86_400_000_000_000

    /// `2020-10-17 16:59:50.892000000`: always nine digits after the point, no zone.
    static func append(_ nanoseconds: Int64, to text: inout [UInt8]) {
        let (days, rest) = nanoseconds.floored(by: Self.nanosecondsPerDay)
        let date = CivilDate(daysSinceEpoch: days)
        DecimalDigits.append(date.year, width: 4, to: &text)
        text.append(UInt8(ascii: "-"))
        DecimalDigits.append(date.month, width: 2, to: &text)
        text.append(UInt8(ascii: "-"))
        DecimalDigits.append(date.day, width: 2, to: &text)
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
        let date = CivilDate(year: year, month: month, day: day)
        guard date.exists else { return nil }
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
        // Before 1970 from the day's end: the first day that 64 bits reach starts before them.
        var days = date.daysSinceEpoch
        if days < 0 {
            days += 1
            nanoseconds -= Self.nanosecondsPerDay
        }
        guard rest.isEmpty,
            case let (product, tooBig) = days.multipliedReportingOverflow(by: Self.nanosecondsPerDay),
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
}
