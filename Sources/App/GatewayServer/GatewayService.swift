import AdminConsole
import Common
import CredentialProviders
import HTTPServing
import Logging
import NIOPosix
import RequestHandling
import RequestSigning
import ServiceLifecycle
import TLSTransport
import TenantAccess
import TenantConfiguration
import TimestreamLocal
import TimestreamModel
import TimestreamService
import Translator
import UpstreamHTTP

/// Joins the parts, starts them from the store up, and ends them from the listeners down.
struct GatewayService: Service {
    let configuration: GatewayConfiguration
    let version: String
    let makeLogger: @Sendable (String) -> Logger

    func run() async throws {
        let metrics = MetricRegistry()
        let logger = self.makeLogger("gateway")
        let group = MultiThreadedEventLoopGroup.singleton

        let engine = try await self.startLocalEngine(metrics)
        let upstream = try UpstreamClient(self.upstreamConfiguration, metrics: metrics)
        let access = try AccessControl(configuration: self.configuration, metrics: metrics)
        let credentials = try TenantCredentials(
            tenants: self.configuration.tenants,
            timestream: self.configuration.timestream,
            fixed: engine?.keyring.keys ?? [:],
            upstream: upstream,
            metrics: metrics,
            logger: self.makeLogger("credentials")
        )
        let stores = self.makeStores(engine: engine, credentials: credentials, upstream: upstream, metrics: metrics)
        let tenants = self.configuration.tenants.compactMap { settings in
            stores[settings.id].map { TenantService(settings: settings, stores: $0, metrics: metrics) }
        }
        let responder = GatewayResponder(
            access: access,
            tenants: tenants,
            metrics: metrics,
            logger: self.makeLogger("http")
        )
        let data = try await HTTPListener.start(
            configuration: try self.dataListenerConfiguration(),
            responder: self.withTelemetry(responder, metrics),
            group: group,
            metrics: metrics,
            logger: self.makeLogger("listener")
        )
        let admin = try await self.startAdminListener(responder, tenants, metrics)

        self.configuration.logConnections(to: logger)
        let scheme = self.configuration.server.tls == nil ? "http" : "https"
        logger.notice(
            "serving",
            metadata: [
                "version": .string(self.version),
                LogKey.listener: .string("\(scheme)://\(data.localAddress)"),
                "admin": .string(admin.map { "http://\($0.localAddress)" } ?? "none"),
                "local.engine": .string(engine.map { "http://\($0.listener.localAddress)" } ?? "none"),
                "tenants": .stringConvertible(tenants.count),
            ]
        )

        // Cancellation is shutdown too: both end in the same drain.
        try? await gracefulShutdown()
        logger.notice("draining")
        responder.beginDraining()
        await data.drain(timeout: self.configuration.server.timeouts.drain)
        await credentials.close()
        await upstream.shutdown()
        if let engine {
            await engine.listener.drain(timeout: .seconds(2))
            await engine.engine.close()
        }
        await admin?.drain(timeout: .seconds(1))
        logger.notice("stopped")
    }

    // MARK: Listeners

    private func withTelemetry(_ responder: GatewayResponder, _ metrics: MetricRegistry) -> any HTTPResponder {
        guard let path = self.configuration.server.telemetryPath else { return responder }
        return TelemetryResponder(path: path, metrics: metrics, rest: responder)
    }

    private func dataListenerConfiguration() throws -> HTTPListenerConfiguration {
        let server = self.configuration.server
        let tenantCAs = self.configuration.tenants.compactMap(\.authentication.clientCertificate?.caPath)
        let tls = try server.tls.map { settings in
            try TLSServerContext(
                TLSServerConfiguration(
                    certificateChainPath: settings.certificatePath,
                    privateKeyPath: settings.privateKeyPath,
                    clientCAPath: settings.clientCAPath,
                    additionalCAPaths: Array(Set(tenantCAs)).sorted(),
                    clientAuthentication: settings.clientAuthentication.rawValue,
                    minimumVersion: settings.minimumVersion.rawValue,
                    crlPath: settings.certificateRevocationListPath
                )
            )
        }
        return HTTPListenerConfiguration(
            name: "data",
            host: server.listen.host,
            port: server.listen.port,
            tls: tls,
            maxConnections: server.limits.maxConnections,
            handshakesPerSecond: server.limits.handshakesPerSecond,
            timeouts: HTTPTimeouts(
                handshake: server.timeouts.handshake,
                header: server.timeouts.header,
                body: server.timeouts.body,
                idle: server.timeouts.idle
            )
        )
    }

    private func startAdminListener(
        _ responder: GatewayResponder,
        _ tenants: [TenantService],
        _ metrics: MetricRegistry
    ) async throws -> HTTPListener? {
        guard let address = self.configuration.server.admin.listen else { return nil }
        let kept = Dictionary(uniqueKeysWithValues: tenants.map { ($0.settings.id, $0.metadata) })
        let console = AdminConsole(
            metrics: metrics,
            version: self.version,
            tenants: self.configuration.tenants.map { tenant in
                .init(id: tenant.id, table: "\(tenant.database).\(tenant.table)", region: tenant.region)
            },
            metadata: MetadataPage { tenant, metric in
                kept[tenant]?.entries(of: metric).map { entry in
                    .init(metric: entry.metric, type: entry.kind.rawValue, help: entry.help, unit: entry.unit)
                }
            },
            host: address.host,
            isLoopback: address.isLoopback,
            isReady: { responder.isReady }
        )
        return try await HTTPListener.start(
            configuration: HTTPListenerConfiguration(name: "admin", host: address.host, port: address.port),
            responder: console,
            group: MultiThreadedEventLoopGroup.singleton,
            metrics: metrics,
            logger: self.makeLogger("admin")
        )
    }

    // MARK: Stores

    var upstreamConfiguration: UpstreamConfiguration {
        UpstreamConfiguration(
            caBundlePath: self.configuration.timestream.caBundlePath,
            proxy: self.configuration.timestream.proxy
        )
    }

    /// The embedded engine and its listener.
    struct RunningEngine {
        var engine: LocalEngine
        var listener: HTTPListener
        var keyring: LocalKeyring
    }

    private func startLocalEngine(_ metrics: MetricRegistry) async throws -> RunningEngine? {
        guard case .local(let settings) = self.configuration.timestream.backend else { return nil }
        let keyring = LocalKeyring(tenants: self.configuration.tenants)
        let (engine, listener) = try await LocalServer.start(
            host: settings.listen.host,
            port: settings.listen.port,
            directory: settings.directory,
            keys: keyring.engineKeys(of: self.configuration.tenants),
            pageRows: nil,
            metrics: metrics,
            logger: self.makeLogger("local")
        )
        for tenant in self.configuration.tenants {
            try await engine.ensureTable(TableName(database: tenant.database, table: tenant.table))
        }
        return RunningEngine(engine: engine, listener: listener, keyring: keyring)
    }

    func makeStores(
        engine: RunningEngine?,
        credentials: TenantCredentials,
        upstream: UpstreamClient,
        metrics: MetricRegistry
    ) -> [String: TenantStores] {
        let signer = RequestSigner(service: "timestream")
        let timestream = self.configuration.timestream
        let hosts = RegionalHosts(isDualStack: timestream.isDualStack, isFIPS: timestream.isFIPS)
        let engineURL = engine.map { "http://\($0.listener.localAddress)" }
        let logger = self.makeLogger("timestream")
        var stores: [String: TenantStores] = [:]
        for tenant in self.configuration.tenants {
            let makeStore: @Sendable (any CredentialSource) -> any TimestreamStore = { source in
                let client = TimestreamServiceClient(
                    configuration: TimestreamServiceConfiguration(
                        tenant: tenant.id,
                        region: tenant.region,
                        writeEndpoint: tenant.writeEndpoint ?? engineURL,
                        queryEndpoint: tenant.queryEndpoint ?? engineURL,
                        hosts: hosts,
                        maxWriteRetries: tenant.retries.maxWriteRetries,
                        maxQueryRetries: tenant.retries.maxReadRetries
                    ),
                    credentials: source,
                    upstream: upstream,
                    signer: signer,
                    metrics: metrics,
                    logger: logger
                )
                return tenant.storeThatMakesTable(client, metrics: metrics, logger: logger) ?? client
            }
            if case .caller = tenant.credentials {
                stores[tenant.id] = .ofCallers { keys in
                    let key = AccessKey(accessKeyID: keys.accessKeyID, secretAccessKey: keys.secretAccessKey)
                    return makeStore(StaticCredentialSource(key))
                }
            } else {
                stores[tenant.id] = credentials.source(of: tenant.id).map { .own(makeStore($0)) }
            }
        }
        return stores
    }
}
