import Common

/// The engine's metrics, all there from the start.
struct LocalMetrics: Sendable {
    private var requests: [Operation: MetricCounter] = [:]
    private var durations: [Operation: MetricHistogram] = [:]
    private var errors: [ServiceError.Code: MetricCounter] = [:]
    let recordsStored: MetricCounter
    let recordsRejected: MetricCounter
    let rowsReturned: MetricCounter
    let commits: MetricCounter
    let commitDuration: MetricHistogram
    let writerQueue: MetricGauge
    let writerRefused: MetricCounter
    let readerQueue: MetricGauge
    let readerRefused: MetricCounter
    let cursors: MetricGauge
    let cursorsExpired: MetricCounter

    init(_ registry: MetricRegistry) {
        for operation in Operation.allCases {
            self.requests[operation] = registry.counter(
                "gateway_local_requests_total",
                help: "Calls answered by the local engine.",
                labels: [("operation", operation.rawValue)]
            )
            self.durations[operation] = registry.histogram(
                "gateway_local_request_duration_seconds",
                help: "Time from request head to answer in the local engine.",
                labels: [("operation", operation.rawValue)]
            )
        }
        for code in ServiceError.Code.allCases {
            self.errors[code] = registry.counter(
                "gateway_local_errors_total",
                help: "Calls that the local engine answered with an error.",
                labels: [("code", code.rawValue)]
            )
        }
        self.recordsStored = registry.counter(
            "gateway_local_records_stored_total",
            help: "Records that the local engine has acknowledged."
        )
        self.recordsRejected = registry.counter(
            "gateway_local_records_rejected_total",
            help: "Records that the local engine has listed as rejected."
        )
        self.rowsReturned = registry.counter(
            "gateway_local_rows_returned_total",
            help: "Rows in the query pages of the local engine."
        )
        self.commits = registry.counter(
            "gateway_local_commits_total",
            help: "Transactions that the local engine has written to disk."
        )
        self.commitDuration = registry.histogram(
            "gateway_local_commit_duration_seconds",
            help: "Time of a transaction of the local engine, its work included."
        )
        func queue(_ name: String) -> (MetricGauge, MetricCounter) {
            (
                registry.gauge(
                    "gateway_local_queue_calls",
                    help: "Calls that wait for a thread of the local engine.",
                    labels: [("queue", name)]
                ),
                registry.counter(
                    "gateway_local_queue_refused_total",
                    help: "Calls that the local engine throttled because a queue was full.",
                    labels: [("queue", name)]
                )
            )
        }
        (self.writerQueue, self.writerRefused) = queue("writer")
        (self.readerQueue, self.readerRefused) = queue("reader")
        self.cursors = registry.gauge(
            "gateway_local_cursors",
            help: "Queries of the local engine whose next page is still to be fetched."
        )
        self.cursorsExpired = registry.counter(
            "gateway_local_cursors_expired_total",
            help: "Queries of the local engine that nobody fetched to the end."
        )
    }

    /// Counts and times one call; `operation` is nil if none was named.
    func observe(_ operation: Operation?, error: ServiceError.Code?, seconds: Double) {
        if let operation {
            self.requests[operation]?.increment()
            self.durations[operation]?.observe(seconds)
        }
        if let error { self.errors[error]?.increment() }
    }
}
