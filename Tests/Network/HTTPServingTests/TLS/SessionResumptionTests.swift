import Foundation
import TLSTransport
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Session resumption")
struct SessionResumptionTests {
    private func chain(_ output: String) -> String? {
        output.components(separatedBy: "chain=").dropFirst().first?.components(separatedBy: " ").first
    }

    @Test(
        "a resumed session has the identity of the first one, with its whole chain",
        arguments: ["-tls1_2", "-tls1_3"]
    )
    func identityIsKept(version: String) async throws {
        let pki = try await TestPKI.standard()
        let tls = try TestServer.context(pki, authentication: .require)
        try await TestServer.with(tls: tls, handler: TestServer.whoAmI) { server in
            let first = try await server.sClient(
                pki,
                certificate: "chained",
                chain: "intermediate",
                [version, "-sess_out", pki.path("session")]
            )
            #expect(first.output.contains("New, TLSv1"))
            var output = first.output
            // Three times, each with the ticket of the one before.
            for _ in 0..<3 {
                let again = try await server.sClient(
                    pki,
                    certificate: "chained",
                    chain: "intermediate",
                    [version, "-sess_in", pki.path("session"), "-sess_out", pki.path("session")]
                )
                #expect(again.output.contains("Reused, TLSv1"))
                output = again.output
                #expect(again.output.contains("cn=chained"))
                #expect(self.chain(again.output) == self.chain(first.output))
            }
            #expect(self.chain(output)?.components(separatedBy: ",").count == 3)
            #expect(server.handshakes(.resumed) == 3 && server.handshakes(.succeeded) == 1)
        }
    }

    @Test("a session without a certificate is resumed as nobody", arguments: ["-tls1_2", "-tls1_3"])
    func withoutCertificate(version: String) async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try TestServer.context(pki), handler: TestServer.whoAmI) { server in
            _ = try await server.sClient(pki, [version, "-sess_out", pki.path("session")])
            let again = try await server.sClient(pki, [version, "-sess_in", pki.path("session")])
            #expect(again.output.contains("Reused, TLSv1") && again.output.contains("nobody"))
        }
    }

    @Test("another context, as after a change of CA or CRL, does not resume", arguments: ["-tls1_2", "-tls1_3"])
    func otherContext(version: String) async throws {
        let pki = try await TestPKI.standard()
        let first = try TestServer.context(pki, authentication: .require)
        try await TestServer.with(tls: first, handler: TestServer.whoAmI) { server in
            _ = try await server.sClient(pki, certificate: "revoked", [version, "-sess_out", pki.path("session")])
        }
        let second = try TestServer.context(pki, authentication: .require, crl: "crl.pem")
        try await TestServer.with(tls: second, handler: TestServer.whoAmI) { server in
            let again = try await server.sClient(
                pki,
                certificate: "revoked",
                [version, "-sess_in", pki.path("session")]
            )
            #expect(!again.output.contains("HTTP/1.1 200") && !again.output.contains("Reused"))
            #expect(server.handshakes(.resumed) == 0 && server.handshakes(.clientCertificateInvalid) == 1)
        }
    }

    @Test("a client that renegotiates is not obeyed, and keeps its connection")
    func renegotiation() async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try TestServer.context(pki), handler: TestServer.whoAmI) { server in
            let client = try await run(
                "openssl",
                ["s_client", "-connect", server.address, "-CAfile", pki.certificate("ca"), "-tls1_2"],
                input: "R\n",
                timeout: 5
            )
            #expect(client.errors.contains("no renegotiation") || client.output.contains("RENEGOTIATING"))
            #expect(server.handshakes(.succeeded) == 1)
        }
    }
}
