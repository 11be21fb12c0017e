import Common
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How answers are written: whole ones and streamed ones alike, as fast as the peer takes them.
extension HTTP1ConnectionHandler {
    func answered(_ response: OutgoingResponse, _ exchange: HTTP1Exchange) -> StreamedAnswer? {
        guard let context = self.context, self.exchange === exchange else { return nil }
        exchange.inbox.abandon()
        let head = AnswerHead(response, isHead: exchange.isHead, date: self.service.dates.now())
        guard case .write(let closes) = self.machine.answer(closes: head.closesConnection) else { return nil }
        var sink: StreamedAnswer?
        if head.body.isOpen {
            let outbox = BodyOutbox(exchange)
            exchange.outbox = outbox
            sink = StreamedAnswer(outbox, eventLoop: context.eventLoop)
        }
        self.write(head, closes: closes, inChunks: head.body.isOpen && !exchange.isOld, context)
        return sink
    }

    func write(_ refusal: HTTP1Refusal, _ context: ChannelHandlerContext) {
        let response = OutgoingResponse.text(refusal.status, refusal.message)
        let head = AnswerHead(response, isHead: false, date: self.service.dates.now())
        self.write(head, closes: true, inChunks: false, context)
    }

    /// - Source: RFC 9112, section 6.1 (chunks; an HTTP/1.0 answer without a length ends with its connection).
    private func write(_ head: AnswerHead, closes: Bool, inChunks: Bool, _ context: ChannelHandlerContext) {
        self.timer.clear()
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.fields.count + 2)
        for field in head.fields { headers.add(name: field.name.rawName, value: field.value) }
        if closes { headers.add(name: "Connection", value: "close") }
        if inChunks { headers.add(name: "Transfer-Encoding", value: "chunked") }
        let status = HTTPResponseStatus(statusCode: head.status.code, reasonPhrase: head.status.reasonPhrase)
        let part = HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))
        context.write(self.wrapOutboundOut(part), promise: nil)
        self.answer = head.body
        self.pump(context)
    }

    /// Hands on as much of the answer as the peer takes; called again when it takes more.
    func pump(_ context: ChannelHandlerContext) {
        guard !self.isPumping, self.answer != nil else { return }
        self.isPumping = true
        while let slice = self.nextSlice(context) {
            let buffer = context.channel.allocator.buffer(bytes: slice)
            self.unflushedBytes += slice.count
            context.write(self.wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        self.isPumping = false
        // A flush may have closed the connection, and taken the answer with it.
        guard let answer = self.answer else { return }
        if answer.isFinished {
            self.finishAnswer(context)
        } else if answer.isEmpty {
            self.askForPiece(context)
        } else {
            self.timer.set(self.service.timeouts.body)
        }
    }

    private func nextSlice(_ context: ChannelHandlerContext) -> ArraySlice<UInt8>? {
        guard self.answer?.isEmpty == false else { return nil }
        if !self.hasRoom(context) {
            self.flush(context)
            // A flush that the socket took whole makes room at once; it may also have closed the connection.
            guard self.hasRoom(context) else { return nil }
        }
        return self.answer?.next()
    }

    /// Whether another slice may be handed on. The handler that encrypts does not count as written what is not flushed.
    private func hasRoom(_ context: ChannelHandlerContext) -> Bool {
        context.channel.isWritable && self.unflushedBytes < HTTPLimits.answerSlice
    }

    private func flush(_ context: ChannelHandlerContext) {
        self.unflushedBytes = 0
        context.flush()
    }

    private func finishAnswer(_ context: ChannelHandlerContext) {
        self.answer = nil
        self.unflushedBytes = 0
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

    // MARK: Streamed answers

    func carry(_ piece: [UInt8], _ exchange: HTTP1Exchange) {
        guard let context = self.context, self.exchange === exchange, self.answer?.isOpen == true else {
            exchange.outbox?.fail(.disconnected)
            return
        }
        self.answer?.add(piece)
        self.pump(context)
    }

    /// All pieces are with the channel. Small ones share a flush, which follows when the producer pauses.
    private func askForPiece(_ context: ChannelHandlerContext) {
        if self.hasRoom(context) {
            self.timer.clear()
            self.exchange?.outbox?.madeRoom()
        }
        guard !self.isFlushScheduled else { return }
        self.isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            guard let context = self.context else { return }
            self.flush(context)
            guard self.exchange?.outbox?.isWaiting == true, self.answer?.isEmpty == true else { return }
            if self.hasRoom(context) {
                self.timer.clear()
                self.exchange?.outbox?.madeRoom()
            } else {
                self.timer.set(self.service.timeouts.body)
            }
        }
    }

    func produced(_ failure: (any Error)?, _ exchange: HTTP1Exchange) {
        guard let context = self.context, self.exchange === exchange, let outbox = exchange.outbox else { return }
        let isWhole = failure == nil && outbox.isWhole
        exchange.outbox = nil
        outbox.fail(.disconnected)
        if isWhole {
            self.answer?.end()
            self.pump(context)
        } else {
            self.breakOff(failure, exchange, context)
        }
    }

    /// Closes before the last chunk, so that the answer cannot be taken for complete. One without chunks ends with its
    /// connection: only a reset tells that it is not complete.
    private func breakOff(_ failure: (any Error)?, _ exchange: HTTP1Exchange, _ context: ChannelHandlerContext) {
        self.service.logger.debug(
            "answer broken off",
            metadata: [
                LogKey.peerAddress: .string(self.peer.address),
                "error": .string(failure.map { "\($0)" } ?? "a piece was not written"),
            ]
        )
        self.machine.close()
        self.answer = nil
        self.flush(context)
        if exchange.isOld, let socket = context.channel as? any SocketOptionProvider {
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        context.close(promise: nil)
    }
}
