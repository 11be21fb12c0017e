/// Bits, the highest first, as Prometheus' chunks are made of them.
///
/// One writer serves any number of chunks, one after the other; its memory stays.
struct BitWriter: Sendable {
    // Big-endian words; then up to 63 bits more.
    private var words: [UInt64]
    private var wordCount = 0
    private var accumulator: UInt64 = 0
    private var freeBits = 64

    /// - Parameter expectedBits: of the longest chunk, so that it costs no allocation.
    init(expectedBits: Int = 0) {
        self.words = [UInt64](repeating: 0, count: expectedBits / 64 + 1)
    }

    /// Of the chunk at hand.
    var byteCount: Int { (self.wordCount * 64 + 64 - self.freeBits + 7) / 8 }

    var memoryBytes: Int { self.words.capacity * MemoryLayout<UInt64>.stride }

    /// Appends the low bits of `value`, whose other bits are zero.
    @inline(__always)
    mutating func append(_ value: UInt64, bits count: Int) {
        guard count >= self.freeBits else {
            self.freeBits -= count
            self.accumulator |= value << UInt64(self.freeBits)
            return
        }
        let rest = count - self.freeBits
        self.store((self.accumulator | value >> UInt64(rest)).bigEndian)
        self.wordCount += 1
        self.freeBits = 64 - rest
        self.accumulator = rest == 0 ? 0 : value << UInt64(self.freeBits)
    }

    @inline(__always)
    private mutating func store(_ word: UInt64) {
        if self.wordCount < self.words.count {
            self.words[self.wordCount] = word
        } else {
            self.words.append(word)
        }
    }

    /// Adds the chunk's bytes to `output` and begins the next chunk.
    ///
    /// - Parameter head: takes the place of the first 16 bits, which must have been appended as zeros.
    mutating func finish(head: UInt16, into output: inout [UInt8]) {
        let byteCount = self.byteCount
        self.store(self.accumulator.bigEndian)
        self.words[0] = (UInt64(bigEndian: self.words[0]) | UInt64(head) << 48).bigEndian
        unsafe self.words.withUnsafeBytes { words in
            unsafe output.append(contentsOf: words.prefix(byteCount))
        }
        self.wordCount = 0
        self.accumulator = 0
        self.freeBits = 64
    }

    // MARK: Doubles

    /// What the last difference that needed it said of the bits that are not zero; no value fits into the first one.
    struct Window: Sendable {
        var leading: UInt8 = .max
        var trailing: UInt8 = 0
    }

    /// Appends a double's bits as the difference to those before.
    @inline(__always)
    mutating func append(xor bits: UInt64, previous: UInt64, _ window: inout Window) {
        let difference = bits ^ previous
        guard difference != 0 else { return self.append(0, bits: 1) }
        // Five bits must hold it.
        let leading = min(difference.leadingZeroBitCount, 31)
        let trailing = difference.trailingZeroBitCount
        if leading >= Int(window.leading), trailing >= Int(window.trailing) {
            self.append(0b10, bits: 2)
            let count = 64 - Int(window.leading) - Int(window.trailing)
            self.append(difference >> UInt64(window.trailing), bits: count)
            return
        }
        window = Window(leading: UInt8(leading), trailing: UInt8(trailing))
        let significant = 64 - leading - trailing
        // 64 significant bits are written as 0, since none at all does not occur.
        self.append(0b11 << 11 | UInt64(leading) << 6 | UInt64(significant & 63), bits: 13)
        self.append(difference >> UInt64(trailing), bits: significant)
    }
}
