/// Password checks that succeeded lately, so that a sender pays for bcrypt once and not per request.
///
/// Bounded and nearly least-recently-used: entries live in two generations, a hit in the older one moves to the newer,
/// and when the newer is half the capacity the older is forgotten. Failures are never remembered.
///
/// A success cannot become wrong: the hash is part of the key, and which hashes count is asked of the configuration each
/// time. The lifetime only ends what nobody uses any more, and use prolongs it: a flood of wrong passwords, which fills
/// the queue of checks, cannot lock out a sender that was let in before.
struct ProofCache: Sendable {
    private let generationCapacity: Int
    private let lifetimeNanoseconds: Int64
    /// Key to the moment of its end.
    private var newer: [ProofKey: Int64] = [:]
    private var older: [ProofKey: Int64] = [:]

    /// - Parameters:
    ///   - capacity: the number of entries it never exceeds.
    ///   - lifetime: how long after its last use a success is remembered.
    init(capacity: Int, lifetime: Duration) {
        self.generationCapacity = max(capacity / 2, 1)
        self.lifetimeNanoseconds = lifetime.wholeNanoseconds
    }

    var count: Int { self.newer.count + self.older.count }

    mutating func contains(_ key: ProofKey, now: Int64) -> Bool {
        guard let end = self.newer[key] ?? self.older[key] else { return false }
        self.older[key] = nil
        guard now < end else {
            self.newer[key] = nil
            return false
        }
        self.store(key, now: now)
        return true
    }

    mutating func insert(_ key: ProofKey, now: Int64) {
        self.older[key] = nil
        self.store(key, now: now)
    }

    private mutating func store(_ key: ProofKey, now: Int64) {
        if self.newer.count >= self.generationCapacity, self.newer[key] == nil {
            self.older = self.newer
            self.newer.removeAll(keepingCapacity: true)
        }
        let (end, overflow) = now.addingReportingOverflow(self.lifetimeNanoseconds)
        self.newer[key] = overflow ? .max : end
    }
}
