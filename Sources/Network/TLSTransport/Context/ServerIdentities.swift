import COpenSSL

/// A further certificate of a listener, for clients that ask for one of its names.
@safe final class ServerIdentity: Sendable {
    // Safe because: complete when `init` returns; OpenSSL only counts references to them afterwards, atomically.
    nonisolated(unsafe) private let leaf: OpaquePointer
    nonisolated(unsafe) private let key: OpaquePointer
    /// A stack of the intermediates; OpenSSL copies it for each connection.
    nonisolated(unsafe) private let chain: OpaquePointer

    /// - Throws: naming the file that cannot be read, or the key that is not the certificate's.
    init(_ files: TLSServerConfiguration.CertificateFiles) throws(TLSConfigurationError) {
        let file = try PEMFile(files.certificateChainPath)
        guard let leaf = try file.nextCertificate() else {
            throw TLSConfigurationError(
                code: .invalidCertificate,
                file: files.certificateChainPath,
                found: "holds no certificate",
                remedy: "write the server's certificate and its intermediates into it, as PEM"
            )
        }
        guard let chain = unsafe OPENSSL_sk_new_null() else { throw .library("no memory") }
        var isComplete = false
        defer { if !isComplete { unsafe Self.free(chain) } }
        while let certificate = try file.nextCertificate() {
            unsafe X509_up_ref(certificate.pointer)
            guard unsafe OPENSSL_sk_push(chain, UnsafeRawPointer(certificate.pointer)) > 0 else {
                unsafe X509_free(certificate.pointer)
                throw .library("no memory")
            }
        }
        let key = unsafe try PrivateKeyFile.key(files.privateKeyPath)
        guard unsafe X509_check_private_key(leaf.pointer, key) == 1 else {
            unsafe EVP_PKEY_free(key)
            OpenSSLError.clear()
            throw TLSConfigurationError(
                code: .keyDoesNotMatch,
                file: files.privateKeyPath,
                found: "is not the key of the certificate in \(files.certificateChainPath)",
                remedy: "use the key that the certificate was made with, and renew both together"
            )
        }
        unsafe X509_up_ref(leaf.pointer)
        unsafe self.leaf = leaf.pointer
        unsafe self.key = key
        unsafe self.chain = chain
        isComplete = true
    }

    deinit {
        unsafe X509_free(self.leaf)
        unsafe EVP_PKEY_free(self.key)
        unsafe Self.free(self.chain)
    }

    private static func free(_ chain: OpaquePointer) {
        while let certificate = unsafe OPENSSL_sk_pop(chain) { unsafe X509_free(OpaquePointer(certificate)) }
        unsafe OPENSSL_sk_free(chain)
    }

    /// Whether the certificate is for the host, by its SAN DNS names; wildcards count as they do for clients.
    fileprivate func isFor(_ host: UnsafePointer<CChar>) -> Bool {
        unsafe Self.isFor(host, self.leaf)
    }

    fileprivate static func isFor(_ host: UnsafePointer<CChar>, _ certificate: OpaquePointer) -> Bool {
        unsafe X509_check_host(certificate, host, 0, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT), nil) == 1
    }

    fileprivate func use(on ssl: OpaquePointer) -> Bool {
        unsafe SSL_certs_clear(ssl)
        return unsafe SSL_use_cert_and_key(ssl, self.leaf, self.key, self.chain, 1) == 1
    }
}

/// Chooses a listener's certificate by the name that a client asks for (SNI).
final class ServerIdentities: Sendable {
    private let further: [ServerIdentity]

    init(_ further: [ServerIdentity]) {
        self.further = further
    }

    /// Called by OpenSSL before a certificate is needed; the listener's first one is in place then, and stays for clients
    /// that ask for its names, for unknown ones, or for none.
    static let callback: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { ssl, argument in
        guard let ssl = unsafe ssl, let argument = unsafe argument else { return 0 }
        guard let host = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return 1 }
        defer { OpenSSLError.clear() }
        if let first = unsafe SSL_get_certificate(ssl), unsafe ServerIdentity.isFor(host, first) { return 1 }
        let identities = unsafe Unmanaged<ServerIdentities>.fromOpaque(argument).takeUnretainedValue()
        guard let identity = identities.further.first(where: { unsafe $0.isFor(host) }) else { return 1 }
        return unsafe identity.use(on: ssl) ? 1 : 0
    }
}
