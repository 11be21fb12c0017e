import Common
import Foundation
import HTTPTypes
import TLSTransport
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Real clients")
struct RealClientTests {
    /// A file of a size, removed with the PKI's directory.
    private func file(_ pki: TestPKI, size: Int) throws -> String {
        let path = pki.path("body-\(size)")
        try Data(TestServer.bytes(size)).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test("curl speaks both versions with a client certificate", arguments: [("--http2", "2"), ("--http1.1", "1.1")])
    func curl(option: String, version: String) async throws {
        let pki = try await TestPKI.standard()
        let tls = try TestServer.context(pki, authentication: .require)
        try await TestServer.with(tls: tls, handler: TestServer.whoAmI) { server in
            let result = try await server.curl(
                pki,
                certificate: "client",
                [option, "-w", " v%{http_version} %{http_code}"]
            )
            #expect(result.output.contains("cn=client") && result.output.hasSuffix(" v\(version) 200"))
            let refused = try await server.curl(pki, certificate: "stranger", [option])
            #expect(refused.status != 0 && refused.errors.contains("alert"))
        }
    }

    @Test("bodies come back as they were sent", arguments: ["--http2", "--http1.1"], [1, 20_000, 500_000, 5_000_000])
    func bodies(option: String, size: Int) async throws {
        let pki = try await TestPKI.standard()
        let path = try self.file(pki, size: size)
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            OutgoingResponse(status: .ok, body: (try? await request.body.collect(limitBytes: 1 << 25)) ?? [])
        }
        try await TestServer.with(tls: try TestServer.context(pki), handler: handler) { server in
            let result = try await server.curl(
                pki,
                [option, "--data-binary", "@\(path)", "-o", pki.path("back"), "-w", "%{http_code}"]
            )
            #expect(result.output == "200")
            #expect(FileManager.default.contentsEqual(atPath: path, andPath: pki.path("back")))
        }
    }

    @Test("libcurl's reset after every HTTP/2 request does not end its connection")
    func manyRequestsOfLibcurl() async throws {
        let pki = try await TestPKI.standard()
        let path = try self.file(pki, size: 1000)
        try await TestServer.with(tls: try TestServer.context(pki)) { server in
            let result = try await server.curl(
                pki,
                ["--http2", "--data-binary", "@\(path)", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n"],
                path: "/[1-700]"
            )
            let lines = result.output.split(separator: "\n")
            #expect(lines.count == 700)
            #expect(lines.allSatisfy { $0.hasPrefix("200 ") })
            #expect(lines.filter { $0.hasSuffix(" 1") }.count == 1)
        }
    }

    @Test(
        "h2load gets nothing but 2xx",
        arguments: [["-c4", "-m16"], ["--h1", "-c8", "-m1"], ["--h1", "-c4", "-m8"]],
        [true, false]
    )
    func h2load(options: [String], isEncrypted: Bool) async throws {
        // HTTP/2 is spoken over TLS only.
        guard isEncrypted || options.contains("--h1") else { return }
        let pki = try await TestPKI.standard()
        let path = try self.file(pki, size: 20_000)
        let tls = isEncrypted ? try TestServer.context(pki) : nil
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            let body = try? await request.body.collect(limitBytes: 1 << 20)
            return OutgoingResponse(status: body?.count == 20_000 ? .noContent : .internalServerError)
        }
        try await TestServer.with(tls: tls, handler: handler) { server in
            let url = "\(isEncrypted ? "https" : "http")://\(server.address)/write"
            let result = try await run("h2load", options + ["-n2000", "-d", path, url], timeout: 60)
            #expect(result.output.contains("2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored"))
            #expect(result.output.contains("status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx"))
        }
    }

    @Test("a large answer arrives whole over both versions", arguments: ["--http2", "--http1.1"])
    func largeAnswer(option: String) async throws {
        let pki = try await TestPKI.standard()
        let path = try self.file(pki, size: 20_000_000)
        let body = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok, body: body)
        }
        try await TestServer.with(tls: try TestServer.context(pki), handler: handler) { server in
            let result = try await server.curl(pki, [option, "--limit-rate", "40M", "-o", pki.path("back")])
            #expect(result.status == 0)
            #expect(FileManager.default.contentsEqual(atPath: path, andPath: pki.path("back")))
        }
    }

    @Test("an early answer reaches curl while it sends a large body", arguments: ["--http2", "--http1.1"])
    func earlyAnswer(option: String) async throws {
        let pki = try await TestPKI.standard()
        let path = try self.file(pki, size: 5_000_000)
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in .text(.unauthorized, "no proof") }
        try await TestServer.with(tls: try TestServer.context(pki), handler: handler) { server in
            for _ in 0..<5 {
                let result = try await server.curl(
                    pki,
                    [option, "-H", "Expect:", "--data-binary", "@\(path)", "-w", "%{http_code}"]
                )
                #expect(result.output == "no proof\n401")
            }
        }
    }

    @Test("curl waits for 100 Continue and gets it")
    func expectContinue() async throws {
        let pki = try await TestPKI.standard()
        let path = try self.file(pki, size: 2000)
        try await TestServer.with { server in
            let result = try await server.curl(
                nil,
                ["-v", "--http1.1", "-H", "Expect: 100-continue", "--data-binary", "@\(path)", "-o", "/dev/null"]
            )
            #expect(result.errors.contains("HTTP/1.1 100 Continue") && result.errors.contains("HTTP/1.1 200 OK"))
        }
    }
}
