import Common

/// Password checks that succeeded lately, so that a sender pays for bcrypt once and not per request.
///
/// Bounded. Failures are never remembered.
///
/// A success cannot become wrong: the hash is part of the key, and which hashes count is asked of the configuration each
/// time. The lifetime only ends what nobody uses any more, and use prolongs it: a flood of wrong passwords, which fills
/// the queue of checks, cannot lock out a sender that was let in before.
struct ProofCache: Sendable {
    private let lifetimeNanoseconds: Int64
    /// Key to the moment of its end.
    private var ends: BoundedCache<ProofKey, Int64>

    /// - Parameters:
    ///   - capacity: the number of entries it never exceeds.
    ///   - lifetime: how long after its last use a success is remembered.
    init(capacity: Int, lifetime: Duration) {
        self.ends = BoundedCache(capacity: capacity)
        self.lifetimeNanoseconds = lifetime.wholeNanoseconds
    }

    var count: Int { self.ends.count }

    mutating func contains(_ key: ProofKey, now: Int64) -> Bool {
        guard let end = self.ends.value(of: key) else { return false }
        guard now < end else {
            self.ends.remove(key)
            return false
        }
        self.insert(key, now: now)
        return true
    }

    mutating func insert(_ key: ProofKey, now: Int64) {
        let (end, overflow) = now.addingReportingOverflow(self.lifetimeNanoseconds)
        self.ends.insert(overflow ? .max : end, for: key)
    }
}
