import Testing

@testable import TimestreamService

@Suite("The adaptive concurrency limit")
struct AdaptiveLimitTests {
    private let start = ContinuousClock.now

    /// Fills the limit up and ends all calls alike; how many there were.
    private func round(
        _ limit: inout AdaptiveLimit,
        _ outcome: AdaptiveLimit.Outcome,
        at now: ContinuousClock.Instant
    ) -> Int {
        var entered = 0
        while limit.enter() { entered += 1 }
        for _ in 0..<entered { limit.leave(outcome, now: now) }
        return entered
    }

    @Test("it starts at its maximum and is not felt by a table that is never throttled")
    func untouched() {
        var limit = AdaptiveLimit(AdaptiveLimit.Policy(maximum: 40))
        #expect(self.round(&limit, .succeeded, at: self.start) == 40)
        #expect(self.round(&limit, .other, at: self.start) == 40)
        #expect(!limit.isLowered && limit.inFlight == 0)
    }

    @Test("throttled answers lower it gently, once for each overload")
    func decrease() {
        var limit = AdaptiveLimit(AdaptiveLimit.Policy(maximum: 100))
        _ = self.round(&limit, .throttled, at: self.start)
        #expect(limit.limit == 90)
        _ = self.round(&limit, .throttled, at: self.start + .milliseconds(99))
        #expect(limit.limit == 90)
        _ = self.round(&limit, .throttled, at: self.start + .milliseconds(100))
        #expect(limit.limit == 81)
        #expect(limit.isLowered)
    }

    @Test("it never falls below one, however long the table is throttled")
    func floor() {
        var limit = AdaptiveLimit(AdaptiveLimit.Policy(maximum: 256))
        for step in 0..<1_000 {
            let entered = self.round(&limit, .throttled, at: self.start + .milliseconds(100 * step))
            #expect(entered >= 1)
        }
        #expect(limit.limit == 1)
    }

    @Test("a limit that is not used up falls to what is used, not below one request's calls")
    func unused() {
        var limit = AdaptiveLimit(AdaptiveLimit.Policy(maximum: 256, usualCalls: 16))
        #expect(limit.enter() == true)
        limit.leave(.throttled, now: self.start)
        #expect(limit.limit == 14)
    }

    @Test("it grows by one for each round of successes, and back to its maximum")
    func increase() {
        var limit = AdaptiveLimit(AdaptiveLimit.Policy(maximum: 20))
        for step in 0..<100 { _ = self.round(&limit, .throttled, at: self.start + .milliseconds(100 * step)) }
        var sizes: [Int] = []
        for _ in 0..<60 { sizes.append(self.round(&limit, .succeeded, at: self.start)) }
        #expect(sizes.first == 1 && sizes.last == 20)
        #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $1 - $0 == 0 || $1 - $0 == 1 })
        #expect(!limit.isLowered)
    }

    @Test("successes of a table that uses little of it do not raise it")
    func idle() {
        var limit = AdaptiveLimit(AdaptiveLimit.Policy(maximum: 100))
        _ = self.round(&limit, .throttled, at: self.start)
        for _ in 0..<1_000 {
            #expect(limit.enter() == true)
            limit.leave(.succeeded, now: self.start)
        }
        #expect(limit.limit == 90)
    }

    @Test("a model table with a capacity is used well, and its limit stays near that")
    func equilibrium() {
        var limit = AdaptiveLimit(AdaptiveLimit.Policy(maximum: 256))
        var now = self.start
        var served = 0
        for _ in 0..<500 {
            var entered = 0
            while limit.enter() { entered += 1 }
            for call in 0..<entered { limit.leave(call < 30 ? .succeeded : .throttled, now: now) }
            served += min(entered, 30)
            now += .milliseconds(100)
        }
        #expect(served > 500 * 25)
        #expect((20...40).contains(limit.limit))
    }
}
