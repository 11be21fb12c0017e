package import Common
import Glibc
package import Logging
package import RequestSigning
package import TimestreamModel

/// The time as credentials know it, and how to wait for it; a test has its own.
package struct CredentialClock: Sendable {
    /// Seconds since 1970-01-01 UTC.
    package var now: @Sendable () -> Double
    package var sleep: @Sendable (_ seconds: Double) async -> Void

    package init(now: @escaping @Sendable () -> Double, sleep: @escaping @Sendable (_ seconds: Double) async -> Void) {
        self.now = now
        self.sleep = sleep
    }

    /// The system's.
    package static let system = CredentialClock(
        now: {
            var time = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        },
        sleep: { seconds in try? await Task.sleep(for: .seconds(seconds)) }
    )
}

/// One tenant's credentials, renewed before they expire.
///
/// One task fetches, from `start` to `close`, so there is never more than one fetch; callers take what is in memory, and
/// wait only if there is nothing that may be used. A failed fetch is repeated after a pause, with the old credentials in use
/// until they expire; then callers fail at once instead of queueing up behind a service that does not answer.
package final class RefreshingCredentialSource: CredentialSource {
    /// Of one fetch, whatever it has to ask.
    private static let fetchTimeout: Duration = .seconds(30)
    /// What a caller without a deadline waits at most.
    private static let longestWait: Duration = .seconds(10)
    /// Waits are cut, so that a clock that was set, or a machine that slept, is noticed.
    private static let longestSleep: Double = 60

    private struct State {
        var cache = CredentialCache()
        /// Counts finished fetches, so that nobody waits for one that has ended meanwhile.
        var generation = 0
        var isClosed = false
        /// A fetch is wanted now.
        var isPoked = false
        var isFetching = false
        /// What the loop waits on; cancelling it wakes the loop.
        var sleeper: Task<Void, Never>?
        var loop: Task<Void, Never>?
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        /// Waiters whose cancel came before their wait.
        var cancelled: Set<UInt64> = []
        var lastWaiter: UInt64 = 0
    }

    private let tenant: String
    private let provider: any CredentialProvider
    private let clock: CredentialClock
    private let metrics: CredentialMetrics
    private let logger: Logger
    private let state = Locked(State())

    package init(
        tenant: String,
        provider: any CredentialProvider,
        clock: CredentialClock = .system,
        metrics: MetricRegistry,
        logger: Logger
    ) {
        self.tenant = tenant
        self.provider = provider
        self.clock = clock
        self.metrics = CredentialMetrics(tenant: tenant, registry: metrics)
        self.logger = logger
    }

    /// Begins to fetch, and returns at once. Called once.
    package func start() {
        let loop = Task { await self.run() }
        self.state.withLock { $0.loop = loop }
    }

    /// Ends the fetching, and fails all that wait.
    package func close() async {
        let (loop, sleeper, waiters) = self.state.withLock { state in
            state.isClosed = true
            let waiters = Array(state.waiters.values)
            state.waiters = [:]
            return (state.loop, state.sleeper, waiters)
        }
        loop?.cancel()
        sleeper?.cancel()
        for waiter in waiters { waiter.resume() }
        await loop?.value
    }

    // MARK: CredentialSource

    package func accessKey() async throws(TimestreamError) -> AccessKey {
        try await self.accessKey(deadline: .now + Self.longestWait)
    }

    package func accessKey(deadline: ContinuousClock.Instant) async throws(TimestreamError) -> AccessKey {
        while true {
            let now = self.clock.now()
            let (answer, generation, isClosed) = self.state.withLock {
                ($0.cache.lookUp(now: now), $0.generation, $0.isClosed)
            }
            switch answer {
            case .use(let key):
                return key
            case .fail where isClosed, .wait where isClosed:
                throw TimestreamError(.cancelled, message: "the gateway is ending")
            case .fail(let error):
                throw TimestreamError(.signature, message: "no credentials: \(error.message)")
            case .wait:
                self.poke()
                await self.wait(forMoreThan: generation, until: deadline)
                if Task.isCancelled {
                    throw TimestreamError(.cancelled, message: "cancelled while waiting for credentials")
                }
                guard ContinuousClock.now < deadline else {
                    throw TimestreamError(.timedOut, message: "no credentials came before the deadline")
                }
            }
        }
    }

    package func accessKeyWasRefused(_ key: AccessKey) {
        let now = self.clock.now()
        guard self.state.withLock({ $0.cache.refused(key, now: now) }) else { return }
        self.logger.info(
            "the service refuses the access key: fetching another",
            metadata: [LogKey.tenant: .string(self.tenant), "key": .string(Self.ending(key))]
        )
        self.poke()
    }

    /// Enough of a key's id to find it in AWS' own lists.
    private static func ending(_ key: AccessKey) -> String {
        let id = key.accessKeyID
        return id.utf8.count >= 16 ? "…" + id.suffix(4) : "…"
    }

    // MARK: Fetching

    private func run() async {
        while !Task.isCancelled {
            let pause = await self.fetch()
            await self.idle(seconds: pause)
        }
    }

    /// - Returns: the seconds until the next fetch.
    private func fetch() async -> Double? {
        self.state.withLock {
            $0.isPoked = false
            $0.isFetching = true
        }
        let result: Result<Credentials, CredentialError>
        do {
            let credentials = try await self.provider.fetch(deadline: .now + Self.fetchTimeout)
            result = .success(try self.checked(credentials))
        } catch {
            result = .failure(error)
        }
        let now = self.clock.now()
        let jitter = Double.random(in: 0...1)
        let (pause, waiters, isUsable) = self.state.withLock { state in
            let pause: Double? =
                switch result {
                case .success(let credentials): state.cache.succeeded(credentials, now: now, jitter: jitter)
                case .failure(let error): state.cache.failed(error, jitter: jitter)
                }
            let isUsable = if case .use = state.cache.lookUp(now: now) { true } else { false }
            let waiters = Array(state.waiters.values)
            state.waiters = [:]
            state.generation += 1
            state.isFetching = false
            return (pause, waiters, isUsable)
        }
        for waiter in waiters { waiter.resume() }
        self.note(result, isUsable: isUsable, pause: pause)
        return pause
    }

    private func checked(_ credentials: Credentials) throws(CredentialError) -> Credentials {
        guard let expiration = credentials.expiration, Double(expiration) <= self.clock.now() else {
            return credentials
        }
        throw CredentialError(
            .malformed,
            "the credentials that came expired at \(TimeText.text(expiration)): renew them, or set this machine's clock"
        )
    }

    private func note(_ result: Result<Credentials, CredentialError>, isUsable: Bool, pause: Double?) {
        switch result {
        case .success(let credentials):
            self.metrics.fetched(credentials)
            self.logger.info(
                "fetched credentials",
                metadata: [
                    LogKey.tenant: .string(self.tenant),
                    "source": .string(credentials.origin.rawValue),
                    "key": .string(Self.ending(credentials.key)),
                    "expires": .string(credentials.expiration.map(TimeText.text) ?? "never"),
                ]
            )
        case .failure(let error) where error.code == .cancelled && self.state.withLock(\.isClosed):
            return
        case .failure(let error):
            self.metrics.failed(error)
            let metadata: Logger.Metadata = [
                LogKey.tenant: .string(self.tenant),
                LogKey.errorCode: .string(error.code.rawValue),
                "error.message": .string(oneLine(error.message, limitBytes: 1000)),
                "retry.seconds": .stringConvertible(Int((pause ?? 0).rounded(.up))),
            ]
            if isUsable {
                self.logger.warning(
                    "cannot renew credentials: the old ones are used until they expire",
                    metadata: metadata
                )
            } else {
                self.logger.error("this tenant has no credentials: its calls fail", metadata: metadata)
            }
        }
    }

    /// Waits so long, or until somebody wants a fetch.
    private func idle(seconds: Double?) async {
        let end = seconds.map { self.clock.now() + $0 }
        while !Task.isCancelled {
            let rest = end.map { $0 - self.clock.now() } ?? Self.longestSleep
            guard rest > 0 else { return }
            let clock = self.clock
            let sleeper = Task { await clock.sleep(min(rest, Self.longestSleep)) }
            let isWanted = self.state.withLock { state in
                state.sleeper = sleeper
                return state.isPoked || state.isClosed
            }
            if isWanted { sleeper.cancel() }
            await sleeper.value
            if self.state.withLock(\.isPoked) { return }
        }
    }

    /// Asks for a fetch now, if none is under way.
    private func poke() {
        let sleeper = self.state.withLock { state -> Task<Void, Never>? in
            guard !state.isFetching else { return nil }
            state.isPoked = true
            return state.sleeper
        }
        sleeper?.cancel()
    }

    // MARK: Waiting

    /// Returns when another fetch has ended, at the deadline, or when the task is cancelled.
    private func wait(forMoreThan generation: Int, until deadline: ContinuousClock.Instant) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.waitForChange(of: generation) }
            group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) }
            await group.next()
            group.cancelAll()
        }
    }

    private func waitForChange(of generation: Int) async {
        let id = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        defer { _ = self.state.withLock { $0.cancelled.remove(id) } }
        await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
                let isOver = self.state.withLock { state in
                    if state.cancelled.contains(id) || state.generation != generation || state.isClosed { return true }
                    state.waiters[id] = waiter
                    return false
                }
                if isOver { waiter.resume() }
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                state.cancelled.insert(id)
                return state.waiters.removeValue(forKey: id)
            }
            waiter?.resume()
        }
    }
}
