import Common
import Testing

@testable import TenantAccess
@testable import TenantConfiguration

private func makeBytes(_ limit: Int) -> BytesInFlight {
    BytesInFlight(limitBytes: limit, metrics: MetricRegistry(), chance: { 0 })
}

@Suite("The budget's last quarter")
struct FairShareTests {
    @Test("a tenant that floods gets three quarters, and is refused first; others find their share")
    func flood() throws {
        let bytes = makeBytes(1_000)
        var flood: [BytesLease] = []
        var refusal: AccessRefusal?
        for _ in 0..<200 {
            do throws(AccessRefusal) { flood.append(try bytes.reserve(10, for: "flood")) } catch { refusal = error }
        }
        #expect(bytes.usedBytes == 750)
        #expect(refusal?.status == 503 && refusal?.reason == .bytesInFlightShare && refusal?.retryAfterSeconds == 1)
        let quiet = try (0..<10).map { try bytes.reserve(10, for: "quiet-\($0)") }
        let second = try (0..<10).map { try bytes.reserve(10, for: "quiet-\($0)") }
        #expect(bytes.usedBytes == 950)
        #expect(throws: AccessRefusal.self) { try bytes.reserve(10, for: "flood") }
        // What the flood gives back goes to the others before it goes to the flood.
        flood.removeLast(20)
        #expect(bytes.usedBytes == 750)
        #expect(throws: AccessRefusal.self) { try bytes.reserve(10, for: "flood") }
        _ = try bytes.reserve(10, for: "quiet-0")
        _ = (quiet, second)
    }

    @Test("a tenant's only request is held to the budget alone, however it grows")
    func onlyRequest() throws {
        let bytes = makeBytes(1_000)
        let lease = try bytes.reserve(800, for: "a")
        try lease.grow(by: 150)
        #expect(throws: AccessRefusal.self) { try bytes.reserve(10, for: "a") }
        let other = try bytes.reserve(40, for: "b")
        let spent = #expect(throws: AccessRefusal.self) { try bytes.reserve(20, for: "c") }
        #expect(spent?.reason == .bytesInFlight)
        lease.release()
        // The place of the released lease is free again.
        let again = try bytes.reserve(900, for: "a")
        #expect(bytes.usedBytes == 940)
        _ = (other, again)
    }

    @Test("a lease that grows into the last quarter is refused like a new one, and keeps what it had")
    func growth() throws {
        let bytes = makeBytes(1_000)
        let first = try bytes.reserve(400, for: "a")
        let second = try bytes.reserve(300, for: "a")
        let refusal = #expect(throws: AccessRefusal.self) { try second.grow(by: 100) }
        #expect(refusal?.reason == .bytesInFlightShare && second.byteCount == 300)
        first.release()
        try second.grow(by: 700)
        #expect(bytes.usedBytes == 1_000)
        second.release()
        try second.grow(by: 10)
        #expect(bytes.usedBytes == 0)
    }

    @Test("within its share a tenant gets memory of the last quarter too")
    func share() throws {
        let bytes = makeBytes(1_200)
        let a = try (0..<2).map { _ in try bytes.reserve(300, for: "a") }
        let b = try bytes.reserve(300, for: "b")
        // Three tenants: 400 each.
        let c = try (0..<2).map { _ in try bytes.reserve(100, for: "c") }
        #expect(throws: AccessRefusal.self) { try bytes.reserve(1, for: "a") }
        let more = try bytes.reserve(100, for: "b")
        #expect(bytes.usedBytes == 1_200)
        _ = (a, b, c, more)
    }

    @Test("whatever is asked for: never over the budget, never more than three quarters for a flood, all comes back")
    func anything() throws {
        let bytes = makeBytes(10_000)
        var generator = SystemRandomNumberGenerator()
        var leases: [(tenant: Int, lease: BytesLease)] = []
        func held(_ tenant: Int) -> Int { leases.reduce(0) { $0 + ($1.tenant == tenant ? $1.lease.byteCount : 0) } }
        for _ in 0..<2_000 {
            let tenant = Int.random(in: 0..<5, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0, 1:
                // The first floods; none alone asks for more than a quarter.
                let count = Int.random(in: 0...(tenant == 0 ? 500 : 100), using: &generator)
                let isWithinShare = held(tenant) + count <= 10_000 / 5
                do throws(AccessRefusal) {
                    leases.append((tenant, try bytes.reserve(count, for: "\(tenant)")))
                } catch {
                    let isSpent = bytes.usedBytes + count > 10_000
                    #expect(isSpent == (error.reason == .bytesInFlight))
                    #expect(isSpent || !isWithinShare)
                }
            case 2:
                guard let index = leases.indices.randomElement(using: &generator) else { continue }
                try? leases[index].lease.grow(by: Int.random(in: 0...100, using: &generator))
            case 3:
                guard let index = leases.indices.randomElement(using: &generator) else { continue }
                leases[index].lease.shrink(to: Int.random(in: 0...400, using: &generator))
            default:
                guard let index = leases.indices.randomElement(using: &generator), Bool.random(using: &generator)
                else { continue }
                leases.remove(at: index).lease.release()
            }
            #expect(bytes.usedBytes <= 10_000 && held(0) <= 7_500)
            #expect(bytes.usedBytes == (0..<5).reduce(0) { $0 + held($1) })
        }
        leases = []
        #expect(bytes.usedBytes == 0)
    }
}

@Suite("A gateway's share of a fleet's limits")
struct LimitShareTests {
    private let limits = makeLimits {
        $0.writeRequestsPerSecond = 10
        $0.writeRequestBurst = 1
        $0.samplesPerSecond = 1_001
        $0.sampleBurst = 2_000
        $0.decodedBytesPerSecond = 3_000
        $0.decodedByteBurst = 6_000
        $0.readRequestsPerSecond = 2
        $0.readRequestBurst = 3
        $0.concurrentWrites = 64
        $0.per = .fleet
    }

    @Test("rates, bursts and concurrency are divided, and never become nothing")
    func division() {
        let share = LimitShare(replicas: 3).of(self.limits)
        #expect(share.writeRequestsPerSecond == 3 && share.writeRequestBurst == 1)
        #expect(share.samplesPerSecond == 333 && share.sampleBurst == 666)
        #expect(share.decodedBytesPerSecond == 1_000 && share.decodedByteBurst == 2_000)
        #expect(share.readRequestsPerSecond == 1 && share.readRequestBurst == 1)
        #expect(share.concurrentWrites == 21 && share.concurrentReads == nil)
        // What one request may be is the same everywhere.
        #expect(share.maxBodyBytes == self.limits.maxBodyBytes && share.maxWait == self.limits.maxWait)
    }

    @Test("nothing is divided per replica, nor among one, or none")
    func whole() {
        var replica = self.limits
        replica.per = .replica
        #expect(LimitShare(replicas: 3).of(replica).samplesPerSecond == 1_001)
        #expect(LimitShare(replicas: 1).of(self.limits).samplesPerSecond == 1_001)
        #expect(LimitShare(replicas: 0).of(self.limits).samplesPerSecond == 1_001)
    }

    @Test("access control holds a tenant to its share, and a reload to the new one")
    func applied() async throws {
        let limits = makeLimits {
            $0.samplesPerSecond = 10
            $0.sampleBurst = 100
            $0.maxWait = .zero
            $0.per = .fleet
        }
        func configuration(replicas: Int) -> GatewayConfiguration {
            var configuration = makeConfiguration([makeTenant("a", makeAuthentication(isOpen: true), limits)])
            configuration.server.replicas = replicas
            return configuration
        }
        let test = try AccessUnderTest(configuration(replicas: 2))
        let proven = try await test.prove(makeHead(tenants: ["a"]))
        try await test.access.admitSamples(50, proven, within: .seconds(1))
        let refusal = await #expect(throws: AccessRefusal.self) {
            try await test.access.admitSamples(1, proven, within: .seconds(1))
        }
        #expect(refusal?.message.contains("samples_per_second (5, this gateway's share)") == true)
        try test.reload(configuration(replicas: 1))
        test.clock.advance(by: .seconds(10))
        let again = try await test.prove(makeHead(tenants: ["a"]))
        try await test.access.admitSamples(100, again, within: .seconds(1))
    }
}
