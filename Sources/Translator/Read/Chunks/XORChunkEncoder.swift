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

    // The chunk, as big-endian words; then up to 63 bits more.
    private var words: [UInt64]
    private var wordCount = 0
    private var accumulator: UInt64 = 0
    private var freeBits = 64

    private var lastDelta: UInt64 = 0
    private var lastBits: UInt64 = 0
    /// The window of the last value that had one of its own; no value fits into that of the beginning.
    private var leading = Self.noWindow
    private var trailing = 0
    private static let noWindow = 0xFF

    private static let countBits = 16
    /// Two varints, and the two parts of each sample at their longest: prefix and number, flags and window and number.
    private static let maximumBits = Self.countBits + 2 * 80 + Self.maximumSamples * (4 + 64 + 2 + 5 + 6 + 64)

    init() {
        self.words = [UInt64](repeating: 0, count: Self.maximumBits / 64 + 1)
    }

    var isFull: Bool { self.count == Self.maximumSamples }

    /// Adds a sample; the chunk must not be full.
    ///
    /// - Parameter timestamp: after that of the sample before.
    mutating func append(timestamp: Int64, bits: UInt64) {
        switch self.count {
        case 0:
            self.write(0, Self.countBits)
            self.writeVarint(UInt64(bitPattern: timestamp << 1 ^ timestamp >> 63))
            self.write(bits, 64)
            self.firstTimestamp = timestamp
        case 1:
            self.lastDelta = UInt64(bitPattern: timestamp &- self.lastTimestamp)
            self.writeVarint(self.lastDelta)
            self.writeDifference(bits)
        default:
            let delta = UInt64(bitPattern: timestamp &- self.lastTimestamp)
            self.writeChange(Int64(bitPattern: delta &- self.lastDelta))
            self.lastDelta = delta
            self.writeDifference(bits)
        }
        self.lastTimestamp = timestamp
        self.lastBits = bits
        self.count += 1
    }

    /// Of the chunk at hand.
    var byteCount: Int { (self.wordCount * 64 + 64 - self.freeBits + 7) / 8 }

    /// Adds the chunk's bytes to `output` and begins the next one; there must be a sample.
    mutating func finish(into output: inout [UInt8]) {
        let byteCount = self.byteCount
        // The first word is complete: a value alone has 64 bits.
        let count = UInt64(self.count) << 48
        self.words[0] = (UInt64(bigEndian: self.words[0]) | count).bigEndian
        self.words[self.wordCount] = self.accumulator.bigEndian
        unsafe self.words.withUnsafeBytes { words in
            unsafe output.append(contentsOf: words.prefix(byteCount))
        }
        self.count = 0
        self.wordCount = 0
        self.accumulator = 0
        self.freeBits = 64
        self.leading = Self.noWindow
    }

    // MARK: Parts of a sample

    /// How the distance between samples has changed.
    @inline(__always)
    private mutating func writeChange(_ change: Int64) {
        switch change {
        case 0: self.write(0, 1)
        case -8_191...8_192: self.write(0b10 << 14 | UInt64(bitPattern: change) & 0x3FFF, 16)
        case -65_535...65_536: self.write(0b110 << 17 | UInt64(bitPattern: change) & 0x1_FFFF, 20)
        case -524_287...524_288: self.write(0b1110 << 20 | UInt64(bitPattern: change) & 0xF_FFFF, 24)
        default:
            self.write(0b1111, 4)
            self.write(UInt64(bitPattern: change), 64)
        }
    }

    /// How the value differs from the one before.
    @inline(__always)
    private mutating func writeDifference(_ bits: UInt64) {
        let difference = bits ^ self.lastBits
        guard difference != 0 else { return self.write(0, 1) }
        let leading = min(difference.leadingZeroBitCount, 31)
        let trailing = difference.trailingZeroBitCount
        if self.leading != Self.noWindow, leading >= self.leading, trailing >= self.trailing {
            self.write(0b10, 2)
            self.write(difference >> UInt64(self.trailing), 64 - self.leading - self.trailing)
            return
        }
        self.leading = leading
        self.trailing = trailing
        let significant = 64 - leading - trailing
        // 64 significant bits are written as 0, since none at all does not occur.
        self.write(0b11 << 11 | UInt64(leading) << 6 | UInt64(significant & 63), 13)
        self.write(difference >> UInt64(trailing), significant)
    }

    private mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.write(rest & 0x7F | 0x80, 8)
            rest >>= 7
        }
        self.write(rest, 8)
    }

    /// Adds the low bits of `value`, whose other bits are zero; the most significant one first.
    @inline(__always)
    private mutating func write(_ value: UInt64, _ bitCount: Int) {
        guard bitCount >= self.freeBits else {
            self.freeBits -= bitCount
            self.accumulator |= value << UInt64(self.freeBits)
            return
        }
        let rest = bitCount - self.freeBits
        self.words[self.wordCount] = (self.accumulator | value >> UInt64(rest)).bigEndian
        self.wordCount += 1
        self.freeBits = 64 - rest
        self.accumulator = rest == 0 ? 0 : value << UInt64(self.freeBits)
    }
}
