import COpenSSL
import Common

/// The certificates of one CA file, as SHA-256 digests of their DER form.
struct CertificateAuthority: Sendable, Equatable {
    let digests: Set<[UInt8]>

    /// Why a CA file cannot be used; the text is for the operator.
    struct Failure: Error, Equatable {
        var message: String
    }

    init(digests: Set<[UInt8]>) {
        self.digests = digests
    }

    /// Reads every certificate of a PEM file; other kinds of blocks are skipped.
    init(pemFile path: String) throws(Failure) {
        ERR_clear_error()
        guard let file = unsafe BIO_new_file(path, "r") else {
            ERR_clear_error()
            throw Failure(message: "the file cannot be opened")
        }
        defer { unsafe BIO_free_all(file) }
        var digests: Set<[UInt8]> = []
        while let certificate = unsafe PEM_read_bio_X509(file, nil, nil, nil) {
            defer { unsafe X509_free(certificate) }
            var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
            var length: UInt32 = 0
            guard unsafe X509_digest(certificate, EVP_sha256(), &digest, &length) == 1 else {
                ERR_clear_error()
                throw Failure(message: "certificate \(digests.count + 1) cannot be digested")
            }
            digests.insert(Array(digest.prefix(Int(length))))
        }
        // The end of the file is reported as "no start line"; everything else is a block that is broken.
        let isAtEnd = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
        ERR_clear_error()
        guard isAtEnd else { throw Failure(message: "certificate \(digests.count + 1) is not valid PEM") }
        guard !digests.isEmpty else { throw Failure(message: "the file holds no PEM certificate") }
        self.digests = digests
    }

    /// Whether a verified chain contains one of the CA's certificates.
    func anchors(_ chainDigests: [[UInt8]]) -> Bool {
        chainDigests.contains { self.digests.contains($0) }
    }
}
