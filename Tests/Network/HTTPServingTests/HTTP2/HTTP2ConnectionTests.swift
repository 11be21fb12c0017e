import Common
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServing

@Suite("HTTP/2 connections, frame by frame")
struct HTTP2ConnectionTests {
    @Test("a request is answered with its stream's end, and settings tell our bounds")
    func exchange() async throws {
        try await PlainHTTP2Server.with { server in
            let client = try RawHTTP2Client(server.address)
            let settings = client.settings
            var values: [UInt8: UInt32] = [:]
            for start in stride(from: 0, to: settings.payload.count, by: 6) {
                values[settings.payload[start + 1]] = settings.number(at: start + 2)
            }
            #expect(values == [3: 128, 4: 32768, 6: 32768])
            client.request(1, path: "/a")
            let head = try client.next { $0.isA(.headers) && $0.stream == 1 }
            #expect(!head.endsStream)
            let data = try client.next { $0.isA(.data) && $0.stream == 1 }
            #expect(String(decoding: data.payload, as: UTF8.self) == "GET /a " && data.endsStream)
        }
    }

    @Test("a stream's window stays small until its body is wanted, then covers it")
    func windows() async throws {
        let gate = Gate()
        let bodies = Notes<Int>()
        try await PlainHTTP2Server.with(handler: { request in
            await gate.wait()
            bodies.add((try? await request.body.collect(limitBytes: 1 << 20))?.count ?? -1)
            return OutgoingResponse(status: .noContent)
        }) { server in
            let client = try RawHTTP2Client(server.address, receiveTimeout: 1)
            client.request(1, method: "POST", [("content-length", "100000")], ends: false)
            client.send(.data, stream: 1, [UInt8](repeating: 1, count: 16384))
            client.send(.data, stream: 1, [UInt8](repeating: 1, count: 16384))
            #expect(throws: RawClient.Failure.self) { try client.next { $0.isA(.windowUpdate) && $0.stream == 1 } }
            gate.open()
            let update = try client.next { $0.isA(.windowUpdate) && $0.stream == 1 }
            #expect(update.number() == 100_000 - 32768)
            for _ in 0..<4 { client.send(.data, stream: 1, [UInt8](repeating: 1, count: 16384)) }
            client.send(.data, flags: 1, stream: 1, [UInt8](repeating: 1, count: 100_000 - 6 * 16384))
            let head = try client.next { $0.isA(.headers) }
            #expect(head.endsStream)
            #expect(bodies.all == [100_000])
        }
    }

    @Test("a body longer than any window arrives whole", arguments: [nil, 1_572_864] as [Int?], [16384, 9001])
    func longBody(declared: Int?, frameSize: Int) async throws {
        try await PlainHTTP2Server.with(handler: { request in
            let count = (try? await request.body.collect(limitBytes: 1 << 21))?.count ?? -1
            return .text(.ok, "\(count)")
        }) { server in
            let client = try RawHTTP2Client(server.address)
            let fields = declared.map { [("content-length", String($0))] } ?? []
            client.request(1, method: "POST", fields, ends: false)
            var windows: [UInt32: Int] = [0: 65535, 1: 32768]
            var rest = 1_572_864
            while rest > 0 {
                let count = min(frameSize, rest, windows[0] ?? 0, windows[1] ?? 0)
                guard count > 0 else {
                    let update = try client.next { $0.isA(.windowUpdate) }
                    windows[update.stream]? += Int(update.number())
                    continue
                }
                rest -= count
                for stream in [0, 1] as [UInt32] { windows[stream]? -= count }
                client.send(.data, flags: rest == 0 ? 1 : 0, stream: 1, [UInt8](repeating: 1, count: count))
            }
            let data = try client.next { $0.isA(.data) }
            #expect(String(decoding: data.payload, as: UTF8.self) == "1572864\n")
        }
    }

    @Test("streams that wait leave the connection's window open for the others")
    func waitingStreamsDoNotBlock() async throws {
        let gate = Gate()
        try await PlainHTTP2Server.with(handler: { request in
            if request.head.path == "/wait" { await gate.wait() }
            return await TestServer.echo(request)
        }) { server in
            let client = try RawHTTP2Client(server.address)
            for stream in stride(from: UInt32(1), to: 241, by: 2) {
                client.request(stream, method: "POST", path: "/wait", ends: false)
                client.send(.data, stream: stream, [UInt8](repeating: 1, count: 16384))
                client.send(.data, stream: stream, [UInt8](repeating: 1, count: 16384))
            }
            // 120 streams hold 3.75 MiB; a whole body of 1 MiB still comes through, since the window is refilled for it.
            client.request(241, method: "POST", path: "/go", [("content-length", "1048576")], ends: false)
            for index in 0..<64 {
                if index == 2 { _ = try client.next { $0.isA(.windowUpdate) && $0.stream == 241 } }
                client.send(.data, flags: index == 63 ? 1 : 0, stream: 241, [UInt8](repeating: 1, count: 16384))
            }
            #expect(try client.next { $0.isA(.headers) && $0.stream == 241 }.payload.first == 0x88)
            gate.open()
        }
    }

    @Test("an answer that does not wait for the body ends the stream, then resets it without an error")
    func earlyAnswer() async throws {
        try await PlainHTTP2Server.with(handler: { _ in .text(.unauthorized, "no proof") }) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1, method: "POST", ends: false)
            client.send(.data, stream: 1, [1, 2, 3])
            let data = try client.next { $0.isA(.data) }
            #expect(data.endsStream && String(decoding: data.payload, as: UTF8.self) == "no proof\n")
            let reset = try client.next { $0.isA(.rstStream) }
            #expect(reset.stream == 1 && reset.number() == 0)
            // The connection goes on, whatever was still on its way for the old stream.
            client.send(.data, flags: 1, stream: 1, [4, 5, 6])
            client.request(3)
            #expect(try client.next { $0.isA(.headers) }.stream == 3)
        }
    }

    @Test("a stream that its client resets cancels the task, and only that one")
    func resetCancels() async throws {
        let notes = Notes<String>()
        try await PlainHTTP2Server.with(handler: { request in
            guard request.head.path == "/wait" else { return OutgoingResponse(status: .noContent) }
            notes.add("begun")
            do { try await Task.sleep(for: .seconds(10)) } catch { notes.add("cancelled") }
            return OutgoingResponse(status: .ok)
        }) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1, path: "/wait")
            while notes.all.isEmpty { Thread.sleep(forTimeInterval: 0.005) }
            client.send(.rstStream, stream: 1, RawHTTP2Client.bytes(8))
            client.request(3)
            #expect(try client.next { $0.isA(.headers) }.stream == 3)
            for _ in 0..<400 where notes.all.count < 2 { Thread.sleep(forTimeInterval: 0.005) }
            #expect(notes.all == ["begun", "cancelled"])
        }
    }

    @Test("a body that stays away ends in timedOut")
    func slowBody() async throws {
        try await PlainHTTP2Server.with(timeouts: HTTPTimeouts(body: .milliseconds(150))) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1, method: "POST", ends: false)
            let data = try client.next { $0.isA(.data) }
            #expect(String(decoding: data.payload, as: UTF8.self) == "timed out\n")
            #expect(server.faults(.bodyTimedOut) == 1)
        }
    }

    @Test("an answer that finds no window is given up in time")
    func noWindow() async throws {
        try await PlainHTTP2Server.with(
            timeouts: HTTPTimeouts(body: .milliseconds(150)),
            handler: { _ in OutgoingResponse(status: .ok, body: [UInt8](repeating: 1, count: 200_000)) }
        ) { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1)
            // 65,535 bytes is what we never open further.
            let reset = try client.next { $0.isA(.rstStream) }
            #expect(reset.number() == 8)
            #expect(server.faults(.answerTimedOut) == 1)
        }
    }

    @Test("idle connections and silent ones are closed; the idle one is told")
    func idle() async throws {
        let timeouts = HTTPTimeouts(header: .milliseconds(100), idle: .milliseconds(150))
        try await PlainHTTP2Server.with(timeouts: timeouts) { server in
            let idle = try RawHTTP2Client(server.address)
            idle.request(1)
            let goAway = try #require(idle.rest().last { $0.isA(.goAway) })
            #expect(goAway.number() == 1 && goAway.number(at: 4) == 0)
            let silent = try RawClient(server.address)
            _ = try silent.receiveAll()
        }
    }

    @Test("a drain announces itself, finishes what is under way, and closes")
    func drain() async throws {
        let gate = Gate()
        let notes = Notes<Int>()
        try await PlainHTTP2Server.with(handler: { _ in
            notes.add(1)
            await gate.wait()
            return OutgoingResponse(status: .ok, body: Array("done".utf8))
        }) { server in
            let busy = try RawHTTP2Client(server.address)
            busy.request(1)
            let idle = try RawHTTP2Client(server.address)
            _ = try idle.next { $0.isA(.settings) && $0.flags == 1 }
            while notes.all.isEmpty { Thread.sleep(forTimeInterval: 0.005) }
            server.drain()
            #expect(idle.rest().contains { $0.isA(.goAway) && $0.number() == 0 })
            let first = try busy.next { $0.isA(.goAway) }
            #expect(first.number() == 0x7FFF_FFFF)
            let ping = try busy.next { $0.isA(.ping) }
            // A request that crossed the announcement is still answered.
            busy.request(3)
            busy.send(.ping, flags: 1, stream: 0, ping.payload)
            let second = try busy.next { $0.isA(.goAway) }
            #expect(second.number() == 3)
            gate.open()
            let rest = busy.rest()
            #expect(Set(rest.filter { $0.isA(.data) && $0.endsStream }.map(\.stream)) == [1, 3])
        }
    }

    @Test("HEAD, 204 and 100 Continue keep their rules")
    func specialAnswers() async throws {
        try await PlainHTTP2Server.with { server in
            try Self.checkSpecialAnswers(RawHTTP2Client(server.address))
        }
    }

    /// A function of its own: the compiler's isolation check fails on it inside a closure (Swift 6.3).
    private static func checkSpecialAnswers(_ client: RawHTTP2Client) throws {
        client.request(1, method: "HEAD", path: "/h")
        let head = try client.next { $0.isA(.headers) }
        #expect(head.endsStream)
        client.request(3, method: "POST", [("expect", "100-continue")], ends: false)
        let informational = try client.next { $0.isA(.headers) }
        #expect(!informational.endsStream)
        #expect(informational.stream == 3)
        client.send(.data, flags: 1, stream: 3, Array("body".utf8))
        let data = try client.next { $0.isA(.data) }
        #expect(String(decoding: data.payload, as: UTF8.self) == "POST / body")
    }

    @Test("trailers end a body")
    func trailers() async throws {
        try await PlainHTTP2Server.with { server in
            let client = try RawHTTP2Client(server.address)
            client.request(1, method: "POST", ends: false)
            client.send(.data, stream: 1, Array("body".utf8))
            client.send(.headers, flags: 5, stream: 1, RawHTTP2Client.block([("x-trailer", "y")]))
            let data = try client.next { $0.isA(.data) }
            #expect(String(decoding: data.payload, as: UTF8.self) == "POST / body")
        }
    }
}
