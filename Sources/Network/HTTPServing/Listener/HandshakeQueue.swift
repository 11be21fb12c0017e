import NIOCore

/// Which TLS handshakes may begin, and when: bounded in rate and in number, and fair between the networks they come from.
///
/// Connections over a bound wait for a moment, in a line of their network's own; what comes free goes to the lines in turn.
/// So a network that floods waits for itself and loses its own connections, and one that is new is next. Handshakes that
/// do not get on are no way to hold the places either: a network with more of them than a waiting one loses its oldest, and
/// any network one to a waiting one that has none.
struct HandshakeQueue<ID: Hashable & Sendable>: Sendable {
    struct Limits: Sendable {
        /// Handshakes that may begin a second.
        var perSecond: Int
        /// Handshakes under way at once.
        var concurrent: Int
        /// A longer wait helps nobody: the client's own time-out runs.
        var maxWaitNanoseconds: Int64 = 1_000_000_000
        /// How long a handshake keeps its place whoever waits: several round trips around the world.
        var graceNanoseconds: Int64 = 500_000_000
        /// Of all networks together.
        var maxWaiting = 512
    }
    enum Refusal: Equatable, Sendable { case rate, underWay }
    enum Action: Equatable, Sendable {
        case begin(ID)
        /// It has waited in vain, or there are too many before it.
        case refuse(ID, Refusal)
        /// It had begun; another network's takes its place.
        case displace(ID)
    }

    private struct Waiter {
        var id: ID
        var deadline: Int64
    }
    private struct UnderWay {
        var id: ID
        var network: PeerNetwork
        var begunAt: Int64
    }

    private let limits: Limits
    private var budget: HandshakeBudget
    /// In the order in which they began.
    private var underWay: [UnderWay] = []
    /// Only of networks that have waiters.
    private var lines: [PeerNetwork: CircularBuffer<Waiter>] = [:]
    /// The networks of `lines`, the next one first.
    private var turns = CircularBuffer<PeerNetwork>()
    private(set) var waitingCount = 0
    /// No waiter's deadline is earlier, so that nobody need look before.
    private var earliestDeadline = Int64.max

    init(limits: Limits) {
        self.limits = limits
        self.budget = HandshakeBudget(perSecond: limits.perSecond)
    }

    var underWayCount: Int { self.underWay.count }
    /// How many networks wait; for tests of the bound.
    var lineCount: Int { self.lines.count }

    // MARK: Events

    /// - Parameter now: nanoseconds of one clock for all calls.
    mutating func arrived(_ id: ID, from network: PeerNetwork, now: Int64) -> [Action] {
        let waiter = Waiter(id: id, deadline: now + self.limits.maxWaitNanoseconds)
        if self.lines[network] == nil {
            // Each arrival looks at all lines, so their number has a bound too.
            guard self.lines.count < self.limits.maxWaiting else {
                return self.proceed(now: now) + [.refuse(id, self.shortage)]
            }
            self.lines[network] = []
            self.turns.append(network)
        }
        self.lines[network]?.append(waiter)
        self.waitingCount += 1
        self.earliestDeadline = min(self.earliestDeadline, waiter.deadline)
        var actions = self.proceed(now: now)
        // What it would wait for in vain, it need not wait for. Its share is one at least, so no line ends here.
        let room = self.limits.perSecond.multipliedReportingOverflow(by: Int(self.limits.maxWaitNanoseconds))
        let served = room.overflow ? Int.max : room.partialValue / 1_000_000_000
        let share = max(1, min(self.limits.maxWaiting, served) / max(1, self.lines.count))
        if let line = self.lines[network], line.count > share, line.last?.id == id {
            self.lines[network]?.removeLast()
            self.waitingCount -= 1
            actions.append(.refuse(id, self.shortage))
        }
        return actions
    }

    /// A handshake that had begun is over, however it ended; a second time changes nothing.
    mutating func ended(_ id: ID) {
        guard let index = self.underWay.firstIndex(where: { $0.id == id }) else { return }
        self.underWay.remove(at: index)
    }

    /// Begins what may begin, and gives up what has waited too long. To be called after `ended`, and at `nextTurn`.
    mutating func proceed(now: Int64) -> [Action] {
        var actions: [Action] = []
        self.giveUp(now, &actions)
        while self.waitingCount > 0, self.budget.next(now: now) <= now {
            if self.underWay.count >= self.limits.concurrent {
                guard let victim = self.makePlace(now) else { break }
                actions.append(.displace(victim))
            }
            guard let (waiter, network) = self.takeNext(), self.budget.take(now: now) else { break }
            self.underWay.append(UnderWay(id: waiter.id, network: network, begunAt: now))
            actions.append(.begin(waiter.id))
        }
        return actions
    }

    /// When `proceed` has something to do if nothing happens before; `nil`: nothing waits. To be asked after it.
    func nextTurn(now: Int64) -> Int64? {
        guard self.waitingCount > 0 else { return nil }
        var next = self.earliestDeadline
        if self.underWay.count < self.limits.concurrent {
            next = min(next, self.budget.next(now: now))
        } else if let oldest = self.underWay.first(where: { $0.begunAt + self.limits.graceNanoseconds > now }) {
            next = min(next, max(oldest.begunAt + self.limits.graceNanoseconds, self.budget.next(now: now)))
        }
        return max(next, now + 1_000_000)
    }

    /// Everything that waits, which waits no more.
    mutating func close() -> [ID] {
        let waiting = self.lines.values.flatMap { $0.map(\.id) }
        self.lines = [:]
        self.turns = []
        self.waitingCount = 0
        return waiting
    }

    // MARK: Turns

    private mutating func takeNext() -> (waiter: Waiter, network: PeerNetwork)? {
        guard let network = self.turns.popFirst(), let waiter = self.lines[network]?.popFirst() else { return nil }
        self.waitingCount -= 1
        if self.lines[network]?.isEmpty == true {
            self.lines[network] = nil
        } else {
            self.turns.append(network)
        }
        return (waiter, network)
    }

    private mutating func giveUp(_ now: Int64, _ actions: inout [Action]) {
        guard self.earliestDeadline <= now else { return }
        self.earliestDeadline = .max
        for network in self.turns {
            while let waiter = self.lines[network]?.first {
                guard waiter.deadline <= now else {
                    self.earliestDeadline = min(self.earliestDeadline, waiter.deadline)
                    break
                }
                self.lines[network]?.removeFirst()
                self.waitingCount -= 1
                actions.append(.refuse(waiter.id, self.shortage))
            }
        }
        let lines = self.lines.filter { !$0.value.isEmpty }
        self.lines = lines
        self.turns.removeAll { lines[$0] == nil }
    }

    private var shortage: Refusal {
        self.underWay.count >= self.limits.concurrent ? .underWay : .rate
    }

    /// Takes a place from the network that has most, for the waiting one that has least, which is the next then.
    ///
    /// - Returns: whose handshake is given up; `nil`: nobody has more than its share, or all of them have just begun.
    private mutating func makePlace(_ now: Int64) -> ID? {
        guard let oldest = self.underWay.first, oldest.begunAt + self.limits.graceNanoseconds <= now else { return nil }
        var counts: [PeerNetwork: Int] = [:]
        for entry in self.underWay { counts[entry.network, default: 0] += 1 }
        guard let poorest = self.turns.min(by: { counts[$0] ?? 0 < counts[$1] ?? 0 }) else { return nil }
        // Who has none may take anybody's: else as many networks as there are places would keep all others out.
        let share = counts[poorest].map { $0 + 1 } ?? 0
        var victim: (index: Int, count: Int)?
        // The oldest first, so that of each network its oldest is found.
        for (index, entry) in self.underWay.enumerated() {
            guard entry.begunAt + self.limits.graceNanoseconds <= now else { break }
            let count = counts[entry.network] ?? 0
            if count > share, count > victim?.count ?? 0 { victim = (index, count) }
        }
        guard let victim else { return nil }
        if let turn = self.turns.firstIndex(of: poorest) {
            self.turns.remove(at: turn)
            self.turns.prepend(poorest)
        }
        return self.underWay.remove(at: victim.index).id
    }
}
