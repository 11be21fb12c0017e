import Glibc

/// Paths as text; nothing is looked up but the working folder.
enum FilePath {
    /// The absolute path of the folder that a file stands in, as it was named: symbolic links are not followed, since
    /// mounted configuration often is one.
    static func folder(of file: String) -> String {
        let path = Self.absolute(file, from: Self.workingFolder())
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    static func absolute(_ path: String, from folder: String) -> String {
        if path.hasPrefix("/") { return path }
        let relative = path.hasPrefix("./") ? path.dropFirst(2) : path[...]
        return folder.hasSuffix("/") ? folder + relative : "\(folder)/\(relative)"
    }

    private static func workingFolder() -> String {
        guard let buffer = unsafe getcwd(nil, 0) else { return "/" }
        defer { unsafe free(buffer) }
        return unsafe String(cString: buffer)
    }
}
