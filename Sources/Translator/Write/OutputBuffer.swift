package import Common

/// Bytes under construction, in memory that `freeze` hands over without a copy.
@safe package struct OutputBuffer: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    package private(set) var count = 0

    package init(capacity: Int) {
        unsafe self.memory = .allocate(byteCount: max(capacity, 64), alignment: 16)
    }

    deinit {
        unsafe self.memory.deallocate()
    }

    /// Makes room for `additional` more bytes.
    @inline(__always)
    package mutating func reserve(_ additional: Int) {
        if unsafe additional > self.memory.count - self.count { self.grow(additional) }
    }

    @inline(never)
    private mutating func grow(_ additional: Int) {
        let larger = unsafe UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(self.count + additional, self.memory.count * 2),
            alignment: 16
        )
        unsafe larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.memory[..<self.count]))
        unsafe self.memory.deallocate()
        unsafe self.memory = larger
    }

    @inline(__always)
    package mutating func append(_ byte: UInt8) {
        self.reserve(1)
        unsafe self.memory.baseAddress?.storeBytes(of: byte, toByteOffset: self.count, as: UInt8.self)
        self.count &+= 1
    }

    @inline(__always)
    package mutating func append(_ text: StaticString) {
        unsafe self.append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    package mutating func append(_ bytes: borrowing [UInt8]) {
        self.append(bytes, 0..<bytes.count)
    }

    @inline(__always)
    package mutating func append(_ bytes: borrowing [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe self.append(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    @inline(__always)
    package mutating func append(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe self.append($0) }
    }

    @inline(__always)
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        self.reserve(bytes.count)
        guard let from = bytes.baseAddress, let to = unsafe self.memory.baseAddress else { return }
        unsafe (to + self.count).copyMemory(from: from, byteCount: bytes.count)
        self.count &+= bytes.count
    }

    /// Removes the last byte if it is the given one: the comma after a list's last member.
    package mutating func removeLast(ifEqualTo byte: UInt8) {
        if self.count > 0, unsafe self.memory[self.count - 1] == byte { self.count -= 1 }
    }

    package consuming func freeze() -> FrozenBytes {
        let bytes = unsafe FrozenBytes(adopting: UnsafeRawBufferPointer(rebasing: self.memory[..<self.count]))
        discard self
        return bytes
    }
}
