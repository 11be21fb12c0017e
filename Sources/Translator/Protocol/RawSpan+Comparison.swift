extension RawSpan {
    /// Whether the bytes from `start` on are those of `range`; both must lie within the span.
    @inline(__always)
    func hasSameBytes(at start: Int, as range: Range<Int>) -> Bool {
        let other = range.lowerBound
        let count = range.count
        if start == other { return true }
        precondition(start >= 0 && count <= self.byteCount - start && other >= 0 && count <= self.byteCount - other)
        var index = 0
        while index + 8 <= count {
            let left = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: start + index, as: UInt64.self)
            let right = unsafe self.unsafeLoadUnaligned(fromUncheckedByteOffset: other + index, as: UInt64.self)
            if left != right { return false }
            index += 8
        }
        while index < count {
            let left = unsafe self.unsafeLoad(fromUncheckedByteOffset: start + index, as: UInt8.self)
            let right = unsafe self.unsafeLoad(fromUncheckedByteOffset: other + index, as: UInt8.self)
            if left != right { return false }
            index += 1
        }
        return true
    }
}
