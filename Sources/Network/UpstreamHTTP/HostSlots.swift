/// Which transfers may run, host by host, and which wait for a place, first come first served.
struct HostSlots {
    private struct Host {
        var running = 0
        var waiting: [TransferID] = []
    }
    private var hosts: [String: Host] = [:]
    private let limit: Int
    private(set) var waitingCount = 0

    /// - Parameter limit: places a host has, at least one.
    init(limit: Int) {
        self.limit = max(limit, 1)
    }

    /// Takes a place; `false` if the transfer waits for one instead.
    mutating func admit(_ id: TransferID, to host: String) -> Bool {
        if self.hosts[host, default: Host()].running < self.limit {
            self.hosts[host, default: Host()].running += 1
            return true
        }
        self.hosts[host, default: Host()].waiting.append(id)
        self.waitingCount += 1
        return false
    }

    /// Gives a place back; the transfer returned has it now and must be started, or release it in its turn.
    mutating func release(_ host: String) -> TransferID? {
        guard var slots = self.hosts[host] else { preconditionFailure("a place of no host was released") }
        // Taken out, so that the array below is not copied.
        self.hosts[host] = nil
        if slots.waiting.isEmpty {
            slots.running -= 1
            if slots.running > 0 { self.hosts[host] = slots }
            return nil
        }
        let next = slots.waiting.removeFirst()
        self.waitingCount -= 1
        self.hosts[host] = slots
        return next
    }

    /// Forgets a transfer that waits.
    mutating func withdraw(_ id: TransferID, from host: String) {
        guard let index = self.hosts[host]?.waiting.firstIndex(of: id) else { return }
        self.hosts[host]?.waiting.remove(at: index)
        self.waitingCount -= 1
    }

    /// Hosts with a transfer; for tests that none is kept for ever.
    var hostCount: Int { self.hosts.count }
}
