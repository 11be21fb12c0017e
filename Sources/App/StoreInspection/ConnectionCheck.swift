import Common
import CredentialProviders
package import Logging
import RequestSigning
package import TenantConfiguration
import TimestreamService
import UpstreamHTTP

/// Looks at every tenant's store with the tenant's own credentials, and leaves no data there.
package struct ConnectionCheck: Sendable {
    /// For one tenant, with everything that it takes.
    static let timeLimit: Duration = .seconds(10)
    static let tenantsAtOnce = 8

    private let timestream: TimestreamSettings
    private let environment: [String: String]
    private let runsSelect: Bool
    private let logger: Logger

    /// - Parameters:
    ///   - environment: where credentials are looked for.
    ///   - runsSelect: whether the permission to read is proven by a `SELECT` also where a free statement was answered.
    ///   - logger: for what the client has to say; what is found is not logged.
    package init(
        timestream: TimestreamSettings,
        environment: [String: String],
        runsSelect: Bool,
        logger: Logger
    ) {
        self.timestream = timestream
        self.environment = environment
        self.runsSelect = runsSelect
        self.logger = logger
    }

    /// - Returns: one finding for each tenant, in their order.
    /// - Throws: if no call can be made at all, such as for a CA bundle that cannot be used.
    package func run(_ tenants: [TenantSettings]) async throws -> [TenantFinding] {
        let metrics = MetricRegistry()
        let upstream = try UpstreamClient(
            UpstreamConfiguration(caBundlePath: self.timestream.caBundlePath, proxy: self.timestream.proxy),
            metrics: metrics
        )
        // Metadata services are on this host or link: no proxy is asked about them.
        let metadata = try UpstreamClient(
            UpstreamConfiguration(
                caBundlePath: self.timestream.caBundlePath,
                connectTimeout: .seconds(1),
                maxResponseBytes: 1 << 20
            ),
            metrics: MetricRegistry()
        )
        let sts = SecurityTokenService(
            upstream: upstream,
            endpoint: self.timestream.stsEndpoint,
            environment: self.environment
        )
        let findings = await Self.mapped(tenants) { tenant in
            let surroundings = CredentialSurroundings(
                environment: self.environment,
                region: tenant.region,
                sessionName: String("timestream-gateway-\(tenant.id)".prefix(64)),
                sts: sts,
                metadata: metadata,
                metadataEndpoint: self.timestream.metadataEndpoint
            )
            let inspection = TenantInspection(
                tenant: tenant,
                surroundings: surroundings,
                runsSelect: self.runsSelect,
                makeClient: { key in
                    TimestreamServiceClient(
                        configuration: TimestreamServiceConfiguration(
                            tenant: tenant.id,
                            region: tenant.region,
                            writeEndpoint: tenant.writeEndpoint,
                            queryEndpoint: tenant.queryEndpoint,
                            hosts: RegionalHosts(
                                isDualStack: self.timestream.isDualStack,
                                isFIPS: self.timestream.isFIPS
                            )
                        ).withFewRetries(),
                        credentials: StaticCredentialSource(key),
                        upstream: upstream,
                        signer: RequestSigner(service: "timestream"),
                        metrics: metrics,
                        logger: self.logger
                    )
                }
            )
            return await inspection.run(deadline: .now + Self.timeLimit)
        }
        await upstream.shutdown()
        await metadata.shutdown()
        return findings
    }

    /// A few at once, so that a file of thousands of tenants is no attack on the account.
    private static func mapped(
        _ tenants: [TenantSettings],
        _ inspect: @escaping @Sendable (TenantSettings) async -> TenantFinding
    ) async -> [TenantFinding] {
        await withTaskGroup(of: (Int, TenantFinding).self) { group in
            var found: [Int: TenantFinding] = [:]
            for (index, tenant) in tenants.enumerated() {
                if index >= Self.tenantsAtOnce, let (done, finding) = await group.next() { found[done] = finding }
                group.addTask { (index, await inspect(tenant)) }
            }
            for await (index, finding) in group { found[index] = finding }
            return tenants.indices.compactMap { found[$0] }
        }
    }
}
