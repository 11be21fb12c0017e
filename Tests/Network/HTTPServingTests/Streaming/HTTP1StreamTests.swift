import Common
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Streamed answers over HTTP/1")
struct HTTP1StreamTests {
    private static let timedOut = "gateway_listener_peer_faults_total{listener=\"test\",reason=\"answer_timed_out\"}"
    private static let connections = "gateway_listener_connections{listener=\"test\"}"

    @Test("pieces go out as chunks, empty ones not at all, and the connection goes on")
    func chunks() async throws {
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok, headerFields: [.contentLength: "99", .contentType: "text/x"]) { sink in
                for piece in ["one", "", "three"] { try await sink.write(Array(piece.utf8)) }
            }
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                // The second request is there before the first answer begins.
                client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                let answers = try client.receiveAll().lowercased().components(separatedBy: "http/1.1 200 ok\r\n")
                #expect(answers.count == 3 && answers[0].isEmpty)
                for answer in answers.dropFirst() {
                    #expect(answer.hasSuffix("\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"))
                    #expect(answer.contains("transfer-encoding: chunked\r\n") && answer.contains("date: "))
                    #expect(answer.contains("content-type: text/x\r\n") && !answer.contains("content-length"))
                }
                #expect(!answers[1].contains("connection:") && answers[2].contains("connection: close"))
            }
        }
    }

    @Test("a piece reaches the peer before the next one is written")
    func promptly() async throws {
        let gate = Gate()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok) { sink in
                try await sink.write(Array("first".utf8))
                await gate.wait()
                try await sink.write(Array("second".utf8))
            }
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try client.receive(until: "first\r\n")
                gate.open()
                #expect(try client.receive(until: "0\r\n\r\n") == "6\r\nsecond\r\n0\r\n\r\n")
            }
        }
    }

    @Test("HTTP/1.0 gets the bytes alone, up to the connection's end")
    func http10() async throws {
        let fixture = StreamFixture()
        try await TestServer.with(handler: { _ in fixture.answer(pieces: 50, of: 10_000) }) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                return try Self.receiveBytes(client)
            }
            let (head, body) = try Self.split(answer)
            #expect(head.contains("connection: close") && !head.contains("transfer-encoding"))
            #expect(!head.contains("content-length"))
            let isWhole = body == StreamFixture.body(pieces: 50, of: 10_000)
            #expect(isWhole, "\(body.count)")
        }
    }

    @Test(
        "answers without a body do not run their producer, and the connection goes on",
        arguments: [("HEAD", 200), ("GET", 204), ("GET", 304)]
    )
    func bodiless(method: String, status: Int) async throws {
        let ran = Notes<Int>()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            guard request.head.path == "/1" else { return .text(.ok, "second") }
            return OutgoingResponse(status: .init(code: status)) { sink in
                ran.add(1)
                try await sink.write([1])
            }
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("\(method) /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
                let parts = try client.receive(until: "second").components(separatedBy: "\r\n\r\n")
                #expect(parts.count == 3 && parts[0].hasPrefix("HTTP/1.1 \(status)"))
                #expect(!parts[0].lowercased().contains("content-length") && parts[1].hasPrefix("HTTP/1.1 200"))
            }
            #expect(ran.all.isEmpty)
        }
    }

    @Test("a producer stands still while its peer does not read, and every byte arrives once it does")
    func backPressure() async throws {
        let fixture = StreamFixture()
        let (pieces, size) = (640, 50_000)
        try await TestServer.with(handler: { _ in fixture.answer(pieces: pieces, of: size) }) { server in
            let client = try RawClient(server.address)
            client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            // What the kernel's buffers of both sides take, which grow to 10 MiB at most, and little more.
            let standing = await fixture.standstill()
            #expect(standing < 16_000_000 && fixture.ends.all.isEmpty)
            let answer = try await blocking { try Self.receiveBytes(client) }
            let body = try Self.unchunked(Self.split(answer).body)
            let isWhole = body == StreamFixture.body(pieces: pieces, of: size)
            #expect(isWhole, "\(body.count)")
            #expect(fixture.ends.all == ["whole"])
        }
    }

    @Test("a piece of any size arrives whole", arguments: [1, 65_536, 65_537, 5_000_000])
    func pieceSizes(size: Int) async throws {
        let fixture = StreamFixture()
        try await TestServer.with(handler: { _ in fixture.answer(pieces: 3, of: size) }) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return try Self.receiveBytes(client)
            }
            let body = try Self.unchunked(Self.split(answer).body)
            let isWhole = body == StreamFixture.body(pieces: 3, of: size)
            #expect(isWhole, "\(body.count)")
        }
    }

    @Test("many small pieces share flushes and arrive in order")
    func smallPieces() async throws {
        let fixture = StreamFixture()
        try await TestServer.with(handler: { _ in fixture.answer(pieces: 20_000, of: 10) }) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return try Self.receiveBytes(client)
            }
            let body = try Self.unchunked(Self.split(answer).body)
            let isWhole = body == StreamFixture.body(pieces: 20_000, of: 10)
            #expect(isWhole, "\(body.count)")
        }
    }

    @Test("a producer off the event loop writes just the same")
    func otherExecutor() async throws {
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok) { sink in
                try await writeElsewhere(to: sink)
            }
        }
        try await TestServer.with(handler: handler) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return try Self.receiveBytes(client)
            }
            let body = try Self.unchunked(Self.split(answer).body)
            let isWhole = body == StreamFixture.body(pieces: 100, of: 5000)
            #expect(isWhole, "\(body.count)")
        }
    }

    @Test("a peer that goes away ends the write and cancels the task", arguments: [true, false])
    func disconnect(orderly: Bool) async throws {
        let fixture = StreamFixture()
        try await TestServer.with(handler: { _ in fixture.answer(pieces: 10_000, of: 50_000) }) { server in
            let client = Locked<RawClient?>(try RawClient(server.address))
            try await blocking {
                try client.withLock { client in
                    client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    _ = try client?.receive()
                    if !orderly { client?.reset() }
                    client = nil
                }
            }
            #expect(await TestServer.eventually { fixture.ends.all.count == 1 })
            #expect(["disconnected", "cancelled"].contains(fixture.ends.all.first))
            #expect(await TestServer.eventually { server.metric(Self.connections) == 0 })
            #expect(server.metric(Self.timedOut) == 0)
        }
    }

    @Test("a peer that goes away while the producer thinks cancels the task", arguments: [true, false])
    func disconnectWhileThinking(orderly: Bool) async throws {
        let notes = Notes<String>()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok) { sink in
                try await sink.write([1])
                do { try await Task.sleep(for: .seconds(30)) } catch { notes.add("cancelled") }
                do { try await sink.write([2]) } catch OutgoingBodyError.disconnected { notes.add("disconnected") }
            }
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try client.receive(until: "1\r\n\u{1}\r\n")
                if !orderly { client.reset() }
            }
            #expect(await TestServer.eventually { notes.all == ["cancelled", "disconnected"] })
            #expect(server.metric(Self.timedOut) == 0)
        }
    }

    @Test("a peer that has ended its side still gets what a busy producer writes")
    func halfClosed() async throws {
        let fixture = StreamFixture()
        try await TestServer.with(handler: { _ in fixture.answer(pieces: 100, of: 50_000) }) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try client.receive(until: "chunked")
                client.endOutput()
                return try Self.receiveBytes(client)
            }
            #expect(answer.suffix(5) == Array("0\r\n\r\n".utf8)[...])
            #expect(fixture.ends.all == ["whole"])
        }
    }

    @Test("a peer that reads nothing for the body time-out is cut; the write says so")
    func timedOut() async throws {
        let fixture = StreamFixture()
        try await TestServer.with(
            timeouts: HTTPTimeouts(body: .milliseconds(200)),
            handler: { _ in fixture.answer(pieces: 10_000, of: 50_000) }
        ) { server in
            let client = try RawClient(server.address)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await TestServer.eventually { fixture.ends.all == ["timed out"] })
            #expect(await TestServer.eventually { server.metric(Self.connections) == 0 })
            #expect(server.metric(Self.timedOut) == 1)
            withExtendedLifetime(client) {}
        }
    }

    @Test("a producer may take longer than the peer is given")
    func slowProducer() async throws {
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok) { sink in
                for _ in 0..<3 {
                    try await Task.sleep(for: .milliseconds(150))
                    try await sink.write(Array("x".utf8))
                }
            }
        }
        let short = HTTPTimeouts(header: .milliseconds(500), body: .milliseconds(50), idle: .milliseconds(50))
        try await TestServer.with(timeouts: short, handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.receive(until: "0\r\n\r\n").hasSuffix("1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n0\r\n\r\n"))
            }
            #expect(server.metric(Self.timedOut) == 0)
        }
    }

    enum BadEnd: CaseIterable {
        case throwing, failedPiece
    }
    @Test("an answer that is not whole is broken off before its last chunk", arguments: BadEnd.allCases)
    func brokenOff(end: BadEnd) async throws {
        try await TestServer.with(handler: { _ in Self.broken(end) }) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(answer.hasSuffix("\r\n\r\n5\r\nbegun\r\n"))
            #expect(await TestServer.eventually { server.metric(Self.connections) == 0 })
        }
    }

    @Test("an HTTP/1.0 answer that is not whole ends in a reset", arguments: BadEnd.allCases)
    func brokenOffHTTP10(end: BadEnd) async throws {
        try await TestServer.with(handler: { _ in Self.broken(end) }) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.0\r\n\r\n")
                let failure = #expect(throws: RawClient.Failure.self) { try client.receiveAll() }
                #expect(failure?.description.hasPrefix("reset") == true)
            }
        }
    }

    private static func broken(_ end: BadEnd) -> OutgoingResponse {
        OutgoingResponse(status: .ok) { sink in
            try await sink.write(Array("begun".utf8))
            guard end == .failedPiece else { throw StreamFixture.Failure() }
            // A piece that its task was cancelled over, and a producer that does not care.
            let child = Task { try await sink.write([UInt8](repeating: 1, count: 100)) }
            child.cancel()
            _ = try? await child.value
        }
    }

    @Test("a sink that outlives its answer writes nothing")
    func lateSink() async throws {
        let sinks = Notes<any OutgoingBodySink>()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok) { sink in
                sinks.add(sink)
                try await sink.write(Array("all".utf8))
            }
        }
        try await TestServer.with(handler: handler) { server in
            let client = try RawClient(server.address)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await blocking { try client.receive(until: "0\r\n\r\n") }
            let sink = try #require(sinks.all.first)
            await #expect(throws: OutgoingBodyError.disconnected) { try await sink.write([1]) }
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let second = try await blocking { try client.receive(until: "0\r\n\r\n") }
            #expect(second.hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test("a drain lets a stream finish, then closes its connection")
    func drain() async throws {
        let gate = Gate()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok) { sink in
                try await sink.write(Array("begun".utf8))
                await gate.wait()
                try await sink.write(Array("ended".utf8))
            }
        }
        try await TestServer.with(handler: handler) { server in
            let idle = try RawClient(server.address)
            let client = try RawClient(server.address)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await blocking { try client.receive(until: "begun\r\n") }
            async let drained: Void = server.listener.drain(timeout: .seconds(10))
            let rest = try await blocking {
                // The end of the idle connection tells that the drain has begun.
                _ = try idle.receiveAll()
                gate.open()
                return try client.receiveAll()
            }
            await drained
            #expect(rest == "5\r\nended\r\n0\r\n\r\n")
        }
    }

    @Test("a drain cuts a stream that does not end in time, and cancels its task")
    func drainTimeout() async throws {
        let fixture = StreamFixture()
        try await TestServer.with(handler: { _ in fixture.answer(pieces: 10_000, of: 50_000) }) { server in
            let client = try RawClient(server.address)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = await fixture.standstill()
            await server.listener.drain(timeout: .milliseconds(50))
            #expect(await TestServer.eventually { fixture.ends.all.count == 1 })
            #expect(["disconnected", "cancelled"].contains(fixture.ends.all.first))
            withExtendedLifetime(client) {}
        }
    }

    // MARK: Reading answers

    private static func receiveBytes(_ client: RawClient) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while case let more = try client.receive(), !more.isEmpty { bytes += more }
        return bytes
    }

    private static func split(_ answer: [UInt8]) throws -> (head: String, body: [UInt8]) {
        let end = try #require(answer.indices.first { answer[$0...].starts(with: [13, 10, 13, 10]) })
        return (String(decoding: answer[..<end], as: UTF8.self).lowercased(), Array(answer[(end + 4)...]))
    }

    /// - Source: RFC 9112, section 7.1.
    private static func unchunked(_ bytes: [UInt8]) throws -> [UInt8] {
        var rest = bytes[...]
        var body: [UInt8] = []
        while true {
            let line = try #require(rest.firstIndex(of: 13))
            let count = try #require(Int(String(decoding: rest[..<line], as: UTF8.self), radix: 16))
            rest = rest[(line + 2)...]
            body += rest.prefix(count)
            rest = rest.dropFirst(count)
            #expect(rest.starts(with: [13, 10]))
            rest = rest.dropFirst(2)
            if count == 0 {
                #expect(rest.isEmpty)
                return body
            }
        }
    }
}

@concurrent
private func writeElsewhere(to sink: any OutgoingBodySink) async throws {
    for index in 0..<100 { try await sink.write(StreamFixture.piece(index, 5000)) }
}
