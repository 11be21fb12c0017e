import Common
import Testing

@testable import TenantAccess
@testable import TenantConfiguration

private let second: Int64 = 1_000_000_000

@Suite("Refusing a tenant in deficit on the head")
struct DeficitTests {
    private func makeLimiter(_ change: (inout TenantLimits) -> Void = { _ in }) -> TenantLimiter {
        TenantLimiter(
            makeLimits {
                $0.samplesPerSecond = 10
                $0.sampleBurst = 100
                $0.maxWait = .seconds(2)
                change(&$0)
            },
            now: 0
        )
    }

    @Test("while the debt alone outlasts max_wait, writes are refused before any token of theirs is taken")
    func debt() {
        var limiter = self.makeLimiter {
            $0.writeRequestsPerSecond = 1
            $0.writeRequestBurst = 1
        }
        // More than the burst passes the full bucket, and leaves a debt of 100 samples.
        let large = limiter.begin(.samples(200), now: 0)
        #expect(large.outcome == .goOn)
        let head = limiter.begin(.request(.write), now: 0)
        #expect(head == .init(outcome: .overRate(wait: 10 * second), exceeded: .samples))
        let read = limiter.begin(.request(.read), now: 0)
        #expect(read.outcome == .goOn, "reads store no samples")
        let early = limiter.begin(.request(.write), now: 8 * second - 1)
        #expect(early.exceeded == .samples)
        let late = limiter.begin(.request(.write), now: 8 * second)
        #expect(late == .init(outcome: .goOn), "the one token is still there")
    }

    @Test("after a refused body, writes are refused until one like it could pass, and then it does")
    func closure() {
        var limiter = self.makeLimiter()
        _ = limiter.begin(.samples(100), now: 0)
        // 60 samples would be there in 6 seconds.
        let body = limiter.begin(.samples(60), now: 0)
        #expect(body == .init(outcome: .overRate(wait: 6 * second), exceeded: .samples))
        let head = limiter.begin(.request(.write), now: second)
        #expect(head == .init(outcome: .overRate(wait: 5 * second), exceeded: .samples))
        let opened = limiter.begin(.request(.write), now: 4 * second)
        #expect(opened == .init(outcome: .goOn))
        let again = limiter.begin(.samples(60), now: 4 * second)
        #expect(again == .init(outcome: .wait(nanoseconds: 2 * second), awaited: .samples))
    }

    @Test("decoded bytes close the head as samples do; new limits open it")
    func decodedBytes() {
        let change: (inout TenantLimits) -> Void = {
            $0.decodedBytesPerSecond = 10
            $0.decodedByteBurst = 100
        }
        var limiter = self.makeLimiter(change)
        _ = limiter.begin(.decodedBytes(100), now: 0)
        let body = limiter.begin(.decodedBytes(100), now: 0)
        let head = limiter.begin(.request(.write), now: 0)
        #expect(body.outcome == .overRate(wait: 10 * second) && body.exceeded == .decodedBytes)
        #expect(head == body)
        limiter.reconfigure(limiter.limits, now: 0)
        let opened = limiter.begin(.request(.write), now: 0)
        #expect(opened.outcome == .goOn)
    }

    @Test("what only the request's own deadline forbids does not close the head")
    func deadline() {
        var limiter = self.makeLimiter()
        _ = limiter.begin(.samples(100), now: 0)
        let late = limiter.begin(.samples(10), now: 0, longestWait: second - 1)
        #expect(late.exceeded == .samples)
        let head = limiter.begin(.request(.write), now: 0)
        #expect(head.outcome == .goOn)
    }

    @Test("mode: observe never refuses on the head, and counts a body once")
    func observe() {
        var limiter = self.makeLimiter { $0.mode = .observe }
        _ = limiter.begin(.samples(500), now: 0)
        let decisions = [limiter.begin(.request(.write), now: 0), limiter.begin(.samples(500), now: 0)]
        #expect(decisions.allSatisfy { $0.outcome == .goOn })
        #expect(decisions.map(\.exceeded) == [nil, .samples])
    }

    @Test("what is stored is the limit, whether senders flood with small bodies, with large ones, or with both")
    func throughput() {
        for sizes in [[7], [90], [250], [3, 250, 40]] {
            var limiter = self.makeLimiter()
            var stored = 0
            var (letIn, decodedAndRefused) = (0, 0)
            let end = 1_000 * second
            for step in 0..<Int64(10_000) {
                let now = step * end / 10_000
                guard limiter.begin(.request(.write), now: now).outcome == .goOn else { continue }
                let size = sizes[Int(step) % sizes.count]
                switch limiter.begin(.samples(size), now: now).outcome {
                case .goOn:
                    stored += size
                    letIn += 1
                case .wait:
                    stored += size
                    letIn += 1
                    _ = limiter.finishWait(.samples(size), completed: true)
                default: decodedAndRefused += 1
                }
                limiter.leave(.write)
            }
            // 10 a second for 1,000 seconds, the burst, and a debt of one body or of max_wait.
            #expect(stored >= 9_000 && stored <= 10_000 + 100 + 270, "\(sizes)")
            // Each decoded body that is refused closes the head until one like it can pass.
            #expect(decodedAndRefused <= letIn * sizes.count, "\(sizes)")
        }
    }
}

@Suite("Fairness among tenants")
struct FairnessTests {
    @Test(
        "a tenant that floods takes nothing from others: their admitted rate stays what they ask for",
        arguments: [2, 5, 20],
        [1, 2, 3] as [UInt64]
    )
    func flood(tenants: Int, seed: UInt64) {
        struct Generator: RandomNumberGenerator {
            var state: UInt64
            mutating func next() -> UInt64 {
                self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return self.state ^ self.state >> 29
            }
        }
        var generator = Generator(state: seed)
        let limits = makeLimits {
            $0.samplesPerSecond = 1_000
            $0.sampleBurst = 2_000
            $0.writeRequestsPerSecond = 20
            $0.writeRequestBurst = 20
        }
        var limiters = (0..<tenants).map { _ in TenantLimiter(limits, now: 0) }
        let bytes = BytesUnderFlood(limit: 1_000_000)
        var asked = Array(repeating: 0, count: tenants)
        var admitted = Array(repeating: 0, count: tenants)
        for tick in 0..<Int64(400) {
            let now = tick * second / 20
            // The flood, 50 times over its limit, comes first each time; the others send 800 a second.
            for tenant in 0..<tenants {
                for _ in 0..<(tenant == 0 ? 50 : 1) {
                    let size = tenant == 0 ? 1_000 : Int.random(in: 20...60, using: &generator)
                    asked[tenant] += size
                    guard limiters[tenant].begin(.request(.write), now: now).outcome == .goOn else { continue }
                    defer { limiters[tenant].leave(.write) }
                    guard bytes.take(size * 100, tenant) else { continue }
                    if case .goOn = limiters[tenant].begin(.samples(size), now: now).outcome {
                        admitted[tenant] += size
                    }
                }
            }
            bytes.endRound()
        }
        for tenant in 1..<tenants {
            #expect(Double(admitted[tenant]) >= 0.9 * Double(asked[tenant]))
        }
        #expect(admitted[0] <= 20 * 1_000 + 2_000)
    }
}

/// Memory that the flood holds for good, and that others hold for a round.
private final class BytesUnderFlood {
    private let bytes: BytesInFlight
    private var flood: [BytesLease] = []
    private var others: [BytesLease] = []

    init(limit: Int) {
        self.bytes = BytesInFlight(limitBytes: limit, metrics: .init(), chance: { 0 })
    }

    func take(_ count: Int, _ tenant: Int) -> Bool {
        guard let lease = try? self.bytes.reserve(count, for: "\(tenant)") else { return false }
        if tenant == 0 { self.flood.append(lease) } else { self.others.append(lease) }
        return true
    }

    func endRound() {
        self.others = []
        if self.flood.count > 5 { self.flood.removeFirst() }
    }
}
