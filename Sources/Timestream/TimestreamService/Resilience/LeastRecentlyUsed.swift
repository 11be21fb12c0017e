/// Values by key, at most so many: a new one displaces the one that was asked for longest ago.
struct LeastRecentlyUsed<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        var value: Value
        var used: UInt64
    }
    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var clock: UInt64 = 0

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    var count: Int { self.entries.count }

    /// The value of a key, made if there is none.
    mutating func value(of key: Key, make: () -> Value) -> Value {
        self.clock += 1
        if let index = self.entries.index(forKey: key) {
            self.entries.values[index].used = self.clock
            return self.entries.values[index].value
        }
        // Only a new key pays for the search.
        if self.entries.count >= self.capacity, let oldest = self.entries.min(by: { $0.value.used < $1.value.used }) {
            self.entries.removeValue(forKey: oldest.key)
        }
        let value = make()
        self.entries[key] = Entry(value: value, used: self.clock)
        return value
    }
}
