import Foundation
import Testing

@testable import TenantAccess

@Suite("A file of CA certificates")
struct CertificateAuthorityTests {
    @Test("every certificate of the file counts, by the digest of its DER form; keys and text are skipped")
    func bundle() throws {
        let folder = try CertificateFolder()
        try folder.makeCertificate("one")
        try folder.makeCertificate("two")
        let bundle = "A comment.\n" + (try folder.text("one.pem")) + (try folder.text("one.key")) + "\n\n"
        try folder.write("bundle.pem", bundle + (try folder.text("two.pem")))
        let authority = try CertificateAuthority(pemFile: folder.path("bundle.pem"))
        #expect(authority.digests == [try folder.digest("one"), try folder.digest("two")])
        #expect(authority.anchors([[0], try folder.digest("two")]))
        #expect(!authority.anchors([[0]]) && !authority.anchors([]))
    }

    @Test("what is no list of certificates is told, and the error queue is left clean")
    func broken() throws {
        let folder = try CertificateFolder()
        try folder.makeCertificate("one")
        let pem = try folder.text("one.pem")
        try folder.write("empty.pem", "")
        try folder.write("text.pem", "no certificate\n")
        try folder.write("cut.pem", pem + String(pem.prefix(pem.count / 2)))
        try folder.write("base64.pem", pem.replacingOccurrences(of: "MII", with: "!!!"))
        try folder.write(
            "der.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        )
        for name in ["empty.pem", "text.pem", "one.key"] {
            #expect(throws: CertificateAuthority.Failure(message: "the file holds no PEM certificate")) {
                try CertificateAuthority(pemFile: folder.path(name))
            }
        }
        for (name, number) in [("cut.pem", 2), ("base64.pem", 1), ("der.pem", 1)] {
            #expect(throws: CertificateAuthority.Failure(message: "certificate \(number) is not valid PEM")) {
                try CertificateAuthority(pemFile: folder.path(name))
            }
        }
        #expect(throws: CertificateAuthority.Failure(message: "the file cannot be opened")) {
            try CertificateAuthority(pemFile: folder.path("missing.pem"))
        }
        // After all of these a good file is still good.
        #expect(try CertificateAuthority(pemFile: folder.path("one.pem")).digests.count == 1)
    }

    @Test("a directory is no file of certificates")
    func directory() throws {
        let folder = try CertificateFolder()
        #expect(throws: CertificateAuthority.Failure.self) { try CertificateAuthority(pemFile: folder.url.path) }
    }
}
