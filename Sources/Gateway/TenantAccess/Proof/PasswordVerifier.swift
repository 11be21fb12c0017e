import Common
import Synchronization

/// Checks passwords on threads of its own, remembers successes, and lets equal checks that overlap share one.
///
/// At most two threads, alive only while there is something to check.
final class PasswordVerifier: Sendable {
    enum Failure: Error, Equatable {
        /// Too much is waiting already.
        case queueFull
        /// Too many passwords from the source were wrong; `wait` in nanoseconds.
        case tooManyFailures(wait: Int64)
        /// The task was cancelled while it waited.
        case cancelled
    }

    private enum Answer: Sendable { case matches, differs, refused, cancelled }

    private struct Metrics: Sendable {
        let matched, differed, cached, refused, limited: MetricCounter
        let waiting: MetricGauge

        init(_ registry: MetricRegistry) {
            let checks = { (result: String) in
                registry.counter(
                    "gateway_password_checks_total",
                    help: "Password checks, by result; cached ones cost no hashing.",
                    labels: [("result", result)]
                )
            }
            self.matched = checks("matched")
            self.differed = checks("differed")
            self.cached = checks("cached")
            self.refused = checks("refused")
            self.limited = checks("limited")
            self.waiting = registry.gauge("gateway_password_queue", help: "Password checks that wait for a thread.")
        }
    }

    private let keys = ProofKeyMaker()
    private let cache: Locked<ProofCache>
    private let queue: Locked<PasswordQueue<CheckedContinuation<Answer, Never>>>
    private let failures: Locked<SourceFailures>
    private let nextWaiter = Atomic<Int>(0)
    private let clock: AccessClock
    private let compare: @Sendable (_ password: [UInt8], _ hash: String) -> Bool
    private let metrics: Metrics

    /// - Parameters:
    ///   - cacheLifetime: how long a success is remembered that nobody uses.
    ///   - compare: the expensive part; tests count and block it.
    init(
        registry: MetricRegistry,
        clock: AccessClock,
        cacheCapacity: Int = 4096,
        cacheLifetime: Duration = .seconds(300),
        bounds: PasswordQueueBounds = PasswordQueueBounds(),
        compare: @escaping @Sendable (_ password: [UInt8], _ hash: String) -> Bool = PasswordHash.matches
    ) {
        self.cache = Locked(ProofCache(capacity: cacheCapacity, lifetime: cacheLifetime))
        self.queue = Locked(PasswordQueue(bounds: bounds))
        self.failures = Locked(SourceFailures(perSecond: nil, capacity: cacheCapacity))
        self.clock = clock
        self.compare = compare
        self.metrics = Metrics(registry)
    }

    /// Sets how many wrong passwords of one source are looked at a second; `nil`: all.
    func limitFailures(perSecond: Int?) {
        self.failures.withLock { $0.reconfigure(perSecond: perSecond) }
    }

    /// Whether the password is the one that one of the hashes was made of.
    ///
    /// Remembered successes are looked for first, for all hashes: while a password is being replaced, the sender that
    /// has the new one already must not pay for a check of the old one each time. So a source that sent too many wrong
    /// ones is never refused what it was granted before.
    ///
    /// - Parameters:
    ///   - tenant: the tenant the request claims, known or not.
    ///   - source: where the request comes from.
    ///   - isDecoy: take the time of a check, and answer no.
    func verify(
        tenant: String,
        source: String,
        username: [UInt8],
        password: [UInt8],
        hashes: [Secret],
        isDecoy: Bool
    ) async throws(Failure) -> Bool {
        let secret = Secret(bytes: password)
        let checks = hashes.map { hash in
            PasswordCheck(
                key: self.keys.key(
                    tenant: tenant,
                    username: username,
                    password: password,
                    hash: hash.revealed,
                    isDecoy: isDecoy
                ),
                lane: source,
                tenant: tenant,
                password: secret,
                hash: hash,
                isDecoy: isDecoy
            )
        }
        let now = self.clock.nanoseconds()
        if self.cache.withLock({ cache in checks.contains { cache.contains($0.key, now: now) } }) {
            self.metrics.cached.increment()
            return true
        }
        let wait = self.failures.withLock { $0.wait(source, now: now) }
        guard wait == 0 else {
            self.metrics.limited.increment()
            throw .tooManyFailures(wait: wait)
        }
        for check in checks {
            switch await self.wait(for: check) {
            case .matches: return true
            case .differs: continue
            case .refused:
                self.metrics.refused.increment()
                throw .queueFull
            case .cancelled: throw .cancelled
            }
        }
        let end = self.clock.nanoseconds()
        self.failures.withLock { $0.note(source, now: end) }
        return false
    }

    private func wait(for check: PasswordCheck) async -> Answer {
        let id = self.nextWaiter.wrappingAdd(1, ordering: .relaxed).newValue
        // The handler cannot run any more when the operation has returned, so no note can come after this.
        defer { self.queue.withLock { $0.forget(id) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let action = self.queue.withLock { $0.join(id, waiter, check: check) }
                switch action {
                case .queued(startWorker: let startWorker):
                    self.showQueue()
                    if startWorker { self.startWorker() }
                case .shared: break
                case .refuse(let waiter): waiter.resume(returning: .refused)
                case .failCancelled(let waiter): waiter.resume(returning: .cancelled)
                }
            }
        } onCancel: {
            let waiter = self.queue.withLock { $0.cancel(id, key: check.key, lane: check.lane) }
            self.showQueue()
            waiter?.resume(returning: .cancelled)
        }
    }

    private func startWorker() {
        guard !WorkerThread.start({ self.work() }) else { return }
        let waiters = self.queue.withLock { $0.workerDidNotStart() }
        self.showQueue()
        for waiter in waiters { waiter.resume(returning: .refused) }
    }

    private func work() {
        while let check = self.queue.withLock({ $0.takeNext() }) {
            self.showQueue()
            var password = unsafe check.password.withUnsafeBytes { unsafe Array($0) }
            let isEqual = self.compare(password, check.hash.revealed)
            password.overwrite()
            let matches = isEqual && !check.isDecoy
            (matches ? self.metrics.matched : self.metrics.differed).increment()
            if matches {
                let now = self.clock.nanoseconds()
                self.cache.withLock { $0.insert(check.key, now: now) }
            }
            let waiters = self.queue.withLock { $0.finish(check.key) }
            for waiter in waiters { waiter.resume(returning: matches ? .matches : .differs) }
        }
    }

    private func showQueue() {
        self.queue.withLock { self.metrics.waiting.set($0.waitingChecks) }
    }
}
