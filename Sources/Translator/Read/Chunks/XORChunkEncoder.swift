/// Writes floats as an XOR chunk, bit for bit as Prometheus' own encoder does.
///
/// One encoder serves any number of chunks, one after the other, and allocates nothing per sample or chunk.
///
/// - Source: `tsdb/docs/format/chunks.md` and `tsdb/chunkenc/xor.go` of Prometheus.
struct XORChunkEncoder: ~Copyable {
    /// Samples in a chunk, as in Prometheus' own storage; readers take up to 65,535.
    static let maximumSamples = 120
    /// `Chunk.Encoding.XOR` of `types.proto`.
    static let encoding: UInt64 = 1

    /// Samples in the chunk at hand.
    private(set) var count = 0
    private(set) var firstTimestamp: Int64 = 0
    private(set) var lastTimestamp: Int64 = 0

    private var writer = BitWriter(expectedBits: Self.maximumBits)
    private var lastDelta: UInt64 = 0
    private var lastBits: UInt64 = 0
    private var window = BitWriter.Window()

    private static let countBits = 16
    /// Two varints, and the two parts of each sample at their longest: prefix and number, flags and window and number.
    private static let maximumBits = Self.countBits + 2 * 80 + Self.maximumSamples * (4 + 64 + 2 + 5 + 6 + 64)

    var isFull: Bool { self.count == Self.maximumSamples }

    /// Adds a sample; the chunk must not be full.
    ///
    /// - Parameter timestamp: after that of the sample before.
    mutating func append(timestamp: Int64, bits: UInt64) {
        switch self.count {
        case 0:
            self.writer.append(0, bits: Self.countBits)
            self.writeVarint(UInt64(bitPattern: timestamp << 1 ^ timestamp >> 63))
            self.writer.append(bits, bits: 64)
            self.firstTimestamp = timestamp
        case 1:
            self.lastDelta = UInt64(bitPattern: timestamp &- self.lastTimestamp)
            self.writeVarint(self.lastDelta)
            self.writer.append(xor: bits, previous: self.lastBits, &self.window)
        default:
            let delta = UInt64(bitPattern: timestamp &- self.lastTimestamp)
            self.writeChange(Int64(bitPattern: delta &- self.lastDelta))
            self.lastDelta = delta
            self.writer.append(xor: bits, previous: self.lastBits, &self.window)
        }
        self.lastTimestamp = timestamp
        self.lastBits = bits
        self.count += 1
    }

    /// Of the chunk at hand.
    var byteCount: Int { self.writer.byteCount }

    /// Adds the chunk's bytes to `output` and begins the next one; there must be a sample.
    mutating func finish(into output: inout [UInt8]) {
        self.writer.finish(head: UInt16(self.count), into: &output)
        self.count = 0
        self.window = BitWriter.Window()
    }

    // MARK: Parts of a sample

    /// How the distance between samples has changed.
    @inline(__always)
    private mutating func writeChange(_ change: Int64) {
        switch change {
        case 0: self.writer.append(0, bits: 1)
        case -8_191...8_192: self.writer.append(0b10 << 14 | UInt64(bitPattern: change) & 0x3FFF, bits: 16)
        case -65_535...65_536: self.writer.append(0b110 << 17 | UInt64(bitPattern: change) & 0x1_FFFF, bits: 20)
        case -524_287...524_288: self.writer.append(0b1110 << 20 | UInt64(bitPattern: change) & 0xF_FFFF, bits: 24)
        default:
            self.writer.append(0b1111, bits: 4)
            self.writer.append(UInt64(bitPattern: change), bits: 64)
        }
    }

    private mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.writer.append(rest & 0x7F | 0x80, bits: 8)
            rest >>= 7
        }
        self.writer.append(rest, bits: 8)
    }
}
