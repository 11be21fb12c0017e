import Common
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Bodies on demand")
struct BodyOnDemandTests {
    @Test("100 Continue is sent when the body is asked for, and not before")
    func expectContinue() async throws {
        let gate = Gate()
        try await TestServer.with(handler: { request in
            await gate.wait()
            return await TestServer.echo(request)
        }) { server in
            try await blocking {
                let client = try RawClient(server.address, receiveTimeout: 1)
                client.send("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
                #expect(throws: RawClient.Failure.self) { try client.receive() }
                gate.open()
                #expect(try client.receive(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
                client.send("hello")
                #expect(try client.receive(until: "hello").contains("POST /e hello"))
            }
        }
    }

    @Test("a refused expectation gets its answer and no 100 Continue")
    func refusedExpectation() async throws {
        try await TestServer.with(handler: { _ in .text(.forbidden, "no") }) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(answer.hasPrefix("HTTP/1.1 403 "))
            #expect(answer.lowercased().contains("connection: close"))
        }
    }

    @Test("an early answer reaches a client that is still sending its body, and the connection closes")
    func earlyAnswer() async throws {
        try await TestServer.with(handler: { _ in .text(.unauthorized, "no proof") }) { server in
            for _ in 0..<10 {
                let answer = try await blocking {
                    let client = try RawClient(server.address)
                    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n")
                    // Sends all before it reads, as simple clients do.
                    client.send([UInt8](repeating: 1, count: 8_000_000))
                    return try client.receiveAll()
                }
                #expect(answer.hasPrefix("HTTP/1.1 401 ") && answer.hasSuffix("no proof\n"))
                #expect(answer.lowercased().contains("connection: close"))
            }
        }
    }

    @Test("a body that had arrived whole costs no connection when nobody wants it")
    func unwantedSmallBody() async throws {
        try await TestServer.with(handler: { _ in
            // The body is in the same packet as the head, so it is there by now.
            try? await Task.sleep(for: .milliseconds(50))
            return .text(.unauthorized, "no proof")
        }) { server in
            try await blocking {
                let client = try RawClient(server.address)
                for _ in 0..<3 {
                    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
                    #expect(!(try client.receive(until: "no proof\n").lowercased().contains("connection: close")))
                }
            }
        }
    }

    @Test("nothing of a body is read before it is asked for")
    func nothingIsBuffered() async throws {
        let gate = Gate()
        try await TestServer.with(handler: { request in
            await gate.wait()
            return await TestServer.echo(request)
        }) { server in
            try await blocking {
                let client = try RawClient(server.address, receiveTimeout: 1)
                client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 33000000\r\nConnection: close\r\n\r\n")
                // More than both sockets' buffers hold: the kernel stops taking it, since nobody reads.
                #expect(!client.send([UInt8](repeating: 1, count: 33_000_000)))
                gate.open()
            }
        }
    }

    @Test("a body over the limit is refused before it is read if it says so, else as soon as it shows")
    func tooLarge() async throws {
        let errors = Notes<IncomingBodyError>()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            do throws(IncomingBodyError) {
                _ = try await request.body.collect(limitBytes: 10)
                return OutgoingResponse(status: .ok)
            } catch {
                errors.add(error)
                return .text(.contentTooLarge, "too large")
            }
        }
        try await TestServer.with(handler: handler) { server in
            let answers = try await blocking {
                let declared = try RawClient(server.address)
                declared.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
                let actual = try RawClient(server.address)
                actual.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n")
                return try [declared.receiveAll(), actual.receiveAll()]
            }
            for answer in answers { #expect(answer.hasPrefix("HTTP/1.1 413 ")) }
            #expect(errors.all.contains(.tooLarge(limitBytes: 10, declared: 11)))
            #expect(errors.all.contains(.tooLarge(limitBytes: 10, declared: nil)))
        }
    }

    @Test("a body that does not arrive in time ends in timedOut, and the answer is seen")
    func slowBody() async throws {
        try await TestServer.with(timeouts: HTTPTimeouts(body: .milliseconds(150))) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
                return try client.receiveAll()
            }
            #expect(answer.hasPrefix("HTTP/1.1 408 ") && answer.hasSuffix("timed out\n"))
            #expect(
                server.metric("gateway_listener_peer_faults_total{listener=\"test\",reason=\"body_timed_out\"}") == 1
            )
        }
    }

    @Test(
        "a peer that ends its side within the body, or resets, ends collect in disconnected",
        arguments: [true, false]
    )
    func disconnectedBody(orderly: Bool) async throws {
        let errors = Notes<IncomingBodyError>()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            do throws(IncomingBodyError) {
                _ = try await request.body.collect(limitBytes: 100)
            } catch {
                errors.add(error)
            }
            return OutgoingResponse(status: .ok)
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabc")
                Thread.sleep(forTimeInterval: 0.02)
                if orderly { client.endOutput() } else { client.reset() }
                if orderly { _ = try? client.receiveAll() }
            }
            #expect(await TestServer.eventually { errors.all == [.disconnected] })
        }
    }
}
