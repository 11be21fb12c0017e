import Foundation
import Testing

@testable import TenantConfiguration

/// A folder of files, removed at the end.
private final class Folder {
    let path = NSTemporaryDirectory() + "files-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(self.path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    func files(_ names: [String], secret: Set<String> = []) -> ConfigurationFiles {
        var files = ConfigurationFiles()
        for name in names {
            _ = try? files.read("\(self.path)/\(name)", limitBytes: 1000, isSecret: secret.contains(name))
        }
        return files
    }
}

@Suite("The files of a configuration")
struct ConfigurationFilesTests {
    @Test("content counts: rewriting the same is no change, one byte is, and so is coming and going")
    func content() throws {
        let folder = try Folder()
        let path = try folder.write("a", "one")
        let files = folder.files(["a", "absent"])
        #expect(files.readAgain().holdTheSame(as: files))
        try FileManager.default.removeItem(atPath: path)
        #expect(!files.readAgain().holdTheSame(as: files))
        _ = try folder.write("a", "one")
        #expect(files.readAgain().holdTheSame(as: files))
        // The same size, within the same second.
        _ = try folder.write("a", "two")
        #expect(!files.readAgain().holdTheSame(as: files))
        #expect(files.readAgain().readAgain().holdTheSame(as: files.readAgain()))
        _ = try folder.write("a", "one")
        _ = try folder.write("absent", "")
        #expect(!files.readAgain().holdTheSame(as: files))
    }

    @Test("a link that is swapped is a change, as mounted secrets do it")
    func links() throws {
        let folder = try Folder()
        let manager = FileManager.default
        for (version, text) in [("1", "old"), ("2", "new")] {
            try manager.createDirectory(atPath: "\(folder.path)/..\(version)", withIntermediateDirectories: true)
            _ = try folder.write("..\(version)/key", text)
        }
        try manager.createSymbolicLink(atPath: "\(folder.path)/..data", withDestinationPath: "..1")
        try manager.createSymbolicLink(atPath: "\(folder.path)/key", withDestinationPath: "..data/key")
        let files = folder.files(["key"])
        try manager.createSymbolicLink(atPath: "\(folder.path)/..tmp", withDestinationPath: "..2")
        #expect(rename("\(folder.path)/..tmp", "\(folder.path)/..data") == 0)
        #expect(!files.readAgain().holdTheSame(as: files))
    }

    @Test("the hash is of what is no secret, and fits a floating-point number")
    func hash() throws {
        let folder = try Folder()
        _ = try folder.write("a", "one")
        _ = try folder.write("key", "secret")
        let hash = folder.files(["a", "key"], secret: ["key"]).hash
        #expect(hash > 0 && hash < 1 << 48)
        _ = try folder.write("key", "other")
        #expect(folder.files(["key", "a"], secret: ["key"]).hash == hash)
        _ = try folder.write("a", "two")
        #expect(folder.files(["a", "key"], secret: ["key"]).hash != hash)
    }

    @Test("a load tells every file it looked at, also one that failed")
    func load() throws {
        let folder = try Folder()
        let config = try folder.write(
            "t.yaml",
            """
            version: 1
            timestream: {backend: local}
            tenants:
              a: {database: abc, table: abc, auth: {bearer: [{token_file: token}]}}
            """
        )
        let source = ConfigurationSource(path: config, environment: [:])
        let failed = source.load()
        #expect(throws: ConfigurationProblems.self) { try failed.result.get() }
        _ = try folder.write("token", "abcdefghijklmnopqrstuvwxyz")
        #expect(!failed.files.readAgain().holdTheSame(as: failed.files))
        let loaded = source.load()
        let watch = try loaded.result.get().server.watchInterval
        #expect(watch == .seconds(5))
        #expect(loaded.files.readAgain().holdTheSame(as: loaded.files))
        #expect(loaded.files.holdTheSame(as: failed.files.readAgain()))
    }
}
