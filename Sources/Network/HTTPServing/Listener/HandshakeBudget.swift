/// How many TLS handshakes may begin: a bucket that holds one second's worth, kept as the time at which it is full again.
///
/// A full mutual handshake costs about a millisecond of CPU, so whoever opens connections fast enough takes the machine;
/// this bounds it before any work is spent.
struct HandshakeBudget: Sendable {
    enum Admission: Equatable, Sendable {
        case now
        /// Paid; may begin after this many nanoseconds.
        case after(nanoseconds: Int64)
        /// Nothing was taken: the wait would be longer than allowed.
        case refused
    }

    private let interval: Int64
    private let burst: Int64
    private let maxWait: Int64
    /// When the bucket is full again.
    private var fullAt: Int64 = .min

    /// - Parameters:
    ///   - perSecond: handshakes a second, and the bucket's size; at least 1.
    ///   - maxWaitNanoseconds: the longest wait that is worth granting.
    init(perSecond: Int, maxWaitNanoseconds: Int64) {
        self.interval = 1_000_000_000 / Int64(min(max(perSecond, 1), 1_000_000_000))
        self.burst = 1_000_000_000
        self.maxWait = maxWaitNanoseconds
    }

    /// - Parameter now: nanoseconds of one clock for all calls.
    mutating func admit(now: Int64) -> Admission {
        let next = max(self.fullAt, now) + self.interval
        let wait = max(0, next - self.burst - now)
        guard wait <= self.maxWait else { return .refused }
        self.fullAt = next
        return wait == 0 ? .now : .after(nanoseconds: wait)
    }
}
