import TenantConfiguration

/// What a request wants from the store.
package enum RequestKind: String, Sendable, CaseIterable {
    case write, read
}

/// The state behind one tenant's limits; decides and counts nothing itself.
struct TenantLimiter: Sendable {
    /// A limit as it is written in the configuration.
    enum Limit: String, Sendable, CaseIterable {
        case writeRequests = "write_requests_per_second"
        case readRequests = "read_requests_per_second"
        case samples = "samples_per_second"
        case decodedBytes = "decoded_bytes_per_second"
        case concurrentWrites = "concurrent_writes"
        case concurrentReads = "concurrent_reads"

        var isRate: Bool { self != .concurrentWrites && self != .concurrentReads }
    }

    /// One thing a request asks for.
    enum Demand: Sendable, Equatable {
        case request(RequestKind)
        case samples(Int)
        /// Of a write, before they are decoded.
        case decodedBytes(Int)
    }

    enum Outcome: Sendable, Equatable {
        case goOn
        /// Paid; ask `finishWait` after so many nanoseconds.
        case wait(nanoseconds: Int64)
        /// Over a rate; `wait` is when the tokens would be there.
        case overRate(wait: Int64)
        case overConcurrency
        /// Too many wait already.
        case queueFull(wait: Int64)
    }

    struct Decision: Sendable, Equatable {
        var outcome: Outcome
        /// The limit that refused, or would have with `mode: enforce`.
        var exceeded: Limit?
        /// The limit that is waited for.
        var awaited: Limit?
    }

    /// How many requests of one tenant may wait for its rate limits.
    static let maximumWaiting = 256

    private(set) var limits: TenantLimits
    private var writeRequests: TokenBucket?
    private var readRequests: TokenBucket?
    private var samples: TokenBucket?
    private var decodedBytes: TokenBucket?
    private var closure: Closure?
    private(set) var writesInProgress = 0
    private(set) var readsInProgress = 0
    private(set) var waiting = 0

    init(_ limits: TenantLimits, now: Int64) {
        self.limits = limits
        self.reconfigure(limits, now: now)
    }

    /// Takes over new limits; levels, debts, waiters and running requests stay.
    mutating func reconfigure(_ limits: TenantLimits, now: Int64) {
        self.limits = limits
        func adjust(_ bucket: inout TokenBucket?, perSecond: Int?, burst: Int) {
            guard let perSecond else {
                bucket = nil
                return
            }
            if bucket == nil { bucket = TokenBucket(perSecond: perSecond, burst: burst, now: now) }
            bucket?.reconfigure(perSecond: perSecond, burst: burst, now: now)
        }
        adjust(&self.writeRequests, perSecond: limits.writeRequestsPerSecond, burst: limits.writeRequestBurst)
        adjust(&self.readRequests, perSecond: limits.readRequestsPerSecond, burst: limits.readRequestBurst)
        adjust(&self.samples, perSecond: limits.samplesPerSecond, burst: limits.sampleBurst)
        adjust(&self.decodedBytes, perSecond: limits.decodedBytesPerSecond, burst: limits.decodedByteBurst)
        self.closure = nil
    }

    /// Decides on one demand. A request that goes on holds a place among the concurrent ones until `leave`.
    ///
    /// - Parameter longestWait: what is left of the request's deadline; a longer wait is refused, as by `max_wait`.
    mutating func begin(_ demand: Demand, now: Int64, longestWait: Int64 = .max) -> Decision {
        let isEnforced = self.limits.mode == .enforce
        var decision = Decision(outcome: .goOn)
        if isEnforced, let (limit, wait) = self.deficit(demand, now: now) {
            return Decision(outcome: .overRate(wait: wait), exceeded: limit)
        }
        if let limit = self.exceededConcurrency(demand) {
            decision.exceeded = limit
            // Before the rate: what is refused here costs no token.
            guard !isEnforced else {
                decision.outcome = .overConcurrency
                return decision
            }
        }
        let limit = Self.rateLimit(demand)
        switch self.reserve(demand, now: now, longestWait: longestWait) {
        case .granted(wait: 0):
            break
        case .granted(wait: let wait) where !isEnforced:
            _ = wait
            decision.awaited = limit
        case .granted(wait: let wait) where self.waiting >= Self.maximumWaiting:
            self.refund(demand)
            return Decision(outcome: .queueFull(wait: wait), exceeded: limit)
        case .granted(wait: let wait):
            self.waiting += 1
            return Decision(outcome: .wait(nanoseconds: wait), awaited: limit)
        case .refused(wait: let wait):
            decision.exceeded = limit
            guard !isEnforced else {
                self.close(by: limit, wait: wait, now: now)
                decision.outcome = .overRate(wait: wait)
                return decision
            }
        }
        self.enter(demand)
        return decision
    }

    /// Ends a wait.
    ///
    /// - Parameter completed: `false` if the waiter was cancelled; it gets its tokens back.
    mutating func finishWait(_ demand: Demand, completed: Bool) -> Decision {
        self.waiting -= 1
        guard completed else {
            self.refund(demand)
            return Decision(outcome: .goOn)
        }
        if self.limits.mode == .enforce, let limit = self.exceededConcurrency(demand) {
            self.refund(demand)
            return Decision(outcome: .overConcurrency, exceeded: limit)
        }
        self.enter(demand)
        return Decision(outcome: .goOn)
    }

    /// Gives back the place of a request that went on.
    mutating func leave(_ kind: RequestKind) {
        switch kind {
        case .write: self.writesInProgress -= 1
        case .read: self.readsInProgress -= 1
        }
    }

    // MARK: Refusals on the head

    /// Until when writes are refused on their heads, since what the last one asked for cannot be there in time.
    private struct Closure: Sendable {
        var limit: Limit
        /// From here on a request like the refused one would be let in after `max_wait`.
        var opensAt: Int64
        /// When all its tokens would be there.
        var readyAt: Int64
    }

    /// Spares the work of decoding what would be refused afterwards.
    ///
    /// The refused request took nothing, so the bucket fills up meanwhile, and is not left to the smallest requests alone.
    private mutating func close(by limit: Limit, wait: Int64, now: Int64) {
        guard limit == .samples || limit == .decodedBytes else { return }
        let maxWait = self.limits.maxWait.wholeNanoseconds
        // A wait that only the request's own deadline forbids says nothing about the next request.
        guard wait > maxWait else { return }
        let opensAt = now.addingReportingOverflow(wait - maxWait)
        let readyAt = now.addingReportingOverflow(wait)
        self.closure = Closure(
            limit: limit,
            opensAt: opensAt.overflow ? .max : opensAt.partialValue,
            readyAt: readyAt.overflow ? .max : readyAt.partialValue
        )
    }

    /// The limit that keeps a write from being read at all, and when it will not any more.
    private mutating func deficit(_ demand: Demand, now: Int64) -> (limit: Limit, wait: Int64)? {
        guard case .request(.write) = demand else { return nil }
        if let closure = self.closure {
            if now < closure.opensAt { return (closure.limit, closure.readyAt - now) }
            self.closure = nil
        }
        let maxWait = self.limits.maxWait.wholeNanoseconds
        if let wait = self.samples?.deficit(now: now), wait > maxWait { return (.samples, wait) }
        if let wait = self.decodedBytes?.deficit(now: now), wait > maxWait { return (.decodedBytes, wait) }
        return nil
    }

    private static func rateLimit(_ demand: Demand) -> Limit {
        switch demand {
        case .request(.write): .writeRequests
        case .request(.read): .readRequests
        case .samples: .samples
        case .decodedBytes: .decodedBytes
        }
    }

    private mutating func reserve(_ demand: Demand, now: Int64, longestWait: Int64) -> TokenBucket.Reservation {
        let maxWait = min(self.limits.maxWait.wholeNanoseconds, longestWait)
        let free = TokenBucket.Reservation.granted(wait: 0)
        return switch demand {
        case .request(.write): self.writeRequests?.reserve(1, now: now, maxWait: maxWait) ?? free
        // A reader is a person or a rule with a time-out of its own: it is told at once.
        case .request(.read): self.readRequests?.reserve(1, now: now, maxWait: 0) ?? free
        case .samples(let count): self.samples?.reserve(count, now: now, maxWait: maxWait) ?? free
        case .decodedBytes(let count): self.decodedBytes?.reserve(count, now: now, maxWait: maxWait) ?? free
        }
    }

    private mutating func refund(_ demand: Demand) {
        switch demand {
        case .request(.write): self.writeRequests?.refund(1)
        case .request(.read): self.readRequests?.refund(1)
        case .samples(let count): self.samples?.refund(count)
        case .decodedBytes(let count): self.decodedBytes?.refund(count)
        }
    }

    private func exceededConcurrency(_ demand: Demand) -> Limit? {
        switch demand {
        case .request(.write):
            self.limits.concurrentWrites.map { self.writesInProgress >= $0 } == true ? .concurrentWrites : nil
        case .request(.read):
            self.limits.concurrentReads.map { self.readsInProgress >= $0 } == true ? .concurrentReads : nil
        case .samples, .decodedBytes: nil
        }
    }

    private mutating func enter(_ demand: Demand) {
        switch demand {
        case .request(.write): self.writesInProgress += 1
        case .request(.read): self.readsInProgress += 1
        case .samples, .decodedBytes: break
        }
    }
}
