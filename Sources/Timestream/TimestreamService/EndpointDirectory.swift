import Common
import TimestreamModel

/// What is known about one API's endpoint: decides who uses it, who looks it up and who waits for that.
struct EndpointCache {
    /// How long a failed look-up is not repeated while an old endpoint can stand in.
    static let pauseAfterFailure: Duration = .seconds(60)
    /// Bounds on what the service may ask for.
    static let period: ClosedRange<Int> = 1...10_080
    /// The part of the period after which it is looked up anew, while the old one still serves.
    static let freshness = 0.8

    private struct Known {
        var endpoint: Endpoint
        /// When to look it up anew, in the background.
        var isDue: ContinuousClock.Instant
        var expires: ContinuousClock.Instant
    }
    private var known: Known?
    private var isLookingUp = false

    enum LookUp: Equatable {
        case use(Endpoint)
        /// The caller uses it, starts a look-up beside its call, and that must call `found` or `failed`.
        case refresh(Endpoint)
        /// The caller looks it up now and must call `found` or `failed`.
        case lead
        /// Somebody else does; ask again afterwards.
        case wait
    }
    mutating func lookUp(now: ContinuousClock.Instant) -> LookUp {
        if let known, now < known.expires {
            guard now >= known.isDue, !self.isLookingUp else { return .use(known.endpoint) }
            self.isLookingUp = true
            return .refresh(known.endpoint)
        }
        if self.isLookingUp { return .wait }
        self.isLookingUp = true
        return .lead
    }

    mutating func found(_ endpoint: Endpoint, minutes: Int, now: ContinuousClock.Instant) {
        let clamped = min(max(minutes, Self.period.lowerBound), Self.period.upperBound)
        let period = Duration.seconds(60 * clamped)
        self.known = Known(endpoint: endpoint, isDue: now + period * Self.freshness, expires: now + period)
        self.isLookingUp = false
    }

    /// - Returns: the old endpoint, used for a while longer, if there is one.
    mutating func failed(now: ContinuousClock.Instant) -> Endpoint? {
        self.isLookingUp = false
        if let known {
            let next = now + Self.pauseAfterFailure
            self.known?.isDue = next
            self.known?.expires = max(known.expires, next)
        }
        return self.known?.endpoint
    }

    /// Forgets an endpoint that refused a call; not one that was found since.
    mutating func invalidate(_ endpoint: Endpoint) {
        if self.known?.endpoint == endpoint { self.known = nil }
    }
}

/// Finds one API's endpoint by discovery; of many callers one asks, the others wait for it. Before its time is over it is
/// looked up again beside a call, so that no call waits for that.
///
/// Source: Timestream developer guide, "How the endpoint discovery works".
final class EndpointDirectory: Sendable {
    enum Outcome: Sendable {
        case changed
        case failed(TimestreamError)
        case gaveUp
    }
    private struct State {
        var cache = EndpointCache()
        var waiters: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
        /// Waiters whose cancel came before their wait.
        var cancelled: Set<UInt64> = []
        var lastWaiter: UInt64 = 0
    }
    private let state = Locked(State())
    private let now: @Sendable () -> ContinuousClock.Instant

    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.now = now
    }

    /// - Parameters:
    ///   - discover: asks the service; called for one caller at a time.
    ///   - refresh: starts a call of `refresh` beside the caller's, and does not wait for it.
    /// - Throws: what `discover` throws, unless an old endpoint can stand in; `.timedOut` and `.cancelled` while waiting.
    func endpoint(
        deadline: ContinuousClock.Instant,
        discover: () async throws(TimestreamError) -> (address: String, minutes: Int),
        refresh: () -> Void
    ) async throws(TimestreamError) -> Endpoint {
        while true {
            switch self.state.withLock({ $0.cache.lookUp(now: self.now()) }) {
            case .use(let endpoint): return endpoint
            case .refresh(let endpoint):
                refresh()
                return endpoint
            case .lead: return try await self.lead(discover)
            case .wait:
                switch await self.wait(until: deadline) {
                case .changed: continue
                case .failed(let error): throw error
                case .gaveUp:
                    if Task.isCancelled { throw TimestreamError(.cancelled, message: "cancelled during discovery") }
                    throw TimestreamError(.timedOut, message: "no endpoint was discovered before the deadline")
                }
            }
        }
    }

    /// Looks an endpoint up anew that is still in use; for the one whom `endpoint` has told to.
    func refresh(_ discover: () async throws(TimestreamError) -> (address: String, minutes: Int)) async {
        // The old one serves on after a failure, which is counted and logged as a call.
        _ = try? await self.lead(discover)
    }

    func invalidate(_ endpoint: Endpoint) {
        self.state.withLock { $0.cache.invalidate(endpoint) }
    }

    private func lead(
        _ discover: () async throws(TimestreamError) -> (address: String, minutes: Int)
    ) async throws(TimestreamError) -> Endpoint {
        do {
            let found = try await discover()
            let endpoint = Endpoint(found.address)
            self.settle(.changed) { $0.found(endpoint, minutes: found.minutes, now: self.now()) }
            return endpoint
        } catch {
            // A deadline or a cancel is this caller's own; the others go on and look it up themselves.
            let isOwn = error.code == .cancelled || error.code == .timedOut
            var stale: Endpoint?
            self.settle(isOwn ? .changed : .failed(error)) { stale = $0.failed(now: self.now()) }
            if let stale, error.code != .cancelled { return stale }
            throw error
        }
    }

    /// Changes the cache and wakes all that wait; those find an old endpoint that stands in by asking again.
    private func settle(_ outcome: Outcome, _ change: (inout EndpointCache) -> Void) {
        let (waiters, isUsable) = self.state.withLock { state in
            change(&state.cache)
            let waiters = Array(state.waiters.values)
            state.waiters = [:]
            return (waiters, state.cache.isUsable(now: self.now()))
        }
        for waiter in waiters { waiter.resume(returning: isUsable ? .changed : outcome) }
    }

    // MARK: Waiting

    private func wait(until deadline: ContinuousClock.Instant) async -> Outcome {
        await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await self.waitForChange() }
            group.addTask {
                try? await Task.sleep(until: deadline, clock: .continuous)
                return .gaveUp
            }
            let first = await group.next() ?? .gaveUp
            group.cancelAll()
            return first
        }
    }

    private func waitForChange() async -> Outcome {
        let id = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        defer { _ = self.state.withLock { $0.cancelled.remove(id) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let outcome = self.state.withLock { state -> Outcome? in
                    if state.cancelled.contains(id) { return .gaveUp }
                    // The one who looked it up may be done meanwhile.
                    if !state.cache.hasLookUp { return .changed }
                    state.waiters[id] = waiter
                    return nil
                }
                if let outcome { waiter.resume(returning: outcome) }
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                state.cancelled.insert(id)
                return state.waiters.removeValue(forKey: id)
            }
            waiter?.resume(returning: .gaveUp)
        }
    }
}

extension EndpointCache {
    /// Whether a look-up is under way.
    var hasLookUp: Bool { self.isLookingUp }

    func isUsable(now: ContinuousClock.Instant) -> Bool {
        self.known.map { now < $0.expires } ?? false
    }
}
