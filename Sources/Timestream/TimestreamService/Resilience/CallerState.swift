import Common

/// The endpoints that a tenant's calls go to: a closed set, also the metric label `endpoint`.
enum EndpointRole: String, Sendable, CaseIterable {
    case write
    case query
    case writeDiscovery = "write_discovery"
    case queryDiscovery = "query_discovery"
}

/// What is learned from one caller's calls: endpoints, circuits, limits, retry budget.
///
/// A tenant with credentials of its own is one caller. With pass-through credentials each access key id is one, so that
/// bad keys cannot open a circuit, or spend a budget, that others use.
final class CallerState: Sendable {
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

/// The callers of one tenant. Bounded: pass-through callers bring as many access keys as they like.
final class CallerStates: Sendable {
    private static let capacity = 256
    /// The one of a tenant with credentials of its own.
    private let own: CallerState
    private let byAccessKeyID = Locked(LeastRecentlyUsed<String, CallerState>(capacity: CallerStates.capacity))
    private let make: @Sendable () -> CallerState

    init(_ configuration: TimestreamServiceConfiguration, _ metrics: ResilienceMetrics) {
        self.make = { CallerState(configuration, metrics) }
        self.own = self.make()
    }

    /// - Parameter accessKeyID: of a pass-through caller; `nil` for the tenant itself.
    func state(of accessKeyID: String?) -> CallerState {
        guard let accessKeyID else { return self.own }
        return self.byAccessKeyID.withLock { $0.value(of: accessKeyID, make: self.make) }
    }
}
