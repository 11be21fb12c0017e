import Common

/// The counters and gauges of one tenant, or of all requests without a known tenant (`tenant=""`).
final class TenantMetrics: Sendable {
    private let refused: [AccessRefusal.Reason: MetricCounter]
    private let throttled: [TenantLimiter.Limit: MetricCounter]
    private let waits: [TenantLimiter.Limit: MetricCounter]
    let writesInProgress: MetricGauge?
    let readsInProgress: MetricGauge?
    let waiting: MetricGauge?

    private static func refusals(
        _ registry: MetricRegistry,
        tenant: String,
        reasons: [AccessRefusal.Reason]
    ) -> [AccessRefusal.Reason: MetricCounter] {
        var counters: [AccessRefusal.Reason: MetricCounter] = [:]
        for reason in reasons {
            counters[reason] = registry.counter(
                "gateway_requests_refused_total",
                help: "Requests refused on their head, by tenant (empty: none or unknown) and reason.",
                labels: [("tenant", tenant), ("reason", reason.rawValue)]
            )
        }
        return counters
    }

    /// The metrics of a configured tenant.
    init(tenant: String, registry: MetricRegistry) {
        self.refused = Self.refusals(
            registry,
            tenant: tenant,
            reasons: AccessRefusal.Reason.allCases.filter { !Self.beforeTenant.contains($0) }
        )
        var throttled: [TenantLimiter.Limit: MetricCounter] = [:]
        var waits: [TenantLimiter.Limit: MetricCounter] = [:]
        for limit in TenantLimiter.Limit.allCases {
            throttled[limit] = registry.counter(
                "gateway_throttled_total",
                help: "Requests over a limit of their tenant: refused, or only counted with mode: observe.",
                labels: [("tenant", tenant), ("limit", limit.rawValue)]
            )
            guard limit.isRate else { continue }
            waits[limit] = registry.counter(
                "gateway_throttle_waits_total",
                help: "Requests that waited for a rate limit of their tenant, or would have but for mode: observe.",
                labels: [("tenant", tenant), ("limit", limit.rawValue)]
            )
        }
        self.throttled = throttled
        self.waits = waits
        let inProgress = { (kind: RequestKind) in
            registry.gauge(
                "gateway_tenant_concurrency",
                help: "Admitted requests in progress, by tenant and kind.",
                labels: [("tenant", tenant), ("kind", kind.rawValue)]
            )
        }
        self.writesInProgress = inProgress(.write)
        self.readsInProgress = inProgress(.read)
        self.waiting = registry.gauge(
            "gateway_throttle_waiting",
            help: "Requests that wait for a rate limit of their tenant right now.",
            labels: [("tenant", tenant)]
        )
    }

    /// The metrics of requests that have no tenant, or name an unknown one.
    init(withoutTenant registry: MetricRegistry) {
        self.refused = Self.refusals(
            registry,
            tenant: "",
            reasons: Array(Self.beforeTenant)
                + [
                    .noCredentials, .malformedCredentials, .wrongCredentials, .passwordQueueFull, .passwordFailures,
                    .cancelled,
                ]
        )
        self.throttled = [:]
        self.waits = [:]
        self.writesInProgress = nil
        self.readsInProgress = nil
        self.waiting = nil
    }

    /// Reasons found before any tenant is decided on.
    private static let beforeTenant: Set<AccessRefusal.Reason> = [
        .repeatedTenantHeader, .invalidTenant, .noTenant, .sourcesDisagree, .certificateExpired,
        .certificateUntrusted,
    ]

    func countRefusal(_ reason: AccessRefusal.Reason) {
        self.refused[reason]?.increment()
    }

    func countThrottled(_ limit: TenantLimiter.Limit) {
        self.throttled[limit]?.increment()
    }

    func countWait(_ limit: TenantLimiter.Limit) {
        self.waits[limit]?.increment()
    }

    func inProgress(_ kind: RequestKind) -> MetricGauge? {
        switch kind {
        case .write: self.writesInProgress
        case .read: self.readsInProgress
        }
    }
}
