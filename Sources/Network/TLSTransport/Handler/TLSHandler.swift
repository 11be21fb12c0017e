package import Common
package import NIOCore
import NIOTLS

/// Tells a connection that clients are trusted by other rules from now on.
package struct TLSTrustChangedEvent: Sendable {
    package init() {}
}

/// Tells a connection to give up its handshake, if that has not ended yet.
package struct TLSHandshakeDisplacedEvent: Sendable {
    package init() {}
}

/// Speaks TLS to the peer, and plaintext to the handlers behind it.
///
/// Fires `TLSUserEvent.handshakeCompleted` once, before the first plaintext. A failed handshake sends its alert, ends our
/// side, throws away what the peer still sends, and closes half a second later: a close at once would answer the peer's
/// next bytes with a reset, which overtakes the alert.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private struct PendingWrite {
        var buffer: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }

    /// How long an alert has to reach the peer, and how much may still come meanwhile.
    static let failureLinger: TimeAmount = .milliseconds(500)
    static let failureLingerBytes = 256 * 1024
    /// TLS' largest record.
    static let recordBytes = 16 * 1024
    /// Plaintext encrypted between two looks at the channel's writability.
    static let batchBytes = 4 * recordBytes

    private let connection: TLSConnection
    private let source: TLSContextSource
    /// How many times the rules had changed when `peerIdentity` was brought up to date.
    package private(set) var trustGeneration: Int
    private let handshakeTimeout: TimeAmount
    private let onHandshake: (TLSHandshakeResult, String, Duration) -> Void
    private var machine = StateMachine()
    private var startedAt = NIODeadline.uptimeNanoseconds(0)
    private var timer: Scheduled<Void>?
    private var pending = MarkedCircularBuffer<PendingWrite>(initialCapacity: 4)
    private var isEncrypting = false
    /// `close(mode: .output)` waits for what was written before it.
    private var outputClosing: EventLoopPromise<Void>??
    private var isOutputClosed = false
    /// Somebody has asked to read and got nothing since.
    private var isReadWanted = false
    private var hasFiredRead = false
    private var isInputClosed = false
    private var discardedBytes = 0

    /// The verified client certificate's; there from `handshakeCompleted` on. Changes when the rules of trust change.
    package private(set) var peerIdentity: PeerIdentity?
    /// Whether the peer would be refused if it connected now.
    package private(set) var isTrustLost = false
    private var hasToldLoss = false

    /// - Parameters:
    ///   - handshakeTimeout: from the connection's start.
    ///   - onHandshake: told once how the handshake ended, in OpenSSL's words too, and how long it took.
    /// - Throws: when OpenSSL cannot make a connection, which means no memory.
    package init(
        source: TLSContextSource,
        handshakeTimeout: Duration,
        onHandshake: @escaping (TLSHandshakeResult, String, Duration) -> Void
    ) throws(TLSFailure) {
        let current = source.current
        self.connection = try TLSConnection(current.context)
        self.source = source
        self.trustGeneration = current.trustGeneration
        self.handshakeTimeout = TimeAmount(handshakeTimeout)
        self.onHandshake = onHandshake
    }

    // MARK: Start and end

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.start(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        self.startedAt = .now()
        guard self.machine.started(deadline: self.startedAt + self.handshakeTimeout) == .handshake else { return }
        self.arm(self.startedAt + self.handshakeTimeout, context)
        context.read()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = nil
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if self.machine.ended() == .abandon { self.report(.disconnected, "closed by the peer") }
        self.timer?.cancel()
        self.timer = nil
        self.failPending(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    // MARK: Inbound

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = self.unwrapInboundIn(data)
        if self.machine.isDiscarding {
            self.discardedBytes += buffer.readableBytes
            if self.discardedBytes > Self.failureLingerBytes { context.close(promise: nil) }
            return
        }
        self.connection.receive(buffer)
        if self.machine.isHandshaking { self.continueHandshake(context) }
        // Application data may have come in the same bytes as the end of the handshake.
        if self.machine.isEstablished {
            self.renewTrust(context)
            // Whoever is not trusted any more and waits for nothing is gone now.
            if self.machine.isEstablished { self.readPlaintext(context) }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if self.hasFiredRead {
            self.hasFiredRead = false
            context.fireChannelReadComplete()
        }
        // Only ciphertext was consumed: whoever waits for plaintext still waits. But a peer that does not read what these
        // bytes made us send (tickets, key updates) gets no more of our attention.
        if self.isReadWanted || self.machine.isHandshaking || self.machine.isDiscarding, context.channel.isWritable {
            context.read()
        }
    }

    package func read(context: ChannelHandlerContext) {
        self.isReadWanted = true
        context.read()
    }

    private func continueHandshake(_ context: ChannelHandlerContext) {
        let step = self.connection.handshake()
        self.sendOutput(context)
        switch step {
        case .wantsInput: ()
        case .failed(let failure): self.fail(failure, context)
        case .complete:
            do throws(TLSFailure) {
                self.peerIdentity = try self.connection.peerIdentity()
            } catch {
                return self.fail(error, context)
            }
            guard self.machine.handshakeCompleted() == .announce else { return }
            self.timer?.cancel()
            self.timer = nil
            self.report(self.connection.isResumed ? .resumed : .succeeded, "")
            let event = TLSUserEvent.handshakeCompleted(negotiatedProtocol: self.connection.negotiatedProtocol)
            context.fireUserInboundEventTriggered(event)
            self.encryptMarked(context)
        }
    }

    /// Verifies the peer's certificate again if the rules of trust have changed since; nothing that it sends is handed on
    /// before.
    ///
    /// A peer that is not trusted any more may have the answer it waits for, and nothing after it.
    private func renewTrust(_ context: ChannelHandlerContext) {
        self.verifyAgain()
        guard self.isTrustLost, !self.hasToldLoss else { return }
        self.hasToldLoss = true
        context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }

    /// Brings `peerIdentity` and `isTrustLost` up to date. Also for requests that were decrypted before the rules changed.
    package func verifyAgain() {
        guard self.source.trustGeneration != self.trustGeneration, !self.isTrustLost else { return }
        let current = self.source.current
        self.trustGeneration = current.trustGeneration
        do throws(TLSFailure) {
            self.peerIdentity = try self.connection.peerIdentity(under: current.context)
        } catch {
            self.isTrustLost = true
        }
    }

    /// Decrypts all that is there into one buffer, and fires once, so that nobody sees a state between two records.
    private func readPlaintext(_ context: ChannelHandlerContext) {
        var plaintext = context.channel.allocator.buffer(capacity: max(self.connection.inboundBytes, 512))
        var step = TLSConnection.ReadStep.bytes
        while case .bytes = step { step = self.connection.read(into: &plaintext) }
        self.sendOutput(context)
        if plaintext.readableBytes > 0 {
            self.isReadWanted = false
            self.hasFiredRead = true
            context.fireChannelRead(self.wrapInboundOut(plaintext))
        }
        // The handlers may have closed meanwhile.
        guard self.machine.isEstablished else { return }
        switch step {
        case .bytes, .wantsInput: ()
        case .closed: self.announceInputClosed(context)
        case .failed(let failure): self.fail(failure, context)
        }
    }

    private func announceInputClosed(_ context: ChannelHandlerContext) {
        guard !self.isInputClosed else { return }
        self.isInputClosed = true
        if self.hasFiredRead {
            self.hasFiredRead = false
            context.fireChannelReadComplete()
        }
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            switch self.machine.inputClosed() {
            case .forward: self.announceInputClosed(context)
            case .abandon:
                self.report(.disconnected, "closed by the peer")
                context.close(promise: nil)
            case .close: context.close(promise: nil)
            case .ignore: ()
            }
        case is TLSTrustChangedEvent:
            if self.machine.isEstablished { self.renewTrust(context) }
        case is TLSHandshakeDisplacedEvent:
            if self.machine.isHandshaking { self.abandon(.displaced, "others have waited for its place", context) }
        case is ChannelShouldQuiesceEvent:
            if self.machine.isHandshaking {
                self.abandon(.drained, "the listener is drained", context)
            } else {
                context.fireUserInboundEventTriggered(event)
            }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Failures

    private func abandon(_ result: TLSHandshakeResult, _ detail: String, _ context: ChannelHandlerContext) {
        _ = self.machine.ended()
        self.report(result, detail)
        context.close(promise: nil)
    }

    private func fail(_ failure: TLSFailure, _ context: ChannelHandlerContext) {
        let until = NIODeadline.now() + Self.failureLinger
        let action = self.machine.failed(until: until)
        guard action != .ignore else { return }
        self.failPending(failure)
        self.arm(until, context)
        switch action {
        case .report: self.report(failure.result, failure.detail)
        case .tell: context.fireErrorCaught(failure)
        case .ignore: ()
        }
        context.close(mode: .output, promise: nil)
        context.read()
    }

    private func report(_ result: TLSHandshakeResult, _ detail: String) {
        self.onHandshake(result, detail, Duration(NIODeadline.now() - self.startedAt))
    }

    private func arm(_ deadline: NIODeadline, _ context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            switch self.machine.timerFired(now: .now()) {
            case .rearm(let deadline): self.arm(deadline, context)
            case .timedOut:
                self.report(.timedOut, "the handshake did not end in time")
                context.close(promise: nil)
            case .close: context.close(promise: nil)
            case .ignore: ()
            }
        }
    }

    // MARK: Outbound

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !self.isOutputClosed, self.outputClosing == nil else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        self.pending.append(PendingWrite(buffer: self.unwrapOutboundIn(data), promise: promise))
    }

    package func flush(context: ChannelHandlerContext) {
        self.pending.mark()
        self.encryptMarked(context)
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.encryptMarked(context)
            if self.isReadWanted || self.machine.isHandshaking { context.read() }
        }
        context.fireChannelWritabilityChanged()
    }

    /// Encrypts what was flushed, for as long as the channel takes it.
    private func encryptMarked(_ context: ChannelHandlerContext) {
        guard self.machine.isEstablished, !self.isEncrypting else { return }
        self.isEncrypting = true
        while self.pending.hasMark, context.channel.isWritable, self.encryptBatch(context) {}
        self.isEncrypting = false
        if !self.pending.hasMark, let promise = self.outputClosing { self.finishOutput(context, promise) }
    }

    /// Encrypts up to `batchBytes`, and writes them to the socket.
    private func encryptBatch(_ context: ChannelHandlerContext) -> Bool {
        var promises: [EventLoopPromise<Void>] = []
        // Small writes (a head, frame headers) share records with their neighbours.
        var staged = ByteBuffer()
        var count = 0
        do throws(TLSFailure) {
            while self.pending.hasMark, count < Self.batchBytes {
                let index = self.pending.startIndex
                let room = staged.readableBytes == 0 ? Self.batchBytes : Self.recordBytes - staged.readableBytes
                let available = self.pending[index].buffer.readableBytes
                // Whole records go without a copy; so does the last write, whatever its size.
                let isDirect = staged.readableBytes == 0 && (available >= Self.recordBytes || self.pending.count == 1)
                let length = min(
                    available,
                    room,
                    isDirect && available > Self.recordBytes
                        ? available / Self.recordBytes * Self.recordBytes : available
                )
                if let slice = self.pending[index].buffer.readSlice(length: length) {
                    count += length
                    if isDirect {
                        try self.connection.write(slice)
                    } else {
                        staged.writeImmutableBuffer(slice)
                        if staged.readableBytes == Self.recordBytes {
                            try self.connection.write(staged)
                            staged.clear()
                        }
                    }
                }
                if self.pending[index].buffer.readableBytes == 0, let written = self.pending.popFirst() {
                    if let promise = written.promise { promises.append(promise) }
                }
            }
            try self.connection.write(staged)
        } catch {
            for promise in promises { promise.fail(error) }
            self.fail(error, context)
            return false
        }
        guard let output = self.connection.takeOutput() else {
            // Nothing but empty writes.
            for promise in promises { promise.succeed() }
            return true
        }
        context.writeAndFlush(self.wrapOutboundOut(output), promise: Self.joined(promises, context))
        return self.machine.isEstablished
    }

    private static func joined(
        _ promises: [EventLoopPromise<Void>],
        _ context: ChannelHandlerContext
    ) -> EventLoopPromise<Void>? {
        guard promises.count > 1 else { return promises.first }
        let all = context.eventLoop.makePromise(of: Void.self)
        all.futureResult.whenComplete { result in
            for promise in promises { promise.completeWith(result) }
        }
        return all
    }

    /// Writes what OpenSSL has to say by itself: handshake, tickets, key updates, alerts.
    private func sendOutput(_ context: ChannelHandlerContext) {
        guard let output = self.connection.takeOutput() else { return }
        context.writeAndFlush(self.wrapOutboundOut(output), promise: nil)
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .output:
            guard self.machine.isEstablished, !self.isOutputClosed, self.outputClosing == nil else {
                return context.close(mode: .output, promise: promise)
            }
            self.pending.mark()
            self.outputClosing = .some(promise)
            self.encryptMarked(context)
        case .input:
            context.close(mode: .input, promise: promise)
        case .all:
            let wasEstablished = self.machine.isEstablished
            if self.machine.ended() == .abandon { self.report(.drained, "closed by the listener") }
            self.failPending(ChannelError.ioOnClosedChannel)
            if wasEstablished, !self.isOutputClosed {
                self.isOutputClosed = true
                self.connection.sendCloseNotify()
                self.sendOutput(context)
            }
            context.close(mode: .all, promise: promise)
        }
    }

    private func finishOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        self.outputClosing = nil
        self.isOutputClosed = true
        self.connection.sendCloseNotify()
        self.sendOutput(context)
        context.close(mode: .output, promise: promise)
    }

    private func failPending(_ error: any Error) {
        self.pending.mark()
        while let write = self.pending.popFirst() { write.promise?.fail(error) }
        if let promise = self.outputClosing {
            self.outputClosing = nil
            promise?.fail(error)
        }
    }
}

@available(*, unavailable)
extension TLSHandler: Sendable {}
