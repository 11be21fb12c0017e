import CCurl

/// Why a transfer did not end in a complete answer.
package struct UpstreamError: Error, Sendable, CustomStringConvertible {
    /// A closed set: also the value of the metric label `result`.
    package enum Code: String, Sendable, CaseIterable {
        /// The request or the configuration cannot be sent at all; nothing left this machine.
        case invalidRequest = "invalid_request"
        /// The host's (or proxy's) name does not resolve.
        case nameResolution = "name_resolution"
        /// No connection: refused, unreachable, or not within the connect time-out.
        case connectFailed = "connect_failed"
        /// The connection broke before the answer was complete.
        case connectionLost = "connection_lost"
        /// The upstream's certificate is not one we trust: somebody has to mend the bundle, the proxy or the name.
        case tlsVerification = "tls_verification"
        /// The TLS handshake failed for another reason.
        case tlsFailed = "tls_failed"
        /// No complete answer before the deadline.
        case timedOut = "timed_out"
        /// What came is not HTTP/1.
        case malformedResponse = "malformed_response"
        /// The answer is larger than allowed.
        case responseTooLarge = "response_too_large"
        /// Too many transfers run and wait already.
        case overloaded
        /// The calling task was cancelled.
        case cancelled
        /// The client was shut down.
        case shutDown = "shut_down"
        /// libcurl failed in a way that is no upstream's fault.
        case library
    }

    package var code: Code
    /// What happened, for logs: names the host, never headers or bodies.
    package var message: String

    package init(_ code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "upstream: \(self.code.rawValue): \(self.message)" }

    /// What libcurl's result of a finished transfer means.
    ///
    /// - Parameter hadConnection: whether connect and handshake were over.
    init(result: CURLcode, hadConnection: Bool, deadlinePassed: Bool, message: String) {
        let code: Code =
            switch result {
            case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_LOGIN_DENIED: .invalidRequest
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .nameResolution
            case CURLE_COULDNT_CONNECT, CURLE_PROXY: .connectFailed
            case CURLE_OPERATION_TIMEDOUT: hadConnection || deadlinePassed ? .timedOut : .connectFailed
            case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE: .connectionLost
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CACERT_BADFILE,
                CURLE_SSL_CRL_BADFILE, CURLE_SSL_INVALIDCERTSTATUS:
                .tlsVerification
            case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_USE_SSL_FAILED,
                CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED:
                .tlsFailed
            // The scheme was checked before; what is left of this result is an answer that is not HTTP/1.
            case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING: .malformedResponse
            case CURLE_FILESIZE_EXCEEDED: .responseTooLarge
            default: .library
            }
        self.init(code, message: message)
    }
}
