import Common

/// Regular expressions that a store has refused, so that the next query with one does not pay for being refused again.
///
/// Which engine Timestream runs is not documented. Told apart by their hashes: one taken for another only makes a
/// statement wider.
final class RefusedExpressions: Sendable {
    /// What is remembered at once.
    static let capacity = 1_000
    /// How long it is remembered: a store that was only out of resources gets another chance.
    static let lifetime = Duration.seconds(3_600)

    private let ends = Locked(BoundedCache<Int, ContinuousClock.Instant>(capacity: capacity))

    func insert(_ expressions: some Sequence<[UInt8]>, now: ContinuousClock.Instant) {
        self.ends.withLock { ends in
            for expression in expressions { ends.insert(now + Self.lifetime, for: expression.hashValue) }
        }
    }

    func contains(_ expression: [UInt8], now: ContinuousClock.Instant) -> Bool {
        let hash = expression.hashValue
        return self.ends.withLock { ends in
            guard let end = ends.value(of: hash) else { return false }
            if now >= end { ends.remove(hash) }
            return now < end
        }
    }
}
