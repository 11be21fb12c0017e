import Common
import CredentialProviders
import Foundation
import RequestSigning
import Synchronization
import TestSupport
import Testing
import TimestreamModel
import UpstreamHTTP

@testable import TimestreamService

/// A source whose key a test changes.
final class ChangingCredentialSource: CredentialSource {
    private let key = Locked(AccessKey(accessKeyID: "AKIDFIRST", secretAccessKey: Secret("first")))

    func change(to id: String) {
        self.key.withLock { $0 = AccessKey(accessKeyID: id, secretAccessKey: Secret(id)) }
    }

    func accessKey() async throws(TimestreamError) -> AccessKey {
        self.key.withLock { $0 }
    }
}

@Suite("Calls in front of a service in trouble")
struct ServiceResilienceTests {
    private let quick = CircuitBreaker.Policy(
        failures: 3,
        span: .zero,
        pause: .milliseconds(20),
        longestPause: .milliseconds(20)
    )

    @Test("an endpoint that keeps failing is left alone; the caller hears when to come again, and a probe ends it")
    func circuit() async throws {
        let isBroken = Atomic<Bool>(true)
        let server = try ScriptedServer { _ in
            isBroken.load(ordering: .relaxed) ? serviceError(500, "InternalServerException") : ingested
        }
        defer { server.stop() }
        let slow = CircuitBreaker.Policy(failures: 3, span: .zero, pause: .seconds(60), longestPause: .seconds(60))
        let fixture = try ServiceFixture(endpoint: server.url, maxRetries: 10) { $0.circuit = slow }
        let first = try #require(await failure { try await fixture.write() })
        // Why it opened, and not that it did.
        #expect(first.code == .internalServer)
        #expect(first.retryAfter.map { $0 > .seconds(29) && $0 <= .seconds(60) } == true)
        #expect(server.requests.count == 3)
        let second = try #require(await failure { try await fixture.write() })
        #expect(second.code == .circuitOpen && second.isTransient)
        #expect(second.retryAfter.map { $0 > .seconds(28) && $0 <= .seconds(60) } == true)
        #expect(server.requests.count == 3)
        #expect(fixture.value("gateway_timestream_circuits_open{tenant=\"payments\",endpoint=\"write\"}") == 1)
        #expect(fixture.value("gateway_timestream_circuits_open{tenant=\"payments\",endpoint=\"query\"}") == 0)
        #expect(fixture.calls("WriteRecords", "circuit_open") == 0)
        // The same host's other API has a circuit of its own.
        #expect(await failure { try await fixture.query() }?.code == .internalServer)
        await fixture.upstream.shutdown()

        let recovering = try ServiceFixture(endpoint: server.url, maxRetries: 10) { $0.circuit = self.quick }
        #expect(await failure { try await recovering.write() }?.code == .internalServer)
        isBroken.store(false, ordering: .relaxed)
        try await Task.sleep(for: .milliseconds(25))
        try await recovering.write()
        try await recovering.write()
        let labels = "{tenant=\"payments\",endpoint=\"write\"}"
        #expect(recovering.value("gateway_timestream_circuits_open\(labels)") == 0)
        #expect(recovering.value("gateway_timestream_circuit_openings_total\(labels)") == 1)
        await recovering.upstream.shutdown()
    }

    @Test(
        "throttling, and refusals of one request, never open a circuit",
        arguments: [
            (429, "ThrottlingException"), (400, "ValidationException"), (403, "AccessDeniedException"),
            (404, "ResourceNotFoundException"), (402, "ServiceQuotaExceededException"),
            (419, "RejectedRecordsException"),
        ]
    )
    func notTheEndpoint(status: Int, name: String) async throws {
        let server = try ScriptedServer { _ in serviceError(status, name) }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url, maxRetries: 0) { $0.circuit = self.quick }
        for _ in 0..<10 { #expect(await failure { try await fixture.write() }?.code != .circuitOpen) }
        #expect(server.requests.count == 10)
        await fixture.upstream.shutdown()
    }

    @Test("throttling lowers the calls under way, down to one and never to none")
    func throttled() async throws {
        let isThrottling = Atomic<Bool>(true)
        let server = try ScriptedServer { _ in
            isThrottling.load(ordering: .relaxed) ? serviceError(429, "ThrottlingException") : ingested
        }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url, maxRetries: 0) {
            $0.concurrency = AdaptiveLimit.Policy(maximum: 8, decrease: 0.5, interval: .zero, usualCalls: 1)
        }
        let limit = "gateway_timestream_concurrency_limit{tenant=\"payments\",api=\"write\"}"
        #expect(fixture.value(limit) == 8)
        for _ in 0..<10 { #expect(await failure { try await fixture.write() }?.code == .throttling) }
        #expect(server.requests.count == 10)
        #expect(fixture.value(limit) == 1)
        #expect(fixture.value("gateway_timestream_concurrency_limit{tenant=\"payments\",api=\"query\"}") == 8)
        isThrottling.store(false, ordering: .relaxed)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<40 { group.addTask { try await fixture.write() } }
            try await group.waitForAll()
        }
        #expect(fixture.value(limit) > 1)
        await fixture.upstream.shutdown()
    }

    @Test("a call whose turn does not come ends at its deadline, unsent")
    func queue() async throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url) {
            $0.concurrency = AdaptiveLimit.Policy(maximum: 1)
        }
        let first = Task { await failure { try await fixture.write() } }
        try await server.wait { $0.requests.count == 1 }
        #expect(await failure { try await fixture.write(within: .milliseconds(30)) }?.code == .timedOut)
        let waiting = Task { await failure { try await fixture.write() } }
        waiting.cancel()
        #expect(await waiting.value?.code == .cancelled)
        first.cancel()
        #expect(await first.value?.code == .cancelled)
        #expect(server.requests.count == 1)
        await fixture.upstream.shutdown()
    }

    @Test("when the budget is spent failed calls are not repeated, but first tries and throttled ones go on")
    func budget() async throws {
        let isThrottling = Atomic<Bool>(false)
        let server = try ScriptedServer { _ in
            isThrottling.load(ordering: .relaxed)
                ? serviceError(429, "ThrottlingException") : serviceError(500, "InternalServerException")
        }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url, maxRetries: 3) {
            $0.budget = RetryBudget.Policy(capacity: 25, costOfRetry: 5, gainOfSuccess: 1)
            $0.circuit.failures = 1_000
        }
        for _ in 0..<4 { #expect(await failure { try await fixture.write() }?.code == .internalServer) }
        #expect(server.requests.count == 4 + 5)
        #expect(fixture.value("gateway_timestream_retries_refused_total{tenant=\"payments\"}") == 3)
        isThrottling.store(true, ordering: .relaxed)
        #expect(await failure { try await fixture.write() }?.code == .throttling)
        #expect(server.requests.count == 9 + 4)
        await fixture.upstream.shutdown()
    }

    @Test("a wrong clock costs one refusal: the next try is signed for the service's time")
    func clock() async throws {
        // 2015-08-30, 12:36:00 there; an hour later here.
        let there = "Sun, 30 Aug 2015 12:36:00 GMT"
        let server = try ScriptedServer { request in
            if request.header("x-amz-date")?.hasPrefix("20150830T1236") == true { return ingested }
            let text = #"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired"}"#
            return .json(403, text, headers: [("Date", there)])
        }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url) { $0.wallClock = { 1_440_938_160 + 3_600 } }
        try await fixture.write()
        #expect(server.requests.count == 2)
        try await fixture.write()
        #expect(server.requests.count == 3)
        #expect(fixture.value("gateway_timestream_clock_skew_seconds{tenant=\"payments\"}") == -3_600)
        #expect(fixture.logs.lines.count { $0.hasPrefix("warning") && $0.contains("skew.seconds=-3600") } == 1)
        await fixture.upstream.shutdown()
    }

    @Test("a wrong clock is noticed by discovery as well, for all that wait for it")
    func clockOfDiscovery() async throws {
        let cell = try ScriptedServer { _ in ingested }
        let regional = try ScriptedServer { [url = cell.url] request in
            if request.header("x-amz-date")?.hasPrefix("20150830T1236") == true {
                return .json(200, #"{"Endpoints":[{"Address":"\#(url)","CachePeriodInMinutes":1440}]}"#)
            }
            let text = #"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired"}"#
            return .json(403, text, headers: [("Date", "Sun, 30 Aug 2015 12:36:00 GMT")])
        }
        defer {
            cell.stop()
            regional.stop()
        }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url) {
            $0.wallClock = { 1_440_938_160 - 7_200 }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { try await fixture.write() } }
            try await group.waitForAll()
        }
        #expect(regional.requests.count == 2)
        #expect(cell.requests.allSatisfy { $0.header("x-amz-date")?.hasPrefix("20150830T1236") == true })
        await fixture.upstream.shutdown()
    }

    @Test("a refusal that the clock does not explain is not repeated")
    func notTheClock() async throws {
        let server = try ScriptedServer { _ in
            let text = #"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired"}"#
            return .json(403, text, headers: [("Date", "Sun, 30 Aug 2015 12:36:00 GMT")])
        }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url) { $0.wallClock = { 1_440_938_160 } }
        #expect(await failure { try await fixture.write() }?.code == .signature)
        #expect(server.requests.count == 1)
        await fixture.upstream.shutdown()
    }

    @Test("a key that was replaced while it was refused: the call is sent once more with the new one")
    func replacedKey() async throws {
        let source = ChangingCredentialSource()
        let server = try ScriptedServer { request in
            if request.header("authorization")?.contains("AKIDSECOND/") == true { return ingested }
            source.change(to: "AKIDSECOND")
            return serviceError(403, "ExpiredTokenException")
        }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url, credentials: source)
        try await fixture.write()
        #expect(server.requests.count == 2)
        await fixture.upstream.shutdown()
    }

    @Test("rejected records are counted by the kind of reason")
    func rejectedRecords() async throws {
        let text =
            #"{"__type":"x#RejectedRecordsException","RejectedRecords":["#
            + #"{"RecordIndex":0,"Reason":"The record timestamp is outside the time range [a, b) of the memory store."},"#
            + #"{"RecordIndex":1,"Reason":"The record version 2 is lower than the existing version 200.","ExistingVersion":200}"#
            + #"]}"#
        let server = try ScriptedServer { _ in .json(419, text) }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        #expect(await failure { try await fixture.write() }?.code == .rejectedRecords)
        let name = "gateway_timestream_records_rejected_total{tenant=\"payments\",reason="
        #expect(fixture.value(name + "\"time_window\"}") == 1)
        #expect(fixture.value(name + "\"version_conflict\"}") == 1)
        #expect(fixture.value(name + "\"limit\"}") == 0)
        await fixture.upstream.shutdown()
    }

    @Test("a regional host that keeps failing is left alone too")
    func discoveryCircuit() async throws {
        let regional = try ScriptedServer { _ in .close }
        defer { regional.stop() }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url, maxRetries: 10) {
            $0.circuit = CircuitBreaker.Policy(
                failures: 3,
                span: .zero,
                pause: .seconds(60),
                longestPause: .seconds(60)
            )
        }
        #expect(await failure { try await fixture.write() }?.code == .network)
        #expect(await failure { try await fixture.write() }?.code == .circuitOpen)
        #expect(regional.requests.count == 3)
        let labels = "{tenant=\"payments\",endpoint=\"write_discovery\"}"
        #expect(fixture.value("gateway_timestream_circuits_open\(labels)") == 1)
        await fixture.upstream.shutdown()
    }
}
