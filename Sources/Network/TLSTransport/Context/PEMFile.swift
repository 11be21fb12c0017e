import COpenSSL

/// One certificate, owned.
@safe final class Certificate {
    let pointer: OpaquePointer

    /// - Parameter owned: a reference that this object takes over.
    init(owned: OpaquePointer) {
        unsafe self.pointer = owned
    }

    deinit {
        unsafe X509_free(self.pointer)
    }
}

@available(*, unavailable)
extension Certificate: Sendable {}

/// A PEM file that is read block by block.
@safe struct PEMFile: ~Copyable {
    private let file: OpaquePointer
    private let path: String

    init(_ path: String) throws(TLSConfigurationError) {
        OpenSSLError.clear()
        guard let file = unsafe BIO_new_file(path, "r") else {
            throw TLSConfigurationError(
                code: .unreadableFile,
                file: path,
                found: "cannot be read: \(OpenSSLError.take()?.text ?? "no reason given")",
                remedy: "check the path, and that the gateway's user may read the file"
            )
        }
        unsafe self.file = file
        self.path = path
    }

    deinit {
        unsafe BIO_free_all(self.file)
    }

    /// All bytes of a file, whatever they say.
    static func bytes(of path: String) throws(TLSConfigurationError) -> [UInt8] {
        let file = try PEMFile(path)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = unsafe BIO_read(file.file, &chunk, Int32(chunk.count))
            guard count > 0 else { return bytes }
            bytes += chunk[..<Int(count)]
        }
    }

    /// The next certificate; `nil` at the end of the file. Blocks of other kinds are skipped.
    func nextCertificate() throws(TLSConfigurationError) -> Certificate? {
        OpenSSLError.clear()
        guard let certificate = unsafe PEM_read_bio_X509(self.file, nil, nil, nil) else {
            try self.checkEnd(.invalidCertificate, "a certificate")
            return nil
        }
        return unsafe Certificate(owned: certificate)
    }

    /// The next revocation list, to be freed by the caller; `nil` at the end of the file.
    @unsafe func nextRevocationList() throws(TLSConfigurationError) -> OpaquePointer? {
        OpenSSLError.clear()
        guard let list = unsafe PEM_read_bio_X509_CRL(self.file, nil, nil, nil) else {
            try self.checkEnd(.invalidRevocationList, "a revocation list")
            return nil
        }
        return unsafe list
    }

    /// The end of the file is told as "no start line"; everything else is a broken block.
    private func checkEnd(_ code: TLSConfigurationError.Code, _ what: String) throws(TLSConfigurationError) {
        guard let error = OpenSSLError.take() else { return }
        guard error.library != ERR_LIB_PEM || error.reason != PEM_R_NO_START_LINE else { return }
        throw TLSConfigurationError(
            code: code,
            file: self.path,
            found: "holds \(what) that cannot be read: \(error.text)",
            remedy: "write the file again, as PEM (openssl x509 or openssl crl, -outform PEM)"
        )
    }
}
