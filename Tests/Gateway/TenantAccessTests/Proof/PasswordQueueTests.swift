import Common
import Testing

@testable import TenantAccess

private let keys = ProofKeyMaker()

private func makeCheck(
    _ number: Int,
    lane: String = "a",
    tenant: String? = nil,
    isDecoy: Bool = false
) -> PasswordCheck {
    PasswordCheck(
        key: keys.key(tenant: lane, username: [], password: Array("\(number)".utf8), hash: "h", isDecoy: isDecoy),
        lane: lane,
        tenant: tenant ?? lane,
        password: Secret("\(number)"),
        hash: Secret("h"),
        isDecoy: isDecoy
    )
}

extension PasswordQueue<Int> {
    /// What joining led to, in short: "start", "queued", "shared", "refused" or "cancelled".
    fileprivate mutating func join(_ id: Int, _ check: PasswordCheck) -> String {
        switch self.join(id, id, check: check) {
        case .queued(startWorker: true): "start"
        case .queued(startWorker: false): "queued"
        case .shared: "shared"
        case .refuse(let waiter): waiter == id ? "refused" : "wrong waiter"
        case .failCancelled(let waiter): waiter == id ? "cancelled" : "wrong waiter"
        }
    }

    fileprivate mutating func takePassword() -> String? {
        self.takeNext().map { $0.password.revealed }
    }
}

@Suite("The queue of password checks")
struct PasswordQueueTests {
    private func makeQueue(
        workers: Int = 2,
        checks: Int = 64,
        ofLane: Int = 32,
        ofTenant: Int = 32,
        waiters: Int = 4096
    ) -> PasswordQueue<Int> {
        PasswordQueue(
            bounds: PasswordQueueBounds(
                workers: workers,
                waitingChecks: checks,
                waitingChecksOfLane: ofLane,
                waitingChecksOfTenant: ofTenant,
                waiters: waiters
            )
        )
    }

    @Test("workers are started up to the bound, end when there is nothing, and are started again")
    func workers() {
        var queue = self.makeQueue()
        let joined = (1...3).map { queue.join($0, makeCheck($0)) }
        #expect(joined == ["start", "start", "queued"])
        let taken = (1...4).map { _ in queue.takePassword() }
        #expect(taken == ["1", "2", "3", nil])
        for number in 1...3 {
            let waiters = queue.finish(makeCheck(number).key)
            #expect(waiters == [number])
        }
        let again = queue.join(4, makeCheck(4))
        #expect(again == "start")
    }

    @Test("equal checks share one, also while it runs; all waiters get its answer")
    func sharing() {
        var queue = self.makeQueue()
        let first = queue.join(1, makeCheck(7))
        let second = queue.join(2, makeCheck(7))
        let taken = queue.takePassword()
        let third = queue.join(3, makeCheck(7))
        #expect([first, second, third] == ["start", "shared", "shared"])
        #expect(taken == "7")
        let nothing = queue.takePassword()
        #expect(nothing == nil)
        let waiters = queue.finish(makeCheck(7).key)
        #expect(Set(waiters) == [1, 2, 3])
        let repeated = queue.finish(makeCheck(7).key)
        #expect(repeated.isEmpty)
    }

    @Test("a decoy never shares with a real check of the same password")
    func decoys() {
        var queue = self.makeQueue()
        let real = queue.join(1, makeCheck(7))
        let decoy = queue.join(2, makeCheck(7, isDecoy: true))
        #expect([real, decoy] == ["start", "start"])
    }

    @Test("bounded in checks of one lane, in checks, and in waiters")
    func bounds() {
        var queue = self.makeQueue(workers: 1, checks: 3, ofLane: 2, waiters: 5)
        let joined = [
            queue.join(1, makeCheck(1, lane: "a")), queue.join(2, makeCheck(2, lane: "a")),
            queue.join(3, makeCheck(3, lane: "a")),  // The lane is full.
            queue.join(4, makeCheck(4, lane: "b")),
            queue.join(5, makeCheck(5, lane: "c")),  // The queue is full.
            queue.join(6, makeCheck(4, lane: "b")), queue.join(7, makeCheck(4, lane: "b")),
            queue.join(8, makeCheck(4, lane: "b")),  // Too many wait, although it would cost no check.
        ]
        #expect(joined == ["start", "queued", "refused", "queued", "refused", "shared", "shared", "refused"])
        #expect(queue.waitingChecks == 3)
        // Whoever is taken makes room, for lanes that have less first.
        _ = queue.takePassword()
        _ = queue.finish(makeCheck(1, lane: "a").key)
        let after = [queue.join(9, makeCheck(9, lane: "a")), queue.join(9, makeCheck(9, lane: "c"))]
        #expect(after == ["refused", "queued"])
    }

    @Test("invented tenants are lanes of nobody: a source fills half of the queue, and others still find places")
    func inventedTenants() {
        var queue = self.makeQueue(workers: 1, ofTenant: 16)
        let flood = (0..<100).map { queue.join($0, makeCheck($0, lane: "flood", tenant: "invented-\($0)")) }
        #expect(flood.count { $0 != "refused" } == 32)
        let second = (100..<200).map { queue.join($0, makeCheck($0, lane: "flood-2", tenant: "invented-\($0)")) }
        #expect(second.count { $0 != "refused" } == 16)
        let third = (200..<300).map { queue.join($0, makeCheck($0, lane: "flood-3", tenant: "invented-\($0)")) }
        #expect(third.count { $0 != "refused" } == 8)
        let quiet = queue.join(300, makeCheck(300, lane: "quiet", tenant: "a"))
        #expect(quiet == "queued")
        // Whoever has less waits less: its turn comes after one check of each.
        let taken = (0..<4).map { _ in queue.takePassword() }
        #expect(taken == ["0", "100", "200", "300"])
    }

    @Test("one tenant of a source takes half of the source's places at most")
    func tenantsOfLane() {
        var queue = self.makeQueue(workers: 1, ofTenant: 16)
        let flood = (0..<100).map { queue.join($0, makeCheck($0, lane: "proxy", tenant: "a")) }
        #expect(flood.count { $0 != "refused" } == 16)
        let other = (100..<110).map { queue.join($0, makeCheck($0, lane: "proxy", tenant: "b")) }
        #expect(!other.contains("refused"))
    }

    @Test("lanes take turns: a flood of one tenant's checks does not keep another's waiting")
    func fairness() {
        var queue = self.makeQueue(workers: 1)
        for number in 1...20 { _ = queue.join(number, makeCheck(number, lane: "flood")) }
        _ = queue.join(100, makeCheck(100, lane: "quiet"))
        _ = queue.join(200, makeCheck(200, lane: "other"))
        let taken = (1...6).map { _ in queue.takePassword() }
        #expect(taken == ["1", "100", "200", "2", "3", "4"])
    }

    @Test("a cancelled waiter leaves; a check nobody waits for is dropped unless it runs")
    func cancellation() {
        var queue = self.makeQueue(workers: 1, checks: 6, ofLane: 3)
        for number in 1...3 { _ = queue.join(number, makeCheck(number)) }
        _ = queue.join(4, makeCheck(2))
        let running = queue.takePassword()
        #expect(running == "1")

        let cancelledRunning = queue.cancel(1, key: makeCheck(1).key, lane: "a")
        let cancelledShared = queue.cancel(2, key: makeCheck(2).key, lane: "a")
        let cancelledLast = queue.cancel(3, key: makeCheck(3).key, lane: "a")
        #expect([cancelledRunning, cancelledShared, cancelledLast] == [1, 2, 3])
        #expect(queue.waitingChecks == 1)
        // The running check is still there to be shared.
        let shared = queue.join(5, makeCheck(1))
        #expect(shared == "shared")
        let finished = queue.finish(makeCheck(1).key)
        #expect(finished == [5])
        let next = queue.takePassword()
        #expect(next == "2")
        let others = queue.finish(makeCheck(2).key)
        #expect(others == [4])
        let end = queue.takePassword()
        #expect(end == nil)
    }

    @Test("a cancel that comes first is not lost; one that comes late leaves nothing behind")
    func cancellationRaces() {
        var queue = self.makeQueue()
        let early = queue.cancel(1, key: makeCheck(1).key, lane: "a")
        let joined = queue.join(1, makeCheck(1))
        #expect(early == nil)
        #expect(joined == "cancelled")
        #expect(queue.waitingChecks == 0)

        _ = queue.join(2, makeCheck(2))
        _ = queue.takePassword()
        _ = queue.finish(makeCheck(2).key)
        let late = queue.cancel(2, key: makeCheck(2).key, lane: "a")
        #expect(late == nil)
        queue.forget(2)
        let reused = queue.join(2, makeCheck(2))
        #expect(reused == "start" || reused == "queued")
    }

    @Test("cancelling many waiters gives back every place that they took")
    func noLeak() {
        var queue = self.makeQueue(workers: 1, checks: 7, ofLane: 4, waiters: 4)
        for round in 0..<50 {
            let joined = (0..<4).map { queue.join($0, makeCheck($0, lane: "l\(round % 3)")) }
            #expect(!joined.contains("refused"))
            for number in 0..<4 {
                _ = queue.cancel(number, key: makeCheck(number, lane: "l\(round % 3)").key, lane: "l\(round % 3)")
            }
            #expect(queue.waitingChecks == 0)
        }
    }

    @Test("if no thread can be had, everybody who waits is told; if one is left, it serves them")
    func noThread() {
        var queue = self.makeQueue()
        _ = queue.join(1, makeCheck(1))
        _ = queue.join(2, makeCheck(2))
        let served = queue.workerDidNotStart()
        #expect(served.isEmpty)
        let told = queue.workerDidNotStart()
        #expect(Set(told) == [1, 2])
        #expect(queue.waitingChecks == 0)
        let again = queue.join(3, makeCheck(3))
        #expect(again == "start")
    }
}

extension ProofCache {
    /// Whether the check of this number is remembered.
    fileprivate mutating func has(_ number: Int, at now: Int64) -> Bool {
        self.contains(makeCheck(number).key, now: now)
    }
}

@Suite("Remembered password checks")
struct ProofCacheTests {
    private func key(_ number: Int) -> ProofKey { makeCheck(number).key }

    @Test("a success is remembered for its lifetime after its last use")
    func lifetime() {
        var cache = ProofCache(capacity: 10, lifetime: .nanoseconds(100))
        cache.insert(self.key(1), now: 0)
        cache.insert(self.key(2), now: 0)
        let found = [
            cache.has(1, at: 99), cache.has(2, at: 100), cache.has(1, at: 198), cache.has(1, at: 298),
        ]
        #expect(found == [true, false, true, false])
        #expect(cache.count == 0)
    }

    @Test("never more than its capacity, and what is used survives what is not")
    func capacity() {
        var cache = ProofCache(capacity: 8, lifetime: .seconds(1))
        cache.insert(self.key(0), now: 0)
        for number in 1...100 {
            cache.insert(self.key(number), now: 0)
            let isKept = cache.has(0, at: 0)
            #expect(isKept)
            #expect(cache.count <= 8)
        }
        let newest = cache.has(100, at: 0)
        let oldest = cache.has(1, at: 0)
        #expect(newest && !oldest)
    }

    @Test("an endless lifetime does not overflow")
    func overflow() {
        var cache = ProofCache(capacity: 2, lifetime: .seconds(Int64.max))
        cache.insert(self.key(1), now: .max - 1)
        let isKept = cache.has(1, at: .max - 1)
        #expect(isKept)
    }

    @Test("every field is part of the key, and no two splits of the same bytes are equal")
    func fields() {
        let maker = ProofKeyMaker()
        func key(_ tenant: String, _ user: String, _ password: String, _ hash: String, _ isDecoy: Bool = false)
            -> ProofKey
        {
            maker.key(
                tenant: tenant,
                username: Array(user.utf8),
                password: Array(password.utf8),
                hash: hash,
                isDecoy: isDecoy
            )
        }
        let all: Set<ProofKey> = [
            key("t", "u", "p", "h"), key("t", "u", "p", "h", true), key("x", "u", "p", "h"), key("t", "x", "p", "h"),
            key("t", "u", "x", "h"), key("t", "u", "p", "x"), key("tu", "", "p", "h"), key("t", "up", "", "h"),
            key("", "tu", "p", "h"), key("t", "u", "ph", ""), key("t", "u", "", "ph"),
        ]
        #expect(all.count == 11)
        #expect(key("t", "u", "p", "h") == key("t", "u", "p", "h"))
        #expect(
            ProofKeyMaker().key(tenant: "t", username: [], password: [], hash: "", isDecoy: false)
                != key("t", "", "", "")
        )
    }
}
