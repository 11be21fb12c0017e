import Common
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServing

@Suite("HTTP/1.1 requests and answers")
struct HTTP1ExchangeTests {
    @Test("a GET is answered with Content-Length and Date, and the connection stays open")
    func get() async throws {
        try await TestServer.with { server in
            try await blocking {
                let client = try RawClient(server.address)
                for _ in 0..<3 {
                    client.send("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n")
                    let answer = try client.receive(until: "GET /a?b=c ")
                    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
                    #expect(
                        answer.contains("\r\ncontent-length: 11\r\n") || answer.contains("\r\nContent-Length: 11\r\n")
                    )
                    #expect(answer.lowercased().contains("\r\ndate: "))
                    #expect(!answer.lowercased().contains("connection:"))
                }
            }
        }
    }

    @Test("bytes that drip in one at a time make the same request")
    func dripFed() async throws {
        try await TestServer.with { server in
            try await blocking {
                let client = try RawClient(server.address)
                for byte in "POST /drip HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".utf8 {
                    client.send([byte])
                }
                #expect(try client.receive(until: "hello").contains("POST /drip hello"))
            }
        }
    }

    @Test("chunked bodies arrive whole, with extensions and trailers")
    func chunked() async throws {
        try await TestServer.with { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                client.send("5;name=value\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX-Trailer: y\r\n\r\n")
                #expect(try client.receive(until: "hello world").contains("POST /c hello world"))
                client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.receive(until: "/next").contains("200 OK"))
            }
        }
    }

    @Test("a body of many socket reads arrives whole", arguments: [1, 16_384, 20_000, 500_000, 8_000_000])
    func largeBodies(size: Int) async throws {
        try await TestServer.with { server in
            try await blocking {
                let body = TestServer.bytes(size)
                let client = try RawClient(server.address)
                client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\nConnection: close\r\n\r\n")
                client.send(body)
                var answer: [UInt8] = []
                while case let more = try client.receive(), !more.isEmpty { answer += more }
                // Compared apart: the difference of two large arrays takes for ever.
                let isWhole = answer.suffix(size) == body[...]
                #expect(isWhole, "\(answer.count)")
            }
        }
    }

    @Test("an answer of tens of megabytes arrives whole at a client that reads slowly")
    func largeAnswer() async throws {
        let body = TestServer.bytes(30_000_000)
        try await TestServer.with(handler: { _ in OutgoingResponse(status: .ok, body: body) }) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                var answer: [UInt8] = []
                while case let more = try client.receive(), !more.isEmpty { answer += more }
                let isWhole = answer.suffix(body.count) == body[...]
                #expect(isWhole, "\(answer.count)")
            }
        }
    }

    @Test("pipelined requests are answered one at a time, in order")
    func pipelined() async throws {
        let underWay = Notes<Int>()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            underWay.add(1)
            // Later ones are quicker; answers must not overtake each other all the same.
            try? await Task.sleep(for: .milliseconds(request.head.path == "/0" ? 30 : 1))
            let running = underWay.all.reduce(0, +)
            underWay.add(-1)
            return OutgoingResponse(status: .ok, body: Array("[\(request.head.path ?? "") \(running)]".utf8))
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send((0..<20).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
                let answer = try client.receive(until: "[/19 1]")
                var rest = answer[...]
                for index in 0..<20 {
                    let found = try #require(rest.range(of: "[/\(index) 1]"))
                    rest = rest[found.upperBound...]
                }
            }
        }
    }

    @Test("HEAD is answered with the length of a body that does not follow")
    func head() async throws {
        try await TestServer.with { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send(
                    "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\nGET /g HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                let answer = try client.receiveAll()
                #expect(answer.lowercased().contains("content-length: 8"))
                #expect(!answer.contains("HEAD /h"))
                #expect(answer.hasSuffix("GET /g "))
            }
        }
    }

    @Test("204 has neither body nor Content-Length")
    func noContent() async throws {
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .noContent, body: [1, 2, 3])
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                let answer = try client.receiveAll().lowercased()
                #expect(answer.hasPrefix("http/1.1 204 no content\r\n"))
                #expect(!answer.contains("content-length") && !answer.contains("transfer-encoding"))
                #expect(answer.hasSuffix("\r\n\r\n"))
            }
        }
    }

    @Test("HTTP/1.0 is answered, without chunks, and the connection closes")
    func http10() async throws {
        try await TestServer.with { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("POST /old HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
                let answer = try client.receiveAll()
                #expect(answer.lowercased().contains("connection: close"))
                #expect(answer.hasSuffix("POST /old abc"))
                #expect(!answer.lowercased().contains("chunked"))
            }
        }
    }

    @Test("the peer's address and the absolute target's authority reach the responder")
    func peerAndTarget() async throws {
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            let text = "\(request.peer.address.hasPrefix("127.0.0.1:")) \(request.peer.isEncrypted) "
            let target = "\(request.head.scheme ?? "-") \(request.head.authority ?? "-") \(request.head.path ?? "-")"
            return OutgoingResponse(status: .ok, body: Array((text + target).utf8))
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET http://gateway:9201/p?q HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n")
                #expect(try client.receiveAll().hasSuffix("true false http gateway:9201 /p?q"))
            }
        }
    }

    @Test("a responder that asks for it closes the connection")
    func responderCloses() async throws {
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .unauthorized, headerFields: [.connection: "close"])
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.receiveAll().lowercased().contains("connection: close"))
            }
        }
    }
}
