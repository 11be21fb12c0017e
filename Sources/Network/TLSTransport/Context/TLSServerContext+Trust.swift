import COpenSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension TLSServerContext {
    /// Sets who may sign client certificates.
    static func loadTrust(
        _ context: OpaquePointer,
        _ configuration: TLSServerConfiguration
    ) throws(TLSConfigurationError) -> VerificationPolicy {
        guard configuration.clientAuthentication != .none else {
            return VerificationPolicy(listedAuthorities: [])
        }
        guard configuration.clientCAPath != nil || !configuration.additionalCAPaths.isEmpty else {
            throw TLSConfigurationError(
                code: .missingAuthority,
                file: nil,
                found:
                    "client certificates are asked for (\(configuration.clientAuthentication.rawValue)), but no CA is given",
                remedy: "name a client CA file, or do not ask for client certificates"
            )
        }
        guard let store = unsafe SSL_CTX_get_cert_store(context) else { throw .library("no store") }
        var authorities: [(certificate: Certificate, path: String)] = []
        var listenerAuthorities: Set<[UInt8]> = []
        if let path = configuration.clientCAPath {
            for certificate in try self.authorities(path) {
                guard unsafe SSL_CTX_add_client_CA(context, certificate.pointer) == 1 else {
                    throw .library("client CA")
                }
                listenerAuthorities.insert(unsafe CertificateFacts.digest(certificate.pointer))
                authorities.append((certificate, path))
            }
        }
        for path in configuration.additionalCAPaths {
            for certificate in try self.authorities(path) { authorities.append((certificate, path)) }
        }
        for (certificate, _) in authorities {
            guard unsafe X509_STORE_add_cert(store, certificate.pointer) == 1 else { throw .library("store") }
        }
        try self.checkIssuers(authorities)
        for path in (configuration.crlPath.map { [$0] } ?? []) + configuration.additionalCRLPaths {
            try unsafe self.loadRevocationLists(path, into: store, authorities.map(\.certificate))
        }

        guard unsafe SSL_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT) == 1 else { throw .library("purpose") }
        let require = configuration.clientAuthentication == .require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | require, VerificationPolicy.callback)
        // With tenants' lists alone, nothing is asked of the listener's CA.
        return VerificationPolicy(listedAuthorities: configuration.crlPath == nil ? [] : listenerAuthorities)
    }

    /// The CA certificates of a file; at least one.
    private static func authorities(_ path: String) throws(TLSConfigurationError) -> [Certificate] {
        let file = try PEMFile(path)
        var certificates: [Certificate] = []
        while let certificate = try file.nextCertificate() {
            guard unsafe X509_check_ca(certificate.pointer) != 0 else {
                throw TLSConfigurationError(
                    code: .invalidAuthority,
                    file: path,
                    found: "certificate \(certificates.count + 1) is no CA certificate",
                    remedy: "leave only CA certificates in the file (basicConstraints CA:TRUE)"
                )
            }
            certificates.append(certificate)
        }
        guard !certificates.isEmpty else {
            throw TLSConfigurationError(
                code: .invalidAuthority,
                file: path,
                found: "holds no certificate",
                remedy: "write the CA's certificate into it, as PEM"
            )
        }
        return certificates
    }

    /// A chain is verified up to a self-signed certificate. An authority whose issuer is missing would refuse everybody, and
    /// trusting it as it stands would cut other tenants' chains short.
    private static func checkIssuers(
        _ authorities: [(certificate: Certificate, path: String)]
    ) throws(TLSConfigurationError) {
        for (certificate, path) in authorities {
            let hasIssuer = authorities.contains { other in
                unsafe X509_check_issued(other.certificate.pointer, certificate.pointer) == X509_V_OK
            }
            guard hasIssuer else {
                throw TLSConfigurationError(
                    code: .invalidAuthority,
                    file: path,
                    found: "holds an intermediate CA whose issuer is in none of the CA files",
                    remedy: "add the root CA's certificate to the file"
                )
            }
        }
    }

    private static func loadRevocationLists(
        _ path: String,
        into store: OpaquePointer,
        _ authorities: [Certificate]
    ) throws(TLSConfigurationError) {
        func failure(_ found: String, _ remedy: String) -> TLSConfigurationError {
            TLSConfigurationError(code: .invalidRevocationList, file: path, found: found, remedy: remedy)
        }
        let file = try PEMFile(path)
        var count = 0
        while let list = unsafe try file.nextRevocationList() {
            defer { unsafe X509_CRL_free(list) }
            count += 1
            let isIssuedHere = authorities.contains { authority in
                guard let key = unsafe X509_get0_pubkey(authority.pointer) else { return false }
                return unsafe X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority.pointer)) == 0
                    && X509_CRL_verify(list, key) == 1
            }
            guard isIssuedHere else {
                throw failure(
                    "list \(count) is signed by none of the configured CAs",
                    "use the lists of the CAs in client_ca and in the tenants' ca"
                )
            }
            if let next = unsafe X509_CRL_get0_nextUpdate(list), unsafe CertificateFacts.seconds(next) < time(nil) {
                throw failure(
                    "list \(count) has expired, so every certificate of its CA would be refused",
                    "fetch the CA's current list"
                )
            }
            guard unsafe X509_STORE_add_crl(store, list) == 1 else { throw .library("revocation list") }
        }
        guard count > 0 else { throw failure("holds no revocation list", "write the CA's list into it, as PEM") }
        // Of the whole chain: a revoked intermediate vouches for nobody.
        let flags = UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)
        guard unsafe X509_STORE_set_flags(store, flags) == 1 else { throw .library("CRL check") }
    }
}
