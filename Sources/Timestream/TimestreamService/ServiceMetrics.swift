import Common
import TimestreamModel

/// The operations we call, by their names on the wire.
enum TimestreamOperation: String, Sendable, CaseIterable {
    case writeRecords = "WriteRecords"
    case query = "Query"
    case cancelQuery = "CancelQuery"
    case describeEndpoints = "DescribeEndpoints"
    case describeTable = "DescribeTable"
    case createTable = "CreateTable"
    case createDatabase = "CreateDatabase"
}

/// What is counted about one tenant's calls. A retry is a call of its own here.
final class ServiceMetrics: Sendable {
    private struct Key: Hashable {
        var operation: TimestreamOperation
        var code: TimestreamError.Code?
    }
    /// The outcomes to alert on; the rest appear when they first happen, since every tenant has its own series.
    private static let outcomesFromTheStart: [TimestreamError.Code?] = [
        nil, .throttling, .internalServer, .network, .timedOut, .accessDenied, .resourceNotFound, .signature,
    ]

    private let tenant: String
    private let registry: MetricRegistry
    private let calls = Locked<[Key: MetricCounter]>([:])
    private let durations: [TimestreamOperation: MetricHistogram]
    let retries: MetricCounter

    init(tenant: String, registry: MetricRegistry) {
        self.tenant = tenant
        self.registry = registry
        self.durations = Dictionary(
            uniqueKeysWithValues: TimestreamOperation.allCases.map { operation in
                let histogram = registry.histogram(
                    "gateway_timestream_call_duration_seconds",
                    help: "Time of one call to Timestream, failed ones among them.",
                    labels: [("operation", operation.rawValue)]
                )
                return (operation, histogram)
            }
        )
        self.retries = registry.counter(
            "gateway_timestream_retries_total",
            help: "Calls to Timestream that were sent again.",
            labels: [("tenant", tenant)]
        )
        for operation in [TimestreamOperation.writeRecords, .query] {
            for code in Self.outcomesFromTheStart { _ = self.counter(operation, code) }
        }
    }

    /// - Parameter code: of the error; `nil` for success.
    func note(_ operation: TimestreamOperation, _ code: TimestreamError.Code?, _ duration: Duration) {
        self.counter(operation, code).increment()
        self.durations[operation]?.observe(duration)
    }

    private func counter(_ operation: TimestreamOperation, _ code: TimestreamError.Code?) -> MetricCounter {
        let key = Key(operation: operation, code: code)
        if let known = self.calls.withLock({ $0[key] }) { return known }
        let counter = self.registry.counter(
            "gateway_timestream_calls_total",
            help: "Calls to Timestream by outcome; none is success.",
            labels: [
                ("tenant", self.tenant), ("operation", operation.rawValue), ("error", code?.rawValue ?? "none"),
            ]
        )
        self.calls.withLock { $0[key] = counter }
        return counter
    }
}
