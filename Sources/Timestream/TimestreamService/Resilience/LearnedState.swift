import Common

/// The endpoints that a tenant's calls go to: a closed set, also the metric label `endpoint`.
enum EndpointRole: String, Sendable, CaseIterable {
    case write
    case query
    case writeDiscovery = "write_discovery"
    case queryDiscovery = "query_discovery"
}

/// What a client learns from its calls: endpoints, circuits, limits, retry budget.
///
/// A client has one set of credentials. Where callers bring keys of their own each pair of keys has a client, so that bad
/// keys cannot open a circuit, or spend a budget, that others use.
final class LearnedState: Sendable {
    let writeDirectory = EndpointDirectory()
    let queryDirectory = EndpointDirectory()
    private let writeGate: ConcurrencyGate
    private let queryGate: ConcurrencyGate
    private let circuits: [EndpointRole: EndpointCircuit]
    private let budget: Locked<RetryBudget>

    init(_ configuration: TimestreamServiceConfiguration, _ metrics: ResilienceMetrics) {
        func gate(_ api: TimestreamAPI) -> ConcurrencyGate {
            ConcurrencyGate(
                configuration.concurrency,
                limitGauge: metrics.concurrencyLimit(api),
                waitingGauge: metrics.waiting(api)
            )
        }
        self.writeGate = gate(.write)
        self.queryGate = gate(.query)
        self.circuits = Dictionary(
            uniqueKeysWithValues: EndpointRole.allCases.map { role in
                let circuit = EndpointCircuit(
                    configuration.circuit,
                    openGauge: metrics.openCircuits(role),
                    openings: metrics.circuitOpenings(role)
                )
                return (role, circuit)
            }
        )
        self.budget = Locked(RetryBudget(configuration.budget))
    }

    func directory(_ api: TimestreamAPI) -> EndpointDirectory {
        switch api {
        case .write: self.writeDirectory
        case .query: self.queryDirectory
        }
    }

    func gate(_ api: TimestreamAPI) -> ConcurrencyGate {
        switch api {
        case .write: self.writeGate
        case .query: self.queryGate
        }
    }

    func circuit(_ role: EndpointRole) -> EndpointCircuit? { self.circuits[role] }

    func takeRetry() -> Bool { self.budget.withLock { $0.takeRetry() } }
    func noteSuccess() { self.budget.withLock { $0.succeeded() } }
}
