import Common
import Foundation
import HTTPTypes
import TLSTransport
import TestSupport
import Testing

@testable import HTTPServing

/// A server whose TLS context is replaced by a request to `/change`; other paths tell who the client is.
private func withChange(
    from first: TLSServerContext,
    to second: TLSServerContext,
    _ body: (TestServer, Notes<String>) async throws -> Void
) async throws {
    let listener = Locked<HTTPListener?>(nil)
    let generation = Locked(0)
    let served = Notes<String>()
    try await TestServer.with(
        tls: first,
        handler: { request in
            // What was told before the change is what requests bring after it.
            #expect(request.peer.trustGeneration == generation.withLock { $0 })
            if request.head.path == "/change", let listener = listener.withLock({ $0 }) {
                generation.withLock { $0 = listener.trustGeneration(with: second) }
                listener.replaceTLS(with: second)
                #expect(listener.trustGeneration(with: second) == generation.withLock { $0 })
                return .text(.ok, "changed")
            }
            // A request that came together with the one before it.
            if request.peer.isTrustLost { return .text(.unauthorized, "lost") }
            served.add(request.head.path ?? "")
            return await TestServer.whoAmI(request)
        }
    ) { server in
        listener.withLock { $0 = server.listener }
        try await body(server, served)
    }
    listener.withLock { $0 = nil }
}

@Suite("Trust that changes while clients are connected")
struct TrustChangeTests {
    /// Three requests of one client, on one connection as long as it lasts.
    private func threeRequests(_ server: TestServer, _ pki: TestPKI, _ certificate: String, _ version: String)
        async throws -> ProgramResult
    {
        let base = "https://localhost:\(server.address.split(separator: ":").last ?? "")"
        return try await server.curl(
            pki,
            certificate: certificate,
            [version, "-w", "<%{num_connects}>", "\(base)/before", "\(base)/change"],
            path: "/after"
        )
    }

    @Test(
        "a client that is revoked gets its answer, and nothing after it",
        arguments: ["--http1.1", "--http2"]
    )
    func revoked(version: String) async throws {
        let pki = try await TestPKI.standard()
        let first = try TestServer.context(pki)
        let second = try TestServer.context(pki, crl: "crl.pem")
        try await withChange(from: first, to: second) { server, served in
            let result = try await self.threeRequests(server, pki, "revoked", version)
            #expect(result.status != 0)
            #expect(result.output.contains("cn=revoked") && result.output.contains("changed"))
            #expect(served.all == ["/before"])
            // Curl may find out on the old connection or on a new one.
            #expect(server.handshakes(.succeeded) == 1)
        }
    }

    @Test(
        "a client that is still trusted keeps its connection and its identity",
        arguments: ["--http1.1", "--http2"]
    )
    func stillTrusted(version: String) async throws {
        let pki = try await TestPKI.standard()
        let first = try TestServer.context(pki)
        let second = try TestServer.context(pki, authentication: .require, crl: "crl.pem")
        try await withChange(from: first, to: second) { server, served in
            let result = try await self.threeRequests(server, pki, "client", version)
            #expect(result.status == 0, "\(result.errors)")
            #expect(served.all == ["/before", "/after"])
            #expect(result.output.components(separatedBy: "cn=client").count == 3)
            #expect(result.output.components(separatedBy: "<1>").count == 2)
            #expect(server.handshakes(.succeeded) == 1)
        }
    }

    @Test("a client without a certificate does not outlive the day when one is demanded")
    func certificateDemanded() async throws {
        let pki = try await TestPKI.standard()
        let first = try TestServer.context(pki)
        let second = try TestServer.context(pki, authentication: .require)
        try await withChange(from: first, to: second) { server, served in
            let base = "https://localhost:\(server.address.split(separator: ":").last ?? "")"
            let result = try await server.curl(pki, ["\(base)/before", "\(base)/change"], path: "/after")
            #expect(result.status != 0)
            #expect(result.output.contains("nobody"))
            #expect(served.all == ["/before"])
        }
    }

    @Test("tickets outlive a new context of the same trust, and no other", arguments: ["-tls1_2", "-tls1_3"])
    func tickets(version: String) async throws {
        let pki = try await TestPKI.standard()
        let first = try TestServer.context(pki)
        let settings = { (crl: String?) in
            TLSServerConfiguration(
                certificateChainPath: pki.certificate("server"),
                privateKeyPath: pki.key("server"),
                clientCAPath: pki.certificate("ca"),
                additionalCAPaths: [],
                clientAuthentication: .request,
                minimumVersion: .tls12,
                crlPath: crl.map(pki.path)
            )
        }
        try await TestServer.with(tls: first, handler: TestServer.whoAmI) { server in
            let session = pki.path("session")
            _ = try await server.sClient(pki, certificate: "client", [version, "-sess_out", session])
            let second = try TLSServerContext(settings(nil), replacing: first)
            server.listener.replaceTLS(with: second)
            let kept = try await server.sClient(pki, certificate: "client", [version, "-sess_in", session])
            #expect(kept.output.contains("Reused, TLSv1") && kept.output.contains("cn=client"))

            server.listener.replaceTLS(with: try TLSServerContext(settings("crl.pem"), replacing: second))
            let void = try await server.sClient(pki, certificate: "client", [version, "-sess_in", session])
            #expect(!void.output.contains("Reused, TLSv1") && void.output.contains("cn=client"))
        }
    }

    @Test("a resumed session that needs an intermediate it has not shown ends, and comes back by a full handshake")
    func resumedChain() async throws {
        let pki = try await TestPKI.standard()
        let first = try TestServer.context(pki, additional: ["other"])
        try await withChange(from: first, to: try TestServer.context(pki)) { server, served in
            let session = pki.path("session")
            let chain = ["-tls1_3", "-sess_out", session]
            _ = try await server.sClient(pki, certificate: "chained", chain: "intermediate", chain)
            let resumed = try await run(
                "openssl",
                [
                    "s_client", "-connect", server.address, "-CAfile", pki.certificate("ca"), "-ign_eof", "-sess_in",
                    session, "-cert", pki.certificate("chained"), "-key", pki.key("chained"), "-cert_chain",
                    pki.certificate("intermediate"),
                ],
                input: "GET /change HTTP/1.1\r\nHost: localhost\r\n\r\nGET /late HTTP/1.1\r\nHost: localhost\r\n\r\n",
                timeout: 10
            )
            #expect(resumed.output.contains("Reused, TLSv1") && resumed.output.contains("changed"))
            #expect(!served.all.contains("/late"))
            let again = try await server.sClient(pki, certificate: "chained", chain: "intermediate", ["-tls1_3"])
            #expect(again.output.contains("cn=chained"))
        }
    }
}
