import Glibc

/// Keeps a second engine, of this process or another, away from a directory: what the writer remembers would not be true.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Makes the directory if it is not there.
    init(directory: String) throws(LocalEngineError) {
        var path = directory.hasPrefix("/") ? "/" : ""
        for part in directory.split(separator: "/") {
            path += (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
                throw LocalEngineError("\(path) cannot be made: \(Self.reason())")
            }
        }
        let descriptor = unsafe Glibc.open("\(directory)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LocalEngineError("\(directory)/lock: \(Self.reason())") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            _ = Glibc.close(descriptor)
            throw LocalEngineError("\(directory) is in use by another engine")
        }
        self.descriptor = descriptor
    }

    /// Lets another engine in.
    func release() {
        flock(self.descriptor, LOCK_UN)
    }

    deinit {
        _ = Glibc.close(self.descriptor)
    }

    private static func reason() -> String {
        unsafe String(cString: strerror(errno))
    }
}
