/// Password checks that succeeded lately, so that a sender pays for bcrypt once and not per request.
///
/// Bounded and nearly least-recently-used: entries live in two generations, a hit in the older one moves to the newer,
/// and when the newer is half the capacity the older is forgotten. Failures are never remembered.
struct ProofCache: Sendable {
    private let generationCapacity: Int
    private let lifetimeNanoseconds: Int64
    /// Key to the moment of its end.
    private var newer: [ProofKey: Int64] = [:]
    private var older: [ProofKey: Int64] = [:]

    /// - Parameters:
    ///   - capacity: the number of entries it never exceeds.
    ///   - lifetime: how long after a check its success counts; use does not prolong it.
    init(capacity: Int, lifetime: Duration) {
        self.generationCapacity = max(capacity / 2, 1)
        self.lifetimeNanoseconds = lifetime.wholeNanoseconds
    }

    var count: Int { self.newer.count + self.older.count }

    mutating func contains(_ key: ProofKey, now: Int64) -> Bool {
        if let end = self.newer[key] {
            if now < end { return true }
            self.newer[key] = nil
            return false
        }
        guard let end = self.older.removeValue(forKey: key), now < end else { return false }
        self.store(key, until: end)
        return true
    }

    mutating func insert(_ key: ProofKey, now: Int64) {
        self.older[key] = nil
        let (end, overflow) = now.addingReportingOverflow(self.lifetimeNanoseconds)
        self.store(key, until: overflow ? .max : end)
    }

    private mutating func store(_ key: ProofKey, until end: Int64) {
        if self.newer.count >= self.generationCapacity, self.newer[key] == nil {
            self.older = self.newer
            self.newer.removeAll(keepingCapacity: true)
        }
        self.newer[key] = end
    }
}
