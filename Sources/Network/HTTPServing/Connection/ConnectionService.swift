import Common
import Logging
import NIOCore
import NIOHTTP1
import TLSTransport

/// What all connections of a listener share, and how a new one is set up.
struct ConnectionService: Sendable {
    let timeouts: HTTPTimeouts
    let tls: TLSServerContext?
    let responder: any HTTPResponder
    let executors: EventLoopExecutors
    let metrics: ListenerMetrics
    let logger: Logger
    let dates = HTTPDateSource()

    init(
        configuration: HTTPListenerConfiguration,
        responder: any HTTPResponder,
        executors: EventLoopExecutors,
        metrics: ListenerMetrics,
        logger: Logger
    ) {
        self.timeouts = configuration.timeouts
        self.tls = configuration.tls
        self.responder = responder
        self.executors = executors
        self.metrics = metrics
        self.logger = logger
    }

    /// Adds a new connection's handlers; on its event loop.
    func configure(_ channel: any Channel) throws {
        let address = channel.remoteAddress.map(SocketAddressText.make) ?? "unknown"
        try self.addHTTP1(to: channel, peer: Peer(address: address, isEncrypted: false, identity: nil))
    }

    private func addHTTP1(to channel: any Channel, peer: Peer) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = HTTPLimits.headerBytes
        limits.maxHeaderListSize = HTTPLimits.headerBytes
        limits.maxHeaderFieldCount = HTTPLimits.headerFields
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(HTTP1InputGate())
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limits)))
        try pipeline.addHandler(HTTP1ConnectionHandler(service: self, peer: peer, eventLoop: channel.eventLoop))
    }
}
