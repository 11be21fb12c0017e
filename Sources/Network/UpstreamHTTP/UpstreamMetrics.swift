import Common

/// What is counted about upstream transfers.
final class UpstreamMetrics: Sendable {
    private let successes: MetricCounter
    private let failures: [UpstreamError.Code: MetricCounter]
    let connections: MetricGauge
    let connectionsOpened: MetricCounter
    let waiting: MetricGauge
    let running: MetricGauge

    init(_ registry: MetricRegistry) {
        func transfers(_ result: String) -> MetricCounter {
            registry.counter(
                "gateway_upstream_transfers_total",
                help: "HTTP transfers to upstreams that ended, by result; any complete answer is ok.",
                labels: [("result", result)]
            )
        }
        self.successes = transfers("ok")
        self.failures = Dictionary(
            uniqueKeysWithValues: UpstreamError.Code.allCases.map { ($0, transfers($0.rawValue)) }
        )
        self.connections = registry.gauge(
            "gateway_upstream_connections",
            help: "Open sockets to upstreams, idle ones among them."
        )
        self.connectionsOpened = registry.counter(
            "gateway_upstream_connections_opened_total",
            help: "Sockets opened to upstreams; far fewer than transfers while connections are kept alive."
        )
        self.waiting = registry.gauge(
            "gateway_upstream_transfers_waiting",
            help: "Transfers that wait because their host has as many as it may."
        )
        self.running = registry.gauge("gateway_upstream_transfers_running", help: "Transfers under way.")
    }

    func note(_ result: Result<UpstreamResponse, UpstreamError>) {
        switch result {
        case .success: self.successes.increment()
        case .failure(let error): self.failures[error.code]?.increment()
        }
    }
}
