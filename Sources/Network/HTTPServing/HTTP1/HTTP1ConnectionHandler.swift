import Common
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1

/// One HTTP/1 connection: hands requests to the responder one at a time, in order, and writes their answers.
///
/// Reads only what somebody waits for: a head when the last request is answered, body bytes when `collect` is called.
final class HTTP1ConnectionHandler: ConnectionHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    let service: ConnectionService
    let peer: ConnectionPeer
    let executor: EventLoopExecutor
    let timer: DeadlineTimer
    var context: ChannelHandlerContext?
    var machine = StateMachine()
    /// What was decoded and not yet looked at: parts of the next requests, while one is under way.
    private var parts = CircularBuffer<HTTPServerRequestPart>()
    private var waitingHeads = 0
    /// What the decoder stumbled over, behind all parts.
    private var decodingFailure: HTTP1Refusal?
    /// The request that is with the responder.
    var exchange: HTTP1Exchange?
    /// What is still to be handed to the channel of its answer.
    var answer: AnswerBody?
    /// Answer bytes that were handed to the channel and not flushed.
    var unflushedBytes = 0
    var isFlushScheduled = false
    var isPumping = false
    private var isProcessing = false
    private var lingeredBytes = 0

    init(service: ConnectionService, peer: ConnectionPeer, eventLoop: any EventLoop) {
        self.service = service
        self.peer = peer
        self.executor = service.executors[eventLoop]
        self.timer = DeadlineTimer(eventLoop)
    }

    // MARK: Channel events

    func begin(_ context: ChannelHandlerContext) {}

    func channelInactive(context: ChannelHandlerContext) {
        self.machine.close()
        self.timer.stop()
        self.parts.removeAll()
        self.answer = nil
        self.giveUpExchange()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = self.unwrapInboundIn(data)
        if self.machine.isLingering { return self.discard(part, context) }
        guard !self.machine.isClosed else { return }
        if case .head = part { self.waitingHeads += 1 }
        self.parts.append(part)
        self.process(context)
        if self.waitingHeads > HTTPLimits.pipelinedRequests { self.abort(context, .flood) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.machine.isWaiting, self.machine.partReceived() == .startHeaderTimer {
            self.timer.set(self.service.timeouts.header)
        }
        self.readIfWanted(context)
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.pump(context)
            self.process(context)
            self.readIfWanted(context)
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            switch self.machine.inputClosed() {
            case .close: context.close(promise: nil)
            case .failBody:
                self.exchange?.inbox.fail(.disconnected)
                self.exchange?.task?.cancel()
            case .startGrace: self.timer.set(HTTPLimits.halfClosedGrace)
            case .ignore:
                // While a producer thinks, nothing that is sent could tell whether the peer is gone.
                if self.exchange?.outbox?.isWaiting == false { self.timer.set(HTTPLimits.halfClosedGrace) }
            }
        case is ChannelShouldQuiesceEvent:
            if self.machine.drain() == .close { context.close(promise: nil) }
        default: ()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState:
            // The end of the peer's input; its event follows.
            ()
        case let error as HTTPParserError:
            if self.decodingFailure == nil { self.decodingFailure = HTTP1Refusal(decoding: error) }
            self.process(context)
        case is HTTP1InputGate.Overflow:
            self.abort(context, .flood)
        default:
            self.service.logger.debug(
                "connection failed",
                metadata: [LogKey.peerAddress: .string(self.peer.address), "error": .string("\(error)")]
            )
            context.close(promise: nil)
        }
    }

    // MARK: Requests

    /// Takes what was decoded, up to the next head if a request is under way.
    func process(_ context: ChannelHandlerContext) {
        guard !self.isProcessing else { return }
        self.isProcessing = true
        defer { self.isProcessing = false }
        while let part = self.parts.first {
            switch part {
            case .head(let head):
                // An unwritable channel means that the peer does not read its answers: it gets no new ones.
                guard self.machine.isWaiting, context.channel.isWritable else { return }
                self.parts.removeFirst()
                self.waitingHeads -= 1
                self.beginExchange(head, context)
            case .body(let buffer):
                self.parts.removeFirst()
                self.exchange?.inbox.receive(buffer)
            case .end:
                self.parts.removeFirst()
                self.machine.requestEnded()
                if self.machine.isUnanswered { self.timer.clear() }
                self.exchange?.inbox.end()
            }
        }
        guard let failure = self.decodingFailure else { return }
        if self.machine.isWaiting || !self.machine.isRequestComplete {
            self.decodingFailure = nil
            self.refuse(failure, context)
        }
    }

    private func beginExchange(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let parsed: HTTP1RequestHead
        do throws(HTTP1Refusal) {
            parsed = try HTTP1RequestHead(head, isEncrypted: self.peer.isEncrypted)
        } catch {
            self.parts.removeAll()
            return self.refuse(error, context)
        }
        self.timer.clear()
        self.machine.headReceived(keepsAlive: parsed.keepsAlive)
        self.service.metrics.request(.http1)
        let declaredLength: Int? =
            switch parsed.framing {
            case .none: 0
            case .length(let length): length
            case .chunked: nil
            }
        let exchange = HTTP1Exchange(parsed, declaredLength: declaredLength, connection: self)
        self.exchange = exchange
        let request = IncomingRequest(
            head: parsed.request,
            peer: self.peer.current,
            body: StreamedBody(
                declaredLength: declaredLength,
                inbox: exchange.inbox,
                eventLoop: context.eventLoop
            )
        )
        exchange.task = self.run(request, for: exchange, on: context.eventLoop)
    }

    private func giveUpExchange() {
        let exchange = self.exchange
        self.exchange = nil
        exchange?.giveUp()
    }

    func readIfWanted(_ context: ChannelHandlerContext) {
        if self.machine.isLingering { return context.read() }
        guard self.parts.isEmpty, self.decodingFailure == nil else { return }
        if self.machine.isWaiting {
            if context.channel.isWritable { context.read() }
        } else if self.exchange?.inbox.isWaiting == true {
            context.read()
        }
    }

    func bodyWanted(_ exchange: HTTP1Exchange) {
        guard let context = self.context, self.exchange === exchange else { return }
        self.timer.set(self.service.timeouts.body)
        if exchange.expectsContinue {
            exchange.expectsContinue = false
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(self.wrapOutboundOut(.head(head)), promise: nil)
        }
        self.process(context)
        self.readIfWanted(context)
    }

    /// Writes a refusal of our own, the last answer of the connection.
    private func refuse(_ refusal: HTTP1Refusal, _ context: ChannelHandlerContext) {
        if let fault = refusal.fault { self.service.metrics.count(fault) }
        self.service.logger.debug(
            "request refused",
            metadata: [LogKey.peerAddress: .string(self.peer.address), "reason": .string(refusal.message)]
        )
        self.giveUpExchange()
        switch self.machine.refuse() {
        case .write: self.write(refusal, context)
        case .close: context.close(promise: nil)
        case .ignore: ()
        }
    }

    // MARK: Ends

    func lastAnswerFlushed() {
        guard let context = self.context else { return }
        switch self.machine.lastAnswerFlushed() {
        case .linger:
            self.parts.removeAll()
            self.exchange = nil
            self.timer.set(HTTPLimits.linger)
            context.close(mode: .output, promise: nil)
            context.read()
        case .close: context.close(promise: nil)
        case .ignore: ()
        }
    }

    private func discard(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        if case .body(let buffer) = part { self.lingeredBytes += buffer.readableBytes }
        if self.lingeredBytes > HTTPLimits.lingerBytes { context.close(promise: nil) }
    }

    func timerFired() {
        guard let context = self.context else { return }
        switch self.machine.timerFired() {
        case .close: context.close(promise: nil)
        case .refuseHead: self.refuse(.headersTimedOut, context)
        case .failBody:
            self.service.metrics.count(.bodyTimedOut)
            self.exchange?.inbox.fail(.timedOut)
        case .cancelTask: self.exchange?.task?.cancel()
        case .stalled:
            // A producer that waits for nobody: the grace of a peer that has ended its side is over.
            if self.exchange?.outbox?.isWaiting != false {
                self.service.metrics.count(.answerTimedOut)
                self.exchange?.outbox?.fail(.timedOut)
            }
            context.close(promise: nil)
        }
    }

    private func abort(_ context: ChannelHandlerContext, _ fault: PeerFault) {
        self.machine.close()
        self.service.metrics.count(fault)
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension HTTP1ConnectionHandler: Sendable {}
