import Common

/// Lets calls through as `AdaptiveLimit` allows; the others wait in the order they came.
///
/// The queue is bounded, and a call leaves it when it is cancelled or its deadline passes.
final class ConcurrencyGate: Sendable {
    enum Entry: Sendable, Equatable {
        case entered
        /// As many wait as may wait.
        case queueFull
        case timedOut
        case cancelled
    }

    private struct State {
        var limit: AdaptiveLimit
        /// By number, in the order of arrival; those that gave up are missing.
        var waiters: [UInt64: CheckedContinuation<Entry, Never>] = [:]
        var lastWaiter: UInt64 = 0
        /// No waiter has a lower number.
        var firstWaiter: UInt64 = 1

        /// The longest waiting call, with its place taken, if there is a place.
        mutating func nextToEnter() -> CheckedContinuation<Entry, Never>? {
            guard !self.waiters.isEmpty, self.limit.enter() else { return nil }
            while true {
                let number = self.firstWaiter
                self.firstWaiter += 1
                if let waiter = self.waiters.removeValue(forKey: number) { return waiter }
            }
        }
    }

    private let state: Locked<State>
    private let maxWaiters: Int
    private let limitGauge: MetricGauge
    private let waitingGauge: MetricGauge

    /// - Parameters:
    ///   - limitGauge: shared by the gates of one tenant and API; each adds its own limit.
    ///   - waitingGauge: likewise.
    init(
        _ policy: AdaptiveLimit.Policy,
        maxWaiters: Int = 2048,
        limitGauge: MetricGauge,
        waitingGauge: MetricGauge
    ) {
        let limit = AdaptiveLimit(policy)
        self.state = Locked(State(limit: limit))
        self.maxWaiters = maxWaiters
        self.limitGauge = limitGauge
        self.waitingGauge = waitingGauge
        limitGauge.increment(by: limit.limit)
    }

    deinit {
        self.limitGauge.increment(by: -self.limit)
    }

    var limit: Int { self.state.withLock { $0.limit.limit } }
    var isLowered: Bool { self.state.withLock { $0.limit.isLowered } }
    var inFlight: Int { self.state.withLock { $0.limit.inFlight } }
    var waiting: Int { self.state.withLock { $0.waiters.count } }

    /// Waits for a place; who gets one must give it back with `leave`.
    func enter(deadline: ContinuousClock.Instant) async -> Entry {
        let isIn = self.state.withLock { $0.waiters.isEmpty && $0.limit.enter() }
        if isIn { return .entered }
        return await self.wait(deadline)
    }

    /// Gives a place back.
    func leave(_ outcome: AdaptiveLimit.Outcome) {
        let (next, change) = self.state.withLock { state -> ([CheckedContinuation<Entry, Never>], Int) in
            let before = state.limit.limit
            state.limit.leave(outcome, now: .now)
            var next: [CheckedContinuation<Entry, Never>] = []
            // Two at times, when the limit has grown.
            while let waiter = state.nextToEnter() { next.append(waiter) }
            return (next, state.limit.limit - before)
        }
        if change != 0 { self.limitGauge.increment(by: change) }
        for waiter in next { waiter.resume(returning: .entered) }
    }

    private func wait(_ deadline: ContinuousClock.Instant) async -> Entry {
        let number = self.state.withLock { state -> UInt64? in
            guard state.waiters.count < self.maxWaiters else { return nil }
            state.lastWaiter += 1
            return state.lastWaiter
        }
        guard let number else { return .queueFull }
        self.waitingGauge.increment()
        defer { self.waitingGauge.increment(by: -1) }
        // A task of its own: it ends the wait, which is what a child task would be waited for by.
        let timer = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.giveUp(number, .timedOut)
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let entry = self.state.withLock { state -> Entry? in
                    // Timer and cancel may have come before the waiter was there to be told.
                    if Task.isCancelled { return .cancelled }
                    if ContinuousClock.now >= deadline { return .timedOut }
                    if state.waiters.isEmpty, state.limit.enter() { return .entered }
                    state.waiters[number] = waiter
                    // Numbers are given before this lock is taken again, so an older waiter may arrive later.
                    state.firstWaiter = min(state.firstWaiter, number)
                    return nil
                }
                if let entry { waiter.resume(returning: entry) }
            }
        } onCancel: {
            self.giveUp(number, .cancelled)
        }
    }

    private func giveUp(_ number: UInt64, _ entry: Entry) {
        let waiter = self.state.withLock { $0.waiters.removeValue(forKey: number) }
        waiter?.resume(returning: entry)
    }
}
