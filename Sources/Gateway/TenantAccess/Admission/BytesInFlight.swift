package import Common

/// The process' budget for bodies: compressed, decoded, and read results.
package final class BytesInFlight: Sendable {
    private struct State {
        var limitBytes: Int
        var usedBytes = 0
    }
    private let state: Locked<State>
    private let gauge: MetricGauge

    /// - Parameter limitBytes: `server.limits.max_bytes_in_flight`.
    package init(limitBytes: Int, metrics: MetricRegistry) {
        self.state = Locked(State(limitBytes: max(limitBytes, 0)))
        self.gauge = metrics.gauge("gateway_bytes_in_flight", help: "Bytes of bodies that are reserved right now.")
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
    /// - Throws: 503 with `Retry-After` if the budget is spent now, 413 if it could never hold so much.
    package func reserve(_ byteCount: Int) throws(AccessRefusal) -> BytesLease {
        try self.reserve(byteCount, metrics: nil)
    }

    func reserve(_ byteCount: Int, metrics: TenantMetrics?) throws(AccessRefusal) -> BytesLease {
        let byteCount = max(byteCount, 0)
        try self.take(byteCount, onTopOf: 0, metrics: metrics)
        return BytesLease(byteCount, of: self, metrics: metrics)
    }

    fileprivate func take(_ byteCount: Int, onTopOf held: Int, metrics: TenantMetrics?) throws(AccessRefusal) {
        // Written so that no sum can overflow, whatever a peer declares.
        let (isTaken, limit) = self.state.withLock { state in
            // Nothing always fits, even after the limit was made smaller than what is reserved.
            let fits = byteCount == 0 || byteCount <= state.limitBytes - state.usedBytes
            guard fits else { return (false, state.limitBytes) }
            state.usedBytes += byteCount
            return (true, state.limitBytes)
        }
        guard !isTaken else {
            self.gauge.increment(by: byteCount)
            return
        }
        let canNeverFit = byteCount > limit - held
        let refusal =
            canNeverFit
            ? AccessRefusal(
                413,
                .overAllBytesInFlight,
                "the request needs more memory than max_bytes_in_flight (\(limit)); send fewer samples a request"
            )
            : AccessRefusal(
                503,
                .bytesInFlight,
                "the gateway holds as many bytes as it may; try again later",
                retryAfterSeconds: 1
            )
        metrics?.countRefusal(refusal.reason)
        throw refusal
    }

    fileprivate func giveBack(_ byteCount: Int) {
        self.state.withLock { $0.usedBytes -= byteCount }
        self.gauge.increment(by: -byteCount)
    }
}

/// Bytes reserved from `BytesInFlight`, until released or forgotten.
package final class BytesLease: Sendable {
    private struct State {
        var byteCount: Int
        var isReleased = false
    }
    private let budget: BytesInFlight
    private let metrics: TenantMetrics?
    private let state: Locked<State>

    fileprivate init(_ byteCount: Int, of budget: BytesInFlight, metrics: TenantMetrics?) {
        self.budget = budget
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
        try self.budget.take(byteCount, onTopOf: self.byteCount, metrics: self.metrics)
        let isKept = self.state.withLock { state in
            guard !state.isReleased else { return false }
            state.byteCount += byteCount
            return true
        }
        if !isKept { self.budget.giveBack(byteCount) }
    }

    /// Gives back what a body did not need after all: one without `Content-Length` is reserved at its limit.
    package func shrink(to byteCount: Int) {
        let surplus = self.state.withLock { state in
            let surplus = max(0, state.byteCount - max(byteCount, 0))
            state.byteCount -= surplus
            return surplus
        }
        if surplus > 0 { self.budget.giveBack(surplus) }
    }

    /// Gives everything back; a second call does nothing.
    package func release() {
        let byteCount = self.state.withLock { state in
            state.isReleased = true
            defer { state.byteCount = 0 }
            return state.byteCount
        }
        if byteCount > 0 { self.budget.giveBack(byteCount) }
    }
}
