import COpenSSL
import Common
import NIOCore

/// One TLS connection of a server: bytes in, bytes out, no channel.
///
/// After every call that may have made output (all but the getters) the caller collects `takeOutput`.
@safe final class TLSConnection {
    private let ssl: OpaquePointer
    /// OpenSSL keeps its own context as long as a connection needs it, but not what its callbacks are given.
    private let context: TLSServerContext
    private let buffers = CiphertextBuffers()

    init(_ context: TLSServerContext) throws(TLSFailure) {
        OpenSSLError.clear()
        guard let ssl = unsafe SSL_new(context.pointer) else {
            throw TLSFailure(.protocolError, OpenSSLError.take()?.text ?? "no memory")
        }
        guard let bio = unsafe ByteBufferBIO.make(self.buffers) else {
            unsafe SSL_free(ssl)
            throw TLSFailure(.protocolError, "no memory")
        }
        // One BIO for both ways: a single reference goes over.
        unsafe SSL_set_bio(ssl, bio, bio)
        unsafe SSL_set_accept_state(ssl)
        unsafe self.ssl = ssl
        self.context = context
    }

    deinit {
        unsafe SSL_free(self.ssl)
    }

    // MARK: Ciphertext

    /// Takes bytes that came from the peer.
    func receive(_ buffer: ByteBuffer) {
        if self.buffers.inbound.readableBytes == 0 {
            self.buffers.inbound = buffer
        } else {
            self.buffers.inbound.writeImmutableBuffer(buffer)
        }
    }

    /// How many bytes the peer's plaintext can have at most.
    var inboundBytes: Int { self.buffers.inbound.readableBytes }

    /// What must go to the peer.
    func takeOutput() -> ByteBuffer? {
        guard self.buffers.outbound.readableBytes > 0 else { return nil }
        let output = self.buffers.outbound
        self.buffers.outbound = ByteBuffer()
        return output
    }

    // MARK: Handshake

    enum HandshakeStep {
        case complete
        case wantsInput
        case failed(TLSFailure)
    }

    func handshake() -> HandshakeStep {
        OpenSSLError.clear()
        let status = unsafe SSL_do_handshake(self.ssl)
        if status == 1 { return .complete }
        switch unsafe SSL_get_error(self.ssl, status) {
        case SSL_ERROR_WANT_READ: return .wantsInput
        default:
            return .failed(TLSFailure(OpenSSLError.take(), verifyResult: unsafe SSL_get_verify_result(self.ssl)))
        }
    }

    var isResumed: Bool { unsafe SSL_session_reused(self.ssl) == 1 }

    /// What ALPN agreed on.
    var negotiatedProtocol: String? {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        unsafe SSL_get0_alpn_selected(self.ssl, &name, &length)
        guard let name = unsafe name, length > 0 else { return nil }
        return unsafe String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    /// Who the client's verified certificate says it is; `nil` without one.
    ///
    /// - Throws: when there is a certificate whose chain cannot be told: never taken for no certificate.
    func peerIdentity() throws(TLSFailure) -> PeerIdentity? {
        guard let leaf = unsafe SSL_get0_peer_certificate(self.ssl) else { return nil }
        guard unsafe SSL_get_verify_result(self.ssl) == Int(X509_V_OK) else {
            throw TLSFailure(.clientCertificateInvalid, "a certificate that was not verified")
        }
        let chainDigests = self.chainDigests()
        guard !chainDigests.isEmpty, unsafe chainDigests.first == CertificateFacts.digest(leaf) else {
            throw TLSFailure(.clientCertificateInvalid, "a session without its certificate's chain")
        }
        return unsafe try Self.identity(leaf, chainDigests)
    }

    /// Who the client is under another context's authorities and revocation lists, by the certificates it has shown.
    ///
    /// A resumed session has the client's own certificate alone: where its chain needs an intermediate, this fails, and
    /// the client has to show it again.
    ///
    /// - Throws: when its certificate does not verify there, or it has none and the other context demands one.
    func peerIdentity(under context: TLSServerContext) throws(TLSFailure) -> PeerIdentity? {
        guard context.clientAuthentication != .none else { return nil }
        guard let leaf = unsafe SSL_get0_peer_certificate(self.ssl) else {
            guard context.clientAuthentication == .request else {
                throw TLSFailure(.noClientCertificate, "a certificate is demanded now")
            }
            return nil
        }
        let chainDigests = unsafe try context.verify(leaf, intermediates: SSL_get_peer_cert_chain(self.ssl))
        return unsafe try Self.identity(leaf, chainDigests)
    }

    private static func identity(_ leaf: OpaquePointer, _ chainDigests: [[UInt8]]) throws(TLSFailure) -> PeerIdentity {
        do throws(CertificateFacts.AmbiguousName) {
            let names = unsafe try CertificateFacts.names(leaf)
            return PeerIdentity(
                commonName: names.commonName,
                dnsNames: names.dnsNames,
                uris: names.uris,
                emails: names.emails,
                chainDigests: chainDigests,
                notAfterSeconds: unsafe CertificateFacts.notAfterSeconds(leaf)
            )
        } catch {
            throw TLSFailure(.clientCertificateInvalid, "an ambiguous name")
        }
    }

    /// Of the chain verified now, or of the one that was verified before the session's ticket was made.
    private func chainDigests() -> [[UInt8]] {
        if let chain = unsafe SSL_get0_verified_chain(self.ssl) {
            return unsafe CertificateFacts.members(chain).map { unsafe CertificateFacts.digest($0) }
        }
        guard self.isResumed, let session = unsafe SSL_get_session(self.ssl) else { return [] }
        return unsafe TicketNote.of(session)?.chainDigests ?? []
    }

    // MARK: Plaintext

    enum ReadStep {
        case bytes
        case wantsInput
        /// The peer has said that nothing more will come.
        case closed
        case failed(TLSFailure)
    }

    /// Appends the next record's plaintext.
    func read(into buffer: inout ByteBuffer) -> ReadStep {
        OpenSSLError.clear()
        var status: Int32 = 0
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 512) { target in
            var count = 0
            status = unsafe SSL_read_ex(self.ssl, target.baseAddress, target.count, &count)
            return status == 1 ? count : 0
        }
        if status == 1 { return .bytes }
        switch unsafe SSL_get_error(self.ssl, status) {
        case SSL_ERROR_WANT_READ: return .wantsInput
        case SSL_ERROR_ZERO_RETURN: return .closed
        default: return .failed(TLSFailure(OpenSSLError.take(), verifyResult: Int(X509_V_OK)))
        }
    }

    /// Encrypts; one record for each 16 KiB begun.
    func write(_ buffer: ByteBuffer) throws(TLSFailure) {
        guard buffer.readableBytes > 0 else { return }
        // A record adds at most 5 + 256 bytes.
        self.buffers.outbound.reserveCapacity(minimumWritableBytes: buffer.readableBytes + 512)
        OpenSSLError.clear()
        var written = 0
        let status = unsafe buffer.withUnsafeReadableBytes { bytes in
            unsafe SSL_write_ex(self.ssl, bytes.baseAddress, bytes.count, &written)
        }
        guard status == 1, written == buffer.readableBytes else {
            throw TLSFailure(OpenSSLError.take(), verifyResult: Int(X509_V_OK))
        }
    }

    /// Says that nothing more will come from us.
    func sendCloseNotify() {
        OpenSSLError.clear()
        _ = unsafe SSL_shutdown(self.ssl)
        OpenSSLError.clear()
    }
}

@available(*, unavailable)
extension TLSConnection: Sendable {}
