import Testing

@testable import TenantAccess
@testable import TenantConfiguration

private let second: Int64 = 1_000_000_000

@Suite("One tenant's limits")
struct TenantLimiterTests {
    @Test("without limits everything goes on, and is counted in and out")
    func unlimited() {
        var limiter = TenantLimiter(makeLimits(), now: 0)
        for _ in 0..<1000 {
            let decision = limiter.begin(.request(.write), now: 0)
            #expect(decision == .init(outcome: .goOn))
        }
        _ = limiter.begin(.request(.read), now: 0)
        let samples = limiter.begin(.samples(.max), now: 0)
        #expect(samples == .init(outcome: .goOn))
        #expect(limiter.writesInProgress == 1000 && limiter.readsInProgress == 1)
        for _ in 0..<1000 { limiter.leave(.write) }
        limiter.leave(.read)
        #expect(limiter.writesInProgress == 0 && limiter.readsInProgress == 0)
    }

    @Test("a write waits for its rate up to max_wait, a read is told at once")
    func waits() {
        let limits = makeLimits {
            $0.writeRequestsPerSecond = 1
            $0.readRequestsPerSecond = 1
            $0.maxWait = .seconds(2)
        }
        var limiter = TenantLimiter(limits, now: 0)
        let writes = (0..<4).map { _ in limiter.begin(.request(.write), now: 0) }
        #expect(
            writes == [
                .init(outcome: .goOn), .init(outcome: .wait(nanoseconds: second), awaited: .writeRequests),
                .init(outcome: .wait(nanoseconds: 2 * second), awaited: .writeRequests),
                .init(outcome: .overRate(wait: 3 * second), exceeded: .writeRequests),
            ]
        )
        #expect(limiter.waiting == 2)
        let reads = (0..<2).map { _ in limiter.begin(.request(.read), now: 0) }
        #expect(
            reads == [
                .init(outcome: .goOn), .init(outcome: .overRate(wait: second), exceeded: .readRequests),
            ]
        )
    }

    @Test("a wait never outlives what is left of the request's deadline")
    func deadline() {
        var limiter = TenantLimiter(makeLimits { $0.writeRequestsPerSecond = 1 }, now: 0)
        _ = limiter.begin(.request(.write), now: 0)
        let refused = limiter.begin(.request(.write), now: 0, longestWait: second - 1)
        #expect(refused == .init(outcome: .overRate(wait: second), exceeded: .writeRequests))
        let granted = limiter.begin(.request(.write), now: 0, longestWait: second)
        #expect(granted.outcome == .wait(nanoseconds: second))
        let late = limiter.begin(.request(.write), now: 0, longestWait: -1)
        #expect(late.exceeded == .writeRequests)
    }

    @Test("a waiter that is cancelled gets its tokens back; one that is done takes its place")
    func endOfWait() {
        var limiter = TenantLimiter(makeLimits { $0.writeRequestsPerSecond = 1 }, now: 0)
        _ = limiter.begin(.request(.write), now: 0)
        _ = limiter.begin(.request(.write), now: 0)
        let cancelled = limiter.finishWait(.request(.write), completed: false)
        #expect(cancelled == .init(outcome: .goOn))
        #expect(limiter.waiting == 0 && limiter.writesInProgress == 1)
        let next = limiter.begin(.request(.write), now: 0)
        #expect(next.outcome == .wait(nanoseconds: second), "the cancelled one's tokens are there again")
        let done = limiter.finishWait(.request(.write), completed: true)
        #expect(done == .init(outcome: .goOn))
        #expect(limiter.writesInProgress == 2)
    }

    @Test("over the concurrency a request is refused and costs no token; after the wait it is refused and refunded")
    func concurrency() {
        let limits = makeLimits {
            $0.writeRequestsPerSecond = 1
            $0.writeRequestBurst = 2
            $0.concurrentWrites = 2
            $0.concurrentReads = 0
        }
        var limiter = TenantLimiter(limits, now: 0)
        _ = limiter.begin(.request(.write), now: 0)
        let second = limiter.begin(.request(.write), now: 0)
        let third = limiter.begin(.request(.write), now: 0)
        #expect(second == .init(outcome: .goOn))
        #expect(third == .init(outcome: .overConcurrency, exceeded: .concurrentWrites))
        let read = limiter.begin(.request(.read), now: 0)
        #expect(read == .init(outcome: .overConcurrency, exceeded: .concurrentReads))

        limiter.leave(.write)
        let waits = limiter.begin(.request(.write), now: 0)
        #expect(waits.outcome == .wait(nanoseconds: 1_000_000_000), "the refused ones took no token")
        let other = limiter.begin(.request(.write), now: 1_000_000_000)
        #expect(other.outcome == .wait(nanoseconds: 1_000_000_000))
        let first = limiter.finishWait(.request(.write), completed: true)
        let late = limiter.finishWait(.request(.write), completed: true)
        #expect(first == .init(outcome: .goOn))
        #expect(late == .init(outcome: .overConcurrency, exceeded: .concurrentWrites))
        #expect(limiter.writesInProgress == 2 && limiter.waiting == 0)
        limiter.leave(.write)
        let afterRefund = limiter.begin(.request(.write), now: 2_000_000_000)
        #expect(afterRefund.outcome == .goOn)
    }

    @Test("no more than 256 requests wait; one that is refused for it costs no token")
    func queueFull() {
        let limits = makeLimits {
            $0.writeRequestsPerSecond = 1
            $0.maxWait = .seconds(100_000)
        }
        var limiter = TenantLimiter(limits, now: 0)
        _ = limiter.begin(.request(.write), now: 0)
        for _ in 0..<TenantLimiter.maximumWaiting { _ = limiter.begin(.request(.write), now: 0) }
        #expect(limiter.waiting == 256)
        for _ in 0..<2 {
            let refused = limiter.begin(.request(.write), now: 0)
            #expect(refused == .init(outcome: .queueFull(wait: 257 * second), exceeded: .writeRequests))
        }
        _ = limiter.finishWait(.request(.write), completed: false)
        let next = limiter.begin(.request(.write), now: 0)
        #expect(next.outcome == .wait(nanoseconds: 256 * second))
    }

    @Test("mode: observe lets everything go on at once, and says what enforce would have done")
    func observe() {
        let limits = makeLimits {
            $0.writeRequestsPerSecond = 1
            $0.concurrentWrites = 1
            $0.samplesPerSecond = 10
            $0.sampleBurst = 10
            $0.maxWait = .seconds(1)
            $0.mode = .observe
        }
        var limiter = TenantLimiter(limits, now: 0)
        let decisions = [
            limiter.begin(.request(.write), now: 0), limiter.begin(.request(.write), now: 0),
            limiter.begin(.samples(10), now: 0), limiter.begin(.samples(10), now: 0),
            limiter.begin(.samples(10), now: 0),
        ]
        #expect(decisions.allSatisfy { $0.outcome == .goOn })
        #expect(decisions.map(\.exceeded) == [nil, .concurrentWrites, nil, nil, .samples])
        #expect(decisions.map(\.awaited) == [nil, .writeRequests, nil, .samples, nil])
        #expect(limiter.writesInProgress == 2 && limiter.waiting == 0)
    }

    @Test("new limits count from now on, for running requests too")
    func reconfigure() {
        var limiter = TenantLimiter(makeLimits { $0.writeRequestsPerSecond = 1 }, now: 0)
        _ = limiter.begin(.request(.write), now: 0)
        _ = limiter.begin(.request(.write), now: 0)
        limiter.reconfigure(makeLimits { $0.concurrentWrites = 1 }, now: 0)
        let refused = limiter.begin(.request(.write), now: 0)
        #expect(refused.exceeded == .concurrentWrites)
        // The waiter of before ends its wait without a bucket to refund to.
        let late = limiter.finishWait(.request(.write), completed: true)
        #expect(late.exceeded == .concurrentWrites)
        limiter.leave(.write)
        #expect(limiter.writesInProgress == 0 && limiter.waiting == 0)
        limiter.reconfigure(makeLimits { $0.writeRequestsPerSecond = 5 }, now: 0)
        let fresh = limiter.begin(.request(.write), now: 0)
        #expect(fresh.outcome == .goOn)
    }
}
