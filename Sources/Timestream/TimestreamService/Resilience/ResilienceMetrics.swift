import Common
import TimestreamModel

/// What is counted about one tenant's retries, limits, circuits, clock and rejected records.
final class ResilienceMetrics: Sendable {
    /// Retries that the budget did not allow.
    let refusedRetries: MetricCounter
    /// How far the service's clock is ahead of ours.
    let clockSkew: MetricGauge
    private let tenant: String
    private let registry: MetricRegistry
    private let rejectedRecords: [RejectedRecord.Kind: MetricCounter]

    init(tenant: String, registry: MetricRegistry) {
        self.tenant = tenant
        self.registry = registry
        self.refusedRetries = registry.counter(
            "gateway_timestream_retries_refused_total",
            help: "Failed calls to Timestream that were not sent again, since too many others had been.",
            labels: [("tenant", tenant)]
        )
        self.clockSkew = registry.gauge(
            "gateway_timestream_clock_skew_seconds",
            help: "Seconds that AWS' clock is ahead of ours, as learned from a refusal; signatures allow for it.",
            labels: [("tenant", tenant)]
        )
        self.rejectedRecords = Dictionary(
            uniqueKeysWithValues: RejectedRecord.Kind.allCases.map { kind in
                let counter = registry.counter(
                    "gateway_timestream_records_rejected_total",
                    help: "Records that Timestream has rejected for good, by the kind of reason.",
                    labels: [("tenant", tenant), ("reason", kind.rawValue)]
                )
                return (kind, counter)
            }
        )
    }

    func note(_ rejected: [RejectedRecord]) {
        for record in rejected { self.rejectedRecords[record.kind]?.increment() }
    }

    func concurrencyLimit(_ api: TimestreamAPI) -> MetricGauge {
        self.gauge(
            "gateway_timestream_concurrency_limit",
            "Calls to Timestream that may be under way at once; throttling lowers it.",
            ("api", api.rawValue)
        )
    }

    func waiting(_ api: TimestreamAPI) -> MetricGauge {
        self.gauge(
            "gateway_timestream_concurrency_waiting",
            "Calls that wait for others of their table to end.",
            ("api", api.rawValue)
        )
    }

    func openCircuits(_ role: EndpointRole) -> MetricGauge {
        self.gauge(
            "gateway_timestream_circuits_open",
            "Circuits that are open or half-open: the endpoint has been failing and is left alone for a moment.",
            ("endpoint", role.rawValue)
        )
    }

    func circuitOpenings(_ role: EndpointRole) -> MetricCounter {
        self.registry.counter(
            "gateway_timestream_circuit_openings_total",
            help: "Times that a circuit was opened, failed probes among them.",
            labels: [("tenant", self.tenant), ("endpoint", role.rawValue)]
        )
    }

    private func gauge(_ name: String, _ help: String, _ label: (String, String)) -> MetricGauge {
        self.registry.gauge(name, help: help, labels: [("tenant", self.tenant), label])
    }
}
