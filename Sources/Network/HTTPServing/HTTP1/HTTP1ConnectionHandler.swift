import Common
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1

/// One HTTP/1 connection: hands requests to the responder one at a time, in order, and writes their answers.
///
/// Reads only what somebody waits for: a head when the last request is answered, body bytes when `collect` is called.
final class HTTP1ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// The request that is with the responder.
    private final class Exchange {
        let inbox: BodyInbox
        let isHead: Bool
        var expectsContinue: Bool
        var task: Task<Void, Never>?

        init(inbox: BodyInbox, isHead: Bool, expectsContinue: Bool) {
            self.inbox = inbox
            self.isHead = isHead
            self.expectsContinue = expectsContinue
        }
    }

    private let service: ConnectionService
    private let peer: Peer
    private let executor: EventLoopExecutor
    private let timer: DeadlineTimer
    private var machine = StateMachine()
    private var context: ChannelHandlerContext?
    /// What was decoded and not yet looked at: parts of the next requests, while one is under way.
    private var parts = CircularBuffer<HTTPServerRequestPart>()
    private var waitingHeads = 0
    /// What the decoder stumbled over, behind all parts.
    private var decodingFailure: HTTP1Refusal?
    private var exchange: Exchange?
    private var answer: AnswerBody?
    private var isProcessing = false
    private var isPumping = false
    private var lingeredBytes = 0

    init(service: ConnectionService, peer: Peer, eventLoop: any EventLoop) {
        self.service = service
        self.peer = peer
        self.executor = service.executors[eventLoop]
        self.timer = DeadlineTimer(eventLoop)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.timer.start { [unowned self] in self.timerFired() }
        if context.channel.isActive { self.begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer.stop()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        self.begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        self.timer.set(self.service.timeouts.header)
        context.read()
    }

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
            case .ignore: ()
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
    private func process(_ context: ChannelHandlerContext) {
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
        let exchange = Exchange(
            inbox: BodyInbox(declaredLength: declaredLength),
            isHead: parsed.request.method == .head,
            expectsContinue: parsed.expectsContinue
        )
        exchange.inbox.source = self
        self.exchange = exchange
        let request = IncomingRequest(
            head: parsed.request,
            peer: self.peer,
            body: StreamedBody(
                declaredLength: declaredLength,
                inbox: exchange.inbox,
                eventLoop: context.eventLoop
            )
        )
        let bound = NIOLoopBound((handler: self, exchange: exchange), eventLoop: context.eventLoop)
        let responder = self.service.responder
        // Unstructured: its life is the connection's, which cancels it when the peer goes away.
        exchange.task = Task(executorPreference: self.executor) {
            let response = await responder.respond(to: request)
            let (handler, exchange) = bound.value
            handler.answered(response, exchange)
        }
    }

    private func giveUpExchange() {
        guard let exchange = self.exchange else { return }
        self.exchange = nil
        exchange.inbox.fail(.disconnected)
        exchange.task?.cancel()
    }

    private func readIfWanted(_ context: ChannelHandlerContext) {
        if self.machine.isLingering { return context.read() }
        guard self.parts.isEmpty, self.decodingFailure == nil else { return }
        if self.machine.isWaiting {
            if context.channel.isWritable { context.read() }
        } else if self.exchange?.inbox.isWaiting == true {
            context.read()
        }
    }

    // MARK: Answers

    private func answered(_ response: OutgoingResponse, _ exchange: Exchange) {
        guard let context = self.context, self.exchange === exchange else { return }
        exchange.inbox.abandon()
        self.write(response, isHead: exchange.isHead, context) { self.machine.answer(closes: $0) }
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
        case .write:
            let response = OutgoingResponse.text(refusal.status, refusal.message)
            self.write(response, isHead: false, context) { _ in .write(closes: true) }
        case .close: context.close(promise: nil)
        case .ignore: ()
        }
    }

    private func write(
        _ response: OutgoingResponse,
        isHead: Bool,
        _ context: ChannelHandlerContext,
        decide: (Bool) -> StateMachine.OnAnswer
    ) {
        var head = AnswerHead(response, isHead: isHead, date: self.service.dates.now())
        guard case .write(let closes) = decide(head.closesConnection) else { return }
        self.timer.clear()
        if closes { head.fields[.connection] = "close" }
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.fields.count)
        for field in head.fields { headers.add(name: field.name.rawName, value: field.value) }
        let status = HTTPResponseStatus(statusCode: head.status.code, reasonPhrase: head.status.reasonPhrase)
        let part = HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))
        context.write(self.wrapOutboundOut(part), promise: nil)
        self.answer = AnswerBody(head.body)
        self.pump(context)
    }

    /// Hands on as much of the answer as the peer takes; called again when it takes more.
    private func pump(_ context: ChannelHandlerContext) {
        guard !self.isPumping, self.answer != nil else { return }
        self.isPumping = true
        while let slice = self.nextSlice(context) {
            let buffer = context.channel.allocator.buffer(bytes: slice)
            context.write(self.wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        self.isPumping = false
        // A flush may have closed the connection, and taken the answer with it.
        guard let answer = self.answer else { return }
        guard answer.isEmpty else { return self.timer.set(self.service.timeouts.body) }
        self.answer = nil
        switch self.machine.answerWritten() {
        case .next:
            // Before the flush, which may make the channel writable and thereby take the next request.
            self.exchange = nil
            self.timer.set(self.service.timeouts.idle)
            context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
            self.process(context)
            self.readIfWanted(context)
        case .flush:
            self.timer.set(self.service.timeouts.body)
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in self.lastAnswerFlushed() }
            context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: promise)
        case .ignore: ()
        }
    }

    private func nextSlice(_ context: ChannelHandlerContext) -> ArraySlice<UInt8>? {
        guard self.answer?.isEmpty == false else { return nil }
        if !context.channel.isWritable {
            context.flush()
            // A flush that the socket took whole makes room at once; it may also have closed the connection.
            guard context.channel.isWritable else { return nil }
        }
        return self.answer?.next()
    }

    private func lastAnswerFlushed() {
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

    // MARK: Ends

    private func timerFired() {
        guard let context = self.context else { return }
        switch self.machine.timerFired() {
        case .close: context.close(promise: nil)
        case .refuseHead: self.refuse(.headersTimedOut, context)
        case .failBody:
            self.service.metrics.count(.bodyTimedOut)
            self.exchange?.inbox.fail(.timedOut)
        case .cancelTask: self.exchange?.task?.cancel()
        case .stalled:
            self.service.metrics.count(.answerTimedOut)
            context.close(promise: nil)
        }
    }

    private func abort(_ context: ChannelHandlerContext, _ fault: PeerFault) {
        self.machine.close()
        self.service.metrics.count(fault)
        context.close(promise: nil)
    }
}

extension HTTP1ConnectionHandler: BodySource {
    func bodyWanted(limitBytes: Int) {
        guard let context = self.context, let exchange = self.exchange else { return }
        self.timer.set(self.service.timeouts.body)
        if exchange.expectsContinue {
            exchange.expectsContinue = false
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(self.wrapOutboundOut(.head(head)), promise: nil)
        }
        self.process(context)
        self.readIfWanted(context)
    }
}

@available(*, unavailable)
extension HTTP1ConnectionHandler: Sendable {}
