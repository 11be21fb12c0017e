import Common
import TimestreamModel

/// One tenant's calls to Timestream, by operation and outcome.
final class ServiceMetrics: Sendable {
    /// The value of the label `error` for a call that succeeded.
    private static let none = "none"

    private let calls: [ServiceOperation: [TimestreamError.Code?: MetricCounter]]
    private let durations: [ServiceOperation: MetricHistogram]
    let retries: MetricCounter

    init(tenant: String, registry: MetricRegistry) {
        var calls: [ServiceOperation: [TimestreamError.Code?: MetricCounter]] = [:]
        var durations: [ServiceOperation: MetricHistogram] = [:]
        for operation in ServiceOperation.allCases {
            for code in [nil] + TimestreamError.Code.allCases.map(Optional.some) {
                calls[operation, default: [:]][code] = registry.counter(
                    "gateway_timestream_calls_total",
                    help: "Calls to Timestream, every try counted, by tenant, operation and error.",
                    labels: [
                        ("tenant", tenant), ("operation", operation.rawValue), ("error", code?.rawValue ?? Self.none),
                    ]
                )
            }
            durations[operation] = registry.histogram(
                "gateway_timestream_call_duration_seconds",
                help: "Time from a call's start to its answer or failure, every try for itself.",
                labels: [("operation", operation.rawValue)]
            )
        }
        self.calls = calls
        self.durations = durations
        self.retries = registry.counter(
            "gateway_timestream_retries_total",
            help: "Calls to Timestream that were tried again.",
            labels: [("tenant", tenant)]
        )
    }

    func note(_ operation: ServiceOperation, _ error: TimestreamError.Code?, _ duration: Duration) {
        self.calls[operation]?[error]?.increment()
        self.durations[operation]?.observe(duration)
    }
}
