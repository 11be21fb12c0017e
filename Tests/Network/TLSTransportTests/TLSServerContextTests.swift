import Foundation
import TestSupport
import Testing

@testable import TLSTransport

@Suite("TLS configuration")
struct TLSServerContextTests {
    private func configuration(
        _ pki: TestPKI,
        certificate: String = "server",
        key: String = "server",
        clientCA: String? = "ca",
        additional: [String] = [],
        authentication: TLSClientAuthentication = .request,
        crl: String? = nil
    ) -> TLSServerConfiguration {
        TLSServerConfiguration(
            certificateChainPath: pki.certificate(certificate),
            privateKeyPath: pki.key(key),
            clientCAPath: clientCA.map(pki.certificate),
            additionalCAPaths: additional.map(pki.certificate),
            clientAuthentication: authentication,
            minimumVersion: .tls12,
            crlPath: crl.map(pki.path)
        )
    }

    /// The error that a configuration ends in, checked to name a remedy.
    private func failure(_ configuration: TLSServerConfiguration) -> TLSConfigurationError? {
        do throws(TLSConfigurationError) {
            _ = try TLSServerContext(configuration)
            return nil
        } catch {
            #expect(!error.remedy.isEmpty)
            #expect(error.description.contains("fix: "))
            return error
        }
    }

    @Test("what fits together loads, with and without client certificates")
    func loads() async throws {
        let pki = try await TestPKI.standard()
        #expect(self.failure(self.configuration(pki)) == nil)
        #expect(self.failure(self.configuration(pki, clientCA: nil, authentication: .none)) == nil)
        #expect(self.failure(self.configuration(pki, additional: ["other"], authentication: .require)) == nil)
        #expect(self.failure(self.configuration(pki, crl: "crl.pem")) == nil)
    }

    @Test("further certificates, suites and groups load; a key that is not its certificate's is named")
    func policy() async throws {
        let pki = try await TestPKI.standard()
        var configuration = self.configuration(pki)
        configuration.cipherSuites = ["TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"]
        configuration.groups = ["P-256", "X25519"]
        configuration.furtherCertificates = [
            .init(certificateChainPath: pki.certificate("chained-bundle"), privateKeyPath: pki.key("chained"))
        ]
        #expect(self.failure(configuration) == nil)
        configuration.furtherCertificates[0].privateKeyPath = pki.key("client")
        #expect(self.failure(configuration)?.code == .keyDoesNotMatch)
        configuration.furtherCertificates[0].privateKeyPath = pki.certificate("client")
        #expect(self.failure(configuration)?.code == .invalidPrivateKey)
        configuration.furtherCertificates = []
        configuration.groups = ["nonsense"]
        #expect(self.failure(configuration)?.code == .library)
    }

    @Test("lists of tenants' CAs need no list of the listener's, and must be of a configured CA")
    func tenantLists() async throws {
        let pki = try await TestPKI.standard()
        try await pki.makeRevocationList("other-list.pem", by: "other", revoked: ["stranger"])
        var configuration = self.configuration(pki, additional: ["other"])
        configuration.additionalCRLPaths = [pki.path("other-list.pem")]
        let context = try TLSServerContext(configuration)
        configuration.additionalCRLPaths = []
        #expect(try TLSServerContext(configuration).trustDigest != context.trustDigest)
        configuration.additionalCAPaths = []
        configuration.additionalCRLPaths = [pki.path("other-list.pem")]
        #expect(self.failure(configuration)?.code == .invalidRevocationList)
    }

    @Test("a private key of another certificate is named, with the certificate")
    func keyMismatch() async throws {
        let pki = try await TestPKI.standard()
        let error = try #require(self.failure(self.configuration(pki, key: "client")))
        #expect(error.code == .keyDoesNotMatch)
        #expect(error.file == pki.key("client"))
        #expect(error.found.contains(pki.certificate("server")))

        try await pki.openssl(["genrsa", "-out", pki.key("rsa"), "2048"])
        #expect(self.failure(self.configuration(pki, key: "rsa"))?.code == .keyDoesNotMatch)
    }

    @Test("files that are missing, empty or broken are named")
    func brokenFiles() async throws {
        let pki = try await TestPKI.standard()
        try "".write(toFile: pki.certificate("empty"), atomically: true, encoding: .utf8)
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        try broken.write(toFile: pki.certificate("broken"), atomically: true, encoding: .utf8)
        let expected: [(TLSServerConfiguration, TLSConfigurationError.Code, String)] = [
            (self.configuration(pki, certificate: "absent"), .unreadableFile, pki.certificate("absent")),
            (self.configuration(pki, certificate: "empty"), .invalidCertificate, pki.certificate("empty")),
            (self.configuration(pki, certificate: "broken"), .invalidCertificate, pki.certificate("broken")),
            (self.configuration(pki, key: "absent"), .unreadableFile, pki.key("absent")),
            (self.configuration(pki, clientCA: "absent"), .unreadableFile, pki.certificate("absent")),
            (self.configuration(pki, clientCA: "empty"), .invalidAuthority, pki.certificate("empty")),
            (self.configuration(pki, clientCA: "broken"), .invalidCertificate, pki.certificate("broken")),
            (self.configuration(pki, additional: ["empty"]), .invalidAuthority, pki.certificate("empty")),
            (self.configuration(pki, clientCA: "client"), .invalidAuthority, pki.certificate("client")),
            (self.configuration(pki, clientCA: "intermediate"), .invalidAuthority, pki.certificate("intermediate")),
            (self.configuration(pki, crl: "absent.pem"), .unreadableFile, pki.path("absent.pem")),
            (self.configuration(pki, crl: "ca.pem"), .invalidRevocationList, pki.path("ca.pem")),
        ]
        for (configuration, code, file) in expected {
            let error = self.failure(configuration)
            #expect(error?.code == code, "\(file): \(String(describing: error))")
            #expect(error?.file == file)
        }
        #expect(self.failure(self.configuration(pki, clientCA: nil))?.code == .missingAuthority)
    }

    @Test("an encrypted private key fails at once instead of asking a terminal")
    func encryptedKey() async throws {
        let pki = try await TestPKI.standard()
        try await pki.openssl([
            "ec", "-in", pki.key("server"), "-aes256", "-passout", "pass:secret", "-out", pki.key("locked"),
        ])
        #expect(self.failure(self.configuration(pki, key: "locked"))?.code == .invalidPrivateKey)
    }

    @Test("an intermediate CA is trusted beside its root")
    func intermediateWithRoot() async throws {
        let pki = try await TestPKI.standard()
        try await pki.join(["intermediate", "ca"], into: "both")
        #expect(self.failure(self.configuration(pki, clientCA: "both")) == nil)
        #expect(self.failure(self.configuration(pki, additional: ["intermediate"])) == nil)
    }

    @Test("revocation lists of strangers and expired ones are refused")
    func revocationLists() async throws {
        let pki = try await TestPKI.standard()
        try await pki.makeRevocationList("strange.pem", by: "other", revoked: [])
        try await pki.makeRevocationList("old.pem", by: "ca", revoked: [], days: 0)
        #expect(self.failure(self.configuration(pki, crl: "strange.pem"))?.code == .invalidRevocationList)
        #expect(self.failure(self.configuration(pki, additional: ["other"], crl: "strange.pem")) == nil)
        let old = try #require(self.failure(self.configuration(pki, crl: "old.pem")))
        #expect(old.code == .invalidRevocationList && old.found.contains("expired"))
    }

    @Test("words of a configuration file become enumerations, and unknown ones an error with the known ones")
    func words() throws {
        func make(_ authentication: String, _ version: String) throws(TLSConfigurationError) -> TLSServerConfiguration {
            try TLSServerConfiguration(
                certificateChainPath: "a",
                privateKeyPath: "b",
                clientCAPath: nil,
                additionalCAPaths: [],
                clientAuthentication: authentication,
                minimumVersion: version,
                crlPath: nil
            )
        }
        let made = try make("require", "1.3")
        #expect(made.clientAuthentication == .require && made.minimumVersion == .tls13)
        #expect(throws: TLSConfigurationError.self) { try make("always", "1.3") }
        #expect(throws: TLSConfigurationError.self) { try make("none", "1.1") }
    }
}
