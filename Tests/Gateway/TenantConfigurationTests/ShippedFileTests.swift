import Foundation
import TestSupport
import Testing

@testable import TenantConfiguration

@Suite("The shipped tenants.yaml, whole and damaged")
struct ShippedFileTests {
    @Test("it loads, with three tenants and one warning about the open one")
    func loads() throws {
        let copy = try ShippedCopy()
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
        guard case .keyPair("demo", _, nil) = demo.credentials, case .generated = configuration.tenants[0].credentials
        else {
            Issue.record("not the keys that the comments promise")
            return
        }
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
        let copy = try ShippedCopy()
        defer { copy.remove() }
        for count in copy.bytes.indices where !copy.survives(copy.bytes[..<count]) {
            Issue.record("cut at byte \(count)")
        }
    }

    @Test("with bytes changed, doubled and removed at random, it ends in problems or a snapshot")
    func mutated() throws {
        let copy = try ShippedCopy()
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
