extension RawSpan {
    /// Whether the bytes from `start` on are those of `range`; both must lie within the span.
    @inline(__always)
    func hasSameBytes(at start: Int, as range: Range<Int>) -> Bool {
        start == range.lowerBound || self.hasSameBytes(start..<start + range.count, as: range, of: self)
    }

    /// Whether the bytes in `range` are those of `otherRange` in `other`.
    @inline(__always)
    func hasSameBytes(_ range: Range<Int>, as otherRange: Range<Int>, of other: RawSpan) -> Bool {
        let count = range.count
        guard count == otherRange.count else { return false }
        precondition(range.lowerBound >= 0 && range.upperBound <= self.byteCount)
        precondition(otherRange.lowerBound >= 0 && otherRange.upperBound <= other.byteCount)
        let start = range.lowerBound
        let otherStart = otherRange.lowerBound
        var index = 0
        while index + 8 <= count {
            let left = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: start + index, as: UInt64.self)
            let right = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: otherStart + index, as: UInt64.self)
            if left != right { return false }
            index += 8
        }
        if index < count, count >= 8 {
            // Overlaps what came before: one comparison instead of up to seven.
            index = count - 8
            let left = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: start + index, as: UInt64.self)
            let right = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: otherStart + index, as: UInt64.self)
            return left == right
        }
        while index < count {
            let left = unsafe self.unsafeLoad(fromUncheckedByteOffset: start + index, as: UInt8.self)
            let right = unsafe other.unsafeLoad(fromUncheckedByteOffset: otherStart + index, as: UInt8.self)
            if left != right { return false }
            index += 1
        }
        return true
    }

    /// Whether the bytes of one range come before those of another, byte by byte; both must lie within the span.
    func precedes(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        precondition(left.lowerBound >= 0 && left.upperBound <= self.byteCount)
        precondition(right.lowerBound >= 0 && right.upperBound <= self.byteCount)
        for index in 0..<min(left.count, right.count) {
            let one = unsafe self.unsafeLoad(fromUncheckedByteOffset: left.lowerBound + index, as: UInt8.self)
            let other = unsafe self.unsafeLoad(fromUncheckedByteOffset: right.lowerBound + index, as: UInt8.self)
            if one != other { return one < other }
        }
        return left.count < right.count
    }

    /// How many bytes from `start` on are those at the beginning of `range`; at most as many as `range` has, which must
    /// come after `start`.
    @inline(__always)
    func commonPrefix(_ start: Int, _ range: Range<Int>) -> Int {
        precondition(start >= 0 && start <= range.lowerBound && range.upperBound <= self.byteCount)
        let count = range.count
        let other = range.lowerBound
        var index = 0
        let lastWord = count &- 8
        while index <= lastWord {
            let left = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: start &+ index, as: UInt64.self)
            let right = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: other &+ index, as: UInt64.self)
            if left != right {
                return index &+ (UInt64(littleEndian: left) ^ UInt64(littleEndian: right)).trailingZeroBitCount >> 3
            }
            index &+= 8
        }
        while index < count {
            let left = unsafe self.unsafeLoad(fromUncheckedByteOffset: start &+ index, as: UInt8.self)
            let right = unsafe self.unsafeLoad(fromUncheckedByteOffset: other &+ index, as: UInt8.self)
            if left != right { break }
            index &+= 1
        }
        return index
    }

    /// Whether the bytes in `range` are valid UTF-8.
    func isUTF8(_ range: Range<Int>) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= self.byteCount)
        var index = range.lowerBound
        while index + 8 <= range.upperBound {
            let word = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
            guard word & 0x8080_8080_8080_8080 == 0 else { break }
            index &+= 8
        }
        while index < range.upperBound {
            guard unsafe self.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self) < 0x80 else { break }
            index &+= 1
        }
        // What is left starts with a character of several bytes.
        guard index < range.upperBound else { return true }
        let rest = unsafe self.extracting(index..<range.upperBound).withUnsafeBytes { unsafe Array($0) }
        return (try? UTF8Span(validating: rest.span)) != nil
    }
}
