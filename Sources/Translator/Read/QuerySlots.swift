import Common

/// How many queries of a tenant are read at the same time.
///
/// A request that was admitted may always read one. It gets more only while there is room, and never waits for it: a
/// request of many queries is not faster at the cost of others.
final class QuerySlots: Sendable {
    /// Given back when it is gone.
    final class Lease: Sendable {
        let count: Int
        private let slots: QuerySlots

        fileprivate init(_ count: Int, of slots: QuerySlots) {
            self.count = count
            self.slots = slots
        }

        deinit {
            self.slots.taken.withLock { $0 -= self.count }
        }
    }

    private let limit: Int
    private let taken = Locked(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// - Returns: a lease of one to `wanted` slots.
    func take(_ wanted: Int) -> Lease {
        let count = self.taken.withLock { taken in
            let count = max(1, min(wanted, self.limit - taken))
            taken += count
            return count
        }
        return Lease(count, of: self)
    }
}
