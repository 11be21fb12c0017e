import Common

/// Regular expressions that a store has refused, so that the next query with one does not pay for being refused again.
///
/// Which engine Timestream runs is not documented. Told apart by their hashes: one taken for another only makes a
/// statement wider.
final class RefusedExpressions: Sendable {
    /// What is remembered at once; then all of it is forgotten.
    static let capacity = 1_000
    /// How long it is remembered: a store that was only out of resources gets another chance.
    static let lifetime = Duration.seconds(3_600)

    private let ends = Locked<[Int: ContinuousClock.Instant]>([:])

    func insert(_ expressions: some Sequence<[UInt8]>, now: ContinuousClock.Instant) {
        self.ends.withLock { ends in
            for expression in expressions {
                if ends.count >= Self.capacity { ends.removeAll() }
                ends[expression.hashValue] = now + Self.lifetime
            }
        }
    }

    func contains(_ expression: [UInt8], now: ContinuousClock.Instant) -> Bool {
        let hash = expression.hashValue
        return self.ends.withLock { ends in
            guard let end = ends[hash] else { return false }
            if now >= end { ends[hash] = nil }
            return now < end
        }
    }
}
