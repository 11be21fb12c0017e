package import Common
package import Logging
package import RequestSigning
package import TimestreamModel
package import UpstreamHTTP

/// Amazon Timestream for one tenant: its endpoints, its credentials, its retries.
///
/// The local engine is reached by this client too, over the same HTTP, with the same signatures.
package final class TimestreamServiceClient: TimestreamStore {
    /// Bound on one discovery; a caller's own deadline may be shorter.
    private static let discoveryTimeout = Duration.seconds(10)
    private static let cancelTimeout = Duration.seconds(5)

    private let transport: ServiceTransport
    private let endpoints: EndpointDirectory
    private let region: String
    private let metrics: ServiceMetrics

    package init(
        configuration: TimestreamServiceConfiguration,
        credentials: some CredentialSource,
        upstream: UpstreamClient,
        signer: RequestSigner,
        metrics registry: MetricRegistry,
        logger: Logger
    ) {
        var logger = logger
        logger[metadataKey: LogKey.tenant] = .string(configuration.tenant)
        let metrics = ServiceMetrics(tenant: configuration.tenant, registry: registry)
        self.transport = ServiceTransport(
            region: configuration.region,
            credentials: credentials,
            upstream: upstream,
            signer: signer,
            metrics: metrics,
            logger: logger
        )
        self.endpoints = EndpointDirectory(configuration)
        self.region = configuration.region
        self.metrics = metrics
    }

    // MARK: TimestreamStore

    package func writeRecords(
        body: FrozenBytes,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) {
        _ = try await self.call(.writeRecords, .write, body: body, deadline: deadline, policy: .write)
    }

    package func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        // One token for all tries of this call: the service then runs the statement once.
        var members = [("QueryString", statement), ("ClientToken", Self.clientToken())]
        if let nextToken { members.append(("NextToken", nextToken)) }
        let answer = try await self.call(
            .query,
            .query,
            body: FrozenBytes(JSONText.object(members)),
            deadline: deadline,
            policy: .query
        )
        do throws(JSONFault) {
            return try QueryPage.parse(answer)
        } catch {
            throw TimestreamError(.malformedResponse, message: "\(error.message) at byte \(error.offset)", status: 200)
        }
    }

    package func cancelQuery(id: String) async {
        let body = FrozenBytes(JSONText.object([("QueryId", id)]))
        let once = RetryPolicy(maximumTries: 1, tryTimeout: Self.cancelTimeout)
        // Best effort: what is not cancelled ends by itself.
        _ = try? await self.call(.cancelQuery, .query, body: body, deadline: .now + Self.cancelTimeout, policy: once)
    }

    // MARK: Tries

    private func call(
        _ operation: ServiceOperation,
        _ api: ServiceAPI,
        body: FrozenBytes,
        deadline: ContinuousClock.Instant,
        policy: RetryPolicy
    ) async throws(TimestreamError) -> [UInt8] {
        var tries = 0
        while true {
            tries += 1
            let failure: TimestreamError
            do throws(TimestreamError) {
                return try await self.tryOnce(operation, api, body: body, deadline: deadline, policy: policy)
            } catch { failure = error }

            guard RetryPolicy.isRepeatable(failure),
                let wait = policy.wait(afterTries: tries, random: .random(in: 0..<1)),
                ContinuousClock.now + wait < deadline
            else { throw failure }
            do {
                try await Task.sleep(for: wait)
            } catch { throw TimestreamError(.cancelled, message: "cancelled between two tries") }
            self.metrics.retries.increment()
        }
    }

    private func tryOnce(
        _ operation: ServiceOperation,
        _ api: ServiceAPI,
        body: FrozenBytes,
        deadline: ContinuousClock.Instant,
        policy: RetryPolicy
    ) async throws(TimestreamError) -> [UInt8] {
        let url = try await self.endpoints.url(of: api) { () async throws(TimestreamError) in
            try await self.discover(api, deadline: deadline)
        }
        do throws(TimestreamError) {
            let tryDeadline = min(deadline, .now + policy.tryTimeout)
            return try await self.transport.send(operation, to: url, body: body, deadline: tryDeadline)
        } catch {
            if error.code == .invalidEndpoint || error.status == 421 { self.endpoints.invalidate(url, of: api) }
            throw error
        }
    }

    private func discover(
        _ api: ServiceAPI,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> EndpointAnswer {
        let body = try await self.transport.send(
            .describeEndpoints,
            to: api.regionalEndpoint(self.region),
            body: FrozenBytes(Array("{}".utf8)),
            deadline: min(deadline, .now + Self.discoveryTimeout)
        )
        do throws(JSONFault) {
            return try EndpointAnswer.parse(body)
        } catch {
            throw TimestreamError(.malformedResponse, message: "DescribeEndpoints: \(error.message)", status: 200)
        }
    }

    /// 128 random bits, in the 32 characters that the service wants at least.
    private static func clientToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return hexadecimal((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}
