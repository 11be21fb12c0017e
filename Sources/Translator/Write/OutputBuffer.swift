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
    package mutating func reserve(_ additional: Int) {
        let needed = self.count + additional
        guard unsafe needed > self.memory.count else { return }
        let larger = unsafe UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(needed, self.memory.count * 2),
            alignment: 16
        )
        unsafe larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.memory[..<self.count]))
        unsafe self.memory.deallocate()
        unsafe self.memory = larger
    }

    package mutating func append(_ byte: UInt8) {
        self.reserve(1)
        unsafe self.memory[self.count] = byte
        self.count += 1
    }

    package mutating func append(_ text: StaticString) {
        let size = text.utf8CodeUnitCount
        self.reserve(size)
        unsafe self.memory.baseAddress?.advanced(by: self.count).copyMemory(from: text.utf8Start, byteCount: size)
        self.count += size
    }

    package mutating func append(_ bytes: borrowing [UInt8]) {
        self.append(bytes, 0..<bytes.count)
    }

    package mutating func append(_ bytes: borrowing [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        self.reserve(range.count)
        unsafe bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress, let to = unsafe self.memory.baseAddress else { return }
            unsafe (to + self.count).copyMemory(from: from + range.lowerBound, byteCount: range.count)
        }
        self.count += range.count
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
