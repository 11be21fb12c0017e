import Common

/// The circuit breaker of one tenant's calls to one endpoint, with its metrics.
///
/// An endpoint that was discovered anew starts with a closed circuit: the old one's failures say nothing about it.
final class EndpointCircuit: Sendable {
    private struct State {
        var breaker: CircuitBreaker
        var endpoint: Endpoint?
    }
    private let policy: CircuitBreaker.Policy
    private let state: Locked<State>
    private let openGauge: MetricGauge
    private let openings: MetricCounter

    /// - Parameters:
    ///   - openGauge: shared by the circuits of one tenant and kind of endpoint: how many are not closed.
    ///   - openings: likewise.
    init(_ policy: CircuitBreaker.Policy, openGauge: MetricGauge, openings: MetricCounter) {
        self.policy = policy
        self.state = Locked(State(breaker: CircuitBreaker(policy)))
        self.openGauge = openGauge
        self.openings = openings
    }

    deinit {
        if self.isOpen { self.openGauge.increment(by: -1) }
    }

    var isOpen: Bool { self.state.withLock { $0.breaker.state != .closed } }

    /// How long until a call is worth it; `nil` if it may be made now.
    func refusal(of endpoint: Endpoint) -> Duration? {
        self.state.withLock { $0.endpoint == endpoint ? $0.breaker.refusal(now: .now) : nil }
    }

    func admit(to endpoint: Endpoint) -> CircuitBreaker.Admission {
        self.change { state in
            if state.endpoint != endpoint { state = State(breaker: CircuitBreaker(self.policy), endpoint: endpoint) }
            return state.breaker.admit(now: .now)
        }
    }

    func ended(_ outcome: CircuitBreaker.Outcome, at endpoint: Endpoint, wasProbe: Bool) {
        self.change { state in
            guard state.endpoint == endpoint else { return }
            var generator = SystemRandomNumberGenerator()
            if state.breaker.ended(outcome, wasProbe: wasProbe, now: .now, using: &generator) {
                self.openings.increment()
            }
        }
    }

    private func change<Result: Sendable>(_ body: (inout sending State) -> sending Result) -> Result {
        let (result, change) = self.state.withLock { state -> (Result, Int) in
            let wasOpen = state.breaker.state != .closed
            let result = body(&state)
            return (result, (state.breaker.state != .closed ? 1 : 0) - (wasOpen ? 1 : 0))
        }
        if change != 0 { self.openGauge.increment(by: change) }
        return result
    }
}
