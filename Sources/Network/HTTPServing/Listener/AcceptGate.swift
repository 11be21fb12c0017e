import Common
import Logging
import NIOCore
import TLSTransport

/// Lets accepted connections in, or closes them before any work is spent on them.
///
/// Sits in the listening channel, in front of what registers accepted connections with their event loops: one that waits
/// here is not polled, and its time-outs have not begun. Accepting goes on meanwhile: in the kernel's backlog, which knows
/// no fairness, everybody would wait behind whoever floods.
final class AcceptGate: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    private let registry: ConnectionRegistry
    private let handshakes: HandshakeAdmission?
    private let metrics: ListenerMetrics
    private let logger: Logger
    private var waiting: [ObjectIdentifier: any Channel] = [:]
    private var timer: (deadline: Int64, task: Scheduled<Void>)?

    /// - Parameter handshakes: absent for a listener without TLS.
    init(
        registry: ConnectionRegistry,
        handshakes: HandshakeAdmission?,
        metrics: ListenerMetrics,
        logger: Logger
    ) {
        self.registry = registry
        self.handshakes = handshakes
        self.metrics = metrics
        self.logger = logger
    }

    private static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    func handlerAdded(context: ChannelHandlerContext) {
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: eventLoop)
        self.handshakes?.setOnRoom {
            eventLoop.execute {
                let (gate, context) = bound.value
                gate.proceed(context)
            }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.handshakes?.setOnRoom(nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = self.unwrapInboundIn(data)
        let network = PeerNetwork(channel.remoteAddress)
        if let refusal = self.registry.add(channel, from: network) { return self.refuse(channel, refusal) }
        guard let handshakes = self.handshakes else {
            self.metrics.accepted.increment()
            return context.fireChannelRead(data)
        }
        let id = ObjectIdentifier(channel)
        self.waiting[id] = channel
        self.perform(handshakes.arrived(channel, from: network, now: Self.now), context)
        channel.closeFuture.whenComplete { _ in handshakes.ended(id) }
        if !self.waiting.isEmpty { self.proceed(context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.timer?.task.cancel()
        self.timer = nil
        // Nobody would take them any more.
        for id in self.handshakes?.close() ?? [] { self.waiting.removeValue(forKey: id)?.close(promise: nil) }
        context.fireChannelInactive()
    }

    // MARK: Turns

    private func proceed(_ context: ChannelHandlerContext) {
        guard context.channel.isActive, let handshakes = self.handshakes else { return }
        let (actions, nextTurn) = handshakes.proceed(now: Self.now)
        self.perform(actions, context)
        guard let nextTurn, nextTurn < self.timer?.deadline ?? .max else { return }
        self.timer?.task.cancel()
        let deadline = NIODeadline.uptimeNanoseconds(UInt64(clamping: nextTurn))
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            self.proceed(context)
        }
        self.timer = (nextTurn, task)
    }

    private func perform(_ actions: [HandshakeAdmission.Queue.Action], _ context: ChannelHandlerContext) {
        for action in actions {
            switch action {
            case .begin(let id):
                guard let channel = self.waiting.removeValue(forKey: id) else { continue }
                self.metrics.accepted.increment()
                context.fireChannelRead(self.wrapInboundOut(channel))
            case .refuse(let id, let reason):
                guard let channel = self.waiting.removeValue(forKey: id) else { continue }
                self.refuse(channel, reason == .rate ? .handshakeRate : .handshakesUnderWay)
            case .displace(let id):
                self.registry.tell(TLSHandshakeDisplacedEvent(), to: id)
            }
        }
    }

    private func refuse(_ channel: any Channel, _ reason: ListenerMetrics.ConnectionRefusal) {
        self.metrics.refuse(reason)
        self.logger.debug("connection refused", metadata: ["reason": .string(reason.rawValue)])
        channel.close(promise: nil)
    }
}

@available(*, unavailable)
extension AcceptGate: Sendable {}
