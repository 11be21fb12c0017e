import Common
import HTTPTypes
import Testing

@testable import TenantAccess
@testable import TenantConfiguration

private struct GateUnderTest {
    let clock = TestClock()
    let registry = MetricRegistry()
    let gate: TenantGate

    init(_ change: (inout TenantLimits) -> Void) {
        self.gate = TenantGate(
            tenant: "a",
            limits: makeLimits(change),
            clock: self.clock.accessClock,
            metrics: Deferred { [registry] in TenantMetrics(tenant: "a", registry: registry) }
        )
    }

    func admit(
        _ kind: RequestKind = .write,
        within remaining: Duration = .seconds(25)
    ) async throws(AccessRefusal) -> Admission {
        try await self.gate.admit(kind, within: remaining)
    }

    /// The refusal of a request, or nil if it was let in.
    func refusal(of kind: RequestKind = .write) async -> AccessRefusal? {
        do throws(AccessRefusal) {
            _ = try await self.admit(kind)
            return nil
        } catch { return error }
    }

    /// Every sample of the tenant's series that is not zero.
    var moved: [String: Int] {
        var result: [String: Int] = [:]
        for line in self.registry.exposition().split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ")
            let name = String(parts[0]).replacing("tenant=\"a\",", with: "").replacing("{tenant=\"a\"}", with: "")
            if let value = Int(parts[1]), value != 0 { result[name] = value }
        }
        return result
    }
}

@Suite("A tenant's gate")
struct TenantGateTests {
    @Test("an admission holds its place until it is released or forgotten, and gives it back once")
    func places() async throws {
        let test = GateUnderTest { $0.concurrentWrites = 1 }
        do {
            let admission = try await test.admit()
            #expect(test.moved == ["gateway_tenant_concurrency{kind=\"write\"}": 1])
            #expect(await test.refusal()?.reason == .writeConcurrency)
            admission.release()
            admission.release()
            let second = try await test.admit()
            // The first one goes out of scope here and must not give back the second one's place.
            _ = consume admission
            #expect(await test.refusal()?.reason == .writeConcurrency)
            _ = consume second
        }
        let last = try await test.admit()
        #expect(test.moved["gateway_tenant_concurrency{kind=\"write\"}"] == 1)
        last.release()
        #expect(test.moved["gateway_tenant_concurrency{kind=\"write\"}"] == nil)
    }

    @Test("writes and reads have places of their own")
    func kinds() async throws {
        let test = GateUnderTest {
            $0.concurrentWrites = 1
            $0.concurrentReads = 1
        }
        let write = try await test.admit(.write)
        let read = try await test.admit(.read)
        #expect(await test.refusal(of: .read)?.reason == .readConcurrency)
        #expect(
            test.moved == [
                "gateway_tenant_concurrency{kind=\"write\"}": 1, "gateway_tenant_concurrency{kind=\"read\"}": 1,
                "gateway_throttled_total{limit=\"concurrent_reads\"}": 1,
                "gateway_requests_refused_total{reason=\"read_concurrency\"}": 1,
            ]
        )
        write.release()
        read.release()
    }

    @Test("a request over its rate waits as long as its tokens take, and then goes on")
    func wait() async throws {
        let test = GateUnderTest { $0.writeRequestsPerSecond = 2 }
        let first = try await test.admit()
        let waiter = Task { try await test.admit() }
        await eventually("one waits") { test.clock.sleeperCount == 1 }
        #expect(test.clock.waits == [.milliseconds(500)])
        #expect(test.moved["gateway_throttle_waiting"] == 1)
        #expect(test.moved["gateway_tenant_concurrency{kind=\"write\"}"] == 1)
        test.clock.advance(by: .milliseconds(499))
        #expect(test.clock.sleeperCount == 1)
        test.clock.advance(by: .milliseconds(1))
        let second = try await waiter.value
        #expect(
            test.moved == [
                "gateway_tenant_concurrency{kind=\"write\"}": 2,
                "gateway_throttle_waits_total{limit=\"write_requests_per_second\"}": 1,
            ]
        )
        first.release()
        second.release()
    }

    @Test("waiters go on in the order they came")
    func order() async throws {
        let test = GateUnderTest { $0.writeRequestsPerSecond = 1 }
        var held = [try await test.admit()]
        var waiters: [Task<Admission, any Error>] = []
        for count in 1...3 {
            waiters.append(Task { try await test.admit() })
            await eventually("\(count) wait") { test.clock.sleeperCount == count }
        }
        #expect(test.clock.waits == [.seconds(1), .seconds(2), .seconds(3)])
        for (index, waiter) in waiters.enumerated() {
            test.clock.advance(by: .seconds(1))
            held.append(try await waiter.value)
            #expect(test.clock.sleeperCount == 2 - index)
        }
        for admission in held { admission.release() }
    }

    @Test("a cancelled waiter is refused as cancelled, and leaves neither a place nor a token behind")
    func cancellation() async throws {
        let test = GateUnderTest {
            $0.writeRequestsPerSecond = 1
            $0.samplesPerSecond = 10
            $0.sampleBurst = 10
        }
        let first = try await test.admit()
        let waiter = Task { try await test.admit() }
        await eventually("one waits") { test.clock.sleeperCount == 1 }
        waiter.cancel()
        await #expect(throws: AccessRefusal.cancelled) { try await waiter.value }
        try await test.gate.admitSamples(10, within: .seconds(25))
        let samples = Task { try await test.gate.admitSamples(10, within: .seconds(25)) }
        await eventually("one waits") { test.clock.sleeperCount == 1 }
        samples.cancel()
        await #expect(throws: AccessRefusal.cancelled) { try await samples.value }
        #expect(test.moved["gateway_requests_refused_total{reason=\"cancelled\"}"] == 2)
        #expect(test.moved["gateway_throttle_waiting"] == nil)
        #expect(test.moved["gateway_tenant_concurrency{kind=\"write\"}"] == 1)

        // Both buckets are where they were: after one second each grants once more, at once.
        test.clock.advance(by: .seconds(1))
        let second = try await test.admit()
        try await test.gate.admitSamples(10, within: .seconds(25))
        #expect(test.clock.sleeperCount == 0 && test.clock.waits.count == 2)
        first.release()
        second.release()
    }

    @Test("a task that is cancelled already does not wait")
    func cancelledBefore() async throws {
        let test = GateUnderTest { $0.writeRequestsPerSecond = 1 }
        let first = try await test.admit()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await test.admit()
        }
        task.cancel()
        await #expect(throws: AccessRefusal.cancelled) { try await task.value }
        first.release()
        test.clock.advance(by: .seconds(1))
        #expect(await test.refusal() == nil)
    }

    @Test("refusals have the configured status, a Retry-After in whole seconds, and name the limit with its value")
    func refusals() async throws {
        let test = GateUnderTest {
            $0.writeRequestsPerSecond = 1
            $0.samplesPerSecond = 3
            $0.sampleBurst = 30
            $0.readRequestsPerSecond = 7
            $0.concurrentWrites = 1
            $0.maxWait = .zero
            $0.throttleStatus = 429
        }
        let held = try await test.admit()
        let overConcurrency = try #require(await test.refusal())
        #expect(overConcurrency.status == 503 && overConcurrency.retryAfterSeconds == 1)
        #expect(overConcurrency.message == "tenant a has concurrent_writes (1) requests in progress; try again later")
        held.release()
        let overRate = try #require(await test.refusal())
        #expect(overRate.status == 429 && overRate.reason == .writeRate)
        #expect(overRate.headerFields[.retryAfter] == "1")
        #expect(overRate.message.contains("write_requests_per_second (1)"))
        _ = try await test.admit(.read)
        let overReads = try #require(await test.refusal(of: .read))
        #expect(overReads.status == 429 && overReads.reason == .readRate && overReads.retryAfterSeconds == 1)

        try await test.gate.admitSamples(60, within: .seconds(25))
        let overSamples = await #expect(throws: AccessRefusal.self) {
            try await test.gate.admitSamples(1, within: .seconds(25))
        }
        #expect(overSamples?.status == 429 && overSamples?.reason == .sampleRate)
        #expect(overSamples?.retryAfterSeconds == 11)  // 31 tokens at 3 a second.
        #expect(overSamples?.needsAuthenticateHeader == false)
    }

    @Test("throttle_status counts for writes only; reads over their rate get 429")
    func throttleStatus() async throws {
        let test = GateUnderTest {
            $0.writeRequestsPerSecond = 1
            $0.readRequestsPerSecond = 1
            $0.maxWait = .zero
        }
        _ = try await test.admit(.write)
        _ = try await test.admit(.read)
        #expect(await test.refusal(of: .write)?.status == 503)
        #expect(await test.refusal(of: .read)?.status == 429)
    }

    @Test("mode: observe lets everything through and counts")
    func observe() async throws {
        let test = GateUnderTest {
            $0.writeRequestsPerSecond = 1
            $0.maxWait = .zero
            $0.mode = .observe
        }
        var held: [Admission] = []
        for _ in 0..<5 { held.append(try await test.admit()) }
        #expect(
            test.moved == [
                "gateway_tenant_concurrency{kind=\"write\"}": 5,
                "gateway_throttled_total{limit=\"write_requests_per_second\"}": 4,
            ]
        )
        for admission in held { admission.release() }
    }

    @Test("many requests at once never exceed the concurrency, and all places come back")
    func storm() async {
        let test = GateUnderTest { $0.concurrentWrites = 10 }
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<500 {
                group.addTask {
                    guard let admission = try? await test.admit() else { return false }
                    #expect((1...10).contains(test.moved["gateway_tenant_concurrency{kind=\"write\"}"] ?? 0))
                    await Task.yield()
                    admission.release()
                    return true
                }
            }
            let admitted = await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            #expect(admitted >= 10)
        }
        #expect(test.moved["gateway_tenant_concurrency{kind=\"write\"}"] == nil)
    }

    @Test(
        "Retry-After is rounded up, spread by up to a quarter and at least a second, from 1 to 300 seconds",
        arguments: [
            (0, 1, 2), (-5, 1, 2), (1, 1, 2), (1_000_000_000, 1, 2), (1_000_000_001, 2, 3), (8_000_000_000, 8, 10),
            (100_000_000_000, 100, 125), (299_000_000_001, 240, 300), (Int64.max, 240, 300), (Int64.min, 1, 2),
        ] as [(Int64, Int, Int)]
    )
    func retryAfter(nanoseconds: Int64, least: Int, most: Int) {
        let chances = [0, 0.25, 0.5, 0.75, 0.999_999_999, 1, -1, .infinity]
        let seconds = chances.map { AccessRefusal.retryAfterSeconds(nanoseconds: nanoseconds, chance: $0) }
        #expect(seconds.allSatisfy { $0 >= least && $0 <= most })
        #expect(seconds.first == least && seconds[4] == most)
        #expect(seconds == seconds.prefix(5).sorted() + seconds.suffix(3))
    }

    @Test("a refusal's Retry-After is the deficit, spread by chance")
    func spread() async throws {
        let test = GateUnderTest {
            $0.samplesPerSecond = 1
            $0.sampleBurst = 40
            $0.maxWait = .zero
        }
        try await test.gate.admitSamples(40, within: .seconds(25))
        test.clock.set(chance: 0.5)
        let refusal = await #expect(throws: AccessRefusal.self) {
            try await test.gate.admitSamples(40, within: .seconds(25))
        }
        #expect(refusal?.retryAfterSeconds == 45)
    }

    @Test("decoded bytes have a rate of their own, named in the refusal and in the metrics")
    func decodedBytes() async throws {
        let test = GateUnderTest {
            $0.decodedBytesPerSecond = 100
            $0.decodedByteBurst = 1_000
            $0.maxWait = .seconds(1)
        }
        try await test.gate.admitDecodedBytes(1_000, within: .seconds(25))
        let waiter = Task { try await test.gate.admitDecodedBytes(50, within: .seconds(25)) }
        await eventually("one waits") { test.clock.sleeperCount == 1 }
        #expect(test.clock.waits == [.milliseconds(500)])
        let refusal = await #expect(throws: AccessRefusal.self) {
            try await test.gate.admitDecodedBytes(1_000, within: .seconds(25))
        }
        #expect(refusal?.reason == .decodedByteRate && refusal?.status == 503)
        #expect(refusal?.message.contains("decoded_bytes_per_second (100)") == true)
        test.clock.advance(by: .milliseconds(500))
        try await waiter.value
        #expect(
            test.moved == [
                "gateway_throttle_waits_total{limit=\"decoded_bytes_per_second\"}": 1,
                "gateway_throttled_total{limit=\"decoded_bytes_per_second\"}": 1,
                "gateway_requests_refused_total{reason=\"decoded_byte_rate\"}": 1,
            ]
        )
    }
}
