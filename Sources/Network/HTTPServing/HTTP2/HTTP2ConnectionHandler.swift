import Common
import HTTPTypes
import Logging
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One HTTP/2 connection, at the level of frames: no channel a stream, and window updates of our own.
///
/// A stream's window stays small until its body is wanted. The connection's window is opened again for every byte that
/// nobody holds back, so a stream that waits cannot stop the others.
final class HTTP2ConnectionHandler: ConnectionHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private static let drainPing = HTTP2PingData(withInteger: 0x6472_6169_6E21_0000)

    let service: ConnectionService
    let peer: ConnectionPeer
    let executor: EventLoopExecutor
    let timer: DeadlineTimer
    var context: ChannelHandlerContext?
    private let input: HTTP2InputGate
    private let frames: HTTP2FrameObserver
    private var machine = StateMachine()
    private(set) var streams: [HTTP2StreamID: HTTP2Stream] = [:]
    private var lastStreamID = HTTP2StreamID.rootStream
    private var connectionWindow = HTTP2Limits.defaultWindow
    /// What a new stream may send: the protocol's default until the peer has acknowledged our settings.
    private var firstStreamWindow = HTTP2Limits.defaultWindow
    var cancellations = CancellationBudget(limit: HTTP2Limits.cancelledStreams)
    var isFlushScheduled = false
    private var isFlushNeeded = false
    private var isReading = false

    init(
        service: ConnectionService,
        peer: ConnectionPeer,
        input: HTTP2InputGate,
        frames: HTTP2FrameObserver,
        eventLoop: any EventLoop
    ) {
        self.service = service
        self.peer = peer
        self.input = input
        self.frames = frames
        self.executor = service.executors[eventLoop]
        self.timer = DeadlineTimer(eventLoop)
    }

    // MARK: Channel events

    func begin(_ context: ChannelHandlerContext) {
        self.openConnectionWindow(context)
        context.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.machine.close()
        self.timer.stop()
        self.cancelStreams()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.machine.isServing else { return }
        self.isReading = true
        if self.machine.frameReceived() == .startIdleTimer { self.timer.set(self.service.timeouts.idle) }
        let frame = self.unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let headers): self.headersReceived(headers, on: frame.streamID, context)
        case .data(let data): self.dataReceived(data, on: frame.streamID)
        case .settings(.ack): self.settingsAcknowledged(context)
        case .ping(Self.drainPing, ack: true):
            if self.machine.drainPingAcknowledged() == .sendLastStream { self.sendGoAway(self.lastStreamID, context) }
        default: ()
        }
    }

    /// The windows of open streams change with the setting, below zero even (RFC 9113, section 6.9.2); a stream whose
    /// window was opened by the old count would stand still.
    private func settingsAcknowledged(_ context: ChannelHandlerContext) {
        let difference = HTTP2Limits.streamWindow - self.firstStreamWindow
        guard difference != 0 else { return }
        self.firstStreamWindow = HTTP2Limits.streamWindow
        for stream in self.streams.values {
            stream.inboundWindow += difference
            self.openWindow(of: stream, context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        self.flushIfNeeded(context)
        if context.channel.isWritable || self.machine.isClosing { context.read() }
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        // A peer that does not take what we send is not read from either.
        if context.channel.isWritable { context.read() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as StreamClosedEvent:
            self.streamClosed(event.streamID, event.reason, context)
        case let event as NIOHTTP2WindowUpdatedEvent:
            guard let size = event.inboundWindowSize else { break }
            if event.streamID == .rootStream {
                self.connectionWindow = size
                self.openConnectionWindow(context)
            } else if let stream = self.streams[event.streamID] {
                // Comes after the DATA frame that made the window smaller.
                stream.inboundWindow = size
                self.openWindow(of: stream, context)
            }
        case ChannelEvent.inputClosed:
            // An HTTP/2 peer that ends its side wants no answers.
            self.machine.close()
            self.cancelStreams()
            context.close(promise: nil)
        case is ChannelShouldQuiesceEvent:
            self.drain(context)
        default: ()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.service.logger.debug(
            "http2 error",
            metadata: [LogKey.peerAddress: .string(self.peer.address), "error": .string("\(error)")]
        )
        if self.frames.hasFailed { return self.fail(PeerFault(http2: error), context) }
        switch error {
        case is NIOHTTP2Errors.FlowControlViolation:
            // Windows bound what a peer can make us hold. One that does not keep to a stream's window, which counts from
            // its own acknowledgement, is not believed to keep to others (RFC 9113, section 6.9: a stream or a
            // connection error).
            self.sendGoAway(self.lastStreamID, context, .flowControlError)
            self.fail(.malformed, context)
        case is any NIOHTTP2Error, is NIOHTTP2Errors.StreamError:
            // It concerns one stream, which the HTTP/2 handler has reset.
            if self.frames.takeReset() { self.service.metrics.count(.malformed) }
        default: context.close(promise: nil)
        }
    }

    // MARK: Requests

    private func headersReceived(
        _ headers: HTTP2Frame.FramePayload.Headers,
        on id: HTTP2StreamID,
        _ context: ChannelHandlerContext
    ) {
        if let stream = self.streams[id] {
            // Trailers, which end the body and are not kept.
            if headers.endStream { stream.requestEnded() }
            return
        }
        self.lastStreamID = max(self.lastStreamID, id)
        let parsed: HTTP2RequestHead?
        var refusal: HTTP1Refusal?
        do throws(HTTP1Refusal) {
            parsed = try HTTP2RequestHead(headers.headers, isComplete: headers.endStream)
        } catch {
            parsed = nil
            refusal = error
        }
        let stream = HTTP2Stream(
            id: id,
            connection: self,
            eventLoop: context.eventLoop,
            declaredLength: parsed?.declaredLength,
            isHead: parsed?.request.method == .head,
            expectsContinue: parsed?.expectsContinue ?? false,
            isRequestComplete: headers.endStream
        )
        stream.inboundWindow = self.firstStreamWindow
        self.streams[id] = stream
        self.timer.clear()
        if headers.endStream { stream.inbox.end() }
        guard let parsed else {
            if let refusal { self.refuse(refusal, stream, context) }
            return
        }
        self.service.metrics.request(.http2)
        let request = IncomingRequest(
            head: parsed.request,
            peer: self.peer.current,
            body: StreamedBody(declaredLength: parsed.declaredLength, inbox: stream.inbox, eventLoop: context.eventLoop)
        )
        stream.task = self.run(request, for: stream, on: context.eventLoop)
    }

    private func dataReceived(_ data: HTTP2Frame.FramePayload.Data, on id: HTTP2StreamID) {
        guard let stream = self.streams[id] else { return }
        if case .byteBuffer(let buffer) = data.data, buffer.readableBytes > 0 { stream.receive(buffer) }
        if data.endStream { stream.requestEnded() }
    }

    func bodyWanted(_ stream: HTTP2Stream) {
        guard let context = self.context, self.streams[stream.id] === stream else { return }
        self.watch(stream)
        if stream.expectsContinue {
            stream.expectsContinue = false
            let head = HTTP2Frame.FramePayload.Headers(headers: [":status": "100"])
            self.write(.headers(head), on: stream.id, context)
        }
        self.openWindow(of: stream, context)
        self.openConnectionWindow(context)
        self.flushIfNeeded(context)
    }

    private func openWindow(of stream: HTTP2Stream, _ context: ChannelHandlerContext) {
        let increment = stream.windowIncrement()
        guard increment > 0 else { return }
        stream.inboundWindow += increment
        self.write(.windowUpdate(windowSizeIncrement: increment), on: stream.id, context)
    }

    func openConnectionWindow(_ context: ChannelHandlerContext) {
        guard self.machine.isServing else { return }
        // In steps, and less what streams hold that nobody has asked for.
        guard self.connectionWindow <= HTTP2Limits.connectionWindow * 3 / 4 else { return }
        let held = self.streams.values.reduce(0) { $0 + $1.inbox.heldBytes }
        let increment = HTTP2Limits.connectionWindow - held - self.connectionWindow
        guard increment >= HTTP2Limits.streamWindow else { return }
        self.connectionWindow += increment
        self.write(.windowUpdate(windowSizeIncrement: increment), on: .rootStream, context)
    }

    // MARK: Frames

    private func streamClosed(_ id: HTTP2StreamID, _ reason: NIOHTTP2.HTTP2ErrorCode?, _ context: ChannelHandlerContext)
    {
        guard let stream = self.streams.removeValue(forKey: id) else { return }
        stream.cancel()
        if !stream.isAnswered, self.machine.isServing, !self.cancellations.requestCancelled() {
            self.sendGoAway(self.lastStreamID, context, .enhanceYourCalm)
            return self.fail(.flood, context)
        }
        self.openConnectionWindow(context)
        guard self.streams.isEmpty else { return }
        switch self.machine.streamsEmptied() {
        case .startIdleTimer: self.timer.set(self.service.timeouts.idle)
        case .endWithLastStream:
            self.sendGoAway(self.lastStreamID, context)
            self.end(context)
        case .end: self.end(context)
        case .nothing: ()
        }
    }

    func write(
        _ payload: HTTP2Frame.FramePayload,
        on id: HTTP2StreamID,
        _ context: ChannelHandlerContext,
        promise: EventLoopPromise<Void>? = nil
    ) {
        self.isFlushNeeded = true
        context.write(self.wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: promise)
    }

    /// One flush for all that a read caused.
    func flushIfNeeded(_ context: ChannelHandlerContext) {
        guard self.isFlushNeeded, !self.isReading else { return }
        self.isFlushNeeded = false
        context.flush()
    }

    // MARK: Ends

    private func sendGoAway(
        _ lastStreamID: HTTP2StreamID,
        _ context: ChannelHandlerContext,
        _ code: NIOHTTP2.HTTP2ErrorCode = .noError
    ) {
        let payload = HTTP2Frame.FramePayload.goAway(lastStreamID: lastStreamID, errorCode: code, opaqueData: nil)
        self.write(payload, on: .rootStream, context)
        self.flushIfNeeded(context)
    }

    /// Tells that a GOAWAY will follow. Past the HTTP/2 handler, which would refuse every new stream from then on (1.46).
    ///
    /// - Source: RFC 9113, section 6.8.
    private func announceGoAway(_ context: ChannelHandlerContext) {
        let operations = context.pipeline.syncOperations
        guard let below = try? operations.context(handlerType: NIOHTTP2Handler.self) else { return }
        let frame: [UInt8] = [0, 0, 8, 7, 0, 0, 0, 0, 0] + [0x7F, 0xFF, 0xFF, 0xFF] + [0, 0, 0, 0]
        self.isFlushNeeded = true
        below.write(NIOAny(context.channel.allocator.buffer(bytes: frame)), promise: nil)
    }

    func drain(_ context: ChannelHandlerContext) {
        switch self.machine.drain(hasStreams: !self.streams.isEmpty) {
        case .announce:
            // The peer may open streams until it has seen this; the ping's answer tells that it has.
            self.announceGoAway(context)
            self.write(.ping(Self.drainPing, ack: false), on: .rootStream, context)
            self.flushIfNeeded(context)
        case .endWithLastStream:
            self.sendGoAway(self.lastStreamID, context)
            self.end(context)
        case .ignore: ()
        }
    }

    private func fail(_ fault: PeerFault, _ context: ChannelHandlerContext) {
        guard self.machine.failed() == .end else { return }
        self.service.metrics.count(fault)
        self.end(context)
    }

    /// Ends our side once all is sent, and gives the peer time to read it before the connection closes.
    private func end(_ context: ChannelHandlerContext) {
        self.input.shut()
        self.cancelStreams()
        self.timer.set(self.service.timeouts.body)
        self.isFlushNeeded = false
        context.flush()
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess { self.timer.set(HTTPLimits.linger) }
        // A stream closes when its last frame is written, not yet flushed: the rest of this tick may still write.
        context.eventLoop.assumeIsolated().execute {
            context.flush()
            context.close(mode: .output, promise: promise)
            context.read()
        }
    }

    func timerFired() {
        guard let context = self.context else { return }
        switch self.machine.timerFired(hasStreams: !self.streams.isEmpty) {
        case .close: context.close(promise: nil)
        case .endWithLastStream:
            self.sendGoAway(self.lastStreamID, context)
            self.end(context)
        case .ignore: ()
        }
    }

    private func cancelStreams() {
        let streams = self.streams.values
        self.streams = [:]
        for stream in streams { stream.cancel() }
    }
}

@available(*, unavailable)
extension HTTP2ConnectionHandler: Sendable {}

extension PeerFault {
    init(http2 error: any Error) {
        switch error {
        case is NIOHTTP2Errors.ExcessivelyLargeHeaderBlock: self = .headersTooLarge
        case is NIOHTTP2Errors.ExcessiveRSTFrames, is NIOHTTP2Errors.ExcessiveControlFrames,
            is NIOHTTP2Errors.ExcessiveEmptyDataFrames, is NIOHTTP2Errors.ExcessiveContinuationFrames,
            is NIOHTTP2Errors.ExcessiveStreamErrors, is NIOHTTP2Errors.ExcessiveNumberOfGlitches,
            is NIOHTTP2Errors.ExcessiveOutboundFrameBuffering:
            self = .flood
        default: self = .malformed
        }
    }
}
