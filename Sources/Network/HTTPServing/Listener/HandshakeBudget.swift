/// How many TLS handshakes may begin: a bucket that holds one second's worth, kept as the time at which it is full again.
///
/// A full mutual handshake costs about a millisecond of CPU, so whoever opens connections fast enough takes the machine;
/// this bounds it before any work is spent.
struct HandshakeBudget: Sendable {
    private let interval: Int64
    private let burst: Int64
    /// When the bucket is full again.
    private var fullAt: Int64 = .min

    /// - Parameter perSecond: handshakes a second, and the bucket's size; at least 1.
    init(perSecond: Int) {
        self.interval = 1_000_000_000 / Int64(min(max(perSecond, 1), 1_000_000_000))
        self.burst = 1_000_000_000
    }

    /// - Parameter now: nanoseconds of one clock for all calls.
    /// - Returns: when the next handshake may begin; not after `now`: at once.
    func next(now: Int64) -> Int64 {
        max(self.fullAt, now) + self.interval - self.burst
    }

    /// Pays for a handshake, if it may begin now.
    mutating func take(now: Int64) -> Bool {
        guard self.next(now: now) <= now else { return false }
        self.fullAt = max(self.fullAt, now) + self.interval
        return true
    }
}
