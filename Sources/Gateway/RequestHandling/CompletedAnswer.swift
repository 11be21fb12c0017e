import Common
import Synchronization

extension OutgoingResponse {
    /// Does something once the answer is complete: at once, or, where a producer writes the body, when that has ended. If
    /// the producer is never run, when it is forgotten.
    func whenComplete(_ action: @escaping @Sendable () -> Void) -> OutgoingResponse {
        guard let producer = self.producer else {
            action()
            return self
        }
        let end = AnswerEnd(action)
        var response = self
        response.producer = { sink in
            defer { end.reach() }
            try await producer(sink)
        }
        return response
    }
}

/// Does something exactly once.
private final class AnswerEnd: Sendable {
    private let action: @Sendable () -> Void
    private let isReached = Atomic<Bool>(false)

    init(_ action: @escaping @Sendable () -> Void) {
        self.action = action
    }

    deinit {
        self.reach()
    }

    func reach() {
        guard !self.isReached.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.action()
    }
}
