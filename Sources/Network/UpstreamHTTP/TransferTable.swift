/// Names one transfer; never used twice.
struct TransferID: Hashable, Sendable {
    var number: UInt64
}

/// Who waits for which transfer: settles each race between start, finish, cancel and shutdown once, for one side.
///
/// A waiter is handed out by exactly one method, so it is resumed exactly once.
struct TransferTable<Waiter>: ~Copyable {
    private enum Entry {
        /// Becomes: gone, by `finish`, `cancel` or `close`.
        case running(Waiter)
        /// The cancel came first. Becomes: gone, by `start` or `forget`.
        case cancelledBeforeStart
    }
    private var entries: [TransferID: Entry] = [:]
    private var isClosed = false
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
    }

    enum OnStart {
        case enqueue
        case fail(Waiter, UpstreamError.Code)
    }
    mutating func start(_ id: TransferID, _ waiter: Waiter) -> OnStart {
        switch self.entries.removeValue(forKey: id) {
        case .cancelledBeforeStart:
            return .fail(waiter, .cancelled)
        case nil:
            if self.isClosed { return .fail(waiter, .shutDown) }
            if self.entries.count >= self.capacity { return .fail(waiter, .overloaded) }
            self.entries[id] = .running(waiter)
            return .enqueue
        case .running:
            preconditionFailure("transfer \(id.number) started twice")
        }
    }

    enum OnCancel {
        case abortAndFail(Waiter)
        /// `start` will find the note; or the transfer is over, and `forget` removes it.
        case noted
    }
    mutating func cancel(_ id: TransferID) -> OnCancel {
        switch self.entries.removeValue(forKey: id) {
        case .running(let waiter):
            return .abortAndFail(waiter)
        case nil, .cancelledBeforeStart:
            self.entries[id] = .cancelledBeforeStart
            return .noted
        }
    }

    /// Whether anybody waits for the transfer: an abort may overtake its own enqueueing.
    func isWanted(_ id: TransferID) -> Bool {
        if case .running = self.entries[id] { true } else { false }
    }

    /// The one to tell the result; `nil` if it was cancelled meanwhile.
    mutating func finish(_ id: TransferID) -> Waiter? {
        guard case .running(let waiter) = self.entries[id] else { return nil }
        self.entries.removeValue(forKey: id)
        return waiter
    }

    /// Drops the note that a late cancel may have left.
    mutating func forget(_ id: TransferID) {
        if case .cancelledBeforeStart = self.entries[id] { self.entries.removeValue(forKey: id) }
    }

    /// Refuses every later start; all that run are handed out to be failed.
    mutating func close() -> [Waiter] {
        self.isClosed = true
        var waiters: [Waiter] = []
        self.entries = self.entries.filter { entry in
            guard case .running(let waiter) = entry.value else { return true }
            waiters.append(waiter)
            return false
        }
        return waiters
    }

    var count: Int { self.entries.count }
}
