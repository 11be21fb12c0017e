import Common

/// Requests by route and code, and how long they took.
final class RequestMetrics: Sendable {
    private static let noRoute = "none"

    private let registry: MetricRegistry
    private let durations: [String: MetricHistogram]
    /// Codes come from our own answers, so there are few.
    private let requests = Locked<[String: [Int: MetricCounter]]>([:])

    init(_ registry: MetricRegistry) {
        self.registry = registry
        let routes = Route.allCases.map(\.rawValue) + [Self.noRoute]
        self.durations = Dictionary(
            uniqueKeysWithValues: routes.map { route in
                let help = "Time from a request's head to its answer, failures included."
                let labels = [("route", route)]
                return (
                    route,
                    registry.histogram("gateway_http_request_duration_seconds", help: help, labels: labels)
                )
            }
        )
        for (route, codes) in [("write", [204, 400, 401, 503]), ("read", [200, 400, 401, 503])] {
            for code in codes { _ = self.counter(route, code) }
        }
    }

    func note(route: Route?, status: Int, duration: Duration) {
        let name = route?.rawValue ?? Self.noRoute
        self.counter(name, status).increment()
        self.durations[name]?.observe(duration)
    }

    private func counter(_ route: String, _ code: Int) -> MetricCounter {
        self.requests.withLock { requests in
            if let counter = requests[route]?[code] { return counter }
            let counter = self.registry.counter(
                "gateway_http_requests_total",
                help: "Requests answered, by route and status code.",
                labels: [("route", route), ("code", "\(code)")]
            )
            requests[route, default: [:]][code] = counter
            return counter
        }
    }
}
