import Common
import Foundation
import HTTPTypes
import Logging
import Synchronization
import TestSupport
import Testing
import UpstreamHTTP

@testable import LambdaRuntime

/// Answers with who was asked.
private struct Named: HTTPResponder {
    var name: String
    var answer: @Sendable (IncomingRequest) async -> Void = { _ in }

    func respond(to request: IncomingRequest) async -> OutgoingResponse {
        await self.answer(request)
        return .text(.ok, self.name)
    }
}

/// Hands out the same event `count` times, and then nothing.
private final class Runtime: Sendable {
    let server: ScriptedServer

    init(_ event: [UInt8], count: Int = 1, within milliseconds: Int64 = 30_000, requestID: String = "8476a536-e9f4")
        throws
    {
        let handedOut = Atomic<Int>(0)
        self.server = try ScriptedServer { request in
            guard request.method == "GET" else { return .answer(202) }
            guard handedOut.wrappingAdd(1, ordering: .relaxed).newValue <= count else { return .silence }
            let deadline = Int64(Date().timeIntervalSince1970 * 1000) + milliseconds
            return .answer(
                200,
                headers: [
                    ("Lambda-Runtime-Aws-Request-Id", requestID), ("Lambda-Runtime-Deadline-Ms", "\(deadline)"),
                    ("Lambda-Runtime-Trace-Id", "Root=1-5759e988"),
                ],
                body: event
            )
        }
    }

    /// What was posted until there were `count` posts.
    func posts(
        _ count: Int = 1,
        responder: any HTTPResponder = Named(name: "own"),
        signed: (any HTTPResponder)? = nil
    ) async throws -> [ScriptedServer.Request] {
        let upstream = try UpstreamClient(UpstreamConfiguration(), metrics: MetricRegistry())
        let loop = LambdaLoop(
            api: RuntimeAPI(address: "127.0.0.1:\(self.server.port)", upstream: upstream),
            responder: responder,
            signedResponder: signed,
            certificates: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let running = Task { try await loop.run() }
        try await self.server.wait { history in history.requests.count { $0.method == "POST" } >= count }
        running.cancel()
        try await running.value
        await upstream.shutdown()
        return self.server.requests.filter { $0.method == "POST" }
    }

    deinit { self.server.stop() }
}

@Suite("The loop over the runtime API")
struct LambdaLoopTests {
    @Test("each event is answered under its own id")
    func answers() async throws {
        let runtime = try Runtime(try Events.bytes("http-api-2.0"), count: 3)
        let posts = try await runtime.posts(3)
        #expect(
            posts.map(\.target) == Array(repeating: "/2018-06-01/runtime/invocation/8476a536-e9f4/response", count: 3)
        )
        #expect(String(decoding: posts[0].body, as: UTF8.self).contains(#""body":"own"#))
        #expect(runtime.server.requests[0].target == "/2018-06-01/runtime/invocation/next")
    }

    @Test("signed callers have a responder of their own", arguments: Events.all)
    func signed(name: String) async throws {
        let posts = try await Runtime(try Events.bytes(name)).posts(signed: Named(name: "signed"))
        let expected = name.hasSuffix("-iam") ? "signed" : "own"
        #expect(String(decoding: posts[0].body, as: UTF8.self).contains(#""body":"\#(expected)"#))
    }

    @Test("what is no request is reported as an error, and the loop goes on")
    func faults() async throws {
        let posts = try await Runtime(Array("{}".utf8), count: 2).posts(2)
        for post in posts {
            #expect(post.target == "/2018-06-01/runtime/invocation/8476a536-e9f4/error")
            #expect(post.header("lambda-runtime-function-error-type") == "Gateway.InvalidEvent")
            #expect(String(decoding: post.body, as: UTF8.self).contains(#""errorType":"Gateway.InvalidEvent""#))
        }
    }

    @Test("an answer that does not come in time is 503, and its work is cancelled")
    func deadline() async throws {
        let cancelled = Atomic<Bool>(false)
        let slow = Named(name: "slow") { _ in
            do { try await Task.sleep(for: .seconds(60)) } catch { cancelled.store(true, ordering: .relaxed) }
        }
        let runtime = try Runtime(try Events.bytes("http-api-2.0"), within: 600)
        let posts = try await runtime.posts(responder: slow)
        #expect(String(decoding: posts[0].body, as: UTF8.self).contains(#""statusCode":503"#))
        let wasCancelled = cancelled.load(ordering: .relaxed)
        #expect(wasCancelled)
    }

    @Test("the request has the event's body, with a limit")
    func body() async throws {
        let reading = Named(name: "read") { request in
            #expect(request.body.declaredLength == 11)
            await #expect(throws: IncomingBodyError.tooLarge(limitBytes: 10, declared: 11)) {
                try await request.body.collect(limitBytes: 10)
            }
            let bytes = try? await request.body.collect(limitBytes: 11)
            #expect(bytes == Array("hello world".utf8))
            #expect(request.peer.isEncrypted)
            #expect(request.peer.identity == nil)
        }
        #expect(try await Runtime(try Events.bytes("rest")).posts(responder: reading).count == 1)
    }

    @Test("a runtime API that fails for good ends the loop", arguments: [500, 403])
    func failing(status: Int) async throws {
        let server = try ScriptedServer { _ in .answer(status) }
        defer { server.stop() }
        let upstream = try UpstreamClient(UpstreamConfiguration(), metrics: MetricRegistry())
        let loop = LambdaLoop(
            api: RuntimeAPI(address: "127.0.0.1:\(server.port)", upstream: upstream),
            responder: Named(name: "own"),
            signedResponder: nil,
            certificates: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        await #expect(throws: RuntimeAPI.Failure.self) { try await loop.run() }
        #expect(server.requests.count == 3)
        await upstream.shutdown()
    }

    @Test("a request id that would change the path is not used")
    func requestIDs() async throws {
        let server = try ScriptedServer { _ in .answer(200, headers: [("Lambda-Runtime-Aws-Request-Id", "../init")]) }
        defer { server.stop() }
        let upstream = try UpstreamClient(UpstreamConfiguration(), metrics: MetricRegistry())
        let api = RuntimeAPI(address: "127.0.0.1:\(server.port)", upstream: upstream)
        await #expect(throws: RuntimeAPI.Failure.self) { try await api.next() }
        await upstream.shutdown()
    }
}
