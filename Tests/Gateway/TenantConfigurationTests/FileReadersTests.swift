import Foundation
import Testing

@testable import TenantConfiguration

@Suite("Who may read a secret file")
struct FileReadersTests {
    private static let gateway = FileReaders.Identity(user: 9201, groups: [9201, 2000])
    private static let root = FileReaders.Identity(user: 0, groups: [0])

    @Test("what everybody may read is too much, whoever owns it", arguments: [0o604, 0o644, 0o444, 0o777] as [mode_t])
    func everybody(mode: mode_t) {
        for owner: uid_t in [0, 9201, 1000] {
            let readers = FileReaders(mode: mode, owner: owner, group: 2000)
            #expect(readers.excess(for: Self.gateway) == .everybody)
            #expect(readers.excess(for: Self.root) == .everybody)
        }
    }

    @Test("what the owner alone may read is good", arguments: [0o600, 0o400, 0o700, 0o620] as [mode_t])
    func owner(mode: mode_t) {
        for owner: uid_t in [0, 9201, 1000] {
            #expect(FileReaders(mode: mode, owner: owner, group: 2000).excess(for: Self.gateway) == nil)
        }
    }

    @Test("a group is good where it is how the gateway reads the file", arguments: [0o640, 0o440] as [mode_t])
    func group(mode: mode_t) {
        let excess = { (owner: uid_t, group: gid_t, identity: FileReaders.Identity) in
            FileReaders(mode: mode, owner: owner, group: group).excess(for: identity)
        }
        // root:gateway, as Kubernetes' fsGroup and packages have it; also when root checks it, or root runs the gateway.
        #expect(excess(0, 2000, Self.gateway) == nil)
        #expect(excess(0, 2000, Self.root) == nil)
        #expect(excess(0, 0, Self.root) == nil)
        // Another user's, given to the gateway's group.
        #expect(excess(1000, 2000, Self.gateway) == nil)
        // The gateway's own file needs no group; nor does root.
        #expect(excess(9201, 2000, Self.gateway) == .group)
        #expect(excess(1000, 1000, Self.root) == .group)
    }

    @Test("the mode is shown as chmod takes it")
    func modeText() {
        #expect(FileReaders(mode: 0o640, owner: 0, group: 0).modeText == "0640")
        #expect(FileReaders(mode: 0o4, owner: 0, group: 0).modeText == "0004")
        #expect(FileReaders(mode: 0o2755, owner: 0, group: 0).modeText == "2755")
    }

    @Test("a file tells its own mode, and the process its own user")
    func real() throws {
        let folder = try CaseFolder.shared.get()
        let readers = try FileContents.read(folder.path("open.secret"), limitBytes: 100).readers
        #expect(readers.mode == 0o604)
        #expect(readers.owner == FileReaders.Identity.current.user)
        #expect(readers.excess(for: .current) == .everybody)
        #expect(FileReaders.Identity.current.groups.contains(getegid()))
    }

    @Test("a file is warned about once, however many tenants name it, and without what a variable held")
    func once() throws {
        let folder = try CaseFolder()
        defer { try? FileManager.default.removeItem(at: folder.url) }
        let tenants = ["one", "two", "three"].map { name in
            "  \(name): {database: \(name), table: prometheus, auth: {bearer: [{token_file: \"${PLACE}\"}]}}"
        }
        let start = "version: 1\ntimestream: {backend: local}\ntenants:\n"
        try folder.write("many.yaml", start + tenants.joined(separator: "\n"))
        let configuration = try TenantsFile.load(path: folder.path("many.yaml"), environment: ["PLACE": "open.secret"])
        let warnings = configuration.warnings.filter { $0.path.hasSuffix("token_file") }
        #expect(warnings.map(\.path) == ["tenants.one.auth.bearer[0].token_file"])
        let text = warnings.map(\.description).joined()
        #expect(text.contains("its mode is 0604") && text.contains("chmod 0600 the file"))
        #expect(!text.contains("open.secret"))
    }
}
