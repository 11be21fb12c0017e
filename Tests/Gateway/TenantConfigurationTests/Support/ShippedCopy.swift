import Foundation

@testable import TenantConfiguration

/// The files of the repository itself.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: self.root.appending(path: path)))
    }

    /// What stands between the fences of a document, by language and in order.
    static func blocks(_ language: String, of path: String) throws -> [String] {
        let text = String(decoding: try self.bytes(path), as: UTF8.self)
        return text.split(separator: "\n```\(language)\n", omittingEmptySubsequences: false).dropFirst().map { rest in
            String(rest.prefix(upTo: rest.firstRange(of: "\n```")?.lowerBound ?? rest.endIndex)) + "\n"
        }
    }
}

/// A folder with what scripts/run makes, `certs/dev`, in which the shipped file is loaded, whole or changed.
struct ShippedCopy {
    let bytes: [UInt8]
    private let folder: CaseFolder

    init() throws {
        self.bytes = try Repository.bytes("tenants.yaml")
        self.folder = try CaseFolder()
        let certificates = self.folder.url.appending(path: "certs/dev")
        try FileManager.default.createDirectory(at: certificates, withIntermediateDirectories: true)
        for (source, name) in [
            ("server.pem", "server.pem"), ("server.key", "server.key"), ("ca.pem", "ca.pem"),
            ("user.hash", "search.hash"), ("user.hash", "checkout.hash"), ("secret", "checkout.secret"),
        ] {
            try FileManager.default.copyItem(atPath: self.folder.path(source), toPath: certificates.path + "/\(name)")
        }
    }

    func load(_ bytes: some Sequence<UInt8>) throws(ConfigurationProblems) -> GatewayConfiguration {
        let path = self.folder.path("tenants.yaml")
        try? Data(bytes).write(to: URL(filePath: path))
        return try TenantsFile.load(path: path, environment: [:])
    }

    /// What is said about bytes that are no good, with the file's bare name.
    func problems(_ text: String) -> String? {
        do {
            _ = try self.load(text.utf8)
            return nil
        } catch {
            return error.description.replacing(self.folder.url.path + "/", with: "")
        }
    }

    /// Loads bytes that may be anything: what comes out is a snapshot, or problems that all say something.
    func survives(_ bytes: some Sequence<UInt8>) -> Bool {
        do {
            return !ConfigurationSummary.text(of: try self.load(bytes)).isEmpty
        } catch {
            return !error.problems.isEmpty && error.problems.allSatisfy { !$0.message.isEmpty && ($0.line ?? 1) > 0 }
        }
    }

    func remove() {
        try? FileManager.default.removeItem(at: self.folder.url)
    }
}
