import Common
import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import TestSupport

@testable import HTTPServing

/// HTTP/2 without TLS, for clients that write frames by hand; the listener itself speaks HTTP/2 only by ALPN.
struct PlainHTTP2Server: Sendable {
    let address: String
    let metrics: MetricRegistry
    private let channel: any Channel
    private let connections: Notes<any Channel>

    static func with(
        timeouts: HTTPTimeouts = HTTPTimeouts(),
        handler: @escaping @Sendable (IncomingRequest) async -> OutgoingResponse = TestServer.echo,
        _ body: @escaping @Sendable (PlainHTTP2Server) throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let metrics = MetricRegistry()
        let service = ConnectionService(
            configuration: HTTPListenerConfiguration(name: "test", host: "127.0.0.1", port: 0, timeouts: timeouts),
            responder: TestResponder(handler: handler),
            executors: EventLoopExecutors(group),
            handshakes: nil,
            metrics: ListenerMetrics(metrics, listener: "test", isEncrypted: false),
            logger: TestServer.silentLogger
        )
        let connections = Notes<any Channel>()
        let channel = try await ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                connections.add(channel)
                return channel.eventLoop.makeCompletedFuture {
                    try service.addHTTP2(to: channel, peer: ConnectionPeer(address: "-"))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = PlainHTTP2Server(
            address: channel.localAddress.map(SocketAddressText.make) ?? "",
            metrics: metrics,
            channel: channel,
            connections: connections
        )
        let result: Result<Void, any Error>
        do {
            result = .success(try await blocking { try body(server) })
        } catch {
            result = .failure(error)
        }
        for connection in connections.all { try? await connection.close() }
        try await channel.close()
        try result.get()
    }

    func drain() {
        for connection in self.connections.all {
            connection.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    func faults(_ reason: PeerFault) -> Int? {
        let series = "gateway_listener_peer_faults_total{listener=\"test\",reason=\"\(reason.rawValue)\"} "
        return self.metrics.exposition().split(separator: "\n").first { $0.hasPrefix(series) }
            .flatMap { Int($0.dropFirst(series.count)) }
    }
}
