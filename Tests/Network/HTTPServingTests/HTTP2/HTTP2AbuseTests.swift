import Common
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Hostile HTTP/2 clients")
struct HTTP2AbuseTests {
    private static let waiting: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
        try? await Task.sleep(for: .seconds(10))
        return OutgoingResponse(status: .ok)
    }

    @Test("requests that are taken back faster than they can be answered end the connection")
    func rapidReset() async throws {
        try await PlainHTTP2Server.with(handler: Self.waiting) { server in
            let client = try RawHTTP2Client(server.address)
            var bytes: [UInt8] = []
            let block = RawHTTP2Client.block([
                (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "x"),
            ])
            for stream in stride(from: UInt32(1), to: 801, by: 2) {
                bytes += RawHTTP2Client.frame(.headers, flags: 5, stream: stream, block)
                bytes += RawHTTP2Client.frame(.rstStream, stream: stream, RawHTTP2Client.bytes(8))
            }
            client.socket.send(bytes)
            let goAway = try #require(client.rest().last { $0.isA(.goAway) })
            #expect(goAway.number(at: 4) == 11)
            #expect(server.faults(.flood) == 1)
        }
    }

    @Test("more streams at once than allowed are refused")
    func tooManyStreams() async throws {
        try await PlainHTTP2Server.with(handler: Self.waiting) { server in
            let client = try RawHTTP2Client(server.address)
            _ = try client.next { $0.isA(.settings) && $0.flags == 1 }
            for stream in stride(from: UInt32(1), to: 261, by: 2) { client.request(stream) }
            let refusal = try client.next { $0.isA(.rstStream) || $0.isA(.goAway) }
            #expect(refusal.isA(.goAway) || refusal.stream >= 257)
        }
    }

    struct Flood: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]
        var fault: PeerFault
    }
    static let cases: [Flood] = [
        Flood(
            testDescription: "pings",
            bytes: (0..<400).flatMap { _ in RawHTTP2Client.frame(.ping, stream: 0, [UInt8](repeating: 0, count: 8)) },
            fault: .flood
        ),
        Flood(
            testDescription: "settings",
            bytes: (0..<400).flatMap { _ in RawHTTP2Client.frame(.settings, stream: 0) },
            fault: .flood
        ),
        Flood(
            testDescription: "empty data",
            bytes: RawHTTP2Client.frame(
                .headers,
                flags: 4,
                stream: 1,
                RawHTTP2Client.block([(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x")])
            ) + (0..<400).flatMap { _ in RawHTTP2Client.frame(.data, stream: 1) },
            fault: .flood
        ),
        Flood(
            testDescription: "continuations",
            bytes: RawHTTP2Client.frame(.headers, flags: 0, stream: 1, [0])
                + (0..<100).flatMap { _ in RawHTTP2Client.frame(.continuation, stream: 1, [0]) },
            fault: .flood
        ),
        Flood(
            testDescription: "a header block over the limit",
            bytes: RawHTTP2Client.frame(
                .headers,
                flags: 5,
                stream: 1,
                RawHTTP2Client.block(
                    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "x")]
                        + (0..<10).map { ("x-\($0)", String(repeating: "y", count: 1500)) }
                )
            )
                + RawHTTP2Client.frame(
                    .headers,
                    flags: 1,
                    stream: 3,
                    RawHTTP2Client.block([
                        (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "x"),
                        ("x", String(repeating: "y", count: 16000)),
                    ])
                )
                + (0..<3).flatMap { index in
                    RawHTTP2Client.frame(
                        .continuation,
                        flags: index == 2 ? 4 : 0,
                        stream: 3,
                        RawHTTP2Client.block([("x", String(repeating: "y", count: 16000))])
                    )
                },
            fault: .headersTooLarge
        ),
        Flood(
            testDescription: "data beyond the stream's window",
            bytes: RawHTTP2Client.frame(
                .headers,
                flags: 4,
                stream: 1,
                RawHTTP2Client.block([
                    (":method", "POST"), (":scheme", "http"), (":path", "/wait"), (":authority", "x"),
                ])
            ) + (0..<400).flatMap { _ in RawHTTP2Client.frame(.data, stream: 1, [UInt8](repeating: 1, count: 16384)) },
            fault: .malformed
        ),
        Flood(
            testDescription: "data on a stream that never was",
            bytes: RawHTTP2Client.frame(.data, stream: 7, [1]),
            fault: .malformed
        ),
        Flood(
            testDescription: "a frame over the size limit",
            bytes: [0xFF, 0, 0, 0, 0, 0, 0, 0, 1],
            fault: .malformed
        ),
    ]

    @Test("are told why, and cut", arguments: Self.cases)
    func isCut(flood: Flood) async throws {
        try await PlainHTTP2Server.with(handler: Self.waiting) { server in
            let client = try RawHTTP2Client(server.address)
            client.socket.send(flood.bytes)
            let goAway = client.rest().last { $0.isA(.goAway) }
            #expect(goAway.map { $0.number(at: 4) } ?? 0 != 0)
            #expect(server.faults(flood.fault) == 1)
        }
    }

    @Test("what is no HTTP/2 is cut")
    func noPreface() async throws {
        try await PlainHTTP2Server.with { server in
            let client = try RawClient(server.address)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try client.receiveAll()
            #expect(server.faults(.malformed) == 1)
        }
    }

    @Test("requests that are well-formed frames and no good requests are answered 400")
    func badRequests() async throws {
        try await PlainHTTP2Server.with { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1, path: "a")
            client.request(3, authority: "x", [("host", "y")])
            client.request(5, authority: nil)
            client.request(7, path: "/a#b")
            client.request(9, authority: "a@b")
            for stream in [1, 3, 5, 7, 9] {
                // 0x8c is the static table's ":status 400".
                #expect(try client.next { $0.isA(.headers) && $0.stream == stream }.payload.first == 0x8C)
            }
            // Malformed by the protocol itself: the stream is reset.
            client.request(11, [("connection", "close")])
            #expect(try client.next { $0.isA(.rstStream) }.stream == 11)
            client.request(13, method: "POST", [("content-length", "3")], ends: false)
            client.send(.data, flags: 1, stream: 13, [1, 2, 3, 4])
            #expect(try client.next { $0.isA(.rstStream) }.stream == 13)
            for _ in 0..<400 where server.faults(.malformed) != 7 { Thread.sleep(forTimeInterval: 0.005) }
            #expect(server.faults(.malformed) == 7)
        }
    }
}
