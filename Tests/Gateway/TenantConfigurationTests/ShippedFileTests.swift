import Foundation
import TestSupport
import Testing

@testable import TenantConfiguration

@Suite("The shipped tenants.yaml, whole and damaged")
struct ShippedFileTests {
    /// A copy of the shipped file in a folder that has what scripts/run makes: `certs/dev`.
    struct Copy {
        let bytes: [UInt8]
        private let folder: CaseFolder

        init() throws {
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            self.bytes = [UInt8](try Data(contentsOf: root.appending(path: "tenants.yaml")))
            self.folder = try CaseFolder()
            let certificates = self.folder.url.appending(path: "certs/dev")
            try FileManager.default.createDirectory(at: certificates, withIntermediateDirectories: true)
            for name in ["server.pem", "server.key", "ca.pem"] {
                try FileManager.default.copyItem(atPath: self.folder.path(name), toPath: certificates.path + "/\(name)")
            }
            try FileManager.default.copyItem(
                atPath: self.folder.path("user.hash"),
                toPath: certificates.path + "/search.hash"
            )
        }

        func load(_ bytes: some Sequence<UInt8>) throws(ConfigurationProblems) -> GatewayConfiguration {
            let path = self.folder.path("tenants.yaml")
            try? Data(bytes).write(to: URL(filePath: path))
            return try TenantsFile.load(path: path, environment: [:])
        }

        /// Loads bytes that may be anything: what comes out is a snapshot, or problems that all say something.
        func survives(_ bytes: some Sequence<UInt8>) -> Bool {
            do {
                return !ConfigurationSummary.text(of: try self.load(bytes)).isEmpty
            } catch {
                return !error.problems.isEmpty
                    && error.problems.allSatisfy { !$0.message.isEmpty && ($0.line ?? 1) > 0 }
            }
        }

        func remove() {
            try? FileManager.default.removeItem(at: self.folder.url)
        }
    }

    @Test("it loads, with three tenants and one warning about the open one")
    func loads() throws {
        let copy = try Copy()
        defer { copy.remove() }
        let configuration = try copy.load(copy.bytes)
        #expect(configuration.tenants.map(\.id) == ["payments", "search", "demo"])
        #expect(configuration.server.listen == ListenAddress(host: "127.0.0.1", port: 9201))
        #expect(configuration.server.admin.listen == ListenAddress(host: "127.0.0.1", port: 9202))
        #expect(configuration.server.tls?.clientAuthentication == .request)
        let demo = try #require(configuration.tenants.last)
        #expect(demo.database == "PrometheusDatabase")
        #expect(demo.table == "PrometheusMetricsTable")
        #expect(demo.authentication.isOpen)
        #expect(
            configuration.tenants.first?.authentication.clientCertificate?.uris == [
                "spiffe://example/prometheus/payments"
            ]
        )
        #expect(configuration.tenants[1].authentication.basic.map(\.username) == ["search"])
        #expect(configuration.warnings.map(\.path) == ["tenants.demo.auth"])
    }

    @Test("cut off at any byte, it ends in problems or a snapshot")
    func truncated() throws {
        let copy = try Copy()
        defer { copy.remove() }
        for count in copy.bytes.indices where !copy.survives(copy.bytes[..<count]) {
            Issue.record("cut at byte \(count)")
        }
    }

    @Test("with bytes changed, doubled and removed at random, it ends in problems or a snapshot")
    func mutated() throws {
        let copy = try Copy()
        defer { copy.remove() }
        var generator = SeededGenerator(seed: 20_240_601)
        let meaningful = Array("{}[]:,&*!|>'\"%@`#-?~$<\t\n\r \0\u{7F}é\u{FEFF}".utf8) + [0xFF, 0xC3]
        for round in 0..<1000 {
            var bytes = copy.bytes
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                let byte = meaningful.randomElement(using: &generator) ?? 0
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = byte
                case 1: bytes.insert(byte, at: place)
                case 2: bytes.remove(at: place)
                default:
                    let end = min(bytes.count, place + Int.random(in: 1...80, using: &generator))
                    bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: bytes.indices, using: &generator))
                }
            }
            if !copy.survives(bytes) { Issue.record("round \(round): \(String(decoding: bytes, as: UTF8.self))") }
        }
    }
}
