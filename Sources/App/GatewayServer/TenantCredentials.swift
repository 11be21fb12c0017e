import Common
package import CredentialProviders
import FoundationEssentials
import Logging
import RequestSigning
package import TenantConfiguration
import TimestreamModel
import UpstreamHTTP

/// Makes what each tenant's calls are signed with: one source a tenant, so that a fault of one is no other's, even where
/// two assume the same role.
final class TenantCredentials: Sendable {
    private let timestream: TimestreamSettings
    private let upstream: UpstreamClient
    private let metrics: MetricRegistry
    private let logger: Logger
    private let environment = ProcessInfo.processInfo.environment
    /// Metadata services are on this host or link: no proxy is asked about them. Only made where it is needed.
    private let metadataClient = Locked<UpstreamClient?>(nil)

    /// - Parameter upstream: on the way to AWS.
    init(timestream: TimestreamSettings, upstream: UpstreamClient, metrics: MetricRegistry, logger: Logger) {
        self.timestream = timestream
        self.upstream = upstream
        self.metrics = metrics
        self.logger = logger
    }

    /// Makes what is needed to fetch the credentials of these tenants. Once, before `makeSource` for any of them.
    func prepare(for tenants: [TenantSettings]) throws {
        guard tenants.contains(where: { $0.credentials.areFetched }) else { return }
        let caBundlePath = self.timestream.caBundlePath
        try self.metadataClient.withLock { client in
            guard client == nil else { return }
            // Its transfers would overwrite the gauges of the other's; fetches are counted by themselves.
            client = try UpstreamClient(
                UpstreamConfiguration(
                    caBundlePath: caBundlePath,
                    connectTimeout: .seconds(1),
                    maxConnectionsPerHost: 8,
                    maxResponseBytes: 1 << 20
                ),
                metrics: MetricRegistry()
            )
        }
    }

    /// Begins to fetch what has to be fetched, and waits for none of it.
    ///
    /// - Parameter fixed: the tenant's key, if it is known already.
    /// - Returns: nil where each caller brings keys of its own.
    func makeSource(of tenant: TenantSettings, fixed: AccessKey?) -> (any CredentialSource)? {
        if let fixed { return StaticCredentialSource(fixed) }
        switch tenant.credentials {
        case .caller: return nil
        case .keyPair(let id, let secret, let token):
            CredentialMetrics.showKeyPair(tenant: tenant.id, registry: self.metrics)
            return StaticCredentialSource(
                AccessKey(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
            )
        case .generated, .profile, .found, .role: break
        }
        guard let metadata = self.metadataClient.withLock({ $0 }) else {
            preconditionFailure("prepared for all tenants whose credentials are fetched")
        }
        let sts = SecurityTokenService(
            upstream: self.upstream,
            endpoint: self.timestream.stsEndpoint,
            environment: self.environment
        )
        let surroundings = CredentialSurroundings(
            environment: self.environment,
            region: tenant.region,
            sessionName: String("timestream-gateway-\(tenant.id)".prefix(64)),
            sts: sts,
            metadata: metadata,
            metadataEndpoint: self.timestream.metadataEndpoint
        )
        let source = RefreshingCredentialSource(
            tenant: tenant.id,
            provider: tenant.credentials.provider(in: surroundings),
            metrics: self.metrics,
            logger: self.logger
        )
        source.start()
        return OwnedCredentialSource(source)
    }

    /// Ends what is left once all sources are closed.
    func close() async {
        await self.metadataClient.withLock { $0 }?.shutdown()
    }
}

/// Credentials that are fetched until nobody can ask for them any more: a tenant that was removed may still have requests
/// under way, and the last of them lets go of this.
final class OwnedCredentialSource: CredentialSource {
    private let source: RefreshingCredentialSource

    init(_ source: RefreshingCredentialSource) {
        self.source = source
    }

    deinit {
        let source = self.source
        Task { await source.close() }
    }

    func accessKey() async throws(TimestreamError) -> AccessKey { try await self.source.accessKey() }

    func accessKey(deadline: ContinuousClock.Instant) async throws(TimestreamError) -> AccessKey {
        try await self.source.accessKey(deadline: deadline)
    }

    func accessKeyWasRefused(_ key: AccessKey) { self.source.accessKeyWasRefused(key) }

    /// Ends the fetching at once, and fails all that wait.
    func close() async { await self.source.close() }
}

extension CredentialSettings {
    /// Whether they come from somewhere else than the configuration, the local engine or the caller.
    fileprivate var areFetched: Bool {
        switch self {
        case .caller, .generated, .keyPair: false
        case .profile, .found, .role: true
        }
    }

    /// Where the credentials come from; not for keys of the local engine and of callers, which are known otherwise.
    package func provider(in surroundings: CredentialSurroundings) -> any CredentialProvider {
        switch self {
        case .keyPair(let id, let secret, let token):
            KeyPairProvider(AccessKey(accessKeyID: id, secretAccessKey: secret, sessionToken: token))
        case .generated, .caller:
            preconditionFailure("keys of the local engine and of callers are known before, and are no source of a role")
        case .profile(let name): SharedFilesProvider(profile: name, in: surroundings)
        case .found(.defaultChain): DefaultChainProvider(in: surroundings)
        case .found(.environment): EnvironmentProvider(in: surroundings)
        case .found(.container): ContainerProvider(in: surroundings)
        case .found(.instance): InstanceProvider(in: surroundings)
        case .found(.webIdentity): WebIdentityProvider(in: surroundings)
        case .role(let role, let source):
            AssumeRoleProvider(
                AssumedRole(
                    arn: role.arn,
                    externalID: role.externalID,
                    sessionName: role.sessionName,
                    durationSeconds: role.duration.map { Int($0.components.seconds) },
                    tags: role.tags.map { .init(key: $0.key, value: $0.value) },
                    transitiveTagKeys: role.transitiveTagKeys
                ),
                source: source.provider(in: surroundings),
                in: surroundings
            )
        }
    }
}
