/// A cyclic redundancy check of 32 bits, eight bytes at a time by tables.
struct CRC32 {
    /// What tells one such check from another, as tables.
    struct Polynomial: Sendable {
        /// Eight tables of 256 numbers: what a byte with so many zero bytes after it adds.
        fileprivate let tables: [UInt32]

        private init(reflected polynomial: UInt32) {
            var tables = [UInt32](repeating: 0, count: 8 * 256)
            for byte in 0..<256 {
                var rest = UInt32(byte)
                for _ in 0..<8 { rest = rest & 1 == 0 ? rest >> 1 : rest >> 1 ^ polynomial }
                tables[byte] = rest
            }
            for index in 256..<8 * 256 {
                let previous = tables[index - 256]
                tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
            }
            self.tables = tables
        }

        /// CRC-32C, of the frames of a streamed answer: 0x1EDC6F41 (RFC 3720, appendix B.4).
        static let castagnoli = Polynomial(reflected: 0x82F6_3B78)
        /// CRC-32 of zlib and PNG, of stored histograms, so that they can be checked with common tools: 0x04C11DB7.
        static let zlib = Polynomial(reflected: 0xEDB8_8320)
    }

    private var state: UInt32 = 0xFFFF_FFFF
    private let tables: [UInt32]

    init(_ polynomial: Polynomial) {
        self.tables = polynomial.tables
    }

    /// Of all bytes so far.
    var value: UInt32 { ~self.state }

    mutating func update(_ bytes: [UInt8]) {
        self.update(bytes.span)
    }

    mutating func update(_ bytes: Span<UInt8>) {
        let source = unsafe bytes.bytes
        let numbers = self.tables
        let tables = numbers.span
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

    /// Of all of these bytes.
    static func value(of bytes: Span<UInt8>, _ polynomial: Polynomial) -> UInt32 {
        var checksum = CRC32(polynomial)
        checksum.update(bytes)
        return checksum.value
    }
}
