import Common
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Malformed HTTP/1 requests")
struct MalformedRequestTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: String
        var status = "400"
        var testDescription: String { self.name }
    }
    /// Behind each stands a second request, which must never be answered: it is what a smuggler hides.
    static let cases: [Case] = [
        Case(
            name: "both lengths",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        Case(
            name: "both lengths, other order",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
        ),
        Case(
            name: "two lengths",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"
        ),
        Case(name: "a list of lengths", bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 5\r\n\r\nabcd"),
        Case(name: "a signed length", bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd"),
        Case(name: "a negative length", bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        Case(name: "a hexadecimal length", bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\nabcd"),
        Case(
            name: "an overflowing length",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n"
        ),
        Case(
            name: "a length beyond Int",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n"
        ),
        Case(name: "an empty length", bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n"),
        Case(name: "a folded field", bytes: "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n"),
        Case(
            name: "a folded Transfer-Encoding",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"
        ),
        Case(name: "a bare line feed after the request line", bytes: "GET / HTTP/1.1\nHost: x\r\n\r\n"),
        Case(name: "a bare line feed after a field", bytes: "GET / HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n"),
        Case(name: "a bare line feed at the end", bytes: "GET / HTTP/1.1\r\nHost: x\r\n\n"),
        Case(name: "a bare carriage return in a value", bytes: "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n"),
        Case(name: "a NUL in a value", bytes: "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n"),
        Case(name: "a space before the colon", bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd"),
        Case(name: "a space before the name", bytes: "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
        Case(name: "an empty field name", bytes: "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n"),
        Case(name: "a bad chunk size", bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Case(
            name: "a prefixed chunk size",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"
        ),
        Case(
            name: "a chunk longer than its size",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"
        ),
        Case(
            name: "a bare line feed after a chunk size",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n"
        ),
        Case(
            name: "a bare line feed in an extension",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n"
        ),
        Case(
            name: "an overflowing chunk size",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"
        ),
        Case(
            name: "two codings",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            status: "501"
        ),
        Case(
            name: "an unknown coding",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            status: "501"
        ),
        Case(
            name: "chunked twice",
            bytes:
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        Case(
            name: "chunked, then not",
            bytes:
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
        ),
        Case(name: "chunked in HTTP/1.0", bytes: "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case(name: "no Host", bytes: "GET / HTTP/1.1\r\n\r\n"),
        Case(name: "two Hosts", bytes: "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
        Case(name: "two Hosts in HTTP/1.0", bytes: "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"),
        Case(name: "a Host with a user", bytes: "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
        Case(name: "a Host with a path", bytes: "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        Case(name: "a relative target", bytes: "GET a HTTP/1.1\r\nHost: x\r\n\r\n"),
        Case(name: "a target with a fragment", bytes: "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"),
        Case(name: "a target with bytes outside ASCII", bytes: "GET /\u{E4} HTTP/1.1\r\nHost: x\r\n\r\n"),
        Case(name: "an absolute target without a host", bytes: "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n"),
        Case(name: "a scheme that is not HTTP", bytes: "GET ftp://a/b HTTP/1.1\r\nHost: x\r\n\r\n"),
        Case(name: "an asterisk for GET", bytes: "GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
        Case(name: "a tunnel", bytes: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", status: "405"),
        Case(
            name: "another expectation",
            bytes: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\na",
            status: "417"
        ),
        Case(name: "an unknown version", bytes: "GET / HTTP/1.7\r\nHost: x\r\n\r\n"),
        Case(name: "another major version", bytes: "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
        Case(name: "no version", bytes: "GET /\r\n\r\n"),
        Case(name: "the HTTP/2 preface", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Case(name: "noise", bytes: "\u{1}\u{2}\u{3}\u{4}\r\n\r\n"),
        Case(name: "a TLS greeting", bytes: "\u{16}\u{3}\u{1}\0\u{5}hello"),
        Case(
            name: "too many fields",
            bytes: "GET / HTTP/1.1\r\nHost: x\r\n" + (0..<200).map { "X-\($0): y\r\n" }.joined() + "\r\n",
            status: "431"
        ),
        Case(
            name: "too many bytes",
            bytes: "GET / HTTP/1.1\r\nHost: x\r\n"
                + (0..<40).map { "X-\($0): " + String(repeating: "y", count: 1000) + "\r\n" }.joined() + "\r\n",
            status: "431"
        ),
        Case(
            name: "one field too large",
            bytes: "GET / HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "y", count: 40_000) + "\r\n\r\n",
            status: "431"
        ),
        Case(
            name: "a target too large",
            bytes: "GET /" + String(repeating: "y", count: 40_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
            status: "431"
        ),
    ]

    @Test("are refused, the connection closes, and nothing behind them is answered", arguments: Self.cases)
    func refused(example: Case) async throws {
        let paths = Notes<String>()
        try await TestServer.with(handler: { request in
            paths.add(request.head.path ?? "")
            return await TestServer.echo(request)
        }) { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send(example.bytes + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(answer.hasPrefix("HTTP/1.1 \(example.status) "), "\(answer)")
            #expect(answer.lowercased().contains("connection: close"))
            #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
            #expect(!paths.all.contains("/smuggled"))
        }
    }

    @Test("behind a good request they are refused after its answer")
    func behindGoodRequest() async throws {
        try await TestServer.with { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                client.send("GET /good HTTP/1.1\r\nHost: x\r\n\r\nBAD\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(answer.contains("GET /good "))
            #expect(answer.components(separatedBy: "HTTP/1.1 400 ").count == 2)
            #expect(server.metric("gateway_listener_peer_faults_total{listener=\"test\",reason=\"malformed\"}") == 1)
        }
    }

    @Test("a client that asks for an upgrade is answered without one, and its next request is not lost in it")
    func upgrade() async throws {
        try await TestServer.with { server in
            let answer = try await blocking {
                let client = try RawClient(server.address)
                let head = "POST /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                client.send(head + "HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 4\r\n\r\nbody")
                return try client.receiveAll()
            }
            #expect(answer.hasSuffix("POST /up body") && answer.lowercased().contains("connection: close"))
        }
    }

    @Test("more pipelined requests than are worth decoding end the connection")
    func endlessPipeline() async throws {
        try await TestServer.with(handler: { _ in
            try? await Task.sleep(for: .seconds(5))
            return OutgoingResponse(status: .ok)
        }) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send(String(repeating: "GET / HTTP/1.1\r\nHost:\r\n\r\n", count: 20_000))
                _ = try? client.receiveAll()
            }
            #expect(server.metric("gateway_listener_peer_faults_total{listener=\"test\",reason=\"flood\"}") == 1)
        }
    }
}
