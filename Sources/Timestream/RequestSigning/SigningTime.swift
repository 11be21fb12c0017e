import Common

/// A moment as SigV4 writes it: `yyyymmddThhmmssZ`, UTC.
struct SigningTime: Equatable {
    /// The whole text, the value of `x-amz-date`.
    let text: String
    /// Seconds since 1970-01-01 UTC.
    let seconds: Int64
    /// `yyyymmdd`.
    let day: String

    init(seconds: Int64) {
        self.seconds = seconds
        let (days, second) = seconds.floored(by: 86400)
        let date = CivilDate(daysSinceEpoch: days)
        var digits: [UInt8] = []
        digits.reserveCapacity(16)
        Self.append(date.year, width: 4, to: &digits)
        Self.append(date.month, width: 2, to: &digits)
        Self.append(date.day, width: 2, to: &digits)
        digits.append(UInt8(ascii: "T"))
        Self.append(second / 3600, width: 2, to: &digits)
        Self.append(second / 60 % 60, width: 2, to: &digits)
        Self.append(second % 60, width: 2, to: &digits)
        digits.append(UInt8(ascii: "Z"))
        self.text = String(decoding: digits, as: UTF8.self)
        self.day = String(decoding: digits[..<8], as: UTF8.self)
    }

    /// Reads the form above; `nil` for anything else, impossible dates among it.
    init?(text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[4..<6]),
            let day = Self.number(bytes[6..<8]), let hour = Self.number(bytes[9..<11]),
            let minute = Self.number(bytes[11..<13]), let second = Self.number(bytes[13..<15])
        else { return nil }
        self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    /// Reads a `Date` header of the form `Sun, 06 Nov 1994 08:49:37 GMT`, which SigV4 accepts in place of `x-amz-date`.
    /// The zone may also be `-0000` (botocore writes that) or `+0000`.
    ///
    /// Source: RFC 9110, section 5.6.7; RFC 5322, section 3.3.
    init?(httpDate: String) {
        let bytes = Array(httpDate.utf8)
        let months = "JanFebMarAprMayJunJulAugSepOctNovDec"
        guard bytes.count >= 29, bytes[3...4].elementsEqual(", ".utf8),
            [" GMT", " -0000", " +0000"].contains(where: { bytes[25...].elementsEqual($0.utf8) }),
            [7, 11, 16].allSatisfy({ bytes[$0] == UInt8(ascii: " ") }),
            [19, 22].allSatisfy({ bytes[$0] == UInt8(ascii: ":") }),
            let month = (0..<12).first(where: { months.utf8.dropFirst($0 * 3).prefix(3).elementsEqual(bytes[8..<11]) }),
            let day = Self.number(bytes[5..<7]), let year = Self.number(bytes[12..<16]),
            let hour = Self.number(bytes[17..<19]), let minute = Self.number(bytes[20..<22]),
            let second = Self.number(bytes[23..<25])
        else { return nil }
        self.init(year: year, month: Int64(month + 1), day: day, hour: hour, minute: minute, second: second)
    }

    private init?(year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64) {
        guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60 else { return nil }
        let date = CivilDate(year: year, month: month, day: day)
        guard date.exists else { return nil }
        self.init(seconds: date.daysSinceEpoch * 86400 + hour * 3600 + minute * 60 + second)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return value
    }

    private static func append(_ number: Int64, width: Int, to digits: inout [UInt8]) {
        var divisor: Int64 = width == 4 ? 1000 : 10
        for _ in 0..<width {
            digits.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }
}
