import COpenSSL

/// A checked TLS configuration, ready for connections. Files are read once, when it is made.
@safe package final class TLSServerContext: Sendable {
    // Safe because: the context is complete when `init` returns, and OpenSSL lets any thread make connections from a
    // context that nobody changes any more.
    nonisolated(unsafe) let pointer: OpaquePointer
    /// Lives as long as the context, which calls it.
    let policy: VerificationPolicy
    let clientAuthentication: TLSClientAuthentication
    /// As the policy.
    private let identities: ServerIdentities?
    /// Of all that decides which clients are trusted: the mode, the authorities, the revocation lists.
    let trustDigest: [UInt8]
    /// Shared with the context that this one replaces, if clients are trusted by the same rules.
    let ticketKeys: TicketKeys

    /// Reads the files and checks that they fit together.
    ///
    /// - Parameters:
    ///   - previous: what this one is to replace. Its session tickets stay good if clients are trusted by the same
    ///     authorities and lists as before; else nobody resumes what was verified by the old ones.
    ///   - ticketClock: what the keys of session tickets age by.
    /// - Throws: `TLSConfigurationError` naming the file, what is wrong with it, and how to mend it; among others for a
    ///   private key that is not the certificate's.
    package init(
        _ configuration: TLSServerConfiguration,
        replacing previous: TLSServerContext? = nil,
        ticketClock: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) throws(TLSConfigurationError) {
        OpenSSLError.clear()
        guard let context = unsafe SSL_CTX_new(TLS_server_method()) else { throw .library("no context") }
        do throws(TLSConfigurationError) {
            unsafe try Self.setProtocol(context, configuration)
            unsafe try Self.loadIdentity(context, configuration)
            var further: [ServerIdentity] = []
            for files in configuration.furtherCertificates { further.append(try ServerIdentity(files)) }
            self.identities = further.isEmpty ? nil : ServerIdentities(further)
            self.trustDigest = try Self.trustDigest(configuration)
            self.policy = unsafe try Self.loadTrust(context, configuration)
            // Read again: what was loaded between two equal readings is what was digested.
            guard try self.trustDigest == Self.trustDigest(configuration) else {
                throw TLSConfigurationError(
                    code: .unreadableFile,
                    file: nil,
                    found: "a CA or revocation list changed while it was read",
                    remedy: "load the configuration again"
                )
            }
            if let previous, previous.trustDigest == self.trustDigest {
                self.ticketKeys = previous.ticketKeys
            } else {
                self.ticketKeys = TicketKeys(now: ticketClock)
            }
        } catch {
            unsafe SSL_CTX_free(context)
            throw error
        }
        self.clientAuthentication = configuration.clientAuthentication
        if let identities = self.identities {
            let argument = unsafe Unmanaged.passUnretained(identities).toOpaque()
            unsafe SSL_CTX_set_cert_cb(context, ServerIdentities.callback, argument)
        }
        unsafe self.pointer = context
        // Each connection holds its context, so the callbacks' way back here outlives them.
        unsafe SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
    }

    /// What an OpenSSL context was made for; for its callbacks.
    static func of(_ ssl: OpaquePointer) -> TLSServerContext? {
        guard let context = unsafe SSL_get_SSL_CTX(ssl), let data = unsafe SSL_CTX_get_ex_data(context, 0) else {
            return nil
        }
        return unsafe Unmanaged<TLSServerContext>.fromOpaque(data).takeUnretainedValue()
    }

    deinit {
        unsafe SSL_CTX_free(self.pointer)
    }

    private static func setProtocol(
        _ context: OpaquePointer,
        _ configuration: TLSServerConfiguration
    ) throws(TLSConfigurationError) {
        let (newer, older) = (
            configuration.cipherSuites.filter { $0.hasPrefix("TLS_") },
            configuration.cipherSuites.filter { !$0.hasPrefix("TLS_") }
        )
        // Without a suite that it could use, TLS 1.2 is off.
        let isNewerOnly = configuration.minimumVersion == .tls13 || !newer.isEmpty && older.isEmpty
        let version = isNewerOnly ? TLS1_3_VERSION : TLS1_2_VERSION
        guard unsafe shim_SSL_CTX_set_min_proto_version(context, version) == 1 else { throw .library("version") }
        unsafe shim_SSL_CTX_set_server_options(context)
        // Idle connections keep no record buffers: half the memory of many connections.
        unsafe shim_SSL_CTX_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS))
        // TLS 1.2: forward secrecy and authenticated encryption only, as RFC 9113 (9.2.2) demands for HTTP/2 anyway.
        let ciphers = older.isEmpty ? "ECDHE+AESGCM:ECDHE+CHACHA20" : older.joined(separator: ":")
        guard unsafe SSL_CTX_set_cipher_list(context, ciphers) == 1 else { throw .library("cipher suites") }
        if !newer.isEmpty {
            guard unsafe SSL_CTX_set_ciphersuites(context, newer.joined(separator: ":")) == 1 else {
                throw .library("cipher suites")
            }
        }
        // By default those of Mozilla's recommendation; OpenSSL has more, which cost more and which nobody needs.
        let groups = configuration.groups.isEmpty ? ["X25519", "P-256", "P-384"] : configuration.groups
        guard unsafe shim_SSL_CTX_set1_groups_list(context, groups.joined(separator: ":")) == 1 else {
            throw .library("groups")
        }
        // 112 bits: RSA keys of 2048, curves of 224, no SHA-1; for our certificates and for clients'. A system may demand more.
        unsafe SSL_CTX_set_security_level(context, max(2, SSL_CTX_get_security_level(context)))
        unsafe SSL_CTX_set_alpn_select_cb(context, selectProtocol, nil)

        // Tickets only: nothing is remembered here. Without a session id context, OpenSSL refuses to resume a session that
        // has a client certificate.
        unsafe shim_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        let sessionContext = Array("timestream-gateway".utf8)
        guard unsafe SSL_CTX_set_session_id_context(context, sessionContext, UInt32(sessionContext.count)) == 1,
            unsafe SSL_CTX_set_num_tickets(context, 1) == 1,
            unsafe SSL_CTX_set_session_ticket_cb(context, TicketNote.generate, TicketNote.decrypt, nil) == 1
        else { throw .library("sessions") }
        unsafe SSL_CTX_set_timeout(context, Int(TicketNote.lifetimeSeconds))
        guard unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(context, TicketKeys.callback) == 1 else {
            throw .library("ticket keys")
        }
        if !configuration.sessionTickets {
            unsafe shim_SSL_CTX_set_no_ticket(context)
            // TLS 1.3 would send the ids of remembered sessions instead, and none are remembered.
            guard unsafe SSL_CTX_set_num_tickets(context, 0) == 1 else { throw .library("sessions") }
        }
    }

    private static func loadIdentity(
        _ context: OpaquePointer,
        _ configuration: TLSServerConfiguration
    ) throws(TLSConfigurationError) {
        let certificatePath = configuration.certificateChainPath
        guard try PEMFile(certificatePath).nextCertificate() != nil else {
            throw TLSConfigurationError(
                code: .invalidCertificate,
                file: certificatePath,
                found: "holds no certificate",
                remedy: "write the server's certificate and its intermediates into it, as PEM"
            )
        }
        OpenSSLError.clear()
        guard unsafe SSL_CTX_use_certificate_chain_file(context, certificatePath) == 1 else {
            throw TLSConfigurationError(
                code: .invalidCertificate,
                file: certificatePath,
                found: "is not usable: \(OpenSSLError.take()?.text ?? "no reason given")",
                remedy: "write the server's certificate first, then its intermediates; RSA keys need 2048 bits"
            )
        }
        let keyPath = configuration.privateKeyPath
        let key = unsafe try PrivateKeyFile.key(keyPath)
        defer { unsafe EVP_PKEY_free(key) }
        OpenSSLError.clear()
        if unsafe SSL_CTX_use_PrivateKey(context, key) == 1,
            unsafe SSL_CTX_check_private_key(context) == 1
        {
            return
        }
        let error = OpenSSLError.take()
        let isMismatch =
            error?.library == ERR_LIB_X509
            && (error?.reason == X509_R_KEY_VALUES_MISMATCH || error?.reason == X509_R_KEY_TYPE_MISMATCH)
            || error?.library == ERR_LIB_SSL && error?.reason == SSL_R_NO_CERTIFICATE_ASSIGNED
        throw TLSConfigurationError(
            code: isMismatch ? .keyDoesNotMatch : .invalidPrivateKey,
            file: keyPath,
            found: isMismatch
                ? "is not the key of the certificate in \(certificatePath)"
                : "holds no usable private key: \(error?.text ?? "no reason given")",
            remedy: isMismatch
                ? "use the key that the certificate was made with, and renew both together"
                : "write the key as PEM, not encrypted (openssl pkey -in old.key -out new.key)"
        )
    }
}

/// `h2` before `http/1.1`; a client that offers only others is refused, one that offers none gets HTTP/1.1.
///
/// - Source: RFC 7301, section 3.2.
private let selectProtocol:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
        UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
    ) -> Int32 = { _, chosen, chosenLength, offered, offeredLength, _ in
        guard let offered = unsafe offered, let chosen = unsafe chosen, let chosenLength = unsafe chosenLength else {
            return SSL_TLSEXT_ERR_NOACK
        }
        let names = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredLength))
        for wanted in [Array("h2".utf8), Array("http/1.1".utf8)] {
            var start = 0
            while start < names.count {
                let length = Int(unsafe names[start])
                guard start + 1 + length <= names.count else { break }
                if unsafe names[(start + 1)..<(start + 1 + length)].elementsEqual(wanted) {
                    unsafe chosen.pointee = unsafe offered + start + 1
                    unsafe chosenLength.pointee = UInt8(length)
                    return SSL_TLSEXT_ERR_OK
                }
                start += 1 + length
            }
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
