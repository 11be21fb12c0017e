/// How many calls may be under way at once, found by trying: a little more after successes, a little less after the
/// service throttled.
///
/// It starts at its maximum, so that it is felt only by tables that are throttled, and never falls below one: AWS asks
/// clients to keep offering load, since that is what makes a table scale out.
///
/// Source: Timestream developer guide, "Write", throttling; additive increase and multiplicative decrease as in TCP.
struct AdaptiveLimit: Sendable {
    struct Policy: Sendable {
        var maximum = 256
        /// What is left after a decrease.
        var decrease = 0.9
        /// Throttled answers within this time of a decrease belong to the same overload.
        var interval: Duration = .milliseconds(100)
        /// A limit that was never used up falls to the most calls under way, but not below these: one request's worth.
        var usualCalls = 16
    }

    private let policy: Policy
    private var value: Double
    private var lastDecrease: ContinuousClock.Instant?
    private(set) var inFlight = 0
    /// The most that were under way since the last decrease.
    private var peak = 0

    init(_ policy: Policy) {
        self.policy = policy
        self.value = Double(policy.maximum)
    }

    /// Whole calls, at least one.
    var limit: Int { Int(self.value) }
    /// Whether throttling has lowered it, and it has not come back yet.
    var isLowered: Bool { self.limit < self.policy.maximum }

    /// Takes a place if there is one.
    mutating func enter() -> Bool {
        guard self.inFlight < self.limit else { return false }
        self.inFlight += 1
        self.peak = max(self.peak, self.inFlight)
        return true
    }

    enum Outcome: Sendable { case succeeded, throttled, other }

    /// Gives a place back.
    mutating func leave(_ outcome: Outcome, now: ContinuousClock.Instant) {
        let underWay = self.inFlight
        self.inFlight -= 1
        switch outcome {
        case .succeeded:
            // A limit that nobody reaches says nothing about the table, so it does not grow.
            guard underWay * 2 > self.limit else { return }
            self.value = min(Double(self.policy.maximum), self.value + 1 / self.value)
        case .throttled:
            if let last = self.lastDecrease, now - last < self.policy.interval { return }
            self.lastDecrease = now
            let used = min(self.value, Double(max(self.peak, self.policy.usualCalls)))
            self.peak = underWay
            self.value = max(1, used * self.policy.decrease)
        case .other: break
        }
    }
}
