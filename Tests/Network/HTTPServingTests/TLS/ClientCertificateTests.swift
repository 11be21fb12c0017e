import Common
import Foundation
import TLSTransport
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Client certificates")
struct ClientCertificateTests {
    @Test("a verified certificate's names and chain reach the responder", arguments: ["-tls1_2", "-tls1_3"])
    func identity(version: String) async throws {
        let pki = try await TestPKI.standard()
        let tls = try TestServer.context(pki, authentication: .require)
        try await TestServer.with(tls: tls, handler: TestServer.whoAmI) { server in
            let client = try await server.sClient(pki, certificate: "client", [version])
            #expect(
                client.output.contains(
                    "cn=client dns=client.example uri=spiffe://example/client email=client@example.org"
                )
            )
            let digests = try await [pki.digest("client"), pki.digest("ca")].joined(separator: ",")
            #expect(client.output.contains("chain=\(digests) until="))
            #expect(server.handshakes(.succeeded) == 1)

            let chained = try await server.sClient(pki, certificate: "chained", chain: "intermediate", [version])
            let chain = try await [pki.digest("chained"), pki.digest("intermediate"), pki.digest("ca")]
            #expect(
                chained.output.contains("cn=chained")
                    && chained.output.contains("chain=\(chain.joined(separator: ",")) ")
            )
        }
    }

    @Test("in request mode a client may come without a certificate")
    func requestWithoutCertificate() async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try TestServer.context(pki), handler: TestServer.whoAmI) { server in
            let answer1 = try await server.sClient(pki)
            #expect(answer1.output.contains("\r\n\r\nnobody"))
            #expect(server.handshakes(.succeeded) == 1)
        }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var certificate: String?
        var authentication: TLSClientAuthentication
        var version: String
        var alert: String
        var result: TLSHandshakeResult
        var testDescription: String {
            "\(self.certificate ?? "none"), \(self.authentication.rawValue), \(self.version)"
        }
    }
    static let refusals: [Refusal] = [
        Refusal(
            certificate: nil,
            authentication: .require,
            version: "-tls1_3",
            alert: "116",
            result: .noClientCertificate
        ),
        Refusal(
            certificate: nil,
            authentication: .require,
            version: "-tls1_2",
            alert: "40",
            result: .noClientCertificate
        ),
        Refusal(
            certificate: "stranger",
            authentication: .request,
            version: "-tls1_3",
            alert: "48",
            result: .clientCertificateInvalid
        ),
        Refusal(
            certificate: "stranger",
            authentication: .request,
            version: "-tls1_2",
            alert: "48",
            result: .clientCertificateInvalid
        ),
        Refusal(
            certificate: "expired",
            authentication: .request,
            version: "-tls1_3",
            alert: "45",
            result: .clientCertificateInvalid
        ),
        Refusal(
            certificate: "revoked",
            authentication: .request,
            version: "-tls1_3",
            alert: "44",
            result: .clientCertificateInvalid
        ),
        Refusal(
            certificate: "serveronly",
            authentication: .request,
            version: "-tls1_3",
            alert: "43",
            result: .clientCertificateInvalid
        ),
    ]

    @Test("a refused client sees its alert, in 20 of 20 tries", arguments: Self.refusals)
    func alerts(refusal: Refusal) async throws {
        let pki = try await TestPKI.standard()
        let tls = try TestServer.context(pki, authentication: refusal.authentication, crl: "crl.pem")
        try await TestServer.with(tls: tls, handler: TestServer.whoAmI) { server in
            var seen = 0
            for _ in 0..<20 {
                let client = try await server.sClient(pki, certificate: refusal.certificate, [refusal.version])
                if client.errors.contains("SSL alert number \(refusal.alert)") { seen += 1 }
                #expect(!client.output.contains("HTTP/1.1 200"))
            }
            #expect(seen == 20)
            #expect(server.handshakes(refusal.result) == 20)
        }
    }

    @Test("a tenant's own CA is trusted, and not announced; its certificates need no revocation list")
    func additionalAuthority() async throws {
        let pki = try await TestPKI.standard()
        let tls = try TestServer.context(pki, additional: ["other"], crl: "crl.pem")
        try await TestServer.with(tls: tls, handler: TestServer.whoAmI) { server in
            let stranger = try await server.sClient(pki, certificate: "stranger")
            #expect(stranger.output.contains("cn=stranger"))
            let announced = try #require(
                stranger.output.components(separatedBy: "Acceptable client certificate CA names").last
            )
            let names = announced.components(separatedBy: "\n").prefix(3).joined(separator: " ")
            #expect(names.contains("CN = ca") && !names.contains("CN = other"))
            let answer2 = try await server.sClient(pki, certificate: "client")
            #expect(answer2.output.contains("cn=client"))
        }
    }

    @Test("a certificate with an ambiguous name is refused as a whole")
    func embeddedNull() async throws {
        let pki = try await TestPKI.standard()
        // IA5String with a NUL in it, as DER: SEQUENCE { [2] "a\0b" }.
        try await pki.issue("nul", by: "ca", extensions: "subjectAltName=DER:30:05:82:03:61:00:62")
        try await TestServer.with(tls: try TestServer.context(pki), handler: TestServer.whoAmI) { server in
            let client = try await server.sClient(pki, certificate: "nul")
            #expect(!client.output.contains("HTTP/1.1 200"))
            #expect(client.errors.contains("SSL alert number"))
            #expect(server.handshakes(.clientCertificateInvalid) == 1)
        }
    }

    @Test("a subject with two common names has none")
    func twoCommonNames() async throws {
        let pki = try await TestPKI.standard()
        try await pki.issue("twice", by: "ca", subject: "/CN=one/CN=two")
        try await TestServer.with(tls: try TestServer.context(pki), handler: TestServer.whoAmI) { server in
            let answer3 = try await server.sClient(pki, certificate: "twice")
            #expect(answer3.output.contains("cn=- "))
        }
    }
}

extension TestPKI {
    /// SHA-256 of a certificate's DER form, in hexadecimal, by the openssl command.
    func digest(_ name: String) async throws -> String {
        let result = try await run(
            "openssl",
            ["x509", "-in", self.certificate(name), "-noout", "-fingerprint", "-sha256"]
        )
        let digits = result.output.split(separator: "=").last ?? ""
        return digits.filter(\.isHexDigit).lowercased()
    }
}
