import COpenSSL
import Common
import Synchronization

/// What a context needs to take the place of another one while connections are open.
extension TLSServerContext {
    /// A digest of the rules and files that decide which clients are trusted.
    static func trustDigest(_ configuration: TLSServerConfiguration) throws(TLSConfigurationError) -> [UInt8] {
        var text = Array(configuration.clientAuthentication.rawValue.utf8)
        guard configuration.clientAuthentication != .none else { return sha256(text) }
        // Which file a certificate stands in counts: the listener's are announced, and need a revocation list.
        let files: [(String, [String])] = [
            ("client_ca", configuration.clientCAPath.map { [$0] } ?? []),
            ("ca", configuration.additionalCAPaths),
            ("crl", configuration.crlPath.map { [$0] } ?? []),
            ("tenant crl", configuration.additionalCRLPaths),
        ]
        for (kind, paths) in files {
            for path in paths {
                text += [0] + Array(kind.utf8) + [0]
                text += sha256(try PEMFile.bytes(of: path))
            }
        }
        return sha256(text)
    }

    /// Verifies a client's certificate as a handshake would.
    ///
    /// - Returns: the digests of the verified chain, leaf first.
    func verify(_ leaf: OpaquePointer, intermediates: OpaquePointer?) throws(TLSFailure) -> [[UInt8]] {
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        let store = unsafe SSL_CTX_get_cert_store(self.pointer)
        guard let verification = unsafe X509_STORE_CTX_new() else { throw TLSFailure(.protocolError, "no memory") }
        defer { unsafe X509_STORE_CTX_free(verification) }
        guard unsafe X509_STORE_CTX_init(verification, store, leaf, intermediates) == 1,
            unsafe X509_STORE_CTX_set_default(verification, "ssl_client") == 1,
            unsafe X509_STORE_CTX_set_ex_data(verification, 0, Unmanaged.passUnretained(self.policy).toOpaque()) == 1
        else { throw TLSFailure(.protocolError, OpenSSLError.take()?.text ?? "no memory") }
        // Key sizes and digests are held to what the listener's handshakes hold them to.
        let parameters = unsafe X509_STORE_CTX_get0_param(verification)
        unsafe X509_VERIFY_PARAM_set_auth_level(parameters, SSL_CTX_get_security_level(self.pointer))
        unsafe X509_STORE_CTX_set_verify_cb(verification, VerificationPolicy.callbackOutsideHandshake)
        guard unsafe X509_verify_cert(verification) == 1,
            let chain = unsafe X509_STORE_CTX_get0_chain(verification)
        else {
            throw TLSFailure(verdict: Int(unsafe X509_STORE_CTX_get_error(verification)), otherwise: "not verified")
        }
        return unsafe CertificateFacts.members(chain).map { unsafe CertificateFacts.digest($0) }
    }
}

/// The context that new connections of a listener take; replaced while it serves.
package final class TLSContextSource: Sendable {
    /// A context, and how many times the rules of trust had changed when it came.
    struct Current: Sendable {
        var context: TLSServerContext
        var trustGeneration: Int
    }

    private let state: Locked<Current>
    private let generation = Atomic<Int>(0)

    package init(_ context: TLSServerContext) {
        self.state = Locked(Current(context: context, trustGeneration: 0))
    }

    /// Also what a replacement is made from.
    package var context: TLSServerContext { self.current.context }

    var current: Current { self.state.withLock { $0 } }

    /// Forgets ticket keys that are past their time; for times in which no handshake does.
    package func dropOldTicketKeys() {
        self.current.context.ticketKeys.dropOld()
    }

    /// Cheap enough to be asked before each request.
    var trustGeneration: Int { self.generation.load(ordering: .acquiring) }

    /// What `trustGeneration` would be once the context is replaced by this one.
    package func trustGeneration(with context: TLSServerContext) -> Int {
        self.state.withLock { $0.trustGeneration + ($0.context.trustDigest == context.trustDigest ? 0 : 1) }
    }

    /// - Returns: whether other clients may be trusted now, so that open connections have to be looked at again.
    package func replace(with context: TLSServerContext) -> Bool {
        self.state.withLock { current in
            let isTrustChanged = current.context.trustDigest != context.trustDigest
            if isTrustChanged {
                current.trustGeneration += 1
                // Nobody opens its tickets any more, however long connections hold the old context.
                current.context.ticketKeys.clear()
            }
            current.context = context
            self.generation.store(current.trustGeneration, ordering: .releasing)
            return isTrustChanged
        }
    }
}
