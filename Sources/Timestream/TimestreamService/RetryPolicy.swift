import TimestreamModel
import UpstreamHTTP

/// Whether and when a failed call is tried again.
struct RetryPolicy: Sendable {
    /// Tries after the first.
    var maxRetries = 10
    /// Bound of the first pause; each later one's is twice as long.
    var base: Duration = .milliseconds(100)
    var cap: Duration = .seconds(3)

    /// The pause before a retry, drawn evenly from zero to its bound, so that many callers do not come back at once.
    ///
    /// Source: AWS Architecture Blog, "Exponential Backoff and Jitter" (full jitter).
    ///
    /// - Parameter retry: number of the retry, from 0.
    func pause<Generator: RandomNumberGenerator>(before retry: Int, using generator: inout Generator) -> Duration {
        let bound = min(self.cap, self.base * (1 << min(max(retry, 0), 20)))
        return bound * Double.random(in: 0...1, using: &generator)
    }

    /// Whether an error of one try may be gone at the next.
    static func isWorthRetrying(_ error: TimestreamError, transfer: UpstreamError.Code?) -> Bool {
        switch transfer {
        // The same certificate, the same answer, a client that has ended: the next try would fail alike.
        case .tlsVerification, .responseTooLarge, .shutDown, .invalidRequest, .cancelled, .library: return false
        case .connectFailed, .connectionLost, .nameResolution, .tlsFailed, .timedOut, .malformedResponse, .overloaded:
            return true
        case nil: break
        }
        switch error.code {
        case .internalServer, .throttling, .timedOut: return true
        // Broken on its way, perhaps; but a redirect or a refusal of something that is not the service stays what it is.
        case .malformedResponse: return error.status == 200 || error.status == 419
        default: return false
        }
    }
}
