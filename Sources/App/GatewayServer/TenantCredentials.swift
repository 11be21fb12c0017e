import Common
package import CredentialProviders
import Foundation
import Logging
import RequestSigning
package import TenantConfiguration
import UpstreamHTTP

/// What each tenant's calls are signed with: one source a tenant, so that a fault of one is no other's, even where two
/// assume the same role.
struct TenantCredentials {
    private let sources: [String: any CredentialSource]
    private let refreshing: [RefreshingCredentialSource]
    /// Metadata services are on this host or link: no proxy is asked about them. Only made where it is needed.
    private let metadataClient: UpstreamClient?

    /// Begins to fetch what has to be fetched, and waits for none of it.
    ///
    /// - Parameters:
    ///   - fixed: keys that are known already, by tenant.
    ///   - upstream: on the way to AWS.
    init(
        tenants: [TenantSettings],
        timestream: TimestreamSettings,
        fixed: [String: AccessKey],
        upstream: UpstreamClient,
        metrics: MetricRegistry,
        logger: Logger
    ) throws {
        var sources: [String: any CredentialSource] = fixed.mapValues { StaticCredentialSource($0) }
        for tenant in tenants where sources[tenant.id] == nil {
            guard case .keyPair(let id, let secret, let token) = tenant.credentials else { continue }
            let key = AccessKey(accessKeyID: id, secretAccessKey: secret, sessionToken: token)
            sources[tenant.id] = StaticCredentialSource(key)
            CredentialMetrics.showKeyPair(tenant: tenant.id, registry: metrics)
        }

        let others = tenants.filter { tenant in
            if case .caller = tenant.credentials { return false }
            return sources[tenant.id] == nil
        }
        guard !others.isEmpty else {
            (self.sources, self.refreshing, self.metadataClient) = (sources, [], nil)
            return
        }
        let environment = ProcessInfo.processInfo.environment
        let sts = SecurityTokenService(
            upstream: upstream,
            endpoint: timestream.stsEndpoint,
            environment: environment
        )
        // Its transfers would overwrite the gauges of the other's; fetches are counted by themselves.
        let metadata = try UpstreamClient(
            UpstreamConfiguration(
                caBundlePath: timestream.caBundlePath,
                connectTimeout: .seconds(1),
                maxConnectionsPerHost: 8,
                maxResponseBytes: 1 << 20
            ),
            metrics: MetricRegistry()
        )
        var refreshing: [RefreshingCredentialSource] = []
        for tenant in others {
            let surroundings = CredentialSurroundings(
                environment: environment,
                region: tenant.region,
                sessionName: String("timestream-gateway-\(tenant.id)".prefix(64)),
                sts: sts,
                metadata: metadata,
                metadataEndpoint: timestream.metadataEndpoint
            )
            let source = RefreshingCredentialSource(
                tenant: tenant.id,
                provider: tenant.credentials.provider(in: surroundings),
                metrics: metrics,
                logger: logger
            )
            source.start()
            refreshing.append(source)
            sources[tenant.id] = source
        }
        (self.sources, self.refreshing, self.metadataClient) = (sources, refreshing, metadata)
    }

    func source(of tenant: String) -> (any CredentialSource)? { self.sources[tenant] }

    /// Ends all fetching.
    func close() async {
        await withTaskGroup(of: Void.self) { group in
            for source in self.refreshing { group.addTask { await source.close() } }
        }
        await self.metadataClient?.shutdown()
    }
}

extension CredentialSettings {
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
