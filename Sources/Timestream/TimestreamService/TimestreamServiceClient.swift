package import Common
package import CredentialProviders
package import Logging
package import RequestSigning
package import TimestreamModel
package import UpstreamHTTP

/// Amazon Timestream for one tenant, over HTTP: discovery, signing, retries, errors.
///
/// Everything it keeps (endpoints, metrics) is this tenant's own, so no fault of one tenant's reaches another.
package final class TimestreamServiceClient: TimestreamStore {
    /// A call of the Write API that takes longer is given up and tried again; queries and what changes tables may take the
    /// whole deadline.
    private static let writeTimeout: Duration = .seconds(10)
    private static let cancelTimeout: Duration = .seconds(5)

    let configuration: TimestreamServiceConfiguration
    let credentials: any CredentialSource
    private let upstream: UpstreamClient
    private let signer: RequestSigner
    private let metrics: ServiceMetrics
    let resilienceMetrics: ResilienceMetrics
    let logger: Logger
    /// Where calls go when nothing is discovered.
    private let configuredEndpoints: (write: Endpoint?, query: Endpoint?)
    let learned: LearnedState
    let clock: SigningClock

    package init(
        configuration: TimestreamServiceConfiguration,
        credentials: any CredentialSource,
        upstream: UpstreamClient,
        signer: RequestSigner,
        metrics: MetricRegistry,
        logger: Logger
    ) {
        self.configuration = configuration
        self.credentials = credentials
        self.upstream = upstream
        self.signer = signer
        self.metrics = ServiceMetrics(tenant: configuration.tenant, registry: metrics)
        self.logger = logger
        self.configuredEndpoints = (
            configuration.configuredEndpoint(.write), configuration.configuredEndpoint(.query)
        )
        let resilience = ResilienceMetrics(tenant: configuration.tenant, registry: metrics)
        self.resilienceMetrics = resilience
        self.learned = LearnedState(configuration, resilience)
        self.clock = SigningClock(wallClock: configuration.wallClock)
    }

    func configuredEndpoint(_ api: TimestreamAPI) -> Endpoint? {
        switch api {
        case .write: self.configuredEndpoints.write
        case .query: self.configuredEndpoints.query
        }
    }

    // MARK: TimestreamStore

    package func writeRecords(
        body: FrozenBytes,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) {
        try await self.call(.writeRecords, .write, body, deadline) { (answer: [UInt8]) throws(JSONError) in
            try ServiceAnswer.checkObject(answer)
        }
    }

    package func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        // One token for the call and its retries: a repeat within five minutes is the same run, and costs nothing.
        let token = RequestBody.makeClientToken()
        let body = RequestBody.query(statement, clientToken: token, nextToken: nextToken)
        return try await self.call(.query, .query, body, deadline) { (answer: [UInt8]) throws(JSONError) in
            try QueryPageParser.parse(answer)
        }
    }

    package func cancelQuery(id: String) async {
        // A task of its own: as a rule the caller has been cancelled, and the call must be made all the same.
        await Task {
            let deadline = ContinuousClock.now + Self.cancelTimeout
            let body = RequestBody.cancelQuery(id: id)
            // Best effort: the service also ends abandoned queries by itself, and the failure is counted and logged.
            _ = try? await self.once(.cancelQuery, .query, body, deadline) {
                (answer: [UInt8]) throws(JSONError) in
                try ServiceAnswer.checkObject(answer)
            }
        }.value
    }

    // MARK: Calls

    /// What a try failed with, and how its transfer did, if it was the transfer.
    struct Failure: Error {
        var error: TimestreamError
        var transfer: UpstreamError.Code?
        /// Where the call went, if it got as far.
        var endpoint: Endpoint?
        /// Of a refused signature: the key that made it.
        var accessKeyID: String?
        /// Of a refused signature: the answer's `Date`, in seconds since 1970-01-01 UTC.
        var serverSeconds: Int64?
    }

    /// Sends a call until it succeeds, fails for good, or the deadline, the retries or their budget are used up.
    func call<Result: Sendable>(
        _ operation: TimestreamOperation,
        _ api: TimestreamAPI,
        _ body: FrozenBytes,
        _ deadline: ContinuousClock.Instant,
        read: (_ answer: [UInt8]) throws(JSONError) -> Result
    ) async throws(TimestreamError) -> Result {
        var progress = CallProgress(mayRediscover: self.configuredEndpoint(api) == nil)
        while true {
            let failure: Failure
            do {
                let answer = try await self.once(operation, api, body, deadline, read: read)
                self.learned.noteSuccess()
                return answer
            } catch {
                failure = error
            }
            let pause = try await self.pause(after: failure, api, &progress, deadline)
            if pause > .zero {
                do {
                    try await Task.sleep(for: pause)
                } catch {
                    throw TimestreamError(.cancelled, message: "cancelled between two tries")
                }
            }
            self.noteRetry()
        }
    }

    func noteRetry() {
        self.metrics.retries.increment()
    }

    /// One try, with the discovery it may need.
    private func once<Result: Sendable>(
        _ operation: TimestreamOperation,
        _ api: TimestreamAPI,
        _ body: FrozenBytes,
        _ deadline: ContinuousClock.Instant,
        read: (_ answer: [UInt8]) throws(JSONError) -> Result
    ) async throws(Failure) -> Result {
        let endpoint = try await self.endpoint(api, deadline)
        return try await self.guarded(operation, endpoint, api == .write ? .write : .query, deadline) {
            () async throws(Failure) -> Result in
            let limit = operation == .writeRecords ? min(deadline, .now + Self.writeTimeout) : deadline
            return try await self.exchange(operation, endpoint, body, limit, read: read)
        }
    }

    /// Signs and sends one request, reads its answer, counts and logs it.
    func exchange<Result: Sendable>(
        _ operation: TimestreamOperation,
        _ endpoint: Endpoint,
        _ body: FrozenBytes,
        _ deadline: ContinuousClock.Instant,
        read: (_ answer: [UInt8]) throws(JSONError) -> Result
    ) async throws(Failure) -> Result {
        let start = ContinuousClock.now
        do {
            let result = try await self.uncounted(operation, endpoint, body, deadline, read: read)
            self.note(operation, endpoint, nil, start)
            return result
        } catch {
            self.note(operation, endpoint, error.error, start)
            throw error
        }
    }

    private func uncounted<Result: Sendable>(
        _ operation: TimestreamOperation,
        _ endpoint: Endpoint,
        _ body: FrozenBytes,
        _ deadline: ContinuousClock.Instant,
        read: (_ answer: [UInt8]) throws(JSONError) -> Result
    ) async throws(Failure) -> Result {
        let request = try await self.signedRequest(operation, endpoint, body, deadline)
        let response: UpstreamResponse
        do {
            response = try await self.upstream.send(request, deadline: deadline)
        } catch {
            throw Failure(error: ServiceAnswer.error(for: error), transfer: error.code, endpoint: endpoint)
        }
        guard response.status == 200 else {
            throw self.refusal(response, of: request, at: endpoint)
        }
        do {
            return try read(response.body)
        } catch {
            let message = "the answer of \(operation.rawValue) has not \(error.expected) at byte \(error.offset)"
            throw Failure(error: TimestreamError(.malformedResponse, message: message, status: 200), endpoint: endpoint)
        }
    }

    private func signedRequest(
        _ operation: TimestreamOperation,
        _ endpoint: Endpoint,
        _ body: FrozenBytes,
        _ deadline: ContinuousClock.Instant
    ) async throws(Failure) -> UpstreamRequest {
        let key: AccessKey
        do {
            key = try await self.credentials.accessKey(deadline: deadline)
        } catch {
            throw Failure(error: error, endpoint: endpoint)
        }
        var headers = [
            (name: "content-type", value: "application/x-amz-json-1.0"),
            (name: "host", value: endpoint.authority),
            (name: "x-amz-target", value: "Timestream_20181101.\(operation.rawValue)"),
        ]
        if operation == .describeEndpoints { headers.append(("x-amz-api-version", "2018-11-01")) }
        headers += self.signer.sign(
            SignableRequest(method: "POST", target: endpoint.path, headers: headers),
            body: body,
            key: key,
            region: self.configuration.region,
            at: self.clock.now
        )
        return UpstreamRequest(method: "POST", url: endpoint.origin + endpoint.path, headers: headers, body: body)
    }

    private func note(
        _ operation: TimestreamOperation,
        _ endpoint: Endpoint,
        _ error: TimestreamError?,
        _ start: ContinuousClock.Instant
    ) {
        let duration = ContinuousClock.now - start
        self.metrics.note(operation, error?.code, duration)
        self.logger.debug(
            "called Timestream",
            metadata: [
                LogKey.tenant: .string(self.configuration.tenant),
                "operation": .string(operation.rawValue),
                LogKey.upstream: .string(endpoint.authority),
                LogKey.durationSeconds: .stringConvertible(duration / .seconds(1)),
                LogKey.errorCode: .string(error?.code.rawValue ?? "none"),
            ]
        )
    }
}
