import NIOCore

/// Throws away what a peer sends once we have ended our side of an HTTP/2 connection.
///
/// The HTTP/2 handler behind it parses nothing more after an error, but keeps every byte that it is handed (1.46): what we
/// read for the sake of the peer's last look at our GOAWAY would pile up at the speed of the network.
final class HTTP2InputGate: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var isShut = false
    private var discardedBytes = 0

    func shut() {
        self.isShut = true
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.isShut else { return context.fireChannelRead(data) }
        self.discardedBytes += self.unwrapInboundIn(data).readableBytes
        if self.discardedBytes > HTTPLimits.lingerBytes { context.close(promise: nil) }
    }
}

@available(*, unavailable)
extension HTTP2InputGate: Sendable {}
