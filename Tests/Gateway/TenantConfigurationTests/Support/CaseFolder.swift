import Foundation

@testable import TenantConfiguration

/// A folder with the cases, and with the certificates, keys and secret files that they name.
///
/// Made once a process; the tests only read it, so that they can run at the same time.
struct CaseFolder {
    let url: URL

    static let shared = Result { try CaseFolder() }

    /// Every secret in it contains this word, so that a leak can be searched for.
    static let secretWord = "HUSH"
    static let bcryptHash = "$2b$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6"

    /// What the cases' `${NAME}` stand for.
    static let environment = [
        "ACCESS_KEY": "AKIAHUSH", "SECRET": "HUSH/secret", "NUMBER": "250", "PORT": "19201", "REGION": "eu-central-1",
        "WORD": "payments", "MODE": "observe", "EMPTY": "", "YAMLISH": "{a: [b, *c]} # d", "NESTED": "${WORD}",
        "ADDRESS": "HUSH",
    ]

    init() throws {
        self.url = FileManager.default.temporaryDirectory.appending(path: "tenant-configuration-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.url, withIntermediateDirectories: true)
        try self.makeCertificates()
        try self.write("user.hash", Self.bcryptHash + "\n")
        try self.write("htpasswd", "a:\(Self.bcryptHash)\n")
        try self.write("secret", "HUSH/from+file=\r\n")
        try self.write("token", "HUSH-token")
        try self.write("empty", "\n\n")
        try self.write("two-lines", "HUSH\nHUSH\n")
        try self.write("spaces", "HUSH HUSH\n")
        try self.write("binary", [0x48, 0x55, 0x53, 0x48, 0xFF, 0x00])
        try self.write("open.hash", Self.bcryptHash, permissions: 0o644)
        try self.write("open.secret", "HUSH", permissions: 0o604)
        try FileManager.default.createDirectory(
            at: self.url.appending(path: "folder"),
            withIntermediateDirectories: true
        )
        guard mkfifo(self.path("pipe"), 0o600) == 0 else { throw CocoaError(.fileWriteUnknown) }
        for name in try Self.caseNames() {
            try FileManager.default.copyItem(
                at: Self.cases.appending(path: "\(name).yaml"),
                to: self.url.appending(path: "\(name).yaml")
            )
        }
    }

    func path(_ name: String) -> String { self.url.appending(path: name).path }

    func write(_ name: String, _ text: String, permissions: Int = 0o600) throws {
        try self.write(name, Array(text.utf8), permissions: permissions)
    }

    func write(_ name: String, _ bytes: [UInt8], permissions: Int = 0o600) throws {
        try Data(bytes).write(to: self.url.appending(path: name))
        try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: self.path(name))
    }

    // MARK: Cases

    private static var cases: URL {
        get throws {
            guard let url = Bundle.module.url(forResource: "Cases", withExtension: nil) else {
                throw CocoaError(.fileNoSuchFile)
            }
            return url
        }
    }

    /// The names of all cases, without suffix.
    static func caseNames() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self.cases.path)
            .filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(".yaml".count)) }.sorted()
    }

    static func expected(_ name: String) throws -> String {
        try String(contentsOf: self.cases.appending(path: "\(name).expected"), encoding: .utf8)
    }

    /// What `check` would print about a file of the folder; the folder's own path stands as `<folder>`.
    func outcome(of name: String) -> String {
        let text: String
        do {
            let configuration = try TenantsFile.load(path: self.path(name), environment: Self.environment)
            text = ConfigurationSummary.text(of: configuration)
        } catch {
            text = error.description
        }
        return text.replacing(self.url.path, with: "<folder>") + "\n"
    }

    // MARK: Certificates

    private func makeCertificates() throws {
        let script = Process()
        script.executableURL = URL(filePath: "/bin/sh")
        script.currentDirectoryURL = self.url
        script.arguments = ["-c", Self.certificateScript]
        script.standardError = FileHandle.nullDevice
        try script.run()
        script.waitUntilExit()
        guard script.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }

    private static let certificateScript = #"""
        set -e
        umask 077
        new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        $new -subj /CN=localhost -keyout server.key -out server.pem
        $new -subj /CN=test-ca -keyout ca.key -out ca.pem
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key
        openssl req -new -key other.key -subj /CN=expired -out expired.csr
        openssl x509 -req -in expired.csr -signkey other.key -days -1 -out expired.pem
        cp other.key open.key
        chmod 604 open.key
        openssl pkey -in server.key -aes128 -passout pass:test -out encrypted.key
        printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=2\n' > ca.cnf
        : > index
        openssl ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.pem -out crl.pem
        (cat ca.pem; sed 's/^M/?/' server.pem) > broken.pem
        """#
}
