import Common
import Foundation
import TestSupport
import Testing

@testable import TLSTransport

@Suite("Client certificates that another server hands on")
struct ForwardedCertificatesTests {
    private func pem(_ pki: TestPKI, _ name: String) throws -> String {
        try String(contentsOfFile: pki.certificate(name), encoding: .utf8)
    }

    @Test("one of a known authority tells its names, and the chain it was verified by")
    func known() async throws {
        let pki = try await TestPKI.standard()
        let certificates = try ForwardedCertificates(authorityPaths: [pki.certificate("other"), pki.certificate("ca")])
        let identity = try #require(certificates.identity(ofPEM: try self.pem(pki, "client")))
        #expect(identity.commonName == "client")
        #expect(identity.uris == ["spiffe://example/client"])
        #expect(identity.dnsNames == ["client.example"])
        #expect(identity.emails == ["client@example.org"])
        #expect(identity.chainDigests.count == 2)
        #expect(identity.notAfterSeconds > Int64(Date().timeIntervalSince1970))
        let stranger = try #require(certificates.identity(ofPEM: try self.pem(pki, "stranger")))
        #expect(stranger.chainDigests.last != identity.chainDigests.last)
    }

    @Test("nothing else is anybody", arguments: ["stranger", "expired", "serveronly", "chained"])
    func unknown(name: String) async throws {
        let pki = try await TestPKI.standard()
        let certificates = try ForwardedCertificates(authorityPaths: [pki.certificate("ca")])
        #expect(certificates.identity(ofPEM: try self.pem(pki, name)) == nil)
    }

    @Test("an intermediate can be where trust ends")
    func intermediate() async throws {
        let pki = try await TestPKI.standard()
        let certificates = try ForwardedCertificates(authorityPaths: [pki.certificate("intermediate")])
        #expect(certificates.identity(ofPEM: try self.pem(pki, "chained")) != nil)
        #expect(certificates.identity(ofPEM: try self.pem(pki, "client")) == nil)
    }

    @Test(
        "what is no certificate is nobody",
        arguments: ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    func broken(text: String) async throws {
        let pki = try TestPKI()
        try await pki.makeAuthority("ca")
        #expect(try ForwardedCertificates(authorityPaths: [pki.certificate("ca")]).identity(ofPEM: text) == nil)
    }

    @Test("an authority that cannot be read is an error with its path")
    func missing() throws {
        let error = #expect(throws: TLSConfigurationError.self) {
            try ForwardedCertificates(authorityPaths: ["/no/such/file"])
        }
        #expect(error?.file == "/no/such/file")
    }
}
