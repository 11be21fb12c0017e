import Common
import TenantConfiguration

/// Lets the requests of one tenant through at the rate and in the number its limits allow.
///
/// Lives as long as the tenant is configured: a reload changes its limits and keeps levels and running requests.
/// Waiters go on in the order of their reservations. This is the place for a fair queue among a tenant's senders.
final class TenantGate: Sendable {
    private let tenant: String
    private let limiter: Locked<TenantLimiter>
    private let clock: AccessClock
    private let deferredMetrics: Deferred<TenantMetrics>

    init(tenant: String, limits: TenantLimits, clock: AccessClock, metrics: Deferred<TenantMetrics>) {
        self.tenant = tenant
        self.limiter = Locked(TenantLimiter(limits, now: clock.nanoseconds()))
        self.clock = clock
        self.deferredMetrics = metrics
    }

    var metrics: TenantMetrics { self.deferredMetrics.value }

    func reconfigure(_ limits: TenantLimits) {
        let now = self.clock.nanoseconds()
        self.limiter.withLock { $0.reconfigure(limits, now: now) }
    }

    /// Lets one request through, after a wait if need be, but never a longer one than `remaining`.
    func admit(_ kind: RequestKind, within remaining: Duration) async throws(AccessRefusal) -> Admission {
        try await self.pass(.request(kind), within: remaining)
        self.metrics.inProgress(kind)?.increment()
        return Admission(kind, gate: self)
    }

    /// Lets samples of an admitted request through, after a wait if need be.
    func admitSamples(_ count: Int, within remaining: Duration) async throws(AccessRefusal) {
        try await self.pass(.samples(count), within: remaining)
    }

    /// Lets the body of an admitted write be decoded, after a wait if need be.
    func admitDecodedBytes(_ count: Int, within remaining: Duration) async throws(AccessRefusal) {
        try await self.pass(.decodedBytes(count), within: remaining)
    }

    func leave(_ kind: RequestKind) {
        self.limiter.withLock { $0.leave(kind) }
        self.metrics.inProgress(kind)?.increment(by: -1)
    }

    private func pass(_ demand: TenantLimiter.Demand, within remaining: Duration) async throws(AccessRefusal) {
        let now = self.clock.nanoseconds()
        let longest = remaining.wholeNanoseconds
        let (decision, limits) = self.limiter.withLock { ($0.begin(demand, now: now, longestWait: longest), $0.limits) }
        self.count(decision)
        guard case .wait(let nanoseconds) = decision.outcome else {
            return try self.act(on: decision, limits: limits)
        }
        self.metrics.waiting?.increment()
        let isCompleted = await self.sleep(nanoseconds)
        self.metrics.waiting?.increment(by: -1)
        let afterWait = self.limiter.withLock { $0.finishWait(demand, completed: isCompleted) }
        guard isCompleted else {
            self.metrics.countRefusal(.cancelled)
            throw .cancelled
        }
        self.count(afterWait)
        try self.act(on: afterWait, limits: limits)
    }

    private func sleep(_ nanoseconds: Int64) async -> Bool {
        do {
            try await self.clock.sleep(.nanoseconds(nanoseconds))
            return true
        } catch {
            return false
        }
    }

    private func count(_ decision: TenantLimiter.Decision) {
        if let limit = decision.exceeded { self.metrics.countThrottled(limit) }
        if let limit = decision.awaited { self.metrics.countWait(limit) }
    }

    private func act(on decision: TenantLimiter.Decision, limits: TenantLimits) throws(AccessRefusal) {
        guard let limit = decision.exceeded else { return }
        let refusal: AccessRefusal
        let retryAfter = { (wait: Int64) in
            AccessRefusal.retryAfterSeconds(nanoseconds: wait, chance: self.clock.chance())
        }
        switch decision.outcome {
        case .goOn, .wait:
            return
        case .overRate(let wait):
            let seconds = retryAfter(wait)
            refusal = AccessRefusal(
                limit == .readRequests ? 429 : limits.throttleStatus,
                limit.rateReason,
                "tenant \(self.tenant) is over its \(limit.written(in: limits)); try again in \(seconds) s",
                retryAfterSeconds: seconds
            )
        case .queueFull(let wait):
            refusal = AccessRefusal(
                503,
                .throttleQueueFull,
                "tenant \(self.tenant) is over its \(limit.written(in: limits)) and too many of its requests wait",
                retryAfterSeconds: retryAfter(wait)
            )
        case .overConcurrency:
            refusal = AccessRefusal(
                503,
                limit == .concurrentReads ? .readConcurrency : .writeConcurrency,
                "tenant \(self.tenant) has \(limit.written(in: limits)) requests in progress; try again later",
                retryAfterSeconds: retryAfter(0)
            )
        }
        self.metrics.countRefusal(refusal.reason)
        throw refusal
    }
}

extension TenantLimiter.Limit {
    fileprivate var rateReason: AccessRefusal.Reason {
        switch self {
        case .writeRequests, .concurrentWrites: .writeRate
        case .readRequests, .concurrentReads: .readRate
        case .samples: .sampleRate
        case .decodedBytes: .decodedByteRate
        }
    }

    /// The limit with its value, as an operator finds it in the configuration.
    fileprivate func written(in limits: TenantLimits) -> String {
        let value: Int? =
            switch self {
            case .writeRequests: limits.writeRequestsPerSecond
            case .readRequests: limits.readRequestsPerSecond
            case .samples: limits.samplesPerSecond
            case .decodedBytes: limits.decodedBytesPerSecond
            case .concurrentWrites: limits.concurrentWrites
            case .concurrentReads: limits.concurrentReads
            }
        let share = limits.per == .fleet ? ", this gateway's share" : ""
        return "\(self.rawValue) (\(value.map(String.init) ?? "unlimited")\(share))"
    }
}
