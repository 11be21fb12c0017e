/// Values by key, never more than a number of them, and nearly the most recently used ones.
///
/// Entries live in two generations: a hit in the older one moves to the newer, and when the newer is half the capacity the
/// older is forgotten. So nothing has to be kept in order, and every step is a look-up.
package struct BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let generationCapacity: Int
    private var newer: [Key: Value] = [:]
    private var older: [Key: Value] = [:]

    /// - Parameter capacity: the number of entries it never exceeds; at least 2.
    package init(capacity: Int) {
        self.generationCapacity = max(capacity / 2, 1)
    }

    package var count: Int { self.newer.count + self.older.count }

    /// The value of a key, which counts as used now.
    package mutating func value(of key: Key) -> Value? {
        if let value = self.newer[key] { return value }
        guard let value = self.older.removeValue(forKey: key) else { return nil }
        self.put(value, key)
        return value
    }

    package mutating func insert(_ value: Value, for key: Key) {
        self.older[key] = nil
        self.put(value, key)
    }

    package mutating func remove(_ key: Key) {
        self.newer[key] = nil
        self.older[key] = nil
    }

    private mutating func put(_ value: Value, _ key: Key) {
        if self.newer.count >= self.generationCapacity, self.newer[key] == nil {
            self.older = self.newer
            self.newer.removeAll(keepingCapacity: true)
        }
        self.newer[key] = value
    }
}
