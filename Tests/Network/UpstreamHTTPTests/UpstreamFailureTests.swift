import Common
import Foundation
import TestSupport
import Testing

@testable import UpstreamHTTP

private let soon: Duration = .seconds(20)

/// What a server sends, a start and something repeated, before it closes; and what that is to the client.
struct BadAnswer: CustomTestStringConvertible {
    let start: String
    let repeated: String
    let count: Int
    let code: UpstreamError.Code

    init(_ start: String, _ repeated: String = "", _ count: Int = 0, code: UpstreamError.Code) {
        self.start = start
        self.repeated = repeated
        self.count = count
        self.code = code
    }

    var bytes: [UInt8] { Array((self.start + String(repeating: self.repeated, count: self.count)).utf8) }
    var testDescription: String { "\(self.start.debugDescription) + \(self.count), \(self.code)" }
}

@Suite("Upstreams that fail")
struct UpstreamFailureTests {
    @Test(
        "an answer that is cut, garbled or too large is an error of its own kind",
        arguments: [
            BadAnswer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", code: .connectionLost),
            BadAnswer("HTTP/1.1 200 OK\r\nContent-Le", code: .connectionLost),
            BadAnswer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", code: .connectionLost),
            BadAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", code: .connectionLost),
            BadAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", code: .connectionLost),
            BadAnswer("", code: .connectionLost),
            BadAnswer("SSH-2.0-OpenSSH_9.2\r\n", code: .malformedResponse),
            BadAnswer("{\"not\": \"http\"}", code: .malformedResponse),
            BadAnswer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", code: .responseTooLarge),
            BadAnswer("HTTP/1.1 200 OK\r\nContent-Length: 2001\r\n\r\n", "x", 2001, code: .responseTooLarge),
            BadAnswer("HTTP/1.1 200 OK\r\n\r\n", "x", 5000, code: .responseTooLarge),
            BadAnswer("HTTP/1.1 200 OK\r\n", "X: y\r\n", 40_000, code: .responseTooLarge),
        ]
    )
    func badAnswer(answer: BadAnswer) async throws {
        let server = try ScriptedServer { _ in .raw(answer.bytes, close: true) }
        defer { server.stop() }
        try await withClient(UpstreamConfiguration(maxResponseBytes: 2000)) { client, registry in
            let found = try await failure { try await client.send(post(server.url), deadline: .now + soon) }
            #expect(found == answer.code)
            let line = "gateway_upstream_transfers_total{result=\"\(answer.code.rawValue)\"} 1\n"
            #expect(registry.exposition().contains(line))
        }
    }

    @Test("an answer exactly as large as allowed is whole")
    func largestAnswer() async throws {
        let server = try ScriptedServer { _ in .answer(200, body: Array(repeating: 1, count: 2000)) }
        defer { server.stop() }
        try await withClient(UpstreamConfiguration(maxResponseBytes: 2000)) { client, _ in
            let response = try await client.send(post(server.url), deadline: .now + soon)
            #expect(response.body.count == 2000)
        }
    }

    @Test("a reset is a lost connection, and the next request gets a new one")
    func reset() async throws {
        let server = try ScriptedServer { $0.connection == 0 ? .reset : .answer(200) }
        defer { server.stop() }
        try await withClient { client, _ in
            let code = try await failure { try await client.send(post(server.url), deadline: .now + soon) }
            #expect(code == .connectionLost)
            let response = try await client.send(post(server.url), deadline: .now + soon)
            #expect(response.status == 200)
        }
    }

    @Test("nobody listening, and a name that does not exist, are told apart")
    func unreachable() async throws {
        let server = try ScriptedServer { _ in .answer(200) }
        let url = server.url
        server.stop()
        try await withClient { client, _ in
            let refused = try await failure { try await client.send(post(url), deadline: .now + soon) }
            #expect(refused == .connectFailed)
            let unknown = try await failure {
                try await client.send(post("http://no-such-host.invalid/"), deadline: .now + soon)
            }
            #expect(unknown == .nameResolution)
        }
    }

    @Test(
        "what must not be sent is refused before anything is",
        arguments: [
            "ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1", "http://", "http:///path", "",
            "http://127.0.0.1:1/a\r\nX: y", "http://user:password@127.0.0.1:1/", "http://127.0.0.1:99999/",
        ]
    )
    func badURL(url: String) async throws {
        try await withClient { client, _ in
            let code = try await failure { try await client.send(post(url), deadline: .now + soon) }
            #expect(code == .invalidRequest)
        }
    }

    @Test(
        "a header that would break the head is refused",
        arguments: [
            ("x", "a\r\nb: c"), ("x", "a\nb"), ("x", "\u{0}"), ("x y", "z"), ("", "z"), ("x:", "z"), ("x\r\n", "z"),
        ]
    )
    func badHeader(name: String, value: String) async throws {
        try await withClient { client, _ in
            let request = post("http://127.0.0.1:1/", headers: [(name, value)])
            let code = try await failure { try await client.send(request, deadline: .now + soon) }
            #expect(code == .invalidRequest)
        }
    }

    @Test("a CA bundle that cannot be read is found at the start")
    func missingBundle() {
        let error = #expect(throws: UpstreamError.self) {
            try UpstreamClient(UpstreamConfiguration(caBundlePath: "/nonexistent/ca.pem"), metrics: MetricRegistry())
        }
        #expect(error?.code == .invalidRequest)
        #expect(error?.message.contains("/nonexistent/ca.pem") == true)
    }

    @Test("loopback is reached directly even with a proxy configured")
    func proxy() async throws {
        let server = try ScriptedServer { _ in .answer(200) }
        defer { server.stop() }
        try await withClient(UpstreamConfiguration(proxy: "http://127.0.0.1:1")) { client, _ in
            let response = try await client.send(post(server.url), deadline: .now + soon)
            #expect(response.status == 200)
        }
    }

    @Test("other hosts are reached through the proxy, whose name they are not looked up for")
    func throughProxy() async throws {
        let proxy = try ScriptedServer { request in
            request.method == "CONNECT" ? .answer(403) : .answer(200, body: Array(request.target.utf8))
        }
        defer { proxy.stop() }
        try await withClient(UpstreamConfiguration(proxy: proxy.url)) { client, _ in
            let plain = try await client.send(post("http://upstream.invalid/x"), deadline: .now + soon)
            #expect(plain.body == Array("http://upstream.invalid/x".utf8))
            let secret = post("https://upstream.invalid/x", headers: [("authorization", "secret")])
            let code = try await failure { try await client.send(secret, deadline: .now + soon) }
            #expect(code == .connectionLost || code == .connectFailed)
        }
        let connect = try #require(proxy.requests.last)
        #expect(connect.target == "upstream.invalid:443")
        #expect(connect.header("authorization") == nil)
    }
}

@Suite("TLS to upstreams")
struct UpstreamTLSTests {
    /// A certificate made for the test, and OpenSSL's own server that presents it.
    private final class TLSServer {
        let certificatePath: String
        var port: Int { self.server.port }
        private let server: ChildServer
        private let folder: URL

        init(name: String) throws {
            self.folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
            try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
            self.certificatePath = self.folder.appendingPathComponent("server.pem").path
            let key = self.folder.appendingPathComponent("server.key").path
            let maker = Process()
            maker.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            maker.arguments =
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=test -batch"
                .split(separator: " ").map(String.init)
                + ["-addext", "subjectAltName=\(name)", "-keyout", key, "-out", self.certificatePath]
            maker.standardError = FileHandle.nullDevice
            try maker.run()
            maker.waitUntilExit()
            guard maker.terminationStatus == 0 else { throw TestSupportError("openssl makes no certificate") }

            let arguments = ["s_server", "-accept", "127.0.0.1:0", "-cert", self.certificatePath, "-key", key, "-www"]
            self.server = try ChildServer("openssl", arguments, portAfter: "ACCEPT 127.0.0.1:")
        }

        deinit {
            self.server.stop()
            try? FileManager.default.removeItem(at: self.folder)
        }
    }

    @Test("a certificate is accepted only from an authority of the bundle, and only for its name")
    func verification() async throws {
        let good = try TLSServer(name: "IP:127.0.0.1")
        let misnamed = try TLSServer(name: "DNS:elsewhere.example")
        func code(_ server: TLSServer, bundle: String?) async throws -> UpstreamError.Code? {
            try await withClient(UpstreamConfiguration(caBundlePath: bundle)) { client, _ in
                let request = UpstreamRequest(
                    method: "GET",
                    url: "https://127.0.0.1:\(server.port)/",
                    headers: [],
                    body: nil
                )
                return try await failure { try await client.send(request, deadline: .now + soon) }
            }
        }
        #expect(try await code(good, bundle: good.certificatePath) == nil)
        #expect(try await code(good, bundle: nil) == .tlsVerification)
        #expect(try await code(good, bundle: misnamed.certificatePath) == .tlsVerification)
        #expect(try await code(misnamed, bundle: misnamed.certificatePath) == .tlsVerification)
        #expect(try await code(good, bundle: "/etc/hostname") == .tlsVerification)
    }

    @Test("a server that does not speak TLS is a failed handshake")
    func plainServer() async throws {
        let server = try ScriptedServer { _ in .close }
        let answering = try RawGreeter()
        defer {
            server.stop()
            answering.stop()
        }
        try await withClient { client, _ in
            let request = post("https://127.0.0.1:\(answering.port)/")
            let code = try await failure { try await client.send(request, deadline: .now + soon) }
            #expect(code == .tlsFailed)
        }
    }

    /// Says something that is not TLS to whoever connects.
    private final class RawGreeter: Sendable {
        let port: Int
        private let descriptor: Int32

        init() throws {
            self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let listening = self.descriptor
            let isListening = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listening, $0, length) == 0 && listen(listening, 8) == 0
                        && getsockname(listening, $0, &length) == 0
                }
            }
            guard isListening else { throw TestSupportError("cannot listen on loopback") }
            self.port = Int(UInt16(bigEndian: address.sin_port))
            Thread.detachNewThread {
                while true {
                    let connection = accept(listening, nil, nil)
                    guard connection >= 0 else { break }
                    let text = "220 plain text here\r\n"
                    _ = send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL))
                    var rest = [UInt8](repeating: 0, count: 4096)
                    while recv(connection, &rest, rest.count, 0) > 0 {}
                    close(connection)
                }
                close(listening)
            }
        }

        func stop() {
            shutdown(self.descriptor, Int32(SHUT_RDWR))
        }
    }
}
