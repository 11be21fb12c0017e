import Common
import Foundation
import TestSupport
import Testing

@testable import UpstreamHTTP

/// A client with its metrics, shut down at the end.
func withClient<Result>(
    _ configuration: UpstreamConfiguration = UpstreamConfiguration(),
    _ body: (UpstreamClient, MetricRegistry) async throws -> Result
) async throws -> Result {
    let registry = MetricRegistry()
    let client = try UpstreamClient(configuration, metrics: registry)
    do {
        let result = try await body(client, registry)
        await client.shutdown()
        #expect(registry.exposition().contains("gateway_upstream_connections 0\n"), "a connection outlives shutdown")
        return result
    } catch {
        await client.shutdown()
        throw error
    }
}

func post(_ url: String, _ body: String = "body", headers: [(String, String)] = []) -> UpstreamRequest {
    UpstreamRequest(
        method: "POST",
        url: url,
        headers: headers.map { (name: $0.0, value: $0.1) },
        body: FrozenBytes(Array(body.utf8))
    )
}

/// The code that a call fails with; `nil` if it does not.
func failure(_ call: () async throws -> UpstreamResponse) async throws -> UpstreamError.Code? {
    do {
        _ = try await call()
        return nil
    } catch let error as UpstreamError {
        #expect(!error.message.isEmpty)
        return error.code
    }
}

private let soon: Duration = .seconds(20)

@Suite("Sending requests upstream")
struct UpstreamClientTests {
    @Test("head and body arrive as given, with nothing added but the length, and the answer comes back whole")
    func echo() async throws {
        let server = try ScriptedServer { request in
            .answer(207, headers: [("X-Answer", " a b "), ("x-answer", "second"), ("Empty", "")], body: request.body)
        }
        defer { server.stop() }
        try await withClient { client, _ in
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let response = try await client.send(
                UpstreamRequest(
                    method: "POST",
                    url: server.url + "/a/../b?c=%20d",
                    headers: [
                        ("content-type", "application/x-amz-json-1.0"), ("host", "named.example"), ("x-empty", ""),
                    ],
                    body: FrozenBytes(bytes)
                ),
                deadline: .now + soon
            )
            #expect(response.status == 207)
            #expect(response.body == bytes)
            #expect(response.header("x-answer") == "a b")
            #expect(response.headers.map(\.name) == ["x-answer", "x-answer", "empty", "content-length"])
        }
        let request = try #require(server.requests.first)
        #expect(request.target == "/a/../b?c=%20d")
        #expect(request.headers.map(\.name).sorted() == ["content-length", "content-type", "host", "x-empty"])
        #expect(request.header("host") == "named.example")
    }

    @Test("large bodies are sent at once, without asking for a 100 first")
    func noExpectation() async throws {
        let server = try ScriptedServer { .answer(200, body: Array(String($0.body.count).utf8)) }
        defer { server.stop() }
        try await withClient { client, _ in
            let large = String(repeating: "x", count: 3 << 20)
            let response = try await client.send(post(server.url, large), deadline: .now + soon)
            #expect(response.body == Array(String(3 << 20).utf8))
        }
        #expect(server.requests.first?.header("expect") == nil)
    }

    @Test("other methods are sent as such", arguments: ["GET", "PUT", "DELETE", "HEAD"])
    func methods(method: String) async throws {
        let server = try ScriptedServer { request in
            request.method == "HEAD" ? .raw(Array("HTTP/1.1 200 OK\r\n\r\n".utf8), close: false) : .answer(200)
        }
        defer { server.stop() }
        try await withClient { client, _ in
            let request = UpstreamRequest(method: method, url: server.url + "/x", headers: [], body: nil)
            let response = try await client.send(request, deadline: .now + soon)
            #expect(response.status == 200)
            #expect(response.body.isEmpty)
        }
        #expect(server.requests.map(\.method) == [method])
    }

    @Test("a connection is kept and used again")
    func keepAlive() async throws {
        let server = try ScriptedServer { _ in .answer(200) }
        defer { server.stop() }
        try await withClient { client, registry in
            for _ in 0..<20 { _ = try await client.send(post(server.url), deadline: .now + soon) }
            let text = registry.exposition()
            #expect(text.contains("gateway_upstream_connections_opened_total 1\n"))
            #expect(text.contains("gateway_upstream_connections 1\n"))
            #expect(text.contains("gateway_upstream_transfers_total{result=\"ok\"} 20\n"))
        }
        #expect(server.history.connectionsOpened == 1)
    }

    @Test("a kept connection that the server closes at the next request is replaced unseen")
    func staleConnection() async throws {
        let server = try ScriptedServer { $0.ordinal == 1 ? .close : .answer(200) }
        defer { server.stop() }
        try await withClient { client, _ in
            for _ in 0..<3 {
                let response = try await client.send(post(server.url), deadline: .now + soon)
                #expect(response.status == 200)
            }
        }
        #expect(server.history.connectionsOpened >= 2)
    }

    @Test("redirects are answers, not followed")
    func noRedirects() async throws {
        let server = try ScriptedServer { request in
            request.target == "/" ? .answer(302, headers: [("Location", "/elsewhere")]) : .answer(200)
        }
        defer { server.stop() }
        try await withClient { client, _ in
            let response = try await client.send(post(server.url + "/"), deadline: .now + soon)
            #expect(response.status == 302)
        }
        #expect(server.requests.count == 1)
    }

    @Test("an interim answer is passed over, and trailers are not headers")
    func interimAndTrailers() async throws {
        let server = try ScriptedServer { _ in
            let text =
                "HTTP/1.1 103 Early Hints\r\nLink: early\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: final\r\n\r\n"
                + "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: no\r\n\r\n"
            return .raw(Array(text.utf8), close: false)
        }
        defer { server.stop() }
        try await withClient { client, _ in
            let response = try await client.send(post(server.url), deadline: .now + soon)
            #expect(response.status == 200)
            #expect(response.headers.map(\.name) == ["transfer-encoding", "x"])
            #expect(response.body == Array("abcde".utf8))
        }
    }

    @Test("a thousand requests, sixteen at a time, each get their own answer")
    func many() async throws {
        let server = try ScriptedServer { .answer(200, body: $0.body) }
        defer { server.stop() }
        try await withClient { client, registry in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<16 {
                    group.addTask {
                        for number in stride(from: lane, to: 1000, by: 16) {
                            let text = "request \(number) " + String(repeating: "x", count: number)
                            let response = try await client.send(post(server.url, text), deadline: .now + soon)
                            #expect(response.body == Array(text.utf8))
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(registry.exposition().contains("gateway_upstream_transfers_total{result=\"ok\"} 1000\n"))
        }
        #expect(server.history.connectionsOpened <= 16)
        #expect(server.requests.count == 1000)
    }

    @Test("more transfers than places wait for their turn, and never are there more connections")
    func places() async throws {
        let current = Locked((now: 0, most: 0))
        let server = try ScriptedServer { _ in
            current.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            usleep(1000)
            current.withLock { $0.now -= 1 }
            return .answer(200)
        }
        defer { server.stop() }
        try await withClient(UpstreamConfiguration(maxConnectionsPerHost: 2)) { client, registry in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<40 {
                    group.addTask { _ = try await client.send(post(server.url), deadline: .now + soon) }
                }
                try await group.waitForAll()
            }
        }
        #expect(current.withLock { $0.most } <= 2)
        #expect(server.history.connectionsOpened == 2)
    }
}

@Suite("Ending transfers early")
struct UpstreamCancellationTests {
    @Test("a task cancelled before it sends sends nothing")
    func cancelledBefore() async throws {
        let server = try ScriptedServer { _ in .answer(200) }
        defer { server.stop() }
        try await withClient { client, registry in
            let task = Task { () async throws -> UpstreamError.Code? in
                withUnsafeCurrentTask { $0?.cancel() }
                return try await failure { try await client.send(post(server.url), deadline: .now + soon) }
            }
            let code = try await task.value
            #expect(code == .cancelled)
            #expect(registry.exposition().contains("gateway_upstream_transfers_total{result=\"cancelled\"} 1\n"))
        }
        #expect(server.requests.isEmpty)
    }

    @Test("a cancelled transfer fails at once, and the server sees its connection close")
    func cancelledInFlight() async throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        try await withClient { client, registry in
            let task = Task { try await failure { try await client.send(post(server.url), deadline: .now + soon) } }
            try await server.wait { $0.requests.count == 1 }
            task.cancel()
            #expect(try await task.value == .cancelled)
            try await server.wait { $0.connectionsClosed == 1 }
            #expect(registry.exposition().contains("gateway_upstream_connections 0\n"))
        }
    }

    @Test("a transfer that waits for a place is cancelled without being sent, and gives up at its deadline")
    func cancelledWaiting() async throws {
        let hold = DispatchSemaphore(value: 0)
        let server = try ScriptedServer { _ in
            hold.wait()
            return .answer(200)
        }
        defer { server.stop() }
        try await withClient(UpstreamConfiguration(maxConnectionsPerHost: 1)) { client, registry in
            let first = Task { try await client.send(post(server.url, "first"), deadline: .now + soon).status }
            try await server.wait { $0.requests.count == 1 }
            let second = Task { try await failure { try await client.send(post(server.url), deadline: .now + soon) } }
            let third = Task {
                try await failure {
                    try await client.send(post(server.url), deadline: .now + .milliseconds(30))
                }
            }
            #expect(try await third.value == .timedOut)
            second.cancel()
            #expect(try await second.value == .cancelled)
            let last = Task { try await client.send(post(server.url, "last"), deadline: .now + soon).status }
            hold.signal()
            hold.signal()
            #expect(try await first.value == 200)
            #expect(try await last.value == 200)
        }
        #expect(server.requests.map { String(decoding: $0.body, as: UTF8.self) } == ["first", "last"])
    }

    @Test("cancels at any moment neither hang nor disturb the others")
    func cancelStorm() async throws {
        let server = try ScriptedServer { .answer(200, body: $0.body) }
        defer { server.stop() }
        try await withClient(UpstreamConfiguration(maxConnectionsPerHost: 4)) { client, _ in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        let task = Task {
                            try await client.send(post(server.url, "\(number)"), deadline: .now + soon).body
                        }
                        if number % 3 == 0 {
                            for _ in 0..<(number % 7) { await Task.yield() }
                            task.cancel()
                        }
                        do {
                            let body = try await task.value
                            #expect(body == Array("\(number)".utf8))
                        } catch {
                            #expect((error as? UpstreamError)?.code == .cancelled)
                            #expect(number % 3 == 0)
                        }
                    }
                }
            }
        }
    }

    @Test("an answer that does not come ends at the deadline; a deadline that has passed sends nothing")
    func deadline() async throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        try await withClient { client, registry in
            let late = try await failure {
                try await client.send(post(server.url), deadline: .now + .milliseconds(50))
            }
            #expect(late == .timedOut)
            let passed = try await failure {
                try await client.send(post(server.url), deadline: .now - .seconds(1))
            }
            #expect(passed == .timedOut)
            #expect(registry.exposition().contains("gateway_upstream_transfers_total{result=\"timed_out\"} 2\n"))
        }
        #expect(server.requests.count == 1)
    }

    @Test("shutdown fails what is under way and what comes later, and returns")
    func shutdown() async throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        let client = try UpstreamClient(UpstreamConfiguration(maxConnectionsPerHost: 2), metrics: MetricRegistry())
        let tasks = (0..<5).map { _ in
            Task { try await failure { try await client.send(post(server.url), deadline: .now + soon) } }
        }
        try await server.wait { $0.requests.count == 2 }
        async let first: Void = client.shutdown()
        async let second: Void = client.shutdown()
        _ = await (first, second)
        for task in tasks { #expect(try await task.value == .shutDown) }
        let later = try await failure { try await client.send(post(server.url), deadline: .now + soon) }
        #expect(later == .shutDown)
        try await server.wait { $0.connectionsClosed == $0.connectionsOpened }
    }

    @Test("a client that is let go without shutdown closes its connections")
    func letGo() async throws {
        let server = try ScriptedServer { _ in .answer(200) }
        defer { server.stop() }
        do {
            let client = try UpstreamClient(UpstreamConfiguration(), metrics: MetricRegistry())
            _ = try await client.send(post(server.url), deadline: .now + soon)
        }
        try await server.wait { $0.connectionsClosed == 1 }
    }

    @Test("more transfers than the client holds are refused, and counted")
    func overloaded() async throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        try await withClient(UpstreamConfiguration(maxTransfers: 2)) { client, registry in
            let tasks = (0..<2).map { _ in
                Task { try await failure { try await client.send(post(server.url), deadline: .now + soon) } }
            }
            try await server.wait { $0.requests.count == 2 }
            let refused = try await failure { try await client.send(post(server.url), deadline: .now + soon) }
            #expect(refused == .overloaded)
            #expect(registry.exposition().contains("gateway_upstream_transfers_total{result=\"overloaded\"} 1\n"))
            for task in tasks {
                task.cancel()
                #expect(try await task.value == .cancelled)
            }
        }
    }
}
