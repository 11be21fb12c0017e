import Common
import NIOCore

/// The handshake queue of one listener, between the loop that accepts and those on which handshakes end.
final class HandshakeAdmission: Sendable {
    typealias Queue = HandshakeQueue<ObjectIdentifier>

    private struct State {
        var queue: Queue
        /// Called on any thread when something that waits might begin.
        var onRoom: (@Sendable () -> Void)?
    }
    private let state: Locked<State>
    private let metrics: ListenerMetrics

    init(limits: Queue.Limits, metrics: ListenerMetrics) {
        self.state = Locked(State(queue: Queue(limits: limits)))
        self.metrics = metrics
    }

    func setOnRoom(_ onRoom: (@Sendable () -> Void)?) {
        self.state.withLock { $0.onRoom = onRoom }
    }

    func arrived(_ channel: any Channel, from network: PeerNetwork, now: Int64) -> [Queue.Action] {
        self.withQueue { $0.arrived(ObjectIdentifier(channel), from: network, now: now) }
    }

    func proceed(now: Int64) -> (actions: [Queue.Action], nextTurn: Int64?) {
        self.withQueue { queue in
            let actions = queue.proceed(now: now)
            return (actions, queue.nextTurn(now: now))
        }
    }

    /// A connection's handshake is over, or the connection is; may be told more than once.
    func ended(_ id: ObjectIdentifier) {
        let isWaitedFor = self.withQueue { queue in
            queue.ended(id)
            return queue.waitingCount > 0
        }
        guard isWaitedFor else { return }
        self.state.withLock { $0.onRoom }?()
    }

    /// What waits, which waits no more.
    func close() -> [ObjectIdentifier] {
        self.withQueue { $0.close() }
    }

    private func withQueue<Result>(_ body: (inout Queue) -> Result) -> Result {
        self.state.withLock { state in
            let result = body(&state.queue)
            self.metrics.setHandshakes(underWay: state.queue.underWayCount, waiting: state.queue.waitingCount)
            return result
        }
    }
}
