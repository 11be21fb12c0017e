/// CRC-32 of a stored histogram, the one of zlib and PNG, so that stored texts can be checked with common tools.
enum HistogramChecksum {
    private static let table: [UInt32] = (0..<256).map { byte in
        var value = UInt32(byte)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
        return value
    }

    static func value(of bytes: Span<UInt8>) -> UInt32 {
        let table = Self.table
        var state = UInt32.max
        for index in 0..<bytes.count {
            state = table[Int((state ^ UInt32(bytes[index])) & 0xFF)] ^ state >> 8
        }
        return ~state
    }
}
