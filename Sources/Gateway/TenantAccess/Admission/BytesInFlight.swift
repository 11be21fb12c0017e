import Common

/// The process' budget for bodies: compressed, decoded, and read results.
///
/// Three quarters of it go to whoever asks first. The last quarter is kept for tenants that have no more than their fair
/// share, and for a tenant's only request. So a tenant that floods never gets more than three quarters, unless by one
/// request alone, and finds nothing while others need their shares: it is refused first.
package final class BytesInFlight: Sendable {
    /// What one tenant has reserved.
    private struct Holder {
        var bytes = 0
        var leases = 0
    }
    private struct State {
        var limitBytes: Int
        var usedBytes = 0
        /// Every tenant that has a lease, be it of no bytes.
        var holders: [String: Holder] = [:]

        /// Whether the tenant may take bytes of the last quarter.
        ///
        /// - Parameter isOnlyLease: whether they are for the only lease that the tenant has then.
        func mayRunShort(_ tenant: String, taking byteCount: Int, isOnlyLease: Bool) -> Bool {
            let open = self.limitBytes - self.limitBytes / 4
            if byteCount <= open - self.usedBytes || isOnlyLease { return true }
            let holder = self.holders[tenant]
            // Who is alone now may not be in a moment.
            let tenants = max(self.holders.count + (holder == nil ? 1 : 0), 2)
            return byteCount <= self.limitBytes / tenants - (holder?.bytes ?? 0)
        }
    }
    private enum Outcome { case taken, spent, overShare }

    private let state: Locked<State>
    private let gauge: MetricGauge
    private let chance: @Sendable () -> Double

    /// - Parameters:
    ///   - limitBytes: `server.limits.max_bytes_in_flight`.
    ///   - chance: see `AccessClock`.
    init(limitBytes: Int, metrics: MetricRegistry, chance: @escaping @Sendable () -> Double) {
        self.state = Locked(State(limitBytes: max(limitBytes, 0)))
        self.gauge = metrics.gauge("gateway_bytes_in_flight", help: "Bytes of bodies that are reserved right now.")
        self.chance = chance
    }

    /// What is reserved now.
    package var usedBytes: Int { self.state.withLock { $0.usedBytes } }

    /// Sets another limit; what is reserved already stays.
    func reconfigure(limitBytes: Int) {
        self.state.withLock { $0.limitBytes = max(limitBytes, 0) }
    }

    /// Reserves bytes before they are read; at once, without waiting.
    ///
    /// - Parameter byteCount: a negative number counts as 0.
    /// - Throws: 503 with `Retry-After` if the budget is spent now, or runs short and the tenant has its share of it; 413 if
    ///   the budget could never hold so much.
    package func reserve(_ byteCount: Int, for tenant: String) throws(AccessRefusal) -> BytesLease {
        try self.reserve(byteCount, for: tenant, metrics: nil)
    }

    func reserve(
        _ byteCount: Int,
        for tenant: String,
        metrics: TenantMetrics?
    ) throws(AccessRefusal) -> BytesLease {
        let byteCount = max(byteCount, 0)
        try self.take(byteCount, for: tenant, onTopOf: nil, metrics: metrics)
        return BytesLease(byteCount, of: self, tenant: tenant, metrics: metrics)
    }

    /// - Parameter held: what the lease holds already; `nil` for a new one.
    fileprivate func take(
        _ byteCount: Int,
        for tenant: String,
        onTopOf held: Int?,
        metrics: TenantMetrics?
    ) throws(AccessRefusal) {
        // Written so that no sum can overflow, whatever a peer declares.
        let (outcome, limit): (Outcome, Int) = self.state.withLock { state in
            // Nothing always fits, even after the limit was made smaller than what is reserved.
            guard byteCount == 0 || byteCount <= state.limitBytes - state.usedBytes else {
                return (.spent, state.limitBytes)
            }
            let others = (state.holders[tenant]?.leases ?? 0) - (held == nil ? 0 : 1)
            guard byteCount == 0 || state.mayRunShort(tenant, taking: byteCount, isOnlyLease: others <= 0) else {
                return (.overShare, state.limitBytes)
            }
            state.usedBytes += byteCount
            state.holders[tenant, default: Holder()].bytes += byteCount
            if held == nil { state.holders[tenant]?.leases += 1 }
            return (.taken, state.limitBytes)
        }
        if case .taken = outcome {
            self.gauge.increment(by: byteCount)
            return
        }
        let refusal: AccessRefusal
        if byteCount > limit - (held ?? 0) {
            refusal = AccessRefusal(
                413,
                .overAllBytesInFlight,
                "the request needs more memory than max_bytes_in_flight (\(limit)); send fewer samples a request"
            )
        } else {
            let isOverShare = outcome == .overShare
            refusal = AccessRefusal(
                503,
                isOverShare ? .bytesInFlightShare : .bytesInFlight,
                isOverShare
                    ? "the tenant's requests hold their fair share of the gateway's memory; try again later"
                    : "the gateway holds as many bytes as it may; try again later",
                retryAfterSeconds: AccessRefusal.retryAfterSeconds(nanoseconds: 0, chance: self.chance())
            )
        }
        metrics?.countRefusal(refusal.reason)
        throw refusal
    }

    /// - Parameter endsLease: whether the lease is over with it.
    fileprivate func giveBack(_ byteCount: Int, of tenant: String, endsLease: Bool) {
        self.state.withLock { state in
            state.usedBytes -= byteCount
            guard var holder = state.holders[tenant] else { return }
            holder.bytes -= byteCount
            if endsLease { holder.leases -= 1 }
            state.holders[tenant] = holder.leases > 0 ? holder : nil
        }
        self.gauge.increment(by: -byteCount)
        if endsLease, byteCount >= FreedMemory.leastBytes { FreedMemory.giveBackSoon() }
    }
}

/// Bytes reserved from `BytesInFlight`, until released or forgotten.
package final class BytesLease: Sendable {
    private struct State {
        var byteCount: Int
        var isReleased = false
    }
    private let budget: BytesInFlight
    private let tenant: String
    private let metrics: TenantMetrics?
    private let state: Locked<State>

    fileprivate init(_ byteCount: Int, of budget: BytesInFlight, tenant: String, metrics: TenantMetrics?) {
        self.budget = budget
        self.tenant = tenant
        self.metrics = metrics
        self.state = Locked(State(byteCount: byteCount))
    }

    deinit {
        self.release()
    }

    /// What the lease holds.
    package var byteCount: Int { self.state.withLock { $0.byteCount } }

    /// Reserves more, for example the decoded size that the body declares. Keeps nothing after `release`.
    ///
    /// - Throws: as `BytesInFlight.reserve`; what the lease held before stays.
    package func grow(by byteCount: Int) throws(AccessRefusal) {
        let byteCount = max(byteCount, 0)
        let (held, isReleased) = self.state.withLock { ($0.byteCount, $0.isReleased) }
        guard !isReleased else { return }
        try self.budget.take(byteCount, for: self.tenant, onTopOf: held, metrics: self.metrics)
        let isKept = self.state.withLock { state in
            guard !state.isReleased else { return false }
            state.byteCount += byteCount
            return true
        }
        if !isKept { self.budget.giveBack(byteCount, of: self.tenant, endsLease: false) }
    }

    /// Gives back what a body did not need after all: one without `Content-Length` is reserved at its limit.
    package func shrink(to byteCount: Int) {
        let surplus = self.state.withLock { state in
            let surplus = max(0, state.byteCount - max(byteCount, 0))
            state.byteCount -= surplus
            return surplus
        }
        if surplus > 0 { self.budget.giveBack(surplus, of: self.tenant, endsLease: false) }
    }

    /// Gives everything back; a second call does nothing.
    package func release() {
        let byteCount: Int? = self.state.withLock { state in
            guard !state.isReleased else { return nil }
            state.isReleased = true
            defer { state.byteCount = 0 }
            return state.byteCount
        }
        if let byteCount { self.budget.giveBack(byteCount, of: self.tenant, endsLease: true) }
    }
}
