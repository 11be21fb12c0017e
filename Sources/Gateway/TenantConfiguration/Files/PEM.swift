import COpenSSL

/// Why a PEM file is not what it should be; says nothing of its content.
struct PEMFault: Error {
    var message: String
    /// `nil`: give another file.
    var remedy: String?
}

/// Lends OpenSSL's reader over some bytes.
private func withReader<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) throws(PEMFault) -> Result) throws(PEMFault)
    -> Result
{
    ERR_clear_error()
    defer { ERR_clear_error() }
    guard let reader = unsafe BIO_new(BIO_s_mem()) else { throw PEMFault(message: "out of memory") }
    defer { unsafe BIO_free_all(reader) }
    let written = unsafe bytes.withUnsafeBytes { unsafe BIO_write(reader, $0.baseAddress, Int32(clamping: $0.count)) }
    guard bytes.isEmpty || Int(written) == bytes.count else { throw PEMFault(message: "out of memory") }
    return try unsafe body(reader)
}

/// The certificates of a PEM file, the server's own first.
@safe final class PEMCertificates {
    private var certificates: [OpaquePointer] = unsafe []

    /// - Throws: if there is none, or one of them is broken.
    init(_ bytes: [UInt8]) throws(PEMFault) {
        try unsafe withReader(bytes) { reader throws(PEMFault) in
            while let certificate = unsafe PEM_read_bio_X509(reader, nil, nil, nil) {
                unsafe self.certificates.append(certificate)
            }
            // The end of the file is "no start line"; everything else is a block that is broken.
            guard ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE else {
                throw PEMFault(message: unsafe "certificate \(self.certificates.count + 1) of the file is broken")
            }
        }
        guard unsafe !self.certificates.isEmpty else { throw PEMFault(message: "the file holds no PEM certificate") }
    }

    deinit {
        while let certificate = unsafe self.certificates.popLast() { unsafe X509_free(certificate) }
    }

    /// Whether the first certificate's time is over.
    var hasExpired: Bool {
        unsafe self.certificates.first.map { unsafe X509_cmp_current_time(X509_get0_notAfter($0)) < 0 } ?? false
    }

    /// Whether the first certificate was made for the key.
    func belongs(to key: PEMPrivateKey) -> Bool {
        defer { ERR_clear_error() }
        return unsafe self.certificates.first.map { unsafe X509_check_private_key($0, key.key) == 1 } ?? false
    }
}

/// The private key of a PEM file.
@safe final class PEMPrivateKey {
    fileprivate let key: OpaquePointer

    init(_ bytes: [UInt8]) throws(PEMFault) {
        unsafe self.key = try unsafe withReader(bytes) { reader throws(PEMFault) in
            // Without a callback of ours OpenSSL would ask for a password on the terminal.
            guard let key = unsafe PEM_read_bio_PrivateKey(reader, nil, { _, _, _, _ in -1 }, nil) else {
                guard String(decoding: bytes.prefix(4096), as: UTF8.self).contains("ENCRYPTED") else {
                    throw PEMFault(message: "the file holds no PEM private key")
                }
                throw PEMFault(
                    message: "the private key is encrypted, which is not supported yet",
                    remedy: "take the password off: openssl pkey -in ENCRYPTED -out PLAIN, and chmod 600 it"
                )
            }
            return unsafe key
        }
    }

    deinit {
        unsafe EVP_PKEY_free(self.key)
    }
}

/// A PEM file that was read and holds what it should.
struct PEMFile {
    enum Content {
        case certificates(PEMCertificates)
        case privateKey(PEMPrivateKey)
        case revocationList
    }
    /// Absolute.
    var path: String
    var content: Content

    static func revocationList(_ bytes: [UInt8]) throws(PEMFault) -> Content {
        try unsafe withReader(bytes) { reader throws(PEMFault) in
            var count = 0
            while let list = unsafe PEM_read_bio_X509_CRL(reader, nil, nil, nil) {
                defer { unsafe X509_CRL_free(list) }
                count += 1
                if let next = unsafe X509_CRL_get0_nextUpdate(list), unsafe X509_cmp_current_time(next) < 0 {
                    throw PEMFault(
                        message: "list \(count) has expired, so every certificate of its CA would be refused",
                        remedy: "fetch the CA's current list"
                    )
                }
            }
            guard count > 0 else { throw PEMFault(message: "the file holds no PEM certificate revocation list") }
        }
        return .revocationList
    }
}
