import Common

/// How many wrong passwords each source has sent lately, so that guessing is slow and cannot keep the checking threads
/// busy.
///
/// Only failures count: senders that know their passwords never use anything up, however many they are.
struct SourceFailures: Sendable {
    /// Wrong passwords that a source may send at once.
    static let burst = 20

    private var perSecond: Int?
    private var buckets: BoundedCache<String, TokenBucket>

    /// - Parameters:
    ///   - perSecond: `nil`: unlimited.
    ///   - capacity: sources that are remembered; of more, those that sent nothing lately begin anew.
    init(perSecond: Int?, capacity: Int) {
        self.perSecond = perSecond
        self.buckets = BoundedCache(capacity: capacity)
    }

    /// Changes the rate; what sources have sent already stays counted.
    mutating func reconfigure(perSecond: Int?) {
        self.perSecond = perSecond
    }

    /// How long a source has to wait before another password of its is looked at; 0 if it need not.
    mutating func wait(_ source: String, now: Int64) -> Int64 {
        guard let perSecond, var bucket = self.buckets.value(of: source) else { return 0 }
        bucket.reconfigure(perSecond: perSecond, burst: Self.burst, now: now)
        return bucket.wait(for: 1, now: now)
    }

    /// Counts a wrong password. Those that were let in together use up no more than there is.
    mutating func note(_ source: String, now: Int64) {
        guard let perSecond else { return }
        var bucket = self.buckets.value(of: source) ?? TokenBucket(perSecond: perSecond, burst: Self.burst, now: now)
        bucket.reconfigure(perSecond: perSecond, burst: Self.burst, now: now)
        _ = bucket.reserve(1, now: now, maxWait: 0)
        self.buckets.insert(bucket, for: source)
    }
}
