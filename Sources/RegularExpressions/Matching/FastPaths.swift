/// Whether the bytes begin with `prefix`.
func starts(_ bytes: Span<UInt8>, with prefix: [UInt8], at position: Int = 0) -> Bool {
    guard bytes.count - position >= prefix.count else { return false }
    for offset in prefix.indices where bytes[position + offset] != prefix[offset] {
        return false
    }
    return true
}

/// A set of values that is asked without making an array of the value: `a|b|c` is the commonest matcher there is.
struct ValueTable: Sendable {
    private let values: [[UInt8]]
    /// Index of a value, or -1; a power of two of them, at most half in use, searched onwards from the hash.
    private let slots: [Int32]

    /// - Parameter values: no duplicates.
    init(_ values: [[UInt8]]) {
        self.values = values
        var size = 2
        while size < 2 * values.count {
            size *= 2
        }
        var slots = [Int32](repeating: -1, count: size)
        for (index, value) in values.enumerated() {
            var slot = Self.hash(value.span) & (size - 1)
            while slots[slot] >= 0 {
                slot = (slot + 1) & (size - 1)
            }
            slots[slot] = Int32(index)
        }
        self.slots = slots
    }

    func contains(_ bytes: Span<UInt8>) -> Bool {
        if self.values.count == 1 { return self.isEqual(bytes, 0) }
        var slot = Self.hash(bytes) & (self.slots.count - 1)
        while self.slots[slot] >= 0 {
            if self.isEqual(bytes, Int(self.slots[slot])) { return true }
            slot = (slot + 1) & (self.slots.count - 1)
        }
        return false
    }

    private func isEqual(_ bytes: Span<UInt8>, _ index: Int) -> Bool {
        bytes.count == self.values[index].count && starts(bytes, with: self.values[index])
    }

    /// Seeded by the process, so that nobody can choose values that collide.
    private static func hash(_ bytes: Span<UInt8>) -> Int {
        var hasher = Hasher()
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}

/// Finds literal pieces with anything between them.
///
/// Valid UTF-8 is found by its bytes, for no character begins inside another.
struct LiteralPieces: Sendable {
    private let prefix: [UInt8]
    private let middle: [SearchedPiece]
    private let suffix: [UInt8]
    /// Bytes between the last middle piece and the suffix, at least: 1 for `.+`, which takes a byte or more.
    private let lastGap: Int

    init(_ wildcards: Wildcards) {
        self.prefix = wildcards.pieces.first ?? []
        self.suffix = wildcards.pieces.last ?? []
        self.lastGap = wildcards.gaps.last ?? 0
        self.middle = zip(wildcards.pieces.dropFirst().dropLast(), wildcards.gaps).map { SearchedPiece($0, gap: $1) }
    }

    func matches(_ bytes: Span<UInt8>) -> Bool {
        guard starts(bytes, with: self.prefix) else { return false }
        var position = self.prefix.count
        for piece in self.middle {
            // The first place leaves most room for the rest.
            guard let end = piece.end(in: bytes, from: position) else { return false }
            position = end
        }
        let start = bytes.count - self.suffix.count
        return start >= position + self.lastGap && starts(bytes, with: self.suffix, at: start)
    }
}

/// A piece that is looked for, in time linear in the value whatever the piece (Knuth, Morris, Pratt).
private struct SearchedPiece: Sendable {
    private let bytes: [UInt8]
    private let gap: Int
    /// Of each beginning of the piece: how long the longest proper beginning is that it also ends with.
    private let borders: [Int]

    init(_ bytes: [UInt8], gap: Int) {
        self.bytes = bytes
        self.gap = gap
        var borders = [Int](repeating: 0, count: bytes.count)
        var border = 0
        for index in bytes.indices.dropFirst() {
            while border > 0, bytes[index] != bytes[border] {
                border = borders[border - 1]
            }
            if bytes[index] == bytes[border] {
                border += 1
            }
            borders[index] = border
        }
        self.borders = borders
    }

    /// Where its first occurrence ends that starts `gap` bytes or more behind `position`.
    func end(in text: Span<UInt8>, from position: Int) -> Int? {
        var position = position + self.gap
        var matched = 0
        while position < text.count {
            let byte = text[position]
            while matched > 0, byte != self.bytes[matched] {
                matched = self.borders[matched - 1]
            }
            if byte == self.bytes[matched] {
                matched += 1
            }
            position += 1
            if matched == self.bytes.count { return position }
        }
        return nil
    }
}
