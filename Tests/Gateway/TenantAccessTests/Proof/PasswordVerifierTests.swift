import Common
import Foundation
import Testing

@testable import TenantAccess

/// Stands in for bcrypt: counts checks, and holds them back for as long as it is closed.
private final class Comparison: @unchecked Sendable {
    // Safe because: the state is touched only with the condition's lock held.
    private let condition = NSCondition()
    private var isOpen = true
    private var made: [String] = []

    var calls: [String] { self.condition.withLock { self.made } }

    func close() { self.condition.withLock { self.isOpen = false } }

    func open() {
        self.condition.withLock {
            self.isOpen = true
            self.condition.broadcast()
        }
    }

    /// The password matches the hash if they are the same text.
    func compare(_ password: [UInt8], _ hash: String) -> Bool {
        let password = String(decoding: password, as: UTF8.self)
        self.condition.withLock {
            self.made.append("\(password)/\(hash)")
            while !self.isOpen { self.condition.wait() }
        }
        return password == hash
    }
}

private struct VerifierUnderTest {
    let comparison = Comparison()
    let clock = TestClock()
    let registry = MetricRegistry()
    let verifier: PasswordVerifier

    init(bounds: PasswordQueueBounds = PasswordQueueBounds(), cacheLifetime: Duration = .seconds(300)) {
        let comparison = self.comparison
        self.verifier = PasswordVerifier(
            registry: self.registry,
            clock: self.clock.accessClock,
            cacheLifetime: cacheLifetime,
            bounds: bounds,
            compare: { comparison.compare($0, $1) }
        )
    }

    func verify(
        _ password: String,
        _ hashes: [String],
        tenant: String = "a",
        source: String = "192.0.2.1",
        isDecoy: Bool = false
    ) async throws(PasswordVerifier.Failure) -> Bool {
        try await self.verifier.verify(
            tenant: tenant,
            source: source,
            username: Array("u".utf8),
            password: Array(password.utf8),
            hashes: hashes.map { Secret($0) },
            isDecoy: isDecoy
        )
    }

    func checks(_ result: String) -> Int {
        self.registry.counter("gateway_password_checks_total", help: "", labels: [("result", result)]).value
    }

    var counts: [Int] { ["matched", "differed", "cached", "refused"].map { self.checks($0) } }
    var waiting: Int { self.registry.gauge("gateway_password_queue", help: "").value }
}

@Suite("Password checks off the event loop")
struct PasswordVerifierTests {
    @Test("a success is paid once; a failure each time")
    func caching() async throws {
        let test = VerifierUnderTest()
        for _ in 0..<3 { #expect(try await test.verify("p", ["p"])) }
        #expect(test.comparison.calls == ["p/p"])
        #expect(test.counts == [1, 0, 2, 0])
        for _ in 0..<3 { #expect(try await !test.verify("x", ["p"])) }
        #expect(test.counts == [1, 3, 2, 0])
        #expect(test.waiting == 0)
    }

    @Test("a remembered success is worth nothing for another tenant or another hash")
    func separation() async throws {
        let test = VerifierUnderTest()
        #expect(try await test.verify("p", ["p"], tenant: "a"))
        #expect(try await test.verify("p", ["p"], tenant: "b"))
        #expect(try await !test.verify("p", ["q"], tenant: "a"))
        #expect(test.comparison.calls == ["p/p", "p/p", "p/q"])
    }

    @Test("after its lifetime a success that nobody used is checked again")
    func expiry() async throws {
        let test = VerifierUnderTest(cacheLifetime: .seconds(300))
        #expect(try await test.verify("p", ["p"]))
        test.clock.advance(by: .seconds(299))
        #expect(try await test.verify("p", ["p"]))
        test.clock.advance(by: .seconds(299))
        #expect(try await test.verify("p", ["p"]))
        #expect(test.comparison.calls.count == 1)
        test.clock.advance(by: .seconds(300))
        #expect(try await test.verify("p", ["p"]))
        #expect(test.comparison.calls.count == 2)
    }

    @Test("while a password is replaced, whoever has the new one pays for the old one's check only once")
    func rotation() async throws {
        let test = VerifierUnderTest()
        for _ in 0..<3 { #expect(try await test.verify("new", ["old", "new"])) }
        #expect(test.comparison.calls == ["new/old", "new/new"])
        #expect(try await !test.verify("wrong", ["old", "new"]))
        #expect(test.comparison.calls.suffix(2) == ["wrong/old", "wrong/new"])
        #expect(try await !test.verify("p", []))
    }

    @Test("a decoy takes the check and answers no, even if the password fits, and is never remembered")
    func decoy() async throws {
        let test = VerifierUnderTest()
        for _ in 0..<2 { #expect(try await !test.verify("p", ["p"], isDecoy: true)) }
        #expect(test.comparison.calls.count == 2)
        #expect(try await test.verify("p", ["p"]))
        #expect(test.comparison.calls.count == 3)
    }

    @Test("equal checks that overlap share one")
    func sharing() async throws {
        let test = VerifierUnderTest()
        test.comparison.close()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { try await test.verify("p", ["p"]) } }
            await eventually("the check runs") { test.comparison.calls.count == 1 }
            for _ in 0..<200 { await Task.yield() }
            test.comparison.open()
            for try await matches in group { #expect(matches) }
        }
        #expect(test.comparison.calls == ["p/p"])
    }

    @Test("a full queue refuses, and serves again when there is room")
    func queueFull() async throws {
        let bounds = PasswordQueueBounds(workers: 1, waitingChecks: 4, waitingChecksOfLane: 2, waiters: 10)
        let test = VerifierUnderTest(bounds: bounds)
        test.comparison.close()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { try await test.verify("0", ["0"]) }
            await eventually("the first check runs") { test.comparison.calls.count == 1 }
            for number in 1...2 { group.addTask { try await test.verify("\(number)", ["\(number)"]) } }
            await eventually("two checks wait") { test.waiting == 2 }
            await #expect(throws: PasswordVerifier.Failure.queueFull) { try await test.verify("3", ["3"]) }
            #expect(test.checks("refused") == 1)
            test.comparison.open()
            for try await matches in group { #expect(matches) }
        }
        #expect(try await test.verify("3", ["3"]))
        #expect(test.waiting == 0)
    }

    @Test("a cancelled waiter returns at once, and its check is not made if nobody else waits")
    func cancellation() async throws {
        let test = VerifierUnderTest(bounds: PasswordQueueBounds(workers: 1))
        test.comparison.close()
        let running = Task { try await test.verify("0", ["0"]) }
        await eventually("the first check runs") { test.comparison.calls.count == 1 }
        let waiting = Task { try await test.verify("1", ["1"]) }
        await eventually("one check waits") { test.waiting == 1 }
        waiting.cancel()
        await #expect(throws: PasswordVerifier.Failure.cancelled) { try await waiting.value }
        #expect(test.waiting == 0)
        running.cancel()
        await #expect(throws: PasswordVerifier.Failure.cancelled) { try await running.value }
        test.comparison.open()
        // The running check still ends, and what it found is remembered.
        await eventually("the check has ended") { test.checks("matched") == 1 }
        #expect(try await test.verify("0", ["0"]))
        #expect(test.comparison.calls == ["0/0"])
    }

    @Test("a task that is cancelled before it asks is refused as cancelled")
    func cancelledBefore() async throws {
        let test = VerifierUnderTest()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await test.verify("p", ["p"])
        }
        task.cancel()
        await #expect(throws: PasswordVerifier.Failure.cancelled) { try await task.value }
        #expect(test.waiting == 0)
    }

    @Test("many tasks, some of them cancelled: each gets its own answer")
    func storm() async {
        let test = VerifierUnderTest(bounds: PasswordQueueBounds(waitingChecks: 1000, waitingChecksOfLane: 1000))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let task = Task {
                        try await test.verify("\(number % 20)", ["\(number % 10)"], tenant: "\(number % 3)")
                    }
                    if number % 4 == 0 { task.cancel() }
                    do {
                        #expect(try await task.value == (number % 20 < 10))
                    } catch {
                        #expect(number % 4 == 0 && error as? PasswordVerifier.Failure == .cancelled)
                    }
                }
            }
        }
        #expect(test.waiting == 0)
    }

    @Test("after too many wrong passwords a source's next ones are not looked at, but for those it was granted before")
    func failures() async throws {
        let test = VerifierUnderTest()
        test.verifier.limitFailures(perSecond: 2)
        #expect(try await test.verify("good", ["good"]))
        for number in 0..<SourceFailures.burst { #expect(try await !test.verify("bad-\(number)", ["good"])) }
        for (password, isDecoy) in [("bad", false), ("other", false), ("bad", true)] {
            await #expect(throws: PasswordVerifier.Failure.tooManyFailures(wait: 500_000_000)) {
                try await test.verify(password, ["other"], isDecoy: isDecoy)
            }
        }
        #expect(try await test.verify("good", ["good"]), "granted before")
        #expect(try await test.verify("other", ["other"], source: "192.0.2.2"), "another source")
        #expect(test.counts == [2, SourceFailures.burst, 1, 0] && test.checks("limited") == 3)
        test.clock.advance(by: .milliseconds(500))
        #expect(try await test.verify("new", ["new"]), "a right one uses nothing up")
        #expect(try await test.verify("newer", ["newer"]))
        #expect(try await !test.verify("bad", ["good"]))
        await #expect(throws: PasswordVerifier.Failure.tooManyFailures(wait: 500_000_000)) {
            try await test.verify("newest", ["newest"])
        }
        test.verifier.limitFailures(perSecond: nil)
        #expect(try await !test.verify("bad", ["good"]))
    }

    @Test("guessing from a source for a long time is slowed to the rate")
    func rate() async throws {
        let test = VerifierUnderTest()
        test.verifier.limitFailures(perSecond: 5)
        for number in 0..<1_000 {
            _ = try? await test.verify("\(number)", ["good"])
            test.clock.advance(by: .milliseconds(10))
        }
        let looked = test.checks("differed")
        #expect(looked >= SourceFailures.burst + 45 && looked <= SourceFailures.burst + 51)
    }

    @Test("with real bcrypt")
    func real() async throws {
        let verifier = PasswordVerifier(registry: MetricRegistry(), clock: TestClock().accessClock)
        for (password, expected) in [("abc", true), ("abd", false), ("abc", true)] {
            let matches = try await verifier.verify(
                tenant: "a",
                source: "192.0.2.1",
                username: Array("u".utf8),
                password: Array(password.utf8),
                hashes: [hashOfA, hashOfABC],
                isDecoy: false
            )
            #expect(matches == expected)
        }
    }
}
