import Common
import TimestreamModel
import UpstreamHTTP

extension TimestreamServiceClient {
    /// A call that had less time than this says nothing about the endpoint when it ran out of it.
    private static let fairTime: Duration = .seconds(2)

    /// Makes a call as circuit and concurrency limit allow, and tells them how it ended.
    func guarded<Result: Sendable>(
        _ operation: TimestreamOperation,
        _ endpoint: Endpoint,
        _ role: EndpointRole,
        _ deadline: ContinuousClock.Instant,
        _ body: () async throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let circuit = self.learned.circuit(role)
        // Before the queue: who cannot be served need not wait.
        if let wait = circuit?.refusal(of: endpoint) { throw Self.refusedByCircuit(endpoint, wait) }
        let gate: ConcurrencyGate? =
            switch operation {
            case .writeRecords: self.learned.gate(.write)
            case .query: self.learned.gate(.query)
            // A few small calls, and one of them ends what holds a place.
            case .cancelQuery, .describeEndpoints, .describeTable, .createTable, .createDatabase: nil
            }
        if let gate { try await self.enter(gate, endpoint, deadline) }
        var outcome = AdaptiveLimit.Outcome.other
        defer { gate?.leave(outcome) }

        var isProbe = false
        switch circuit?.admit(to: endpoint) {
        case .refused(let wait): throw Self.refusedByCircuit(endpoint, wait)
        case .probe: isProbe = true
        case .admitted, nil: break
        }
        let start = ContinuousClock.now
        do {
            let result = try await body()
            circuit?.ended(.answered, at: endpoint, wasProbe: isProbe)
            outcome = .succeeded
            return result
        } catch {
            let hadTime = deadline - start >= Self.fairTime && operation != .query
            circuit?.ended(Self.circuitOutcome(error, hadTime: hadTime), at: endpoint, wasProbe: isProbe)
            if error.error.code == .throttling, error.transfer == nil {
                outcome = .throttled
            } else if error.error.code == .rejectedRecords {
                outcome = .succeeded
                self.resilienceMetrics.note(error.error.rejected)
            }
            throw error
        }
    }

    /// What a failed call says about its endpoint.
    ///
    /// - Parameter hadTime: whether an endpoint that works would have answered it in time.
    static func circuitOutcome(_ failure: Failure, hadTime: Bool) -> CircuitBreaker.Outcome {
        switch failure.transfer {
        case .connectFailed, .connectionLost, .nameResolution, .tlsFailed, .tlsVerification, .malformedResponse:
            return .failed
        case .timedOut: return hadTime ? .failed : .unknown
        case .responseTooLarge: return .answered
        case .overloaded, .cancelled, .shutDown, .invalidRequest, .library: return .unknown
        case nil: break
        }
        switch failure.error.code {
        case .internalServer, .malformedResponse: return .failed
        // Ours, before anything was sent.
        case .cancelled, .circuitOpen: return .unknown
        // Throttling and refusals come from a service that works.
        default: return failure.error.status == nil ? .unknown : .answered
        }
    }

    private static func refusedByCircuit(_ endpoint: Endpoint, _ wait: Duration) -> Failure {
        let message = "\(endpoint.authority) has been failing; it is tried again in \(wait)"
        return Failure(error: TimestreamError(.circuitOpen, message: message, retryAfter: wait), endpoint: endpoint)
    }

    private func enter(
        _ gate: ConcurrencyGate,
        _ endpoint: Endpoint,
        _ deadline: ContinuousClock.Instant
    ) async throws(Failure) {
        let error: TimestreamError
        switch await gate.enter(deadline: deadline) {
        case .entered: return
        case .queueFull:
            error = TimestreamError(.throttling, message: "too many calls wait for their turn")
        case .timedOut:
            // Without throttling it is the calls before it that take long.
            error = TimestreamError(
                gate.isLowered ? .throttling : .timedOut,
                message: "the call's turn did not come before its deadline"
            )
        case .cancelled:
            error = TimestreamError(.cancelled, message: "cancelled while the call waited for its turn")
        }
        // As a transfer that our own queue refused: nothing was sent.
        throw Failure(
            error: error,
            transfer: error.code == .cancelled ? .cancelled : .overloaded,
            endpoint: endpoint
        )
    }
}
