import TenantConfiguration

/// What this gateway takes of the limits that hold for several together.
///
/// Every gateway has a fixed part, which is right as long as a load balancer spreads requests evenly. A store that all
/// gateways share would take this place: gates ask for nothing but the limits that are theirs now, and take over new ones
/// at any time.
struct LimitShare: Sendable {
    /// How many gateways there are; at least 1.
    private let replicas: Int

    init(replicas: Int) {
        self.replicas = max(replicas, 1)
    }

    /// Rates, bursts and concurrency divided, rounded down: together never more than the limit, unless it is smaller than
    /// the number of gateways, which get 1 each then.
    func of(_ limits: TenantLimits) -> TenantLimits {
        guard limits.per == .fleet, self.replicas > 1 else { return limits }
        var share = limits
        let part = { (limit: Int) in max(limit / self.replicas, 1) }
        share.writeRequestsPerSecond = limits.writeRequestsPerSecond.map(part)
        share.writeRequestBurst = part(limits.writeRequestBurst)
        share.samplesPerSecond = limits.samplesPerSecond.map(part)
        share.sampleBurst = part(limits.sampleBurst)
        share.decodedBytesPerSecond = limits.decodedBytesPerSecond.map(part)
        share.decodedByteBurst = part(limits.decodedByteBurst)
        share.readRequestsPerSecond = limits.readRequestsPerSecond.map(part)
        share.readRequestBurst = part(limits.readRequestBurst)
        share.concurrentWrites = limits.concurrentWrites.map(part)
        share.concurrentReads = limits.concurrentReads.map(part)
        return share
    }
}
