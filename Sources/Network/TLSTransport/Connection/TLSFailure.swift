import COpenSSL

/// How a handshake ended; a metric's label.
package enum TLSHandshakeResult: String, CaseIterable, Sendable {
    /// A full handshake.
    case succeeded = "ok"
    /// An abbreviated one, from a ticket.
    case resumed
    /// The client's certificate does not verify.
    case clientCertificateInvalid = "client_certificate_invalid"
    /// Nor can it: a revocation list of its CA is past its next update, or not yet valid, so nobody knows.
    case revocationListExpired = "revocation_list_expired"
    case noClientCertificate = "no_client_certificate"
    /// No version, cipher or application protocol in common.
    case nothingInCommon = "nothing_in_common"
    /// The client ended it with an alert; mostly it does not trust our certificate.
    case refusedByPeer = "refused_by_peer"
    /// Plain HTTP on a TLS port.
    case plainHTTP = "plain_http"
    case protocolError = "protocol_error"
    case timedOut = "timed_out"
    /// The client closed before the end.
    case disconnected
    /// The listener was drained before the end.
    case drained
    /// It took its time while others waited, from a network that had more under way than they.
    case displaced
}

/// A failed handshake or a broken connection.
package struct TLSFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package var result: TLSHandshakeResult
    /// OpenSSL's words; for logs.
    package var detail: String

    package var description: String { "\(self.result.rawValue): \(self.detail)" }

    init(_ result: TLSHandshakeResult, _ detail: String) {
        self.result = result
        self.detail = detail
    }

    /// From what OpenSSL left in its queue, and from its verdict on the client's certificate.
    init(_ error: OpenSSLError?, verifyResult: Int) {
        guard let error else {
            self.init(.protocolError, "no reason given")
            return
        }
        guard error.library == ERR_LIB_SSL else {
            // A signature that does not verify leaves the words of the algorithm's own library first.
            if verifyResult == Int(X509_V_OK) {
                self.init(.protocolError, error.text)
            } else {
                self.init(verdict: verifyResult, otherwise: error.text)
            }
            return
        }
        switch error.reason {
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            self.init(.noClientCertificate, error.text)
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            self.init(verdict: verifyResult, otherwise: error.text)
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE,
            SSL_R_NO_APPLICATION_PROTOCOL, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
            self.init(.nothingInCommon, error.text)
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
            self.init(.plainHTTP, error.text)
        case SSL_AD_REASON_OFFSET..<(SSL_AD_REASON_OFFSET + 256):
            self.init(.refusedByPeer, error.text)
        default:
            self.init(.protocolError, error.text)
        }
    }

    /// From what OpenSSL says of a client's certificate.
    init(verdict: Int, otherwise text: String) {
        let words = unsafe X509_verify_cert_error_string(verdict).map { unsafe String(cString: $0) }
        switch Int32(truncatingIfNeeded: verdict) {
        case X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_CRL_NOT_YET_VALID:
            self.init(.revocationListExpired, words ?? text)
        default:
            self.init(.clientCertificateInvalid, words ?? text)
        }
    }
}
