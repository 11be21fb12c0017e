import Common
import CredentialProviders
import Logging
import RequestSigning
import TimestreamModel
import UpstreamHTTP

/// How far one call has come.
struct CallProgress {
    /// Tries that came after a pause.
    var retries = 0
    // What a call does at once and once only, since it mends something.
    var mayRediscover: Bool
    var mayCorrectClock = true
    var mayChangeKey = true
    /// Why the last try that was sent failed.
    var lastError: TimestreamError?

    init(mayRediscover: Bool) {
        self.mayRediscover = mayRediscover
    }
}

extension TimestreamServiceClient {
    /// Decides whether a failed call is sent again.
    ///
    /// - Returns: how long to wait before; zero if something was mended.
    /// - Throws: the error that the call ends with.
    func pause(
        after failure: Failure,
        _ api: TimestreamAPI,
        _ progress: inout CallProgress,
        _ deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> Duration {
        if failure.error.code == .circuitOpen, var earlier = progress.lastError {
            // Why it opened tells more than that it is open.
            earlier.retryAfter = failure.error.retryAfter
            throw earlier
        }
        progress.lastError = failure.error
        if await self.isMended(failure, api, &progress, deadline) { return .zero }

        let policy = self.configuration.retries
        guard RetryPolicy.isWorthRetrying(failure.error, transfer: failure.transfer),
            progress.retries < self.configuration.maxRetries(api)
        else { throw failure.error }
        var generator = SystemRandomNumberGenerator()
        let pause = policy.pause(before: progress.retries, using: &generator)
        // A try that could not even begin would only hide why the last one failed.
        guard ContinuousClock.now + pause < deadline else { throw failure.error }
        guard failure.error.code == .throttling || self.learned.takeRetry() else {
            self.resilienceMetrics.refusedRetries.increment()
            throw failure.error
        }
        progress.retries += 1
        return pause
    }

    /// Mends what a refusal tells is wrong on our side, each thing once a call.
    func isMended(
        _ failure: Failure,
        _ api: TimestreamAPI,
        _ progress: inout CallProgress,
        _ deadline: ContinuousClock.Instant
    ) async -> Bool {
        switch failure.error.code {
        case .invalidEndpoint:
            guard let endpoint = failure.endpoint, progress.mayRediscover else { return false }
            // The cell has moved; at once, since the new one is not known to be in trouble.
            progress.mayRediscover = false
            self.learned.directory(api).invalidate(endpoint)
            return true
        case .signature:
            if progress.mayCorrectClock, self.correctClock(failure) {
                progress.mayCorrectClock = false
                return true
            }
            guard progress.mayChangeKey, await self.hasAnotherKey(than: failure, deadline) else { return false }
            progress.mayChangeKey = false
            return true
        default:
            return false
        }
    }

    private func correctClock(_ failure: Failure) -> Bool {
        guard let server = failure.serverSeconds, self.clock.learn(from: failure.error, serverSeconds: server) else {
            return false
        }
        let offset = self.clock.offsetSeconds
        self.resilienceMetrics.clockSkew.set(Int(clamping: offset))
        self.logger.warning(
            "The clock differs from AWS': requests are signed for AWS' time until it is mended",
            metadata: [LogKey.tenant: .string(self.configuration.tenant), "skew.seconds": .stringConvertible(offset)]
        )
        return true
    }

    /// Whether a key was refused that the source has replaced since, or replaces now: temporary keys end, and long-lived
    /// ones are rotated.
    private func hasAnotherKey(than failure: Failure, _ deadline: ContinuousClock.Instant) async -> Bool {
        guard Self.isAboutKey(failure.error), let refused = failure.accessKeyID else { return false }
        guard let key = try? await self.credentials.accessKey(deadline: deadline) else { return false }
        if key.accessKeyID != refused { return true }
        self.credentials.accessKeyWasRefused(key)
        let next = try? await self.credentials.accessKey(deadline: deadline)
        return next.map { $0.accessKeyID != refused } ?? false
    }

    /// Whether the service refuses the key itself, not what was made with it.
    static func isAboutKey(_ error: TimestreamError) -> Bool {
        switch error.name {
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "UnrecognizedClientException",
            "InvalidClientTokenId", "InvalidAccessKeyId":
            true
        default:
            false
        }
    }

    /// The failure that an answer other than 200 is, with what a refused signature tells.
    func refusal(_ response: UpstreamResponse, of request: UpstreamRequest, at endpoint: Endpoint) -> Failure {
        var failure = Failure(error: ServiceAnswer.error(in: response), endpoint: endpoint)
        if failure.error.code == .signature {
            failure.serverSeconds = response.header("date").flatMap { HTTPDate.seconds($0) }
            failure.accessKeyID = RequestVerifier.accessKeyID(
                of: SignableRequest(method: request.method, target: endpoint.path, headers: request.headers)
            )
        }
        return failure
    }
}
