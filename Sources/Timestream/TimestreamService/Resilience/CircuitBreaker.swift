/// Whether an endpoint is left alone for a moment, because it has been failing.
///
/// closed -> open (enough failures in a row, over long enough) -> half-open (the pause is over, one call tries) -> closed
/// (it succeeded) or open for longer (it failed). Any success closes it. What counts as a failure is the endpoint's own
/// trouble: never throttling, nor a refusal of one request or record.
struct CircuitBreaker: Sendable {
    struct Policy: Sendable {
        /// Failures in a row.
        var failures = 10
        /// The first and the last of them are at least so far apart: a server that restarts fails many calls at once, and
        /// their first retries already succeed.
        var span: Duration = .seconds(1)
        /// The first pause; each later one is twice as long, up to the longest.
        var pause: Duration = .seconds(1)
        var longestPause: Duration = .seconds(30)
    }

    enum State: Equatable {
        case closed
        case open
        case halfOpen
    }

    enum Admission: Equatable {
        case admitted
        /// The one call that finds out whether the endpoint works again.
        case probe
        case refused(retryAfter: Duration)
    }

    enum Outcome: Sendable {
        /// The endpoint answered, though perhaps with a refusal.
        case answered
        case failed
        /// The call ended for a reason of its own.
        case unknown
    }

    private let policy: Policy
    private(set) var state = State.closed
    private var failuresInARow = 0
    private var firstFailure: ContinuousClock.Instant?
    private var openings = 0
    private var opensUntil: ContinuousClock.Instant?
    private var isProbing = false

    init(_ policy: Policy) {
        self.policy = policy
    }

    /// How long until a call is worth it; `nil` if it may be made now.
    func refusal(now: ContinuousClock.Instant) -> Duration? {
        switch self.state {
        case .closed: return nil
        case .open, .halfOpen:
            if let until = self.opensUntil, now < until { return until - now }
            return self.isProbing ? self.policy.pause : nil
        }
    }

    /// Lets a call through or not; who is let through must call `ended`.
    mutating func admit(now: ContinuousClock.Instant) -> Admission {
        if let wait = self.refusal(now: now) { return .refused(retryAfter: wait) }
        guard self.state != .closed else { return .admitted }
        self.state = .halfOpen
        self.isProbing = true
        return .probe
    }

    /// - Returns: whether this opened it.
    @discardableResult
    mutating func ended<Generator: RandomNumberGenerator>(
        _ outcome: Outcome,
        wasProbe: Bool,
        now: ContinuousClock.Instant,
        using generator: inout Generator
    ) -> Bool {
        if wasProbe { self.isProbing = false }
        switch outcome {
        case .answered:
            self.state = .closed
            self.failuresInARow = 0
            self.firstFailure = nil
            self.openings = 0
            self.opensUntil = nil
            return false
        case .failed where self.state == .closed:
            self.failuresInARow += 1
            let first = self.firstFailure ?? now
            self.firstFailure = first
            guard self.failuresInARow >= self.policy.failures, now - first >= self.policy.span else { return false }
            self.open(now, &generator)
            return true
        case .failed where wasProbe:
            self.open(now, &generator)
            return true
        // Calls from before it opened say nothing new.
        case .failed, .unknown:
            return false
        }
    }

    /// Pauses are drawn from the upper half, so that not all tenants and gateways probe at once.
    private mutating func open<Generator: RandomNumberGenerator>(
        _ now: ContinuousClock.Instant,
        _ generator: inout Generator
    ) {
        let longest = min(self.policy.longestPause, self.policy.pause * (1 << min(self.openings, 20)))
        self.openings += 1
        self.state = .open
        self.opensUntil = now + longest * Double.random(in: 0.5...1, using: &generator)
    }
}
