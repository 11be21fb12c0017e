/// CRC-32C (Castagnoli), eight bytes at a time by tables.
///
/// - Source: RFC 3720, appendix B.4; the polynomial 0x1EDC6F41, reflected.
struct CRC32C {
    private var state: UInt32 = 0xFFFF_FFFF

    /// Of all bytes so far.
    var value: UInt32 { ~self.state }

    mutating func update(_ bytes: [UInt8]) {
        let source = unsafe bytes.span.bytes
        let tables = Self.tables.span
        var state = self.state
        var offset = 0
        while offset + 8 <= source.byteCount {
            let word = unsafe UInt64(littleEndian: source.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let mixed = word ^ UInt64(state)
            var next: UInt32 = 0
            for byte in 0..<8 {
                next ^= tables[(7 - byte) << 8 | Int(truncatingIfNeeded: mixed >> UInt64(8 * byte)) & 0xFF]
            }
            state = next
            offset += 8
        }
        while offset < bytes.count {
            state = tables[Int(state & 0xFF) ^ Int(bytes[offset])] ^ state >> 8
            offset += 1
        }
        self.state = state
    }

    /// Eight tables of 256 numbers: what a byte with so many zero bytes after it adds.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var rest = UInt32(byte)
            for _ in 0..<8 { rest = rest & 1 == 0 ? rest >> 1 : rest >> 1 ^ 0x82F6_3B78 }
            tables[byte] = rest
        }
        for index in 256..<8 * 256 {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
        }
        return tables
    }()
}
