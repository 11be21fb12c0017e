import Common

/// One password to be checked against one hash.
struct PasswordCheck: Sendable {
    var key: ProofKey
    /// Where the request comes from: checks of one lane never crowd out those of another.
    var lane: String
    /// The tenant the request claims, known or not.
    var tenant: String
    var password: Secret
    var hash: Secret
    /// Work done only to take its time: the answer is always no.
    var isDecoy: Bool
}

/// How much a `PasswordQueue` takes before it refuses.
struct PasswordQueueBounds: Sendable {
    /// Threads that check at the same time.
    var workers = 2
    /// Checks that wait for a thread; at bcrypt cost 10 the last of them waits about two seconds.
    var waitingChecks = 64
    /// Checks of one lane that wait; and no more than places are free then.
    var waitingChecksOfLane = 32
    /// Checks of one tenant in one lane that wait.
    var waitingChecksOfTenant = 16
    /// Requests that wait for any check.
    var waiters = 4096
}

/// Which password checks wait, which run, and who waits for each; decides, and leaves the doing to `PasswordVerifier`.
///
/// Bounded in checks, in checks of one lane, and in waiters. Lanes take turns. Waiters of equal checks share one.
///
/// Lanes are by source, not by tenant: tenants' names can be invented, and sources cannot. A lane never has more than the
/// others have left free, so the first takes half of the queue at most, the next a quarter, and there is nearly always a
/// place for one that has none. Unknown tenants count as known ones do, so a full queue tells nothing about which exist.
struct PasswordQueue<Waiter: Sendable>: Sendable {
    private struct Job {
        var check: PasswordCheck
        var waiters: [Int: Waiter]
    }

    private let bounds: PasswordQueueBounds
    /// Every check that waits or runs.
    private var jobs: [ProofKey: Job] = [:]
    private var lanes: [String: [ProofKey]] = [:]
    /// The lanes that have something waiting, in the order of their turns.
    private var turns: [String] = []
    private var workers = 0
    private var waiterCount = 0
    /// Waiters cancelled before they joined.
    private var cancelledEarly: Set<Int> = []
    /// Checks that wait for a worker.
    private(set) var waitingChecks = 0

    init(bounds: PasswordQueueBounds) {
        self.bounds = bounds
    }

    enum OnJoin: Sendable {
        /// Queued; a new worker must be started for it if `true`.
        case queued(startWorker: Bool)
        /// An equal check is already under way.
        case shared
        case refuse(Waiter)
        case failCancelled(Waiter)
    }

    mutating func join(_ id: Int, _ waiter: Waiter, check: PasswordCheck) -> OnJoin {
        if self.cancelledEarly.remove(id) != nil { return .failCancelled(waiter) }
        guard self.waiterCount < self.bounds.waiters else { return .refuse(waiter) }
        if self.jobs[check.key] != nil {
            self.jobs[check.key]?.waiters[id] = waiter
            self.waiterCount += 1
            return .shared
        }
        guard self.hasPlace(for: check) else { return .refuse(waiter) }
        self.jobs[check.key] = Job(check: check, waiters: [id: waiter])
        if self.lanes[check.lane] == nil { self.turns.append(check.lane) }
        self.lanes[check.lane, default: []].append(check.key)
        self.waitingChecks += 1
        self.waiterCount += 1
        guard self.workers < self.bounds.workers else { return .queued(startWorker: false) }
        self.workers += 1
        return .queued(startWorker: true)
    }

    private func hasPlace(for check: PasswordCheck) -> Bool {
        let free = self.bounds.waitingChecks - self.waitingChecks
        guard free > 0 else { return false }
        guard let lane = self.lanes[check.lane] else { return true }
        guard lane.count < min(self.bounds.waitingChecksOfLane, free) else { return false }
        let ofTenant = lane.count { self.jobs[$0]?.check.tenant == check.tenant }
        return ofTenant < self.bounds.waitingChecksOfTenant
    }

    /// The next check for a worker; `nil`: there is none, and the worker is counted out and must end.
    mutating func takeNext() -> PasswordCheck? {
        guard let lane = self.turns.first, var keys = self.lanes.removeValue(forKey: lane),
            let key = keys.first, let job = self.jobs[key]
        else {
            self.workers -= 1
            return nil
        }
        // Arrays: the bounds keep them as short as a few dozen.
        self.turns.removeFirst()
        keys.removeFirst()
        if !keys.isEmpty {
            self.lanes[lane] = keys
            self.turns.append(lane)
        }
        self.waitingChecks -= 1
        return job.check
    }

    /// Ends a check; the caller tells its waiters the answer.
    mutating func finish(_ key: ProofKey) -> [Waiter] {
        guard let job = self.jobs.removeValue(forKey: key) else { return [] }
        self.waiterCount -= job.waiters.count
        return Array(job.waiters.values)
    }

    /// A worker that was asked for could not be started; without any other, nobody would ever answer those who wait.
    mutating func workerDidNotStart() -> [Waiter] {
        self.workers -= 1
        guard self.workers == 0 else { return [] }
        let waiters = self.jobs.values.flatMap { $0.waiters.values }
        self.jobs = [:]
        self.lanes = [:]
        self.turns = []
        self.waitingChecks = 0
        self.waiterCount = 0
        return waiters
    }

    /// Takes a waiter out; a check that waits for nobody any more, and has not started, is dropped.
    mutating func cancel(_ id: Int, key: ProofKey, lane: String) -> Waiter? {
        guard let waiter = self.jobs[key]?.waiters.removeValue(forKey: id) else {
            // Not joined yet, or finished already: the note serves the first and `forget` removes it for both.
            self.cancelledEarly.insert(id)
            return nil
        }
        self.waiterCount -= 1
        guard self.jobs[key]?.waiters.isEmpty == true, var keys = self.lanes[lane],
            let place = keys.firstIndex(of: key)
        else { return waiter }
        keys.remove(at: place)
        self.lanes[lane] = keys.isEmpty ? nil : keys
        if keys.isEmpty { self.turns.removeAll { $0 == lane } }
        self.jobs[key] = nil
        self.waitingChecks -= 1
        return waiter
    }

    /// Drops the note that a late cancel may have left.
    mutating func forget(_ id: Int) {
        self.cancelledEarly.remove(id)
    }
}
