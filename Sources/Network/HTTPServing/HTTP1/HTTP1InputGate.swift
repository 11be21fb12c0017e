import NIOCore

/// Feeds the HTTP/1 decoder in slices, and only when somebody behind it asks to read.
///
/// The decoder takes all it is given, whatever stands in it; so what it is given is bounded here: bytes that nobody has
/// asked for stay bytes, and a run of tiny pipelined requests does not become thousands of request heads.
final class HTTP1InputGate: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// More arrived than is held for a peer whom nobody reads. SwiftNIO reads all that is left once the peer has ended its
    /// side, asked or not, so an end of input can bring as much as the socket's receive buffer holds.
    struct Overflow: Error {}

    private var held = CircularBuffer<ByteBuffer>()
    private var heldBytes = 0
    /// Somebody has asked to read and has not been given anything since.
    private var isWanted = false
    private var isFeeding = false
    private var isOverflown = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = self.unwrapInboundIn(data)
        guard !self.isOverflown else { return }
        self.held.append(buffer)
        self.heldBytes += buffer.readableBytes
        self.feed(context)
        if self.heldBytes > HTTPLimits.heldInput {
            self.isOverflown = true
            self.held.removeAll()
            self.heldBytes = 0
            context.fireErrorCaught(Overflow())
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        self.isWanted = true
        guard !self.isFeeding else { return }
        if self.held.isEmpty { return context.read() }
        if self.feed(context) { context.fireChannelReadComplete() }
    }

    /// Hands on slices for as long as they are asked for; then asks the peer, if more is wanted.
    @discardableResult
    private func feed(_ context: ChannelHandlerContext) -> Bool {
        guard !self.isFeeding else { return false }
        self.isFeeding = true
        var hasFed = false
        while self.isWanted, !self.held.isEmpty {
            let length = min(self.held[self.held.startIndex].readableBytes, HTTPLimits.inputSlice)
            let slice = self.held[self.held.startIndex].readSlice(length: length)
            if self.held[self.held.startIndex].readableBytes == 0 { self.held.removeFirst() }
            self.heldBytes -= length
            guard let slice, length > 0 else { continue }
            self.isWanted = false
            hasFed = true
            context.fireChannelRead(self.wrapInboundOut(slice))
        }
        self.isFeeding = false
        if self.isWanted { context.read() }
        return hasFed
    }
}

@available(*, unavailable)
extension HTTP1InputGate: Sendable {}
