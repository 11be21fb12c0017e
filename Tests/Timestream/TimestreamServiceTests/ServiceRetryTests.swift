import Common
import Foundation
import Synchronization
import TestSupport
import Testing
import TimestreamModel
import UpstreamHTTP

@testable import TimestreamService

/// One way a try can fail that the next may not.
struct PassingFault: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let reply: ScriptedServer.Reply
    let code: TimestreamError.Code

    static let all = [
        PassingFault("500", serviceError(500, "InternalServerException"), .internalServer),
        PassingFault("429", serviceError(429, "ThrottlingException"), .throttling),
        PassingFault("400 with a throttling name", serviceError(400, "ThrottlingException"), .throttling),
        PassingFault("502 of a balancer", .answer(502, body: Array("<html>".utf8)), .internalServer),
        PassingFault("503 without a body", .answer(503), .internalServer),
        PassingFault("504 with half a body", .answer(504, body: Array("{\"__type".utf8)), .internalServer),
        PassingFault("a closed connection", .close, .network),
        PassingFault("a reset connection", .reset, .network),
        PassingFault(
            "half an answer",
            .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".utf8), close: true),
            .network
        ),
        PassingFault(
            "half a head",
            .raw(Array("HTTP/1.1 200 OK\r\nContent-Le".utf8), close: true),
            .network
        ),
        PassingFault("no HTTP", .raw(Array("hello\r\n".utf8), close: true), .malformedResponse),
        PassingFault("a 200 that is not JSON", .answer(200, body: Array("<html>".utf8)), .malformedResponse),
        PassingFault("a 200 cut in its JSON", .json(200, "{\"RecordsIngested\":{"), .malformedResponse),
        PassingFault("an empty 200", .answer(200), .malformedResponse),
        PassingFault("a 419 with an unreadable list", .answer(419, body: Array("{\"Rej".utf8)), .malformedResponse),
    ]

    init(_ description: String, _ reply: ScriptedServer.Reply, _ code: TimestreamError.Code) {
        self.testDescription = description
        self.reply = reply
        self.code = code
    }
}

@Suite("Calls that fail and are tried again, or not")
struct ServiceRetryTests {
    @Test("a fault that passes is passed over, and counted", arguments: PassingFault.all)
    func passing(fault: PassingFault) async throws {
        let count = Atomic<Int>(0)
        let server = try ScriptedServer { _ in
            count.wrappingAdd(1, ordering: .relaxed).newValue <= 2 ? fault.reply : ingested
        }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        try await fixture.write()
        #expect(server.requests.count == 3)
        #expect(fixture.calls("WriteRecords", "none") == 1)
        #expect(fixture.calls("WriteRecords", fault.code.rawValue) == 2)
        #expect(fixture.retries == 2)
        await fixture.upstream.shutdown()
    }

    @Test("a fault that stays is reported after as many tries as allowed", arguments: PassingFault.all)
    func lasting(fault: PassingFault) async throws {
        let server = try ScriptedServer { _ in fault.reply }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url, maxRetries: 2)
        let error = try #require(await failure { try await fixture.write() })
        #expect(error.code == fault.code)
        #expect(error.isTransient)
        #expect(server.requests.count == 3)
        await fixture.upstream.shutdown()
    }

    @Test("writes and queries have as many tries as each is given")
    func triesOfEach() async throws {
        let server = try ScriptedServer { _ in PassingFault.all[0].reply }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url) {
            $0.maxWriteRetries = 1
            $0.maxQueryRetries = 0
        }
        _ = await failure { try await fixture.write() }
        #expect(server.requests.count == 2)
        _ = await failure { _ = try await fixture.query() }
        #expect(server.requests.count == 3)
        await fixture.upstream.shutdown()
    }

    @Test(
        "what no retry can mend is reported at once",
        arguments: [
            (400, "ValidationException", .validation), (400, "QueryExecutionException", .queryExecution),
            (402, "ServiceQuotaExceededException", .serviceQuotaExceeded),
            (403, "AccessDeniedException", .accessDenied),
            (404, "ResourceNotFoundException", .resourceNotFound),
            (404, "UnknownOperationException", .unknownOperation),
            (409, "ConflictException", .conflict), (400, "InvalidSignatureException", .signature),
            (403, "UnrecognizedClientException", .signature), (400, "IncompleteSignature", .signature),
            (403, "MissingAuthenticationToken", .signature), (400, "ExpiredTokenException", .signature),
            (403, "SignatureDoesNotMatch", .signature), (403, "InvalidClientTokenId", .signature),
            (419, "RejectedRecordsException", .rejectedRecords), (421, "InvalidEndpointException", .invalidEndpoint),
            (418, "NeverHeardOfIt", .malformedResponse), (403, "NeverHeardOfIt", .accessDenied),
        ] as [(Int, String, TimestreamError.Code)]
    )
    func final(status: Int, name: String, code: TimestreamError.Code) async throws {
        let server = try ScriptedServer { _ in serviceError(status, name, "the reason") }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        let error = try #require(await failure { try await fixture.query() })
        #expect(error.code == code)
        #expect(error.status == status)
        #expect(error.message.contains("the reason"))
        #expect(!error.description.contains("the reason"))
        #expect(server.requests.count == 1)
        #expect(fixture.calls("Query", code.rawValue) == 1)
        #expect(fixture.retries == 0)
        await fixture.upstream.shutdown()
    }

    @Test("a repeated query has its first token, another query another one")
    func clientToken() async throws {
        let server = try ScriptedServer { $0.ordinal == 0 ? serviceError(500, "InternalServerException") : onePage }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        _ = try await fixture.query()
        _ = try await fixture.query(nextToken: "n")
        let bodies = try server.requests.map { request in
            try #require(try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: String])
        }
        try #require(bodies.count == 3)
        #expect(bodies[0] == bodies[1])
        #expect(bodies[0]["ClientToken"] != bodies[2]["ClientToken"])
        #expect(bodies.allSatisfy { (32...64).contains($0["ClientToken"]?.utf8.count ?? 0) })
        #expect(bodies.map { $0["NextToken"] } == [nil, nil, "n"])
        await fixture.upstream.shutdown()
    }

    @Test("the deadline ends a call whose answer does not come, and one that is being repeated")
    func deadline() async throws {
        let silent = try ScriptedServer { _ in .silence }
        let failing = try ScriptedServer { _ in serviceError(500, "InternalServerException") }
        defer {
            silent.stop()
            failing.stop()
        }
        let waiting = try ServiceFixture(endpoint: silent.url)
        let late = await failure { try await waiting.write(within: .milliseconds(60)) }
        #expect(late?.code == .timedOut)
        #expect(silent.requests.count == 1)
        await waiting.upstream.shutdown()

        let repeating = try ServiceFixture(endpoint: failing.url, maxRetries: 1_000_000)
        let error = await failure { try await repeating.write(within: .milliseconds(150)) }
        #expect(error?.code == .internalServer || error?.code == .timedOut)
        #expect(!failing.requests.isEmpty)
        await repeating.upstream.shutdown()
    }

    @Test("nothing is sent when the deadline has passed")
    func passedDeadline() async throws {
        let server = try ScriptedServer { _ in ingested }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        let error = await failure { try await fixture.write(within: .seconds(-1)) }
        #expect(error?.code == .timedOut)
        #expect(server.requests.isEmpty)
        await fixture.upstream.shutdown()
    }

    @Test("a cancelled call ends at once, in flight and between two tries")
    func cancellation() async throws {
        let silent = try ScriptedServer { _ in .silence }
        let failing = try ScriptedServer { _ in serviceError(500, "InternalServerException") }
        defer {
            silent.stop()
            failing.stop()
        }
        for server in [silent, failing] {
            let fixture = try ServiceFixture(endpoint: server.url, maxRetries: 1_000_000)
            let task = Task { await failure { try await fixture.write() } }
            try await server.wait { !$0.requests.isEmpty }
            task.cancel()
            let error = await task.value
            #expect(error?.code == .cancelled)
            #expect(error?.isTransient == false)
            await fixture.upstream.shutdown()
        }
        try await silent.wait { $0.connectionsClosed == 1 }
    }

    @Test("a query is cancelled even by a task that has been cancelled itself, once and without retries")
    func cancelQuery() async throws {
        let server = try ScriptedServer { _ in serviceError(500, "InternalServerException") }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await fixture.client.cancelQuery(id: "Q\"1")
        }
        await task.value
        let request = try #require(server.requests.first)
        #expect(server.requests.count == 1)
        #expect(request.header("x-amz-target") == "Timestream_20181101.CancelQuery")
        #expect(request.body == Array(#"{"QueryId":"Q\"1"}"#.utf8))
        #expect(fixture.calls("CancelQuery", "internal_server") == 1)
        await fixture.upstream.shutdown()
    }

    @Test("nobody listening is a network error; a key that would break the head is never sent")
    func unreachable() async throws {
        let server = try ScriptedServer { _ in ingested }
        let url = server.url
        server.stop()
        let fixture = try ServiceFixture(endpoint: url, maxRetries: 1)
        let error = await failure { try await fixture.write() }
        #expect(error?.code == .network)
        await fixture.upstream.shutdown()

        let bad = try ServiceFixture(endpoint: "http://no\thost\r\nX: y")
        #expect(await failure { try await bad.write() }?.isOperatorFault == true)
        await bad.upstream.shutdown()
    }

    @Test("what is logged and counted names the call and hides keys, tokens, statements and bodies")
    func observability() async throws {
        let server = try ScriptedServer { request in
            request.header("x-amz-target")?.hasSuffix("Query") == true
                ? serviceError(400, "ValidationException", "near hidden") : ingested
        }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        #expect(fixture.registry.exposition().contains("operation=\"WriteRecords\",error=\"throttling\"} 0\n"))
        try await fixture.write()
        _ = await failure { try await fixture.query("SELECT 'hidden'") }
        let lines = fixture.logs.lines
        try #require(lines.count == 2)
        #expect(lines.allSatisfy { $0.hasPrefix("debug called Timestream ") && $0.contains("tenant=payments") })
        #expect(lines[0].contains("operation=WriteRecords") && lines[0].contains("error.code=none"))
        #expect(lines[1].contains("operation=Query") && lines[1].contains("error.code=validation"))
        for secret in ["do+not/show", "nor+this", "AKIDEXAMPLE", "hidden", "DatabaseName"] {
            #expect(!lines.joined().contains(secret))
        }
        let text = fixture.registry.exposition()
        #expect(text.contains("gateway_timestream_call_duration_seconds_count{operation=\"Query\"} 1\n"))
        await fixture.upstream.shutdown()
    }
}

@Suite("Retry decisions")
struct RetryPolicyTests {
    @Test("pauses are drawn from zero to a bound that doubles up to its cap")
    func pauses() {
        let policy = RetryPolicy(maxRetries: 5, base: .milliseconds(100), cap: .seconds(3))
        var generator = SeededGenerator(seed: 1)
        for (retry, bound) in [(0, 100), (1, 200), (4, 1600), (5, 3000), (60, 3000), (Int.max, 3000)] {
            let pauses = (0..<200).map { _ in policy.pause(before: retry, using: &generator) }
            #expect(pauses.allSatisfy { $0 >= .zero && $0 <= .milliseconds(bound) })
            #expect(
                pauses.contains { $0 > .milliseconds(bound / 2) } && pauses.contains { $0 < .milliseconds(bound / 2) }
            )
        }
    }

    @Test("a certificate that is not trusted, or a client that has ended, is not tried again")
    func transfers() {
        for code in UpstreamError.Code.allCases {
            let error = ServiceAnswer.error(for: UpstreamError(code, message: "m"))
            let isWorth = RetryPolicy.isWorthRetrying(error, transfer: code)
            let hopeless: Set<UpstreamError.Code> = [
                .tlsVerification, .responseTooLarge, .shutDown, .invalidRequest, .cancelled, .library,
            ]
            #expect(isWorth != hopeless.contains(code))
            #expect(code != .cancelled || error.code == .cancelled)
        }
    }
}
