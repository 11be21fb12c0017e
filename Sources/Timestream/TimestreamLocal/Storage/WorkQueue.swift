import Common
import Glibc

/// Work that waits for the threads of its own; bounded in pieces and in cost.
@safe final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    // Safe because: all mutable state is read and written with `mutex` held. Neither can be a `Mutex`, as that has no
    // condition to wait for.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var waiting: [(element: Element, cost: Int)] = []
    private var waitingCost = 0
    private var isClosed = false
    private let maximumCount: Int
    private let maximumCost: Int

    init(maximumCount: Int, maximumCost: Int = .max) {
        unsafe self.mutex = .allocate(capacity: 1)
        unsafe self.condition = .allocate(capacity: 1)
        self.maximumCount = maximumCount
        self.maximumCost = maximumCost
        unsafe pthread_mutex_init(self.mutex, nil)
        unsafe pthread_cond_init(self.condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(self.condition)
        unsafe pthread_mutex_destroy(self.mutex)
        unsafe self.condition.deallocate()
        unsafe self.mutex.deallocate()
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        unsafe pthread_mutex_lock(self.mutex)
        defer { unsafe pthread_mutex_unlock(self.mutex) }
        return body()
    }

    enum OnAdd { case queued, full, closed }

    /// Adds work, unless that would break a bound.
    func add(_ element: Element, cost: Int = 0) -> OnAdd {
        let outcome: OnAdd = self.locked {
            if self.isClosed { return .closed }
            guard self.waiting.count < self.maximumCount, cost <= self.maximumCost - self.waitingCost else {
                return .full
            }
            self.waiting.append((element, cost))
            self.waitingCost += cost
            return .queued
        }
        if outcome == .queued { unsafe pthread_cond_signal(self.condition) }
        return outcome
    }

    var count: Int { self.locked { self.waiting.count } }

    /// Waits for work and takes the oldest pieces, together no costlier than the limit, but at least one.
    ///
    /// - Returns: `nil` when the queue is closed and empty: the thread must end.
    func take(maximumCount: Int, maximumCost: Int = .max) -> [Element]? {
        self.locked {
            while self.waiting.isEmpty {
                if self.isClosed { return nil }
                unsafe pthread_cond_wait(self.condition, self.mutex)
            }
            var end = 0
            var cost = 0
            while end < self.waiting.count, end < maximumCount {
                let next = self.waiting[end].cost
                if end > 0, next > maximumCost - cost { break }
                cost += next
                end += 1
            }
            let taken = self.waiting[..<end].map(\.element)
            self.waiting.removeFirst(end)
            self.waitingCost -= cost
            return taken
        }
    }

    /// Takes no more work; what waits is still done.
    func close() {
        self.locked { self.isClosed = true }
        unsafe pthread_cond_broadcast(self.condition)
    }
}
