import Common
import HTTPTypes
import Logging
import NIOCore
import NIOHPACK
import NIOHTTP2

/// How answers are written: whole ones and streamed ones alike, as fast as the peer opens its windows.
extension HTTP2ConnectionHandler {
    func answered(_ response: OutgoingResponse, _ stream: HTTP2Stream) -> StreamedAnswer? {
        guard let context = self.context, self.streams[stream.id] === stream, stream.answer == nil else { return nil }
        stream.inbox.abandon()
        return self.write(response, on: stream, context)
    }

    func refuse(_ refusal: HTTP1Refusal, _ stream: HTTP2Stream, _ context: ChannelHandlerContext) {
        if let fault = refusal.fault { self.service.metrics.count(fault) }
        stream.inbox.abandon()
        _ = self.write(.text(refusal.status, refusal.message), on: stream, context)
    }

    /// - Returns: where the producer writes, if there is one to run.
    private func write(
        _ response: OutgoingResponse,
        on stream: HTTP2Stream,
        _ context: ChannelHandlerContext
    ) -> StreamedAnswer? {
        let head = AnswerHead(response, isHead: stream.isHead, date: self.service.dates.now())
        var headers = HPACKHeaders()
        headers.reserveCapacity(head.fields.count + 1)
        headers.add(name: ":status", value: String(head.status.code))
        for field in head.fields { headers.add(name: field.name.canonicalName, value: field.value) }
        var sink: StreamedAnswer?
        if head.body.isOpen {
            let outbox = BodyOutbox(stream)
            stream.outbox = outbox
            sink = StreamedAnswer(outbox, eventLoop: context.eventLoop)
        }
        stream.answer = head.body
        stream.timer.clear()
        let isWhole = head.body.isFinished
        self.write(
            .headers(.init(headers: headers, endStream: isWhole)),
            on: stream.id,
            context,
            promise: isWhole ? self.answerPromise(stream, context) : nil
        )
        if isWhole {
            self.finishAnswer(stream)
        } else {
            self.pump(stream, context)
        }
        if head.closesConnection { self.drain(context) }
        self.flushIfNeeded(context)
        // A producer may take its time; the peer may not.
        if !head.body.isOpen { self.watch(stream) }
        self.openConnectionWindow(context)
        self.flushIfNeeded(context)
        return sink
    }

    /// Hands on slices for as long as less than one is under way; the next follows when one has reached the socket.
    private func pump(_ stream: HTTP2Stream, _ context: ChannelHandlerContext) {
        while stream.bytesUnderWay < HTTPLimits.answerSlice, let slice = stream.answer?.next() {
            let isLast = stream.answer?.isFinished ?? true
            let buffer = context.channel.allocator.buffer(bytes: slice)
            stream.bytesUnderWay += slice.count
            self.write(
                .data(.init(data: .byteBuffer(buffer), endStream: isLast)),
                on: stream.id,
                context,
                promise: isLast
                    ? self.answerPromise(stream, context) : self.slicePromise(stream, slice.count, context)
            )
            if isLast { self.finishAnswer(stream) }
        }
    }

    private func finishAnswer(_ stream: HTTP2Stream) {
        stream.isAnswered = true
        self.cancellations.requestAnswered()
    }

    private func slicePromise(
        _ stream: HTTP2Stream,
        _ count: Int,
        _ context: ChannelHandlerContext
    ) -> EventLoopPromise<Void> {
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess {
            guard self.streams[stream.id] === stream, let context = self.context else { return }
            stream.bytesUnderWay -= count
            self.pump(stream, context)
            self.flushIfNeeded(context)
            self.sliceTaken(stream)
        }
        return promise
    }

    /// The peer has made a step. It is waited for again if it has not got all yet; else the producer is.
    private func sliceTaken(_ stream: HTTP2Stream) {
        guard self.streams[stream.id] === stream else { return }
        if stream.isAnswered || stream.bytesUnderWay > 0 {
            self.watch(stream)
        } else {
            stream.timer.clear()
        }
        self.askForPiece(stream)
    }

    /// A request whose answer does not wait for its end is cut short once the answer is out: the peer need not send the
    /// rest.
    ///
    /// - Source: RFC 9113, section 8.1.
    private func answerPromise(_ stream: HTTP2Stream, _ context: ChannelHandlerContext) -> EventLoopPromise<Void>? {
        guard !stream.isRequestComplete else { return nil }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess {
            guard self.streams[stream.id] === stream, let context = self.context else { return }
            self.write(.rstStream(.noError), on: stream.id, context)
            self.flushIfNeeded(context)
        }
        return promise
    }

    // MARK: Streamed answers

    func carry(_ piece: [UInt8], _ stream: HTTP2Stream) {
        guard let context = self.context, self.streams[stream.id] === stream, stream.answer?.isOpen == true else {
            stream.outbox?.fail(.disconnected)
            return
        }
        // Only a step of the peer's moves its deadline.
        if stream.bytesUnderWay == 0 { self.watch(stream) }
        stream.answer?.add(piece)
        self.pump(stream, context)
        self.askForPiece(stream)
        self.flushSoon(context)
    }

    private func askForPiece(_ stream: HTTP2Stream) {
        guard stream.answer?.isEmpty == true, stream.bytesUnderWay < HTTPLimits.answerSlice else { return }
        stream.outbox?.madeRoom()
    }

    /// Small pieces share a flush, which follows when the producer pauses.
    private func flushSoon(_ context: ChannelHandlerContext) {
        guard !self.isFlushScheduled else { return }
        self.isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            if let context = self.context { self.flushIfNeeded(context) }
        }
    }

    func produced(_ failure: (any Error)?, _ stream: HTTP2Stream) {
        guard let context = self.context, self.streams[stream.id] === stream, let outbox = stream.outbox else { return }
        let isWhole = failure == nil && outbox.isWhole
        stream.outbox = nil
        outbox.fail(.disconnected)
        if isWhole {
            stream.answer?.end()
            self.finishAnswer(stream)
            self.watch(stream)
            self.write(
                .data(.init(data: .byteBuffer(ByteBuffer()), endStream: true)),
                on: stream.id,
                context,
                promise: self.answerPromise(stream, context)
            )
        } else {
            self.service.logger.debug(
                "answer broken off",
                metadata: [
                    LogKey.peerAddress: .string(self.peer.address),
                    "error": .string(failure.map { "\($0)" } ?? "a piece was not written"),
                ]
            )
            // Not the peer's doing.
            stream.isAnswered = true
            self.write(.rstStream(.internalError), on: stream.id, context)
        }
        self.flushIfNeeded(context)
    }

    // MARK: Deadlines

    /// Gives a peer a time for its next step: to send more of its body, or to take more of its answer.
    func watch(_ stream: HTTP2Stream) {
        // What was just written may have closed it.
        guard self.streams[stream.id] === stream else { return }
        stream.timer.start { [unowned self, unowned stream] in self.timerFired(stream) }
        stream.timer.set(self.service.timeouts.body)
    }

    private func timerFired(_ stream: HTTP2Stream) {
        guard let context = self.context, self.streams[stream.id] === stream else { return }
        if stream.answer == nil {
            self.service.metrics.count(.bodyTimedOut)
            stream.inbox.fail(.timedOut)
        } else {
            self.service.metrics.count(.answerTimedOut)
            stream.outbox?.fail(.timedOut)
            self.write(.rstStream(.cancel), on: stream.id, context)
            self.flushIfNeeded(context)
        }
    }
}
