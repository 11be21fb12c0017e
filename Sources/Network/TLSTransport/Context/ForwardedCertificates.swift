import COpenSSL
package import Common

/// Judges client certificates that another server has seen in a handshake and hands on as PEM.
///
/// That server has proof of the private key; here the chain is verified again, against the authorities that tenants are
/// bound to. Only the certificate itself is handed on, so its issuer must be among these.
@safe package final class ForwardedCertificates: Sendable {
    /// Safe because it is filled before anybody else sees it, and OpenSSL guards its own caches and reference counts.
    private nonisolated(unsafe) let store: OpaquePointer

    /// - Parameter authorityPaths: PEM files of certificates to trust.
    package init(authorityPaths: [String]) throws(TLSConfigurationError) {
        OpenSSLError.clear()
        guard let store = unsafe X509_STORE_new() else { throw Self.failure(nil) }
        unsafe self.store = store
        for path in authorityPaths {
            guard unsafe X509_STORE_load_locations(store, path, nil) == 1 else { throw Self.failure(path) }
        }
        // The issuer may itself be an intermediate: a tenant's own authority is where its trust ends.
        unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    deinit {
        unsafe X509_STORE_free(self.store)
    }

    /// - Returns: nil for a certificate that is broken, expired, not for clients, of another authority, or ambiguous.
    package func identity(ofPEM text: String) -> PeerIdentity? {
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        guard let certificate = Self.certificate(text), let context = unsafe X509_STORE_CTX_new() else {
            return nil
        }
        defer { unsafe X509_STORE_CTX_free(context) }
        guard unsafe X509_STORE_CTX_init(context, self.store, certificate.pointer, nil) == 1,
            unsafe X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT) == 1,
            unsafe X509_verify_cert(context) == 1,
            let chain = unsafe X509_STORE_CTX_get0_chain(context),
            let names = unsafe try? CertificateFacts.names(certificate.pointer)
        else { return nil }
        return PeerIdentity(
            commonName: names.commonName,
            dnsNames: names.dnsNames,
            uris: names.uris,
            emails: names.emails,
            chainDigests: unsafe CertificateFacts.members(chain).map { unsafe CertificateFacts.digest($0) },
            notAfterSeconds: unsafe CertificateFacts.notAfterSeconds(certificate.pointer)
        )
    }

    private static func certificate(_ text: String) -> Certificate? {
        guard let reader = unsafe BIO_new(BIO_s_mem()) else { return nil }
        defer { unsafe BIO_free_all(reader) }
        let bytes = Array(text.utf8)
        let written = unsafe bytes.withUnsafeBytes {
            unsafe BIO_write(reader, $0.baseAddress, Int32(clamping: $0.count))
        }
        guard Int(written) == bytes.count, let pointer = unsafe PEM_read_bio_X509(reader, nil, nil, nil) else {
            return nil
        }
        return unsafe Certificate(owned: pointer)
    }

    private static func failure(_ path: String?) -> TLSConfigurationError {
        TLSConfigurationError(
            code: .invalidAuthority,
            file: path,
            found: OpenSSLError.take()?.text ?? "cannot be used",
            remedy: "give a PEM file of CA certificates"
        )
    }
}
