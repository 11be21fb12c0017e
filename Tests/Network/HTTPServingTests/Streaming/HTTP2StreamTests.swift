import Common
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Streamed answers over HTTP/2")
struct HTTP2StreamTests {
    @Test("pieces go out as DATA, the last frame ends the stream, and the connection goes on")
    func frames() async throws {
        let gate = Gate()
        try await PlainHTTP2Server.with(handler: { _ in
            OutgoingResponse(status: .ok, headerFields: [.contentLength: "99"]) { sink in
                for piece in ["one", "", "two"] { try await sink.write(Array(piece.utf8)) }
                await gate.wait()
            }
        }) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1)
            let head = try client.next { $0.isA(.headers) }
            #expect(head.payload.first == 0x88 && !head.endsStream)
            for text in ["one", "two"] {
                let data = try client.next { $0.isA(.data) }
                #expect(data.payload == Array(text.utf8) && !data.endsStream)
            }
            gate.open()
            let last = try client.next { $0.isA(.data) }
            #expect(last.payload.isEmpty && last.endsStream && last.stream == 1)
            client.request(3)
            #expect(try Self.body(client, stream: 3) == Array("onetwo".utf8))
        }
    }

    @Test("answers without a body do not run their producer", arguments: [("HEAD", 200), ("GET", 204), ("GET", 304)])
    func bodiless(method: String, status: Int) async throws {
        let ran = Notes<Int>()
        try await PlainHTTP2Server.with(handler: { _ in
            OutgoingResponse(status: .init(code: status)) { sink in
                ran.add(1)
                try await sink.write([1])
            }
        }) { server in
            let client = try RawHTTP2Client(server.address)
            for stream in [1, 3] as [UInt32] {
                client.request(stream, method: method)
                #expect(try client.next { $0.isA(.headers) && $0.stream == stream }.endsStream)
            }
            #expect(ran.all.isEmpty)
        }
    }

    @Test("a producer stands still at its stream's window, and every byte arrives once it is opened")
    func backPressure() async throws {
        let fixture = StreamFixture()
        try await PlainHTTP2Server.with(handler: { _ in fixture.answer(pieces: 400, of: 10_000) }) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1)
            var received = 0
            while received < 65_535 { received += try client.next { $0.isA(.data) }.payload.count }
            #expect(received == 65_535)
            let standing = fixture.standstillBlocking()
            #expect(standing >= 65_535 && standing <= 65_535 + 2 * 65_536 + 10_000)
            #expect(fixture.ends.all.isEmpty)
            // Both windows.
            for stream in [0, 1] as [UInt32] {
                client.send(.windowUpdate, stream: stream, RawHTTP2Client.bytes(8_000_000))
            }
            let rest = try Self.body(client, stream: 1)
            let isWhole = rest[...] == StreamFixture.body(pieces: 400, of: 10_000).dropFirst(65_535)
            #expect(isWhole, "\(rest.count)")
            #expect(fixture.ends.all == ["whole"])
        }
    }

    @Test("one stream that is not read leaves the others alone, if the connection's window lets them")
    func otherStreams() async throws {
        let fixture = StreamFixture()
        try await PlainHTTP2Server.with(handler: { request in
            request.head.path == "/small"
                ? OutgoingResponse(status: .ok) { try await $0.write(Array("small".utf8)) }
                : fixture.answer(pieces: 400, of: 10_000)
        }) { server in
            let client = try RawHTTP2Client(server.address)
            client.send(.windowUpdate, stream: 0, RawHTTP2Client.bytes(1_000_000))
            client.request(1)
            _ = fixture.standstillBlocking()
            client.request(3, path: "/small")
            #expect(try Self.body(client, stream: 3) == Array("small".utf8))
            #expect(fixture.ends.all.isEmpty)
        }
    }

    @Test("a producer that throws resets its stream, and no other")
    func throwing() async throws {
        let gate = Gate()
        try await PlainHTTP2Server.with(handler: { request in
            OutgoingResponse(status: .ok) { sink in
                try await sink.write(Array("begun".utf8))
                if request.head.path == "/bad" { throw StreamFixture.Failure() }
                await gate.wait()
            }
        }) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1, path: "/good")
            client.request(3, path: "/bad")
            let reset = try client.next { $0.isA(.rstStream) }
            #expect(reset.stream == 3 && reset.number() == 2)
            gate.open()
            #expect(try client.next { $0.isA(.data) && $0.endsStream }.stream == 1)
            #expect(server.faults(.malformed) == 0 && server.faults(.answerTimedOut) == 0)
        }
    }

    @Test("broken answers do not cost their client its credit for cancelled requests")
    func brokenAnswersAreOurs() async throws {
        try await PlainHTTP2Server.with(handler: { _ in
            OutgoingResponse(status: .ok) { _ in throw StreamFixture.Failure() }
        }) { server in
            let client = try RawHTTP2Client(server.address)
            for index in 0..<UInt32(HTTP2Limits.cancelledStreams + 20) {
                client.request(2 * index + 1)
                #expect(try client.next { $0.isA(.rstStream) }.stream == 2 * index + 1)
            }
        }
    }

    enum Leave: CaseIterable {
        case resetStream, reset, close
    }
    @Test("a peer that goes away ends the write and cancels the task", arguments: Leave.allCases)
    func disconnect(how: Leave) async throws {
        let fixture = StreamFixture()
        try await PlainHTTP2Server.with(handler: { _ in fixture.answer(pieces: 400, of: 10_000) }) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1)
            _ = fixture.standstillBlocking()
            switch how {
            case .resetStream: client.send(.rstStream, stream: 1, RawHTTP2Client.bytes(8))
            case .reset: client.socket.reset()
            case .close: client.socket.endOutput()
            }
            for _ in 0..<400 where fixture.ends.all.isEmpty { Thread.sleep(forTimeInterval: 0.005) }
            #expect(fixture.ends.all == ["cancelled"] || fixture.ends.all == ["disconnected"])
            #expect(server.faults(.answerTimedOut) == 0)
        }
    }

    @Test("a peer that opens no window for the body time-out loses the stream; the write says so")
    func timedOut() async throws {
        let fixture = StreamFixture()
        try await PlainHTTP2Server.with(
            timeouts: HTTPTimeouts(body: .milliseconds(150)),
            handler: { _ in fixture.answer(pieces: 400, of: 10_000) }
        ) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1)
            let reset = try client.next { $0.isA(.rstStream) }
            #expect(reset.stream == 1 && reset.number() == 8)
            #expect(server.faults(.answerTimedOut) == 1)
            for _ in 0..<400 where fixture.ends.all.isEmpty { Thread.sleep(forTimeInterval: 0.005) }
            #expect(fixture.ends.all == ["timed out"])
        }
    }

    @Test("a producer may take longer than the peer is given")
    func slowProducer() async throws {
        let timeouts = HTTPTimeouts(body: .milliseconds(50), idle: .milliseconds(50))
        try await PlainHTTP2Server.with(
            timeouts: timeouts,
            handler: { _ in
                OutgoingResponse(status: .ok) { sink in
                    for _ in 0..<3 {
                        try await Task.sleep(for: .milliseconds(150))
                        try await sink.write([1])
                    }
                }
            }
        ) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1)
            #expect(try Self.body(client, stream: 1) == [1, 1, 1])
            #expect(server.faults(.answerTimedOut) == 0)
        }
    }

    @Test("a streamed answer that does not wait for the body ends the stream, then resets it without an error")
    func earlyAnswer() async throws {
        let fixture = StreamFixture()
        try await PlainHTTP2Server.with(handler: { _ in fixture.answer(pieces: 3, of: 10) }) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1, method: "POST", ends: false)
            #expect(try Self.body(client, stream: 1) == StreamFixture.body(pieces: 3, of: 10))
            let reset = try client.next { $0.isA(.rstStream) }
            #expect(reset.stream == 1 && reset.number() == 0)
        }
    }

    @Test("a drain waits for a stream to end")
    func drain() async throws {
        let gate = Gate()
        try await PlainHTTP2Server.with(handler: { _ in
            OutgoingResponse(status: .ok) { sink in
                try await sink.write(Array("begun".utf8))
                await gate.wait()
                try await sink.write(Array("ended".utf8))
            }
        }) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1)
            let begun = try client.next { $0.isA(.data) }
            #expect(String(decoding: begun.payload, as: UTF8.self) == "begun")
            server.drain()
            let ping = try client.next { $0.isA(.ping) }
            client.send(.ping, flags: 1, stream: 0, ping.payload)
            #expect(try client.next { $0.isA(.goAway) }.number() == 1)
            gate.open()
            let rest = client.rest().filter { $0.isA(.data) }
            #expect(rest.flatMap(\.payload) == Array("ended".utf8) && rest.last?.endsStream == true)
        }
    }

    private static func body(_ client: RawHTTP2Client, stream: UInt32) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let data = try client.next { $0.isA(.data) && $0.stream == stream }
            bytes += data.payload
            if data.endsStream { return bytes }
        }
    }
}
