import Common

/// A point in time as somebody types it.
package enum TimeArgument {
    /// Why a text is none.
    package struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        package var description: String
    }

    /// Milliseconds since 1970-01-01 UTC; fractions of them are cut off.
    ///
    /// - Parameters:
    ///   - text: RFC 3339 (`2026-03-01T12:00:00Z`), Unix seconds (`1772366400`, `1772366400.5`), `now`, or a time
    ///     before or after now in Prometheus' units (`-1h`, `-1h30m`, `-2d`, `+5m`).
    ///   - now: the same unit.
    package static func milliseconds(_ text: String, now: Int64) throws(Problem) -> Int64 {
        let bytes = Array(text.utf8)
        if text == "now" { return now }
        if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            guard let distance = Self.duration(bytes.dropFirst()) else {
                throw Problem(
                    description: "expected a time before or after now, as -1h, -90m or -1d12h, found \"\(text)\""
                )
            }
            let sum =
                sign == UInt8(ascii: "-")
                ? now.subtractingReportingOverflow(distance) : now.addingReportingOverflow(distance)
            guard !sum.overflow else { throw Problem(description: "\"\(text)\" is too far away") }
            return sum.partialValue
        }
        if let time = Self.unixSeconds(bytes) ?? Self.dateTime(bytes) { return time }
        throw Problem(
            description: "expected a time as 2026-03-01T12:00:00Z, 1772366400 (Unix seconds) or -1h, found \"\(text)\""
        )
    }

    /// RFC 3339 in UTC, without a fraction if it is zero.
    package static func text(_ milliseconds: Int64) -> String {
        let (seconds, fraction) = milliseconds.floored(by: 1_000)
        let (days, second) = seconds.floored(by: 86_400)
        let date = CivilDate(daysSinceEpoch: days)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let day = "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))"
        let time = "\(padded(second / 3_600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        return "\(day)T\(time)\(fraction == 0 ? "" : ".\(padded(fraction, 3))")Z"
    }

    // MARK: Forms

    /// Numbers and units, the longest unit first, each at most once; as Prometheus' durations.
    private static func duration(_ text: ArraySlice<UInt8>) -> Int64? {
        let units: [(name: String, milliseconds: Int64)] = [
            ("y", 365 * 86_400_000), ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("ms", 1),
            ("m", 60_000),
            ("s", 1_000),
        ]
        var rest = text
        var sum: Int64 = 0
        var last = Int64.max
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            guard let number = Self.number(&rest, digits: 1...18),
                let unit = units.first(where: { rest.starts(with: Array($0.name.utf8)) }), unit.milliseconds < last
            else { return nil }
            rest = rest.dropFirst(unit.name.utf8.count)
            last = unit.milliseconds
            let (part, isTooLong) = number.multipliedReportingOverflow(by: unit.milliseconds)
            let (total, overflows) = sum.addingReportingOverflow(part)
            guard !isTooLong, !overflows else { return nil }
            sum = total
        }
        return sum
    }

    private static func unixSeconds(_ text: [UInt8]) -> Int64? {
        var rest = text[...]
        guard let seconds = Self.number(&rest, digits: 1...15) else { return nil }
        guard let fraction = Self.fraction(&rest), rest.isEmpty else { return nil }
        return seconds * 1_000 + fraction
    }

    private static func dateTime(_ text: [UInt8]) -> Int64? {
        var rest = text[...]
        func consume(_ characters: String) -> UInt8? {
            guard let byte = rest.first, characters.utf8.contains(byte) else { return nil }
            rest.removeFirst()
            return byte
        }
        guard let year = Self.number(&rest, digits: 4...4), consume("-") != nil,
            let month = Self.number(&rest, digits: 2...2), consume("-") != nil,
            let day = Self.number(&rest, digits: 2...2), consume("Tt ") != nil,
            let hour = Self.number(&rest, digits: 2...2), hour < 24, consume(":") != nil,
            let minute = Self.number(&rest, digits: 2...2), minute < 60, consume(":") != nil,
            let second = Self.number(&rest, digits: 2...2), second < 60,
            let fraction = Self.fraction(&rest)
        else { return nil }
        let date = CivilDate(year: year, month: month, day: day)
        guard date.exists else { return nil }
        var offset: Int64 = 0
        if let sign = consume("+-") {
            guard let hours = Self.number(&rest, digits: 2...2), hours < 24, consume(":") != nil,
                let minutes = Self.number(&rest, digits: 2...2), minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -60 : 60)
        } else if consume("Zz") == nil {
            return nil
        }
        guard rest.isEmpty else { return nil }
        let seconds = date.daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second - offset
        return seconds * 1_000 + fraction
    }

    /// The digits that come next, if there are so many of them.
    private static func number(_ rest: inout ArraySlice<UInt8>, digits: ClosedRange<Int>) -> Int64? {
        let found = rest.prefix { SelectorParser.isDigit($0) }.prefix(digits.upperBound)
        guard found.count >= digits.lowerBound else { return nil }
        rest = rest.dropFirst(found.count)
        return Int64(String(decoding: found, as: UTF8.self))
    }

    /// Milliseconds of a fraction that may follow; nil if its point has no digits.
    private static func fraction(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        guard rest.first == UInt8(ascii: ".") else { return 0 }
        let digits = rest.dropFirst().prefix { SelectorParser.isDigit($0) }
        rest = rest.dropFirst(1 + digits.count)
        guard !digits.isEmpty else { return nil }
        let milliseconds = digits.prefix(3) + Array(repeating: UInt8(ascii: "0"), count: max(0, 3 - digits.count))
        return Int64(String(decoding: milliseconds, as: UTF8.self))
    }
}
