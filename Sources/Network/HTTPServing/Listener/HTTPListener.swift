package import Common
package import Logging
package import NIOCore
import NIOPosix
package import TLSTransport

/// A listening socket and the connections that came through it.
package final class HTTPListener: Sendable {
    private let channel: any Channel
    private let registry: ConnectionRegistry
    private let tls: TLSContextSource?
    private let logger: Logger

    /// Where it listens, `127.0.0.1:9201`; with the real port when 0 was asked for.
    package let localAddress: String

    private init(channel: any Channel, registry: ConnectionRegistry, tls: TLSContextSource?, logger: Logger) {
        self.channel = channel
        self.registry = registry
        self.tls = tls
        self.logger = logger
        self.localAddress = channel.localAddress.map(SocketAddressText.make) ?? ""
    }

    /// Binds, and serves from then on.
    ///
    /// - Parameters:
    ///   - responder: answers every request, on the event loop of the request's connection.
    ///   - group: where connections live; not shut down by the listener.
    /// - Throws: what `bind` says: the port is in use, the host has no such address.
    package static func start(
        configuration: HTTPListenerConfiguration,
        responder: any HTTPResponder,
        group: any EventLoopGroup,
        metrics: MetricRegistry,
        logger: Logger
    ) async throws -> HTTPListener {
        var logger = logger
        logger[metadataKey: LogKey.listener] = .string(configuration.name)
        let listenerMetrics = ListenerMetrics(
            metrics,
            listener: configuration.name,
            isEncrypted: configuration.tls != nil
        )
        let registry = ConnectionRegistry(limit: configuration.maxConnections, metrics: listenerMetrics)
        let handshakes = configuration.tls.map { _ in
            HandshakeAdmission(
                limits: .init(
                    perSecond: configuration.handshakesPerSecond,
                    concurrent: configuration.concurrentHandshakes
                ),
                metrics: listenerMetrics
            )
        }
        let service = ConnectionService(
            configuration: configuration,
            responder: responder,
            executors: EventLoopExecutors(group),
            handshakes: handshakes,
            metrics: listenerMetrics,
            logger: logger
        )
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptGate(
                            registry: registry,
                            handshakes: handshakes,
                            metrics: listenerMetrics,
                            logger: logger
                        )
                    )
                }
            }
            // Handlers ask for every read, so that nothing is read that nobody wants yet.
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try service.configure(channel) }
            }
        let channel = try await Self.bind(bootstrap, configuration)
        if let tls = configuration.tls {
            let sweep = channel.eventLoop.scheduleRepeatedTask(initialDelay: .minutes(1), delay: .minutes(1)) { _ in
                tls.dropOldTicketKeys()
            }
            channel.closeFuture.whenComplete { _ in sweep.cancel() }
        }
        return HTTPListener(channel: channel, registry: registry, tls: configuration.tls, logger: logger)
    }

    /// The `Peer.trustGeneration` of requests that come once `replaceTLS` has taken this context.
    package func trustGeneration(with context: TLSServerContext) -> Int {
        self.tls?.trustGeneration(with: context) ?? 0
    }

    /// Takes a new TLS context for the connections that come; those that are open stay.
    ///
    /// If it trusts other clients than the one before, every open connection's certificate is verified again before its next
    /// request. Where it fails, the connection ends after what it is about.
    package func replaceTLS(with context: TLSServerContext) {
        guard let tls, tls.replace(with: context) else { return }
        self.registry.tell(TLSTrustChangedEvent())
    }

    /// No host means every interface, of both IP versions where this machine has both.
    private static func bind(
        _ bootstrap: ServerBootstrap,
        _ configuration: HTTPListenerConfiguration
    ) async throws -> any Channel {
        guard configuration.host.isEmpty else {
            return try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
        }
        do {
            return try await bootstrap.bind(host: "::", port: configuration.port).get()
        } catch let error as IOError where [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) {
            return try await bootstrap.bind(host: "0.0.0.0", port: configuration.port).get()
        }
    }

    /// Stops accepting, lets requests under way finish, and releases the port.
    ///
    /// Idle connections close at once; HTTP/1.1 answers under way carry `Connection: close`, HTTP/2 connections get GOAWAY.
    ///
    /// - Parameter timeout: after this long whatever is still open is cut, and its tasks are cancelled.
    package func drain(timeout: Duration) async {
        try? await self.channel.close()
        self.registry.quiesce()
        let cut = self.channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            self.logger.warning("drain timed out; closing the connections that are left")
            self.registry.closeAll()
        }
        await self.registry.untilEmpty()
        cut.cancel()
    }
}

/// Socket addresses as log lines and URLs write them.
enum SocketAddressText {
    static func make(_ address: SocketAddress) -> String {
        let port = address.port ?? 0
        switch address {
        case .v4: return "\(address.ipAddress ?? ""):\(port)"
        case .v6: return "[\(address.ipAddress ?? "")]:\(port)"
        case .unixDomainSocket: return address.pathname ?? ""
        }
    }
}
