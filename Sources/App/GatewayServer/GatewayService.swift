import AdminConsole
import Common
import HTTPServing
import HTTPTypes
import Logging
import NIOPosix
import RequestHandling
import ServiceLifecycle
import TLSTransport
import TenantAccess
import TenantConfiguration
import TimestreamLocal
import Translator
import UnixSignals
import UpstreamHTTP

/// Returns when the service is to end. Cancellation is shutdown too: both end in the same drain.
private let gracefulShutdownOrCancellation: @Sendable () async -> Void = { try? await gracefulShutdown() }

/// Joins the parts, starts them from the store up, and ends them from the listeners down.
struct GatewayService: Service {
    let configuration: GatewayConfiguration
    let version: String
    /// Absent: the configuration is not a file's, and never changes.
    let origin: ConfigurationOrigin?
    let makeLogger: @Sendable (String) -> Logger

    func run() async throws {
        // From the first moment on: a SIGHUP that nobody waits for ends the process.
        let signals = await UnixSignalsSequence(trapping: .sighup)
        FreedMemory.boundWhatIsKept()
        let metrics = MetricRegistry()
        let logger = self.makeLogger("gateway")
        let engine = try await self.startLocalEngine(metrics)
        let upstream = try UpstreamClient(self.configuration.timestream.upstreamConfiguration, metrics: metrics)
        let credentials = TenantCredentials(
            timestream: self.configuration.timestream,
            upstream: upstream,
            metrics: metrics,
            logger: self.makeLogger("credentials")
        )
        let builder = ConfigurationBuilder(
            upstream: upstream,
            credentials: credentials,
            engine: engine?.engine,
            engineURL: engine.map { "http://\($0.listener.localAddress)" },
            metrics: metrics,
            makeLogger: self.makeLogger
        )
        let running = try await builder.build(self.configuration, from: nil, keyring: engine?.keyring)
        let responder = GatewayResponder(
            snapshot: running.snapshot,
            metrics: metrics,
            logger: self.makeLogger("http")
        )
        let data = try await HTTPListener.start(
            configuration: self.dataListenerConfiguration(running.tls, logger),
            responder: self.withTelemetry(responder, metrics),
            group: MultiThreadedEventLoopGroup.singleton,
            metrics: metrics,
            logger: self.makeLogger("listener")
        )
        let manager = ServiceManager(logger: logger)
        let reloader = self.origin.map { origin in
            Reloader(
                origin: origin,
                running: running,
                builder: builder,
                responder: responder,
                listener: data,
                state: ReloadState(hash: origin.files.hash, metrics: metrics),
                manager: manager,
                logger: self.makeLogger("reload")
            )
        }
        let admin = try await self.startAdminListener(responder, reloader, metrics)

        self.configuration.logConnections(to: logger)
        let scheme = self.configuration.server.tls == nil ? "http" : "https"
        logger.notice(
            "serving",
            metadata: [
                "version": .string(self.version),
                LogKey.listener: .string("\(scheme)://\(data.localAddress)"),
                "admin": .string(admin.map { "http://\($0.localAddress)" } ?? "none"),
                "local.engine": .string(engine.map { "http://\($0.listener.localAddress)" } ?? "none"),
                "tenants": .stringConvertible(running.tenants.count),
            ]
        )

        manager.tell(.ready(status: "serving, tenants: \(running.tenants.count)"))

        await self.serve(until: gracefulShutdownOrCancellation, reloader, signals, logger)
        logger.notice("draining")
        responder.beginDraining()
        let last = await reloader?.running ?? running
        let limit = last.configuration.server.timeouts.drain
        manager.tell(.stopping(within: limit + .seconds(15)))
        await data.drain(timeout: limit)
        await last.closeCredentials()
        await credentials.close()
        await upstream.shutdown()
        if let engine {
            await engine.listener.drain(timeout: .seconds(2))
            await engine.engine.close()
        }
        await admin?.drain(timeout: .seconds(1))
        logger.notice("stopped")
    }

    /// Takes changes of the configuration until the end comes; a reload that runs then is finished first.
    private func serve(
        until end: @escaping @Sendable () async -> Void,
        _ reloader: Reloader?,
        _ signals: UnixSignalsSequence,
        _ logger: Logger
    ) async {
        let interval = self.configuration.server.watchInterval
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                guard let reloader else {
                    for await _ in signals { logger.warning("SIGHUP: there is no file to reload") }
                    return
                }
                await reloader.watchSignals(signals)
            }
            if let reloader, let interval { group.addTask { await reloader.watchFiles(every: interval) } }
            await end()
            group.cancelAll()
        }
    }

    // MARK: Listeners

    private func withTelemetry(_ responder: GatewayResponder, _ metrics: MetricRegistry) -> any HTTPResponder {
        guard let path = self.configuration.server.telemetryPath else { return responder }
        return TelemetryResponder(path: path, metrics: metrics, rest: responder)
    }

    private func dataListenerConfiguration(_ tls: TLSServerContext?, _ logger: Logger) -> HTTPListenerConfiguration {
        let server = self.configuration.server
        let connections = OpenFiles.makeRoom(for: server.limits.maxConnections)
        if connections < server.limits.maxConnections {
            logger.warning(
                "the limit of open files (ulimit -n) allows fewer connections than server.limits.max_connections",
                metadata: [
                    "connections": .stringConvertible(connections),
                    "max_connections": .stringConvertible(server.limits.maxConnections),
                ]
            )
        }
        return HTTPListenerConfiguration(
            name: "data",
            host: server.listen.host,
            port: server.listen.port,
            tls: tls,
            maxConnections: connections,
            handshakesPerSecond: server.limits.handshakesPerSecond,
            concurrentHandshakes: server.limits.concurrentHandshakes,
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
        _ reloader: Reloader?,
        _ metrics: MetricRegistry
    ) async throws -> HTTPListener? {
        guard let address = self.configuration.server.admin.listen else { return nil }
        let console = AdminConsole(
            metrics: metrics,
            version: self.version,
            tenants: {
                responder.current.tenants.values.map(\.settings).sorted { $0.id < $1.id }.map { tenant in
                    .init(id: tenant.id, table: "\(tenant.database).\(tenant.table)", region: tenant.region)
                }
            },
            metadata: MetadataPage { tenant, metric in
                responder.current.tenants[tenant]?.metadata.entries(of: metric).map { entry in
                    .init(metric: entry.metric, type: entry.kind.rawValue, help: entry.help, unit: entry.unit)
                }
            },
            host: address.host,
            isLoopback: address.isLoopback,
            door: { head, peer in await responder.operatorEntry(head, peer) },
            reloading: reloader.map { self.reloading($0) },
            isReady: { responder.isReady }
        )
        return try await HTTPListener.start(
            configuration: HTTPListenerConfiguration(
                name: "admin",
                host: address.host,
                port: address.port,
                maxConnections: 256
            ),
            responder: console,
            group: MultiThreadedEventLoopGroup.singleton,
            metrics: metrics,
            logger: self.makeLogger("admin")
        )
    }

    private func reloading(_ reloader: Reloader) -> AdminConsole.Reloading {
        var reloading = AdminConsole.Reloading(status: { reloader.state.status }, trigger: nil)
        if self.configuration.server.admin.reload {
            reloading.trigger = {
                await reloader.reload(.request)
                return reloader.state.status
            }
        }
        return reloading
    }

    // MARK: Stores

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
        return RunningEngine(engine: engine, listener: listener, keyring: keyring)
    }
}

extension GatewayResponder {
    /// Whether a request may see the operators' pages, by the configuration in use.
    fileprivate func operatorEntry(_ head: HTTPRequest, _ peer: Peer) async -> AdminConsole.Entry {
        let access = self.current.access
        guard access.admitsOperators else { return .unguarded }
        do throws(AccessRefusal) {
            try await access.proveOperator(head, peer: peer)
            return .proven
        } catch {
            return .refused(.refusal(error, error.message))
        }
    }
}

extension TimestreamSettings {
    /// The way to AWS.
    var upstreamConfiguration: UpstreamConfiguration {
        UpstreamConfiguration(caBundlePath: self.caBundlePath, proxy: self.proxy)
    }
}
