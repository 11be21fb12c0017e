import Common
import Testing

@testable import TenantAccess

private struct BudgetUnderTest {
    let registry = MetricRegistry()
    let bytes: BytesInFlight

    init(_ limitBytes: Int) {
        self.bytes = BytesInFlight(limitBytes: limitBytes, metrics: self.registry, chance: { 0 })
    }

    func reserve(_ byteCount: Int, for tenant: String = "a") throws(AccessRefusal) -> BytesLease {
        try self.bytes.reserve(byteCount, for: tenant)
    }

    /// What is reserved, which the gauge must agree with.
    var used: Int {
        #expect(self.registry.gauge("gateway_bytes_in_flight", help: "").value == self.bytes.usedBytes)
        return self.bytes.usedBytes
    }
}

@Suite("The budget for bodies")
struct BytesInFlightTests {
    @Test("a lease holds its bytes until it is released or forgotten, and gives them back once")
    func lease() throws {
        let test = BudgetUnderTest(100)
        do {
            let lease = try test.reserve(60)
            #expect(test.used == 60)
            try lease.grow(by: 40)
            #expect(test.used == 100 && lease.byteCount == 100)
            lease.release()
            lease.release()
            #expect(test.used == 0 && lease.byteCount == 0)
            let forgotten = try test.reserve(100)
            #expect(forgotten.byteCount == 100)
            _ = consume forgotten
        }
        #expect(test.used == 0)
    }

    @Test("spent for now is 503 with Retry-After; more than there ever is, 413")
    func refusals() throws {
        let test = BudgetUnderTest(100)
        let lease = try test.reserve(60)
        let now = #expect(throws: AccessRefusal.self) { try test.reserve(41) }
        #expect(now?.status == 503 && now?.reason == .bytesInFlight && now?.retryAfterSeconds == 1)
        let never = #expect(throws: AccessRefusal.self) { try test.reserve(101) }
        #expect(never?.status == 413 && never?.reason == .overAllBytesInFlight && never?.retryAfterSeconds == nil)
        // A lease that grows counts what it holds already.
        let other = try test.reserve(10)
        #expect(throws: AccessRefusal.self) { try lease.grow(by: 31) }
        let growNever = #expect(throws: AccessRefusal.self) { try lease.grow(by: 41) }
        #expect(growNever?.status == 413)
        #expect(lease.byteCount == 60 && test.used == 70)
        lease.release()
        other.release()
        #expect(test.used == 0)
    }

    @Test("a lease shrinks to what is needed, never grows by it, and holds nothing after release")
    func shrink() throws {
        let test = BudgetUnderTest(100)
        let lease = try test.reserve(90)
        lease.shrink(to: 50)
        #expect(test.used == 50)
        lease.shrink(to: 70)
        #expect(test.used == 50)
        lease.shrink(to: -1)
        #expect(test.used == 0)
        lease.release()
        lease.shrink(to: 0)
        try lease.grow(by: 10)
        #expect(test.used == 0 && lease.byteCount == 0)
    }

    @Test("numbers from outside cannot overflow", arguments: [Int.max, Int.max - 1, 101, 0, -1, Int.min])
    func extremes(byteCount: Int) throws {
        let test = BudgetUnderTest(100)
        let lease = try test.reserve(50)
        for _ in 0..<2 {
            do throws(AccessRefusal) { try lease.grow(by: byteCount) } catch { #expect(error.status == 413) }
        }
        do throws(AccessRefusal) {
            let other = try test.reserve(byteCount)
            #expect(other.byteCount == 0)
        } catch { #expect(error.status == 413) }
        #expect(test.used == 50)
        #expect(BytesInFlight(limitBytes: -5, metrics: MetricRegistry(), chance: { 0 }).usedBytes == 0)
    }

    @Test("a smaller limit keeps what is reserved and refuses more until it fits")
    func reconfigure() throws {
        let test = BudgetUnderTest(100)
        let lease = try test.reserve(80)
        test.bytes.reconfigure(limitBytes: 50)
        #expect(throws: AccessRefusal.self) { try test.reserve(1) }
        #expect(try test.reserve(0).byteCount == 0)
        lease.release()
        #expect(try test.reserve(50).byteCount == 50)
    }

    @Test("from many tasks at once: never over the limit, and everything comes back")
    func storm() async {
        let test = BudgetUnderTest(1000)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<300 {
                group.addTask {
                    guard let lease = try? test.reserve(50 + number % 100) else { return }
                    try? lease.grow(by: number)
                    #expect(test.bytes.usedBytes <= 1000)
                    await Task.yield()
                    lease.shrink(to: 10)
                    if number % 2 == 0 { lease.release() }
                }
            }
        }
        #expect(test.used == 0)
    }
}
