import Common
import Logging
import NIOCore

/// Lets accepted connections in, or closes them before any work is spent on them.
///
/// Sits in the listening channel, in front of what registers accepted connections with their event loops: one that waits
/// here is not polled, and its time-outs have not begun.
final class AcceptGate: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    /// A wait longer than this helps nobody: the client's own time-out runs.
    static let maxWaitNanoseconds: Int64 = 500_000_000

    private let registry: ConnectionRegistry
    private let metrics: ListenerMetrics
    private let logger: Logger
    private var budget: HandshakeBudget?
    private var isOpen = true

    /// - Parameter handshakesPerSecond: absent for a listener without TLS.
    init(registry: ConnectionRegistry, handshakesPerSecond: Int?, metrics: ListenerMetrics, logger: Logger) {
        self.registry = registry
        self.metrics = metrics
        self.logger = logger
        self.budget = handshakesPerSecond.map {
            HandshakeBudget(perSecond: $0, maxWaitNanoseconds: Self.maxWaitNanoseconds)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = self.unwrapInboundIn(data)
        guard self.registry.add(channel) else { return self.refuse(channel, .maxConnections) }
        switch self.budget?.admit(now: Int64(clamping: NIODeadline.now().uptimeNanoseconds)) ?? .now {
        case .now:
            self.metrics.accepted.increment()
            context.fireChannelRead(data)
        case .after(let nanoseconds):
            self.metrics.accepted.increment()
            context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(nanoseconds)) {
                // The listener may have been closed meanwhile, and nobody would take the connection then.
                guard self.isOpen else { return channel.close(promise: nil) }
                context.fireChannelRead(self.wrapInboundOut(channel))
            }
        case .refused:
            self.refuse(channel, .handshakeRate)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isOpen = false
        context.fireChannelInactive()
    }

    private func refuse(_ channel: any Channel, _ reason: ListenerMetrics.ConnectionRefusal) {
        self.metrics.refuse(reason)
        self.logger.debug("connection refused", metadata: ["reason": .string(reason.rawValue)])
        channel.close(promise: nil)
    }
}

@available(*, unavailable)
extension AcceptGate: Sendable {}
