import Common
import Glibc

/// The files that a configuration was made of, and what stood in them.
package struct ConfigurationFiles: Sendable {
    private struct Entry {
        /// What a change of the file changes too, so that unchanged ones need not be read again.
        var stamp: FileStamp?
        /// SHA-256 of the content; absent if it could not be read.
        var digest: [UInt8]?
        var limitBytes: Int
        var isSecret: Bool
    }
    private var entries: [String: Entry] = [:]

    package init() {}

    mutating func read(
        _ path: String,
        limitBytes: Int,
        isSecret: Bool
    ) throws(FileContents.Failure) -> FileContents {
        // Before the content: a change between the two makes the next look read again.
        var entry = Entry(stamp: FileStamp(path), digest: nil, limitBytes: limitBytes, isSecret: isSecret)
        do {
            let contents = try FileContents.read(path, limitBytes: limitBytes)
            entry.digest = sha256(contents.bytes)
            self.entries[path] = entry
            return contents
        } catch {
            self.entries[path] = entry
            throw error
        }
    }

    /// The same files as they are now.
    package func readAgain() -> ConfigurationFiles {
        var files = self
        for (path, entry) in self.entries {
            // A file that was just written can change once more within its stamp's resolution: such a stamp is no proof.
            if let stamp = entry.stamp, stamp.isSettled, stamp == FileStamp(path) { continue }
            var contents = try? files.read(path, limitBytes: entry.limitBytes, isSecret: entry.isSecret)
            if entry.isSecret { contents?.bytes.overwrite() }
        }
        return files
    }

    /// Whether all files hold the same, whatever their dates and inodes are.
    package func holdTheSame(as other: ConfigurationFiles) -> Bool {
        self.entries.count == other.entries.count
            && self.entries.allSatisfy { path, entry in
                guard let theirs = other.entries[path] else { return false }
                return theirs.digest == entry.digest
            }
    }

    /// The same number for the same configuration file, certificates and revocation lists; keys and other secret files say
    /// nothing in it. 48 bits, which a floating-point number holds exactly.
    package var hash: Int {
        var bytes: [UInt8] = []
        for (path, entry) in self.entries.sorted(by: { $0.key < $1.key }) where !entry.isSecret {
            bytes += Array(path.utf8) + [0] + (entry.digest ?? []) + [0]
        }
        return sha256(bytes).prefix(6).reduce(0) { $0 << 8 | Int($1) }
    }
}

/// What tells one state of a file from another without reading it. Symbolic links are followed.
private struct FileStamp: Equatable {
    private var device: UInt64
    private var inode: UInt64
    private var size: Int
    private var modified: [Int]
    /// Whether the last change lies far enough before the look.
    var isSettled: Bool

    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
        self.size = Int(status.st_size)
        self.modified = [
            status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
        ]
        self.isSettled = time(nil) - status.st_ctim.tv_sec > 2
    }

    static func == (left: FileStamp, right: FileStamp) -> Bool {
        left.device == right.device && left.inode == right.inode && left.size == right.size
            && left.modified == right.modified
    }
}
