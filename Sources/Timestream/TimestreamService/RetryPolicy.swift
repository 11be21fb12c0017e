import TimestreamModel

/// How often a call is tried, and how long is waited between two tries.
///
/// Full jitter: each wait is a random part of a bound that doubles, so that callers who failed together do not come back
/// together. AWS asks to keep offering load to a throttled table, since that is what makes it scale out; so throttling is
/// repeated like a failure, and never stops a tenant.
struct RetryPolicy: Sendable {
    var maximumTries: Int
    /// Bound on one try. The call's deadline bounds all of them.
    var tryTimeout: Duration
    var firstBound: Duration = .milliseconds(50)
    var lastBound: Duration = .seconds(3)

    /// Writes are repeated often: what is not stored here must be kept by the sender.
    static let write = RetryPolicy(maximumTries: 11, tryTimeout: .seconds(10))
    /// A query may take the whole deadline; it is never cut short to be started again.
    static let query = RetryPolicy(maximumTries: 4, tryTimeout: .seconds(3600))

    /// The wait before the try after `tries` tries; nil if that was the last.
    ///
    /// - Parameter random: from 0 up to, not including, 1.
    func wait(afterTries tries: Int, random: Double) -> Duration? {
        guard tries < self.maximumTries else { return nil }
        let doublings = min(tries - 1, 16)
        let bound = min(self.firstBound * (1 << doublings), self.lastBound)
        return bound * random
    }

    /// Whether the same call, unchanged, is worth another try.
    static func isRepeatable(_ error: TimestreamError) -> Bool {
        error.isTransient
    }
}
