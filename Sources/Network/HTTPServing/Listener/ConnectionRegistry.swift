import Common
import NIOCore

/// The open connections of one listener: bounds their number, and lets a drain find them.
///
/// The last quarter is not for a network that has all the others: one that floods leaves room for the rest.
final class ConnectionRegistry: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var counts: [PeerNetwork: Int] = [:]
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Locked(State())
    private let limit: Int
    private let metrics: ListenerMetrics

    init(limit: Int, metrics: ListenerMetrics) {
        self.limit = limit
        self.metrics = metrics
    }

    /// Adds a connection until it closes.
    ///
    /// - Returns: why not, if there are too many.
    func add(_ channel: any Channel, from network: PeerNetwork) -> ListenerMetrics.ConnectionRefusal? {
        let refusal: ListenerMetrics.ConnectionRefusal? = self.state.withLock { state in
            guard state.channels.count < self.limit else { return .maxConnections }
            guard state.counts[network] ?? 0 < self.limit - self.limit / 4 else { return .maxConnectionsOfAddress }
            state.channels[ObjectIdentifier(channel)] = channel
            state.counts[network, default: 0] += 1
            return nil
        }
        if let refusal { return refusal }
        self.metrics.connections.increment()
        let id = ObjectIdentifier(channel)
        channel.closeFuture.whenComplete { _ in self.remove(id, from: network) }
        return nil
    }

    private func remove(_ id: ObjectIdentifier, from network: PeerNetwork) {
        let (removed, waiters) = self.state.withLock { state in
            let removed = state.channels.removeValue(forKey: id)
            if let count = state.counts[network] { state.counts[network] = count > 1 ? count - 1 : nil }
            guard state.channels.isEmpty else { return (removed, [CheckedContinuation<Void, Never>]()) }
            let waiters = state.waiters
            state.waiters = []
            return (removed, waiters)
        }
        if removed != nil { self.metrics.connections.increment(by: -1) }
        for waiter in waiters { waiter.resume() }
    }

    /// Tells every connection to finish what is under way.
    func quiesce() {
        self.tell(ChannelShouldQuiesceEvent())
    }

    /// Tells every connection something on its own loop, behind the set-up of one that has just been accepted.
    func tell(_ event: some Sendable) {
        for channel in self.snapshot() {
            channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(event) }
        }
    }

    /// The same for one connection, if it is open.
    func tell(_ event: some Sendable, to id: ObjectIdentifier) {
        guard let channel = self.state.withLock({ $0.channels[id] }) else { return }
        channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(event) }
    }

    func closeAll() {
        for channel in self.snapshot() { channel.close(promise: nil) }
    }

    /// Returns when no connection is open.
    func untilEmpty() async {
        await withCheckedContinuation { waiter in
            let isEmpty = self.state.withLock { state in
                if state.channels.isEmpty { return true }
                state.waiters.append(waiter)
                return false
            }
            if isEmpty { waiter.resume() }
        }
    }

    private func snapshot() -> [any Channel] {
        self.state.withLock { Array($0.channels.values) }
    }
}
