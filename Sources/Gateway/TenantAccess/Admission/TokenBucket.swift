/// A rate limit with a burst, exact to the billionth of a token.
///
/// Whoever may go on pays at once, so the bucket can be in debt: later ones wait for those before them, in order. One
/// request of more tokens than the burst needs a full bucket, not an impossible one, and leaves the rest as debt.
struct TokenBucket: Sendable, Equatable {
    /// What a reservation led to. Waits are in nanoseconds.
    enum Reservation: Equatable, Sendable {
        /// Paid; may go on after the wait, which is 0 if there is enough.
        case granted(wait: Int64)
        /// Nothing was taken: the wait would be longer than allowed.
        case refused(wait: Int64)
    }

    // In billionths of a token, so one nanosecond at one token a second adds exactly one. `Int128` holds every product
    // of two 64-bit numbers, so nothing here overflows or is rounded.
    private var level: Int128
    private var capacity: Int128
    private var perSecond: Int128
    private var filledAt: Int64
    private static let token: Int128 = 1_000_000_000

    /// A full bucket.
    ///
    /// - Parameters:
    ///   - perSecond: tokens that come back each second; at least 1.
    ///   - burst: tokens it holds when full; at least 1.
    ///   - now: nanoseconds of the clock that every later call uses.
    init(perSecond: Int, burst: Int, now: Int64) {
        self.perSecond = Int128(max(perSecond, 1))
        self.capacity = Int128(max(burst, 1)) * Self.token
        self.level = self.capacity
        self.filledAt = now
    }

    /// Whole tokens there now; negative in debt.
    var tokens: Int { Int(clamping: self.level / Self.token) }

    /// How long it takes until it is out of debt.
    mutating func deficit(now: Int64) -> Int64 {
        self.refill(now)
        return self.level >= 0 ? 0 : Int64(clamping: (self.perSecond - 1 - self.level) / self.perSecond)
    }

    /// How long a reservation made now would have to wait. Takes nothing.
    mutating func wait(for count: Int, now: Int64) -> Int64 {
        self.refill(now)
        guard count > 0 else { return 0 }
        let missing = min(Int128(count) * Self.token, self.capacity) - self.level
        return missing <= 0 ? 0 : Int64(clamping: (missing + self.perSecond - 1) / self.perSecond)
    }

    /// Takes tokens, if they are there within the wait that is allowed.
    mutating func reserve(_ count: Int, now: Int64, maxWait: Int64) -> Reservation {
        let wait = self.wait(for: count, now: now)
        guard count > 0 else { return .granted(wait: 0) }
        guard wait <= max(maxWait, 0) else { return .refused(wait: wait) }
        self.level -= Int128(count) * Self.token
        return .granted(wait: wait)
    }

    /// Gives back what a reservation took and nobody used.
    mutating func refund(_ count: Int) {
        guard count > 0 else { return }
        self.level = min(self.level + Int128(count) * Self.token, self.capacity)
    }

    /// Changes rate and burst and keeps level or debt.
    mutating func reconfigure(perSecond: Int, burst: Int, now: Int64) {
        self.refill(now)
        self.perSecond = Int128(max(perSecond, 1))
        self.capacity = Int128(max(burst, 1)) * Self.token
        self.level = min(self.level, self.capacity)
    }

    private mutating func refill(_ now: Int64) {
        // A clock that two threads read may seem to go back by their race: no time has passed then.
        guard now > self.filledAt else { return }
        self.level = min(self.level + (Int128(now) - Int128(self.filledAt)) * self.perSecond, self.capacity)
        self.filledAt = now
    }
}
