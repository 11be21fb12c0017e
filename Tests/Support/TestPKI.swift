import Foundation

/// Certificates made by the `openssl` command in a directory of their own, removed with the object. Keys are P-256.
package final class TestPKI: Sendable {
    package let directory: String

    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    package init() throws {
        self.directory = NSTemporaryDirectory() + "pki-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: self.directory)
    }

    package func path(_ name: String) -> String { "\(self.directory)/\(name)" }
    package func certificate(_ name: String) -> String { self.path("\(name).pem") }
    package func key(_ name: String) -> String { self.path("\(name).key") }

    /// The usual set: `ca` with `server`, `client`, `expired` and `revoked` (on the list `crl.pem`), an intermediate of it
    /// with `chained`, and a foreign `other` CA with `stranger`.
    package static func standard() async throws -> TestPKI {
        let pki = try TestPKI()
        try await pki.makeAuthority("ca")
        try await pki.issue("server", by: "ca", extensions: "subjectAltName=DNS:localhost,IP:127.0.0.1")
        let names = "subjectAltName=DNS:client.example,URI:spiffe://example/client,email:client@example.org"
        try await pki.issue("client", by: "ca", extensions: names + "\nextendedKeyUsage=clientAuth")
        try await pki.issue("expired", by: "ca", days: -1)
        try await pki.issue("revoked", by: "ca")
        try await pki.issue("serveronly", by: "ca", extensions: "extendedKeyUsage=serverAuth")
        try await pki.issue("intermediate", by: "ca", extensions: "basicConstraints=critical,CA:TRUE")
        try await pki.issue("chained", by: "intermediate")
        try await pki.join(["chained", "intermediate"], into: "chained-bundle")
        try await pki.makeAuthority("other")
        try await pki.issue("stranger", by: "other")
        try await pki.makeRevocationList("crl.pem", by: "ca", revoked: ["revoked"])
        return pki
    }

    package func makeAuthority(_ name: String) async throws {
        try await self.openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=\(name)", "-keyout", self.key(name), "-out", self.certificate(name),
            "-addext", "basicConstraints=critical,CA:TRUE",
        ])
    }

    /// - Parameter days: how long it is valid from now; negative: it was, until so many days ago.
    package func issue(
        _ name: String,
        by issuer: String,
        subject: String? = nil,
        extensions: String = "extendedKeyUsage=serverAuth,clientAuth",
        days: Int = 2
    ) async throws {
        try await self.openssl([
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", subject ?? "/CN=\(name)", "-keyout", self.key(name), "-out", self.path("\(name).csr"),
        ])
        try extensions.write(toFile: self.path("\(name).ext"), atomically: true, encoding: .utf8)
        try await self.openssl([
            "x509", "-req", "-in", self.path("\(name).csr"), "-CA", self.certificate(issuer), "-CAkey",
            self.key(issuer),
            "-CAcreateserial", "-days", "\(days)", "-extfile", self.path("\(name).ext"), "-out", self.certificate(name),
        ])
    }

    package func join(_ names: [String], into name: String) async throws {
        let text = try names.map { try String(contentsOfFile: self.certificate($0), encoding: .utf8) }.joined()
        try text.write(toFile: self.certificate(name), atomically: true, encoding: .utf8)
    }

    package func makeRevocationList(_ file: String, by issuer: String, revoked: [String], days: Int = 2) async throws {
        let database = self.path("\(file).index")
        try "".write(toFile: database, atomically: true, encoding: .utf8)
        let configuration = "[ca]\ndefault_ca=own\n[own]\ndatabase=\(database)\ndefault_md=sha256\n"
        let configurationPath = self.path("\(file).cnf")
        try configuration.write(toFile: configurationPath, atomically: true, encoding: .utf8)
        let authority = [
            "ca", "-config", configurationPath, "-cert", self.certificate(issuer), "-keyfile", self.key(issuer),
        ]
        for name in revoked { try await self.openssl(authority + ["-revoke", self.certificate(name)]) }
        // Seconds, so that an expired list can be made by waiting hardly at all.
        let life =
            days > 0
            ? ["-crldays", "\(days)"] : ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z"]
        try await self.openssl(authority + ["-gencrl", "-out", self.path(file)] + life)
    }

    package func openssl(_ arguments: [String]) async throws {
        let result = try await run("openssl", arguments)
        guard result.status == 0 else { throw Failure(description: "openssl \(arguments[0]): \(result.errors)") }
    }
}
