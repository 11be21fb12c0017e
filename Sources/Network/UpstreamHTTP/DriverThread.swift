import Common
import Glibc

/// The thread that libcurl runs on, and who waits for its end.
final class DriverThread: Sendable {
    private enum State {
        case running([CheckedContinuation<Void, Never>])
        case ended
    }
    private let state = Locked(State.running([]))

    /// Runs the work on a new thread that takes no signals.
    init(_ work: @escaping @Sendable () -> Void) throws(UpstreamError) {
        let isStarted = WorkerThread.start {
            // Signals are the main thread's; and a write to a closed connection must not raise SIGPIPE.
            var signals = sigset_t()
            unsafe sigfillset(&signals)
            unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
            work()
            self.end()
        }
        guard isStarted else {
            throw UpstreamError(.library, message: "the system gives no thread for upstream transfers")
        }
    }

    private func end() {
        let waiters = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard case .running(let waiters) = state else { return [] }
            state = .ended
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when the thread's work is over.
    func join() async {
        await withCheckedContinuation { waiter in
            let isOver = self.state.withLock { state in
                guard case .running(let waiters) = state else { return true }
                state = .running(waiters + [waiter])
                return false
            }
            if isOver { waiter.resume() }
        }
    }
}
