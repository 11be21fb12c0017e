import NIOCore

/// A deadline that moves with every request, decided apart from the event loop's timer.
///
/// Most deadlines are replaced long before they pass. Moving one later only notes the time; the timer that is already
/// scheduled finds the later deadline when it fires, and schedules itself again.
struct MovingDeadline: Sendable {
    private(set) var deadline: NIODeadline?
    private var firesAt: NIODeadline?

    enum OnMove: Equatable { case keep, schedule(NIODeadline) }
    mutating func move(to deadline: NIODeadline) -> OnMove {
        self.deadline = deadline
        if let firesAt = self.firesAt, firesAt <= deadline { return .keep }
        self.firesAt = deadline
        return .schedule(deadline)
    }

    mutating func clear() {
        self.deadline = nil
    }

    enum OnTimer: Equatable { case expired, ignore, schedule(NIODeadline) }
    mutating func timerFired(now: NIODeadline) -> OnTimer {
        self.firesAt = nil
        guard let deadline = self.deadline else { return .ignore }
        guard now >= deadline else {
            self.firesAt = deadline
            return .schedule(deadline)
        }
        self.deadline = nil
        return .expired
    }
}

/// One timer of a connection or stream, on its event loop.
final class DeadlineTimer {
    private let eventLoop: NIOIsolatedEventLoop
    private var moving = MovingDeadline()
    private var scheduled: Scheduled<Void>?
    private var onExpiry: (() -> Void)?

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop.assumeIsolated()
    }

    /// What to do when a deadline passes; kept until `stop`.
    func start(_ onExpiry: @escaping () -> Void) {
        self.onExpiry = onExpiry
    }

    func set(_ duration: Duration) {
        switch self.moving.move(to: .now() + TimeAmount(duration)) {
        case .keep: ()
        case .schedule(let time): self.schedule(time)
        }
    }

    func clear() {
        self.moving.clear()
    }

    /// Ends the timer for good, and lets go of what it would have called.
    func stop() {
        self.moving.clear()
        self.scheduled?.cancel()
        self.scheduled = nil
        self.onExpiry = nil
    }

    private func schedule(_ time: NIODeadline) {
        self.scheduled?.cancel()
        self.scheduled = self.eventLoop.scheduleTask(deadline: time) { self.fired() }
    }

    private func fired() {
        self.scheduled = nil
        switch self.moving.timerFired(now: .now()) {
        case .ignore: ()
        case .schedule(let time): self.schedule(time)
        case .expired: self.onExpiry?()
        }
    }
}

@available(*, unavailable)
extension DeadlineTimer: Sendable {}
