import Common

/// What the callers and the driver share: who waits, and what the driver has to do next.
final class TransferExchange: Sendable {
    typealias Waiter = CheckedContinuation<Result<UpstreamResponse, UpstreamError>, Never>

    enum Command: Sendable {
        case add(QueuedTransfer)
        case abort(TransferID)
    }

    private struct Inbox {
        var commands: [Command] = []
        var isStopping = false
        /// There while the driver sleeps: waking it costs a system call, so it is done only then.
        var sleeper: MultiHandle?
    }

    enum Work {
        case commands([Command])
        case stop
    }

    private let table: Locked<TransferTable<Waiter>>
    private let inbox = Locked(Inbox())

    init(capacity: Int) {
        self.table = Locked(TransferTable(capacity: capacity))
    }

    // MARK: For callers

    func start(_ transfer: QueuedTransfer, _ waiter: Waiter) {
        switch self.table.withLock({ $0.start(transfer.id, waiter) }) {
        case .enqueue:
            self.post(.add(transfer))
        case .fail(let waiter, let code):
            waiter.resume(returning: .failure(Self.error(code, transfer.origin)))
        }
    }

    func cancel(_ id: TransferID) {
        guard case .abortAndFail(let waiter) = self.table.withLock({ $0.cancel(id) }) else { return }
        self.post(.abort(id))
        waiter.resume(returning: .failure(UpstreamError(.cancelled, message: "the caller was cancelled")))
    }

    func forget(_ id: TransferID) {
        self.table.withLock { $0.forget(id) }
    }

    /// Fails all that run, and lets the driver end.
    func close() {
        let waiters = self.table.withLock { $0.close() }
        for waiter in waiters {
            waiter.resume(returning: .failure(Self.error(.shutDown, "all upstreams")))
        }
        self.inbox.withLock { inbox in
            inbox.isStopping = true
            inbox.sleeper?.wakeUp()
            inbox.sleeper = nil
        }
    }

    private func post(_ command: Command) {
        self.inbox.withLock { inbox in
            inbox.commands.append(command)
            // Inside the lock: the driver clears the sleeper in it, and lets go of the handle only afterwards.
            inbox.sleeper?.wakeUp()
            inbox.sleeper = nil
        }
    }

    // MARK: For the driver

    func isWanted(_ id: TransferID) -> Bool {
        self.table.withLock { $0.isWanted(id) }
    }

    func finish(_ id: TransferID, _ result: Result<UpstreamResponse, UpstreamError>) {
        self.table.withLock { $0.finish(id) }?.resume(returning: result)
    }

    /// What was posted since the last call.
    func takeWork() -> Work {
        self.inbox.withLock { inbox in
            inbox.sleeper = nil
            if inbox.isStopping { return .stop }
            var taken: [Command] = []
            swap(&taken, &inbox.commands)
            return .commands(taken)
        }
    }

    /// Announces that the driver sleeps on the handle now; `false` if there is work instead.
    func prepareToSleep(on multi: MultiHandle) -> Bool {
        self.inbox.withLock { inbox in
            guard inbox.commands.isEmpty, !inbox.isStopping else { return false }
            inbox.sleeper = multi
            return true
        }
    }

    private static func error(_ code: UpstreamError.Code, _ place: String) -> UpstreamError {
        let message =
            switch code {
            case .overloaded: "too many transfers run and wait already"
            case .shutDown: "the client was shut down"
            default: "the caller was cancelled"
            }
        return UpstreamError(code, message: "\(place): \(message)")
    }
}
