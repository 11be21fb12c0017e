import COpenSSL
import Common

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The PEM file of a private key, read without leaving a copy of it behind: OpenSSL's own way goes through a buffer of the
/// C library, which is given back as it is.
enum PrivateKeyFile {
    /// The key, to be freed by the caller. Nobody is asked for a password: an encrypted key fails.
    @unsafe static func key(_ path: String) throws(TLSConfigurationError) -> OpaquePointer {
        var bytes = try Self.bytes(path)
        defer { bytes.overwrite() }
        OpenSSLError.clear()
        let key = unsafe bytes.withUnsafeBytes { bytes -> OpaquePointer? in
            // Reads where the bytes are; an empty file has no address.
            guard let start = bytes.baseAddress,
                let reader = unsafe BIO_new_mem_buf(start, Int32(clamping: bytes.count))
            else { return nil }
            defer { unsafe BIO_free_all(reader) }
            return unsafe PEM_read_bio_PrivateKey(reader, nil, { _, _, _, _ in -1 }, nil)
        }
        guard let key = unsafe key else {
            throw TLSConfigurationError(
                code: .invalidPrivateKey,
                file: path,
                found: "holds no usable private key: \(OpenSSLError.take()?.text ?? "no reason given")",
                remedy: "write the key as PEM, not encrypted (openssl pkey -in old.key -out new.key)"
            )
        }
        return unsafe key
    }

    private static func bytes(_ path: String) throws(TLSConfigurationError) -> [UInt8] {
        // Without O_NONBLOCK, opening a pipe would wait for a writer.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.unreadable(path) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Self.unreadable(path) }
        // At once as long as it has to be: growing would leave the shorter one behind.
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = unsafe bytes.withUnsafeMutableBytes { room in
                unsafe read(descriptor, room.baseAddress.map { unsafe $0 + filled }, room.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                bytes.overwrite()
                throw Self.unreadable(path)
            }
            guard count > 0 else { break }
            filled += count
        }
        return bytes
    }

    private static func unreadable(_ path: String) -> TLSConfigurationError {
        TLSConfigurationError(
            code: .unreadableFile,
            file: path,
            found: "cannot be read: \(unsafe String(cString: strerror(errno)))",
            remedy: "check the path, and that the gateway's user may read the file"
        )
    }
}
