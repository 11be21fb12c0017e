import Common
import CredentialProviders
import Logging
import RequestHandling
import RequestSigning
import TLSTransport
import TenantAccess
import TenantConfiguration
import TimestreamLocal
import TimestreamModel
import TimestreamService
import UpstreamHTTP

/// Makes what serves a configuration, out of what serves the one before.
///
/// A tenant that is served as before keeps its service, with what it knows of its table; one whose limits or mapping
/// changed keeps its stores and credentials.
struct ConfigurationBuilder: Sendable {
    let upstream: UpstreamClient
    let credentials: TenantCredentials
    /// Absent with Amazon's own service.
    let engine: LocalEngine?
    /// Of the local engine's listener.
    let engineURL: String?
    let metrics: MetricRegistry
    let makeLogger: @Sendable (String) -> Logger

    /// With so many tenants at most, all are ready before the first request: credentials are fetched and their faults
    /// told, and every metric is there at zero. Of more, a tenant is made ready by its first request, since each takes
    /// 50 KB and a third of a millisecond.
    private static let mostTenantsMadeAtStart = 256

    /// The files of a configuration changed while it was made.
    struct ChangedMeanwhile: Error, CustomStringConvertible {
        var description: String { "the files changed while they were loaded\n  fix: load them again" }
    }

    /// - Parameters:
    ///   - previous: untouched unless this returns.
    ///   - isUnchanged: whether all files still say what the configuration was made of.
    func build(
        _ configuration: GatewayConfiguration,
        from previous: RunningConfiguration?,
        keyring made: LocalKeyring? = nil,
        isUnchanged: @Sendable () async -> Bool = { true }
    ) async throws -> RunningConfiguration {
        let tls = try await Blocking.run {
            Result { () throws(TLSConfigurationError) in
                try Self.tlsContext(of: configuration, replacing: previous?.tls)
            }
        }.get()
        let keyring = self.engine.map { _ in
            made ?? LocalKeyring(tenants: configuration.tenants, previous: previous?.keyring)
        }
        try await self.engine?.ensureTables(
            configuration.tenants.map { TableName(database: $0.database, table: $0.table) }
        )
        try self.credentials.prepare(for: configuration.tenants)

        var tenants: [String: RunningTenant] = [:]
        for settings in configuration.tenants {
            tenants[settings.id] = self.tenant(
                settings,
                localKey: keyring?.keys[settings.id],
                timestream: configuration.timestream,
                previous?.tenants[settings.id]
            )
        }
        guard await isUnchanged() else { throw ChangedMeanwhile() }
        // Last, because it hands on what the previous one counts: nothing may fail after it.
        let access = try await Blocking.run { [metrics = self.metrics] in
            Result { () throws(ConfigurationProblems) in
                try AccessControl(
                    configuration: configuration,
                    metrics: metrics,
                    previous: previous?.snapshot.access
                )
            }
        }.get()
        self.giveKeys(of: configuration.tenants, keyring, previous)
        if configuration.tenants.count <= Self.mostTenantsMadeAtStart {
            access.showMetrics()
            for tenant in tenants.values { tenant.service.prepare() }
        }
        return RunningConfiguration(
            configuration: configuration,
            keyring: keyring,
            tenants: tenants,
            snapshot: GatewaySnapshot(access: access, tenants: tenants.values.map(\.service)),
            tls: tls
        )
    }

    // MARK: TLS

    private static func tlsContext(
        of configuration: GatewayConfiguration,
        replacing previous: TLSServerContext?
    ) throws(TLSConfigurationError) -> TLSServerContext? {
        guard let settings = configuration.server.tls else { return nil }
        let certificates = configuration.tenants.compactMap(\.authentication.clientCertificate)
        var tls = try TLSServerConfiguration(
            certificateChainPath: settings.certificatePath,
            privateKeyPath: settings.privateKeyPath,
            clientCAPath: settings.clientCAPath,
            additionalCAPaths: Array(Set(certificates.compactMap(\.caPath))).sorted(),
            clientAuthentication: settings.clientAuthentication.rawValue,
            minimumVersion: settings.minimumVersion.rawValue,
            crlPath: settings.certificateRevocationListPath
        )
        tls.furtherCertificates = settings.furtherCertificates.map { files in
            .init(certificateChainPath: files.certificatePath, privateKeyPath: files.privateKeyPath)
        }
        tls.cipherSuites = settings.cipherSuites
        tls.groups = settings.groups
        tls.sessionTickets = settings.sessionTickets
        tls.additionalCRLPaths = Array(Set(certificates.compactMap(\.crlPath))).sorted()
        return try TLSServerContext(tls, replacing: previous)
    }

    // MARK: Tenants

    /// The engine knows the keys of both configurations until the next one: requests under way end with theirs.
    private func giveKeys(
        of tenants: [TenantSettings],
        _ keyring: LocalKeyring?,
        _ previous: RunningConfiguration?
    ) {
        guard let engine, let keyring else { return }
        var keys = keyring.engineKeys(of: tenants)
        if let previous { keys += previous.keyring?.engineKeys(of: previous.configuration.tenants) ?? [] }
        engine.replaceKeys(with: keys)
    }

    private func tenant(
        _ settings: TenantSettings,
        localKey: AccessKey?,
        timestream: TimestreamSettings,
        _ previous: RunningTenant?
    ) -> RunningTenant {
        if let previous, previous.hasStores(for: settings, localKey: localKey) {
            if previous.isServed(by: settings) { return previous }
            // Not all of the previous one, which would keep the one before it in turn.
            let access = previous.access
            var tenant = previous
            tenant.service = TenantService(
                settings: settings,
                stores: { access.value.stores },
                metrics: self.metrics,
                previous: previous.service
            )
            return tenant
        }
        let access = Deferred {
            let source = self.credentials.makeSource(of: settings, fixed: localKey)
            return RunningTenant.Access(
                stores: self.makeStores(settings, source, timestream),
                credentials: source
            )
        }
        return RunningTenant(
            service: TenantService(
                settings: settings,
                stores: { access.value.stores },
                metrics: self.metrics,
                previous: previous?.service
            ),
            access: access,
            localKey: localKey
        )
    }

    private func makeStores(
        _ tenant: TenantSettings,
        _ source: (any CredentialSource)?,
        _ timestream: TimestreamSettings
    ) -> TenantStores {
        let signer = RequestSigner(service: "timestream")
        let hosts = RegionalHosts(isDualStack: timestream.isDualStack, isFIPS: timestream.isFIPS)
        let logger = self.makeLogger("timestream")
        let makeStore: @Sendable (any CredentialSource) -> any TimestreamStore = { source in
            let client = TimestreamServiceClient(
                configuration: TimestreamServiceConfiguration(
                    tenant: tenant.id,
                    region: tenant.region,
                    writeEndpoint: tenant.writeEndpoint ?? self.engineURL,
                    queryEndpoint: tenant.queryEndpoint ?? self.engineURL,
                    hosts: hosts,
                    maxWriteRetries: tenant.retries.maxWriteRetries,
                    maxQueryRetries: tenant.retries.maxReadRetries
                ),
                credentials: source,
                upstream: self.upstream,
                signer: signer,
                metrics: self.metrics,
                logger: logger
            )
            return tenant.storeThatMakesTable(client, metrics: self.metrics, logger: logger) ?? client
        }
        guard let source else {
            return .ofCallers { keys in
                let key = AccessKey(accessKeyID: keys.accessKeyID, secretAccessKey: keys.secretAccessKey)
                return makeStore(StaticCredentialSource(key))
            }
        }
        return .own(makeStore(source))
    }
}
