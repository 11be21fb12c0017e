import Common
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServing

@Suite("HTTP/1 peers that are slow, or leave")
struct DisconnectTests {
    /// Notes whether its task was cancelled; answers after at most ten seconds.
    private func waiting(_ notes: Notes<String>) -> @Sendable (IncomingRequest) async -> OutgoingResponse {
        { _ in
            notes.add("begun")
            do {
                try await Task.sleep(for: .seconds(10))
                notes.add("slept")
            } catch {
                notes.add("cancelled")
            }
            return OutgoingResponse(status: .ok, body: Array("answer".utf8))
        }
    }

    @Test("a peer that goes away cancels the request's task", arguments: [true, false])
    func cancels(orderly: Bool) async throws {
        let notes = Notes<String>()
        try await TestServer.with(handler: self.waiting(notes)) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                while notes.all.isEmpty { Thread.sleep(forTimeInterval: 0.005) }
                if !orderly { client.reset() }
            }
            #expect(await TestServer.eventually { notes.all == ["begun", "cancelled"] })
            #expect(
                await TestServer.eventually { server.metric("gateway_listener_connections{listener=\"test\"}") == 0 }
            )
        }
    }

    @Test("a peer that ends its side behind a whole request still gets its answer")
    func halfClosed() async throws {
        try await TestServer.with { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok")
                client.endOutput()
                return try client.receiveAll()
            }
            #expect(answer.hasSuffix("POST /half ok"))
        }
    }

    @Test("a half-closed peer gets a large answer to its end")
    func halfClosedLargeAnswer() async throws {
        let body = [UInt8](repeating: UInt8(ascii: "a"), count: 8_000_000)
        try await TestServer.with(handler: { _ in OutgoingResponse(status: .ok, body: body) }) { server in
            let count = try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                client.endOutput()
                return try client.receiveAll().utf8.count
            }
            #expect(count > body.count)
        }
    }

    @Test("a connection on which nothing comes closes silently at the header time-out")
    func silentPeer() async throws {
        try await TestServer.with(timeouts: HTTPTimeouts(header: .milliseconds(100))) { server in
            let answer = try await blocking { try RawClient(server.address).receiveAll() }
            #expect(answer.isEmpty)
        }
    }

    @Test(
        "an unfinished head is answered 408 at the header time-out",
        arguments: ["G", "GET / HTTP/1.1\r\nHost: x\r\n"]
    )
    func slowHead(part: String) async throws {
        try await TestServer.with(timeouts: HTTPTimeouts(header: .milliseconds(100))) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send(part)
                return try client.receiveAll()
            }
            #expect(answer.hasPrefix("HTTP/1.1 408 "))
            let fault = "gateway_listener_peer_faults_total{listener=\"test\",reason=\"headers_timed_out\"}"
            #expect(server.metric(fault) == 1)
        }
    }

    @Test("an idle connection closes silently at the idle time-out, a begun second head is answered 408")
    func idle() async throws {
        let timeouts = HTTPTimeouts(header: .milliseconds(100), idle: .milliseconds(200))
        try await TestServer.with(timeouts: timeouts) { server in
            let answers = try await blocking {
                let idle = try RawClient(server.address)
                idle.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
                let begun = try RawClient(server.address)
                begun.send("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
                let first = try begun.receive(until: "GET /2 ")
                begun.send("GET /3")
                return try [idle.receiveAll(), first + begun.receiveAll()]
            }
            #expect(answers[0].hasSuffix("GET /1 "))
            #expect(answers[1].contains("GET /2 ") && answers[1].contains("HTTP/1.1 408 "))
        }
    }

    @Test("a peer that stops reading its answer is cut")
    func stalledReader() async throws {
        let body = [UInt8](repeating: 1, count: 30_000_000)
        try await TestServer.with(
            timeouts: HTTPTimeouts(body: .milliseconds(200)),
            handler: { _ in OutgoingResponse(status: .ok, body: body) }
        ) { server in
            let client = try RawClient(server.address)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let fault = "gateway_listener_peer_faults_total{listener=\"test\",reason=\"answer_timed_out\"}"
            #expect(await TestServer.eventually { server.metric(fault) == 1 })
            #expect(
                await TestServer.eventually { server.metric("gateway_listener_connections{listener=\"test\"}") == 0 }
            )
            withExtendedLifetime(client) {}
        }
    }
}
