import Common
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOTLS
import TLSTransport

/// What all connections of a listener share, and how a new one is set up.
struct ConnectionService: Sendable {
    let timeouts: HTTPTimeouts
    let tls: TLSContextSource?
    /// Absent without TLS.
    let handshakes: HandshakeAdmission?
    let responder: any HTTPResponder
    let executors: EventLoopExecutors
    let metrics: ListenerMetrics
    let logger: Logger
    let dates = HTTPDateSource()
    private let listWarning = RareWarning()

    init(
        configuration: HTTPListenerConfiguration,
        responder: any HTTPResponder,
        executors: EventLoopExecutors,
        handshakes: HandshakeAdmission?,
        metrics: ListenerMetrics,
        logger: Logger
    ) {
        self.timeouts = configuration.timeouts
        self.tls = configuration.tls
        self.handshakes = handshakes
        self.responder = responder
        self.executors = executors
        self.metrics = metrics
        self.logger = logger
    }

    /// Adds a new connection's handlers; on its event loop.
    func configure(_ channel: any Channel) throws {
        let address = channel.remoteAddress.map(SocketAddressText.make) ?? "unknown"
        guard let tls = self.tls else {
            return try self.addHTTP1(to: channel, peer: ConnectionPeer(address: address))
        }
        let id = ObjectIdentifier(channel)
        let handler = try TLSHandler(source: tls, handshakeTimeout: self.timeouts.handshake) {
            result,
            detail,
            duration in
            self.handshakes?.ended(id)
            self.metrics.handshake(result, duration)
            if result == .revocationListExpired, self.listWarning.isDue() {
                self.logger.warning(
                    "client certificates are refused: their CA's revocation list is past its next update",
                    metadata: [
                        LogKey.peerAddress: .string(address),
                        "detail": .string(detail),
                        "remedy": "fetch the CA's current list into the file that crl names",
                    ]
                )
            }
            self.logger.debug(
                "tls handshake",
                metadata: [
                    LogKey.peerAddress: .string(address),
                    "result": .string(result.rawValue),
                    "detail": .string(detail),
                    LogKey.durationSeconds: .stringConvertible(duration / .seconds(1)),
                ]
            )
        }
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandlers([
            handler,
            ApplicationProtocolNegotiationHandler { result, channel in
                channel.eventLoop.makeCompletedFuture {
                    let peer = ConnectionPeer(address: address, tls: bound.value)
                    switch result {
                    case .negotiated("h2"): try self.addHTTP2(to: channel, peer: peer)
                    case .negotiated, .fallback: try self.addHTTP1(to: channel, peer: peer)
                    }
                }
            },
        ])
    }

    private func addHTTP1(to channel: any Channel, peer: ConnectionPeer) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = HTTPLimits.headerBytes
        limits.maxHeaderListSize = HTTPLimits.headerBytes
        limits.maxHeaderFieldCount = HTTPLimits.headerFields
        // `AnswerHead` and who writes it frame answers: the encoder's own choice is wrong for HEAD and for HTTP/1.0.
        var framing = HTTPResponseEncoder.Configuration()
        framing.automaticallySetFramingHeaders = false
        try channel.pipeline.syncOperations.addHandlers([
            HTTPResponseEncoder(configuration: framing),
            HTTP1InputGate(),
            ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limits)),
            HTTP1ConnectionHandler(service: self, peer: peer, eventLoop: channel.eventLoop),
        ])
    }

    /// Adds the handlers of an HTTP/2 connection, behind whatever makes its bytes.
    func addHTTP2(to channel: any Channel, peer: ConnectionPeer) throws {
        let input = HTTP2InputGate()
        let frames = HTTP2FrameObserver()
        try channel.pipeline.syncOperations.addHandlers([
            input,
            NIOHTTP2Handler(
                mode: .server,
                frameDelegate: frames,
                connectionConfiguration: HTTP2Limits.connection,
                streamConfiguration: HTTP2Limits.stream
            ),
            HTTP2ConnectionHandler(
                service: self,
                peer: peer,
                input: input,
                frames: frames,
                eventLoop: channel.eventLoop
            ),
        ])
    }
}
