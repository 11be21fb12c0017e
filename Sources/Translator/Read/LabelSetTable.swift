/// Distinct label sets, each with a number, found by the cells of a row without making a string of any.
struct LabelSetTable: ~Copyable, Sendable {
    /// A label of a set: its name's number, and where its value stands.
    struct Part: Sendable {
        var name: Int32
        var count: Int32
        var start: Int

        var range: Range<Int> { self.start..<self.start + Int(self.count) }
    }

    private struct Entry: Sendable {
        var firstPart: Int
        var partCount: Int
        var hash: UInt64
    }

    /// Of the hashes: nobody outside can make labels that fall into one slot.
    let seed: UInt64
    /// The values of all sets.
    private(set) var bytes: [UInt8] = []
    private var parts: [Part] = []
    private var entries: [Entry] = []
    private var slots = [Int32](repeating: -1, count: 64)

    init(seed: UInt64) {
        self.seed = seed
    }

    var count: Int { self.entries.count }

    var memoryBytes: Int {
        self.bytes.count + self.parts.count * MemoryLayout<Part>.stride + self.entries.count
            * MemoryLayout<Entry>.stride
            + self.slots.count * MemoryLayout<Int32>.stride
    }

    /// The parts of a set; their offsets are those of `bytes`.
    func parts(of set: Int32) -> ArraySlice<Part> {
        let entry = self.entries[Int(set)]
        return self.parts[entry.firstPart..<entry.firstPart + entry.partCount]
    }

    /// A hash of parts whose values stand in `arena`.
    static func hash(_ key: [Part], in arena: RawSpan, seed: UInt64) -> UInt64 {
        var state = seed
        for part in key {
            state = arena.hash(
                part.range,
                seed: state ^ (UInt64(truncatingIfNeeded: part.name) &* 0xD6E8_FEB8_6659_FD93)
            )
        }
        return state
    }

    /// Whether a set has exactly these parts.
    func holds(_ set: Int32, _ key: [Part], in arena: RawSpan) -> Bool {
        let entry = self.entries[Int(set)]
        guard entry.partCount == key.count else { return false }
        let own = unsafe self.bytes.span.bytes
        var index = entry.firstPart
        for part in key {
            let mine = self.parts[index]
            guard mine.name == part.name, own.hasSameBytes(mine.range, as: part.range, of: arena) else { return false }
            index += 1
        }
        return true
    }

    /// The number of the set with these parts; nil if there is none.
    func find(_ key: [Part], in arena: RawSpan, hash: UInt64) -> Int32? {
        var slot = Int(truncatingIfNeeded: hash) & (self.slots.count - 1)
        while true {
            let candidate = self.slots[slot]
            if candidate < 0 { return nil }
            if self.entries[Int(candidate)].hash == hash, self.holds(candidate, key, in: arena) { return candidate }
            slot = (slot + 1) & (self.slots.count - 1)
        }
    }

    /// Adds a set that `find` has not found; its values are copied.
    mutating func insert(_ key: [Part], in arena: RawSpan, hash: UInt64) -> Int32 {
        let number = Int32(self.entries.count)
        self.entries.append(Entry(firstPart: self.parts.count, partCount: key.count, hash: hash))
        for part in key {
            self.parts.append(Part(name: part.name, count: part.count, start: self.bytes.count))
            unsafe arena.extracting(part.range).withUnsafeBytes { unsafe self.bytes.append(contentsOf: $0) }
        }
        self.place(number, hash)
        if self.entries.count * 2 > self.slots.count {
            self.slots = Array(repeating: -1, count: self.slots.count * 2)
            for (number, entry) in self.entries.enumerated() { self.place(Int32(number), entry.hash) }
        }
        return number
    }

    private mutating func place(_ number: Int32, _ hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & (self.slots.count - 1)
        while self.slots[slot] >= 0 { slot = (slot + 1) & (self.slots.count - 1) }
        self.slots[slot] = number
    }
}
