import TestSupport
import Testing

@testable import TimestreamService

@Suite("The circuit breaker")
struct CircuitBreakerTests {
    private let start = ContinuousClock.now
    private let policy = CircuitBreaker.Policy(
        failures: 3,
        span: .seconds(1),
        pause: .seconds(2),
        longestPause: .seconds(30)
    )

    /// A breaker that failures have opened at `start + 1 s`, and a generator that goes on.
    private func opened() -> (CircuitBreaker, SeededGenerator) {
        var breaker = CircuitBreaker(self.policy)
        var generator = SeededGenerator(seed: 7)
        for time in [0, 500, 1_000] {
            #expect(breaker.admit(now: self.start + .milliseconds(time)) == .admitted)
            let now = self.start + .milliseconds(time)
            breaker.ended(.failed, wasProbe: false, now: now, using: &generator)
        }
        return (breaker, generator)
    }

    @Test("failures in a row over a while open it, and it says when to come again")
    func opens() {
        let (breaker, _) = self.opened()
        #expect(breaker.state == .open)
        let wait = breaker.refusal(now: self.start + .seconds(1))
        #expect(wait.map { $0 >= .seconds(1) && $0 <= .seconds(2) } == true)
    }

    @Test("many failures of one moment, or failures with answers between, do not open it")
    func staysClosed() {
        var breaker = CircuitBreaker(self.policy)
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<100 { breaker.ended(.failed, wasProbe: false, now: self.start, using: &generator) }
        #expect(breaker.state == .closed)
        for second in 1..<100 {
            let now = self.start + .seconds(second)
            breaker.ended(.answered, wasProbe: false, now: now, using: &generator)
            breaker.ended(.failed, wasProbe: false, now: now, using: &generator)
            breaker.ended(.failed, wasProbe: false, now: now, using: &generator)
            breaker.ended(.unknown, wasProbe: false, now: now, using: &generator)
        }
        #expect(breaker.state == .closed)
    }

    @Test("after the pause one call probes, the others go on waiting; its answer closes the circuit")
    func probe() {
        var (breaker, generator) = self.opened()
        let later = self.start + .seconds(4)
        #expect(breaker.admit(now: later) == .probe)
        #expect(breaker.state == .halfOpen)
        #expect(breaker.admit(now: later) == .refused(retryAfter: .seconds(2)))
        breaker.ended(.answered, wasProbe: true, now: later, using: &generator)
        #expect(breaker.state == .closed)
        #expect(breaker.admit(now: later) == .admitted)
    }

    @Test("a failed probe opens it for about twice as long, up to a bound")
    func backsOff() {
        var (breaker, generator) = self.opened()
        var now = self.start + .seconds(1)
        for bound in [4, 8, 16, 30, 30] {
            now += .seconds(100)
            #expect(breaker.admit(now: now) == .probe)
            #expect(breaker.ended(.failed, wasProbe: true, now: now, using: &generator) == true)
            let wait = breaker.refusal(now: now)
            #expect(wait.map { $0 >= .seconds(bound) / 2 && $0 <= .seconds(bound) } == true)
        }
        now += .seconds(100)
        #expect(breaker.admit(now: now) == .probe)
        breaker.ended(.answered, wasProbe: true, now: now, using: &generator)
        for second in [0, 1, 2] {
            breaker.ended(.failed, wasProbe: false, now: now + .seconds(second), using: &generator)
        }
        #expect(breaker.refusal(now: now + .seconds(2)).map { $0 <= .seconds(2) } == true)
    }

    @Test("a probe that ends without a verdict leaves the place to the next")
    func undecidedProbe() {
        var (breaker, generator) = self.opened()
        let later = self.start + .seconds(4)
        #expect(breaker.admit(now: later) == .probe)
        breaker.ended(.unknown, wasProbe: true, now: later, using: &generator)
        #expect(breaker.admit(now: later) == .probe)
    }

    @Test("calls from before it opened: a late answer closes it, a late failure changes nothing")
    func late() {
        var (breaker, generator) = self.opened()
        let later = self.start + .seconds(4)
        #expect(breaker.admit(now: later) == .probe)
        breaker.ended(.failed, wasProbe: false, now: later, using: &generator)
        #expect(breaker.state == .halfOpen)
        breaker.ended(.answered, wasProbe: false, now: later, using: &generator)
        #expect(breaker.state == .closed)
    }

    @Test("pauses differ, so that many circuits do not probe at once")
    func jitter() {
        var waits: Set<Duration> = []
        for seed in 0..<20 {
            var breaker = CircuitBreaker(self.policy)
            var generator = SeededGenerator(seed: UInt64(seed))
            for second in [0, 1, 2] {
                breaker.ended(.failed, wasProbe: false, now: self.start + .seconds(second), using: &generator)
            }
            if let wait = breaker.refusal(now: self.start + .seconds(2)) { waits.insert(wait) }
        }
        #expect(waits.count == 20)
    }
}
