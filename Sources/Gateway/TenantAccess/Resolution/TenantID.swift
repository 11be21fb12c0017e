/// The rule for tenant ids: 1 to 64 of `A-Z a-z 0-9 _ . -`, but not `.` or `..`.
enum TenantID {
    /// Whether the bytes are a tenant id as they stand.
    static func isValid(_ bytes: some Collection<UInt8>) -> Bool {
        var count = 0
        var dots = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                break
            case UInt8(ascii: "."): dots += 1
            default: return false
            }
            count += 1
            guard count <= 64 else { return false }
        }
        return count > 0 && !(dots == count && count <= 2)
    }

    /// The tenant id that a path segment spells, percent-encoding undone once.
    ///
    /// - Returns: `nil` for a broken escape, and for anything that is no tenant id after decoding: an encoded slash or
    ///   percent sign included, so nothing is ever decoded twice.
    static func decodingPathSegment(_ segment: some Collection<UInt8>) -> String? {
        // Three bytes an escape: a longer segment cannot spell 64 bytes.
        guard segment.count <= 64 * 3 else { return nil }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(segment.count)
        var bytes = segment.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                decoded.append(byte)
                continue
            }
            guard let high = bytes.next().flatMap(Self.hexadecimalValue),
                let low = bytes.next().flatMap(Self.hexadecimalValue)
            else { return nil }
            decoded.append(high << 4 | low)
        }
        return Self.isValid(decoded) ? String(decoding: decoded, as: UTF8.self) : nil
    }

    private static func hexadecimalValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
