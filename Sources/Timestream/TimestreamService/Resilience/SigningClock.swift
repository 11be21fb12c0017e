import Common
import Synchronization
import TimestreamModel

/// The time to sign with: this machine's, corrected by what the service's refusals tell.
final class SigningClock: Sendable {
    private let wallClock: @Sendable () -> Int64
    private let offset = Atomic<Int64>(0)
    private let skew = Locked(ClockSkew())

    init(wallClock: @escaping @Sendable () -> Int64) {
        self.wallClock = wallClock
    }

    /// Seconds since 1970-01-01 UTC.
    var now: Int64 { self.wallClock() &+ self.offsetSeconds }
    var offsetSeconds: Int64 { self.offset.load(ordering: .relaxed) }

    /// - Returns: whether the same call may be accepted now.
    func learn(from error: TimestreamError, serverSeconds: Int64) -> Bool {
        let local = self.wallClock()
        return self.skew.withLock { skew in
            guard skew.learn(from: error, serverSeconds: serverSeconds, localSeconds: local) else {
                return false
            }
            self.offset.store(skew.offsetSeconds, ordering: .relaxed)
            return true
        }
    }
}
