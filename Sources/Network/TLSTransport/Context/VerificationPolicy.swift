import COpenSSL

/// What is asked of a client certificate beside a chain to a trusted authority.
final class VerificationPolicy: Sendable {
    /// Digests of the authorities whose certificates a revocation list must cover: the listener's own client CA, if it has
    /// a list at all.
    private let listedAuthorities: Set<[UInt8]>

    init(listedAuthorities: Set<[UInt8]>) {
        self.listedAuthorities = listedAuthorities
    }

    /// Called by OpenSSL for every certificate of a chain, and for every fault it finds.
    static let callback: @convention(c) (Int32, OpaquePointer?) -> Int32 = { isGood, store in
        guard let store = unsafe store,
            let ssl = unsafe X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
            let context = unsafe TLSServerContext.of(OpaquePointer(ssl))
        else { return 0 }
        return unsafe context.policy.decide(isGood: isGood == 1, store) ? 1 : 0
    }

    /// The same for a chain that is verified outside of a handshake, which has the policy itself.
    static let callbackOutsideHandshake: @convention(c) (Int32, OpaquePointer?) -> Int32 = { isGood, store in
        guard let store = unsafe store, let data = unsafe X509_STORE_CTX_get_ex_data(store, 0) else { return 0 }
        let policy = unsafe Unmanaged<VerificationPolicy>.fromOpaque(data).takeUnretainedValue()
        return unsafe policy.decide(isGood: isGood == 1, store) ? 1 : 0
    }

    private func decide(isGood: Bool, _ store: OpaquePointer) -> Bool {
        guard isGood else {
            // A tenant's own CA need not publish a list to us; the listener's must, or revocation could be dodged.
            guard unsafe X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL else { return false }
            guard unsafe !self.isListed(store) else { return false }
            // Else the fault stays the connection's verdict although it was forgiven.
            unsafe X509_STORE_CTX_set_error(store, X509_V_OK)
            return true
        }
        guard unsafe X509_STORE_CTX_get_error_depth(store) == 0 else { return true }
        guard let leaf = unsafe X509_STORE_CTX_get_current_cert(store) else { return false }
        do throws(CertificateFacts.AmbiguousName) {
            _ = unsafe try CertificateFacts.names(leaf)
            return true
        } catch {
            unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
            return false
        }
    }

    private func isListed(_ store: OpaquePointer) -> Bool {
        guard let chain = unsafe X509_STORE_CTX_get0_chain(store) else { return true }
        return unsafe CertificateFacts.members(chain).contains {
            self.listedAuthorities.contains(unsafe CertificateFacts.digest($0))
        }
    }
}
