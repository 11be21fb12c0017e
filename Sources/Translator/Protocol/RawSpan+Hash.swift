extension RawSpan {
    /// A seeded hash of the bytes in `range`: eight bytes at a time, folded by a full-width multiplication.
    ///
    /// The result can be the seed of the next range, so that a list of ranges has one hash. With a random seed nobody
    /// outside can choose bytes that collide.
    @inline(__always)
    func hash(_ range: Range<Int>, seed: UInt64) -> UInt64 {
        precondition(range.lowerBound >= 0 && range.upperBound <= self.byteCount)
        let count = range.count
        var state = seed ^ (UInt64(count) &* 0x9E37_79B9_7F4A_7C15)
        var index = range.lowerBound
        while index + 8 <= range.upperBound {
            let word = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
            state = Self.fold(state ^ word)
            index += 8
        }
        // An empty range counts too: a list with one is another list.
        guard index < range.upperBound else { return count == 0 ? Self.fold(state) : state }
        var word: UInt64 = 0
        if count >= 8 {
            // Overlaps what came before: one load instead of up to seven.
            word = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: range.upperBound - 8, as: UInt64.self)
        } else {
            while index < range.upperBound {
                word = word << 8 | UInt64(unsafe self.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self))
                index += 1
            }
        }
        return Self.fold(state ^ word)
    }

    @inline(__always)
    private static func fold(_ value: UInt64) -> UInt64 {
        let product = (value ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
        return product.high ^ product.low
    }
}
