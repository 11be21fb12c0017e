import Foundation
import Testing

@testable import TenantConfiguration

@Suite("What the documents say of tenants.yaml")
struct DocumentationTests {
    @Test("the smallest file means what the reference says: all defaults written out")
    func defaults() throws {
        let copy = try ShippedCopy()
        defer { copy.remove() }
        let blocks = try Repository.blocks("yaml", of: "docs/configuration.md")
        #expect(blocks.count == 2)
        var (smallest, complete) = (try copy.load(blocks[0].utf8), try copy.load(blocks[1].utf8))
        // They stand on other lines.
        #expect(smallest.warnings.map(\.message) == complete.warnings.map(\.message))
        smallest.warnings = []
        complete.warnings = []
        #expect(String(reflecting: smallest) == String(reflecting: complete))
    }

    @Test("the tutorial's tenant fits at the end of the shipped file")
    func tutorial() throws {
        let copy = try ShippedCopy()
        defer { copy.remove() }
        let shipped = String(decoding: copy.bytes, as: UTF8.self)
        let tenant = try #require(try Repository.blocks("yaml", of: "docs/getting-started.md").first)
        let configuration = try copy.load((shipped + tenant).utf8)
        #expect(configuration.tenants.map(\.id) == ["payments", "search", "demo", "checkout"])

        let mistake = tenant.replacing("samples_per_second: 5000", with: "samples_per_second: 5k")
        let shown = try #require(try Repository.blocks("text", of: "docs/getting-started.md").first)
        #expect(copy.problems(shipped + mistake).map { $0 + "\nnothing was started\n" } == shown)
    }

    @Test("the reference has every key that is known")
    func everyKey() throws {
        let copy = try ShippedCopy()
        defer { copy.remove() }
        let problems = try #require(
            copy.problems(
                """
                version: 1
                zzz: 1
                server: {zzz: 1, tls: {zzz: 1}, admin: {zzz: 1, auth: {zzz: 1}}, limits: {zzz: 1}, timeouts: {zzz: 1}}
                routing: {zzz: 1}
                timestream: {zzz: 1, local: {zzz: 1}}
                defaults: {zzz: 1, limits: {zzz: 1}, mapping: {zzz: 1}}
                tenants:
                  a:
                    zzz: 1
                    credentials: {zzz: 1}
                    create_missing: {zzz: 1, partition_key: {zzz: 1}}
                    auth: {zzz: 1, client_certificate: {zzz: 1}, basic: [{zzz: 1}], bearer: [{zzz: 1}]}
                """
            )
        )
        let lists = problems.split(separator: "\n").compactMap { line in
            line.firstRange(of: "known keys: ").map { line[$0.upperBound...].split(separator: ", ") }
        }
        #expect(lists.count == 21)
        let text = String(decoding: try Repository.bytes("docs/configuration.md"), as: UTF8.self)
        for key in Set(lists.joined().map { String($0) }) {
            #expect(["`\(key)", ".\(key)`", "## \(key)"].contains { text.contains($0) }, "\(key)")
        }
    }

    @Test("the example of a problem in the README is what would be printed")
    func readme() throws {
        let text = String(decoding: try Repository.bytes("README.md"), as: UTF8.self)
        let expected = try CaseFolder.expected("bad-types")
        let message =
            "limits.samples_per_second: expected an integer from 1 to 1000000000, found \"10k\"\n  fix: write digits only"
        #expect(text.contains(message))
        #expect(expected.contains(message))
    }
}
