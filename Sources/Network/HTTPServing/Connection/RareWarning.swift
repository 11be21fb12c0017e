import Common
import NIOCore

/// A log line that stands for many: due once a minute.
final class RareWarning: Sendable {
    private let next = Locked(NIODeadline.uptimeNanoseconds(0))

    func isDue() -> Bool {
        let now = NIODeadline.now()
        return self.next.withLock { next in
            guard now >= next else { return false }
            next = now + .minutes(1)
            return true
        }
    }
}
