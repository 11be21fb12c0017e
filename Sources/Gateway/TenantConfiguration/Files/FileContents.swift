import Common
import Glibc

/// A file, read as a whole and with a bound.
struct FileContents {
    var bytes: [UInt8]
    var readers: FileReaders

    static let largestConfigurationBytes = 64 << 20
    static let largestPEMBytes = 16 << 20
    static let largestSecretBytes = 64 << 10

    /// Why a file cannot be read; words for the operator.
    struct Failure: Error, Equatable {
        var message: String
    }

    static func read(_ path: String, limitBytes: Int) throws(Failure) -> FileContents {
        // Without O_NONBLOCK, opening a pipe would wait for a writer.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Self.failure(errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw Failure(message: "is a folder, not a file")
        default: throw Failure(message: "is not an ordinary file")
        }
        guard status.st_size <= limitBytes else { throw Self.tooLarge(limitBytes) }

        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(status.st_size))
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        defer { chunk.overwrite() }
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { break }
            if count < 0 {
                guard errno == EINTR else { throw Self.failure(errno) }
                continue
            }
            bytes.append(contentsOf: chunk[..<count])
            // The file may have grown since it was asked for its size.
            guard bytes.count <= limitBytes else { throw Self.tooLarge(limitBytes) }
        }
        return FileContents(bytes: bytes, readers: FileReaders(status))
    }

    /// Whether something other than a folder stands at the path.
    static func isOtherThanFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
    }

    private static func tooLarge(_ limitBytes: Int) -> Failure {
        let size = limitBytes >= 1 << 20 ? "\(limitBytes >> 20) MiB" : "\(limitBytes >> 10) KiB"
        return Failure(message: "is larger than \(size)")
    }

    private static func failure(_ code: Int32) -> Failure {
        switch code {
        case ENOENT: Failure(message: "no such file")
        case ENOTDIR: Failure(message: "no such file: part of the path is not a folder")
        case EACCES, EPERM: Failure(message: "permission denied: this process may not read the file")
        case ELOOP: Failure(message: "too many symbolic links")
        case ENAMETOOLONG: Failure(message: "the path is too long")
        default: Failure(message: unsafe "cannot be read: \(String(cString: strerror(code)))")
        }
    }
}
