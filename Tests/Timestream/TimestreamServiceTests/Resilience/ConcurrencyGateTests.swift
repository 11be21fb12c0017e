import Common
import Testing

@testable import TimestreamService

@Suite("The gate in front of a table")
struct ConcurrencyGateTests {
    private let limitGauge: MetricGauge
    private let waitingGauge: MetricGauge

    init() {
        let registry = MetricRegistry()
        self.limitGauge = registry.gauge("limit", help: "Limit.")
        self.waitingGauge = registry.gauge("waiting", help: "Waiting.")
    }

    private func gate(_ maximum: Int, maxWaiters: Int = 2048) -> ConcurrencyGate {
        ConcurrencyGate(
            AdaptiveLimit.Policy(maximum: maximum),
            maxWaiters: maxWaiters,
            limitGauge: self.limitGauge,
            waitingGauge: self.waitingGauge
        )
    }

    private func until(_ condition: () -> Bool) async throws {
        for _ in 0..<5_000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(1))
        }
        Issue.record("what the test waits for did not happen")
    }

    private let late = ContinuousClock.now + .seconds(60)

    @Test("calls above the limit wait, and come in in the order they came")
    func order() async throws {
        let gate = self.gate(1)
        #expect(await gate.enter(deadline: self.late) == .entered)
        let order = Locked<[Int]>([])
        var tasks: [Task<Void, Never>] = []
        for number in 0..<20 {
            tasks.append(
                Task {
                    let entry = await gate.enter(deadline: self.late)
                    order.withLock { $0.append(entry == .entered ? number : -1) }
                    gate.leave(.other)
                }
            )
            try await self.until { gate.waiting == number + 1 }
        }
        #expect(self.waitingGauge.value == 20)
        gate.leave(.other)
        for task in tasks { await task.value }
        #expect(order.withLock { $0 } == Array(0..<20))
        #expect(gate.inFlight == 0 && gate.waiting == 0 && self.waitingGauge.value == 0)
    }

    @Test("who waits leaves when cancelled or late, and takes no place with it")
    func givingUp() async throws {
        let gate = self.gate(1)
        #expect(await gate.enter(deadline: self.late) == .entered)
        let cancelled = Task { await gate.enter(deadline: self.late) }
        try await self.until { gate.waiting == 1 }
        cancelled.cancel()
        #expect(await cancelled.value == .cancelled)
        #expect(await gate.enter(deadline: .now + .milliseconds(5)) == .timedOut)
        #expect(await gate.enter(deadline: .now - .seconds(1)) == .timedOut)
        let alreadyCancelled = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await gate.enter(deadline: self.late)
        }
        #expect(await alreadyCancelled.value == .cancelled)
        gate.leave(.other)
        #expect(await gate.enter(deadline: self.late) == .entered)
        gate.leave(.other)
        #expect(gate.inFlight == 0 && gate.waiting == 0)
    }

    @Test("the queue is bounded")
    func bounded() async throws {
        let gate = self.gate(1, maxWaiters: 2)
        #expect(await gate.enter(deadline: self.late) == .entered)
        let waiting = (0..<2).map { _ in Task { await gate.enter(deadline: self.late) } }
        try await self.until { gate.waiting == 2 }
        #expect(await gate.enter(deadline: self.late) == .queueFull)
        for task in waiting { task.cancel() }
        for task in waiting { #expect(await task.value == .cancelled) }
        gate.leave(.other)
    }

    @Test("the limit is never exceeded and no place is lost, whoever is cancelled when")
    func stress() async throws {
        let gate = self.gate(8)
        let inside = Locked((now: 0, most: 0))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<400 {
                group.addTask {
                    let task = Task {
                        guard await gate.enter(deadline: self.late) == .entered else { return }
                        inside.withLock {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        await Task.yield()
                        inside.withLock { $0.now -= 1 }
                        gate.leave(number % 7 == 0 ? .throttled : .succeeded)
                    }
                    if number % 3 == 0 {
                        await Task.yield()
                        task.cancel()
                    }
                    await task.value
                }
            }
        }
        #expect(inside.withLock { $0.most } <= 8)
        #expect(gate.inFlight == 0 && gate.waiting == 0)
        #expect(self.limitGauge.value == gate.limit)
    }

    @Test("its gauge goes with it")
    func gauge() {
        var gates = (0..<3).map { _ in self.gate(10) }
        #expect(self.limitGauge.value == 30)
        gates.removeLast()
        #expect(self.limitGauge.value == 20)
        #expect(gates.count == 2)
    }
}
