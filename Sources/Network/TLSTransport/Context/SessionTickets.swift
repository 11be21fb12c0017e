import COpenSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a session ticket remembers of the client's verified chain.
///
/// A ticket carries the leaf alone; the chain that was verified is gone on resumption. So its digests travel in the ticket,
/// sealed by the context's own keys: another context, made for another CA or CRL, cannot open it.
struct TicketNote: Equatable {
    /// Resuming must not stretch one verification: each new ticket keeps the first one's time.
    static let lifetimeSeconds: Int64 = 3600
    private static let version: UInt8 = 1

    var verifiedAtSeconds: Int64
    /// When the first certificate of the chain expires.
    var notAfterSeconds: Int64
    /// Leaf first.
    var chainDigests: [[UInt8]]

    var encoded: [UInt8] {
        var bytes: [UInt8] = [Self.version]
        for number in [self.verifiedAtSeconds, self.notAfterSeconds] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        for digest in self.chainDigests { bytes += digest }
        return bytes
    }

    init(verifiedAtSeconds: Int64, notAfterSeconds: Int64, chainDigests: [[UInt8]]) {
        self.verifiedAtSeconds = verifiedAtSeconds
        self.notAfterSeconds = notAfterSeconds
        self.chainDigests = chainDigests
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count > 17, (bytes.count - 17) % 32 == 0, bytes[0] == Self.version else { return nil }
        func number(at start: Int) -> Int64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | Int64($1) } }
        self.verifiedAtSeconds = number(at: 1)
        self.notAfterSeconds = number(at: 9)
        self.chainDigests = stride(from: 17, to: bytes.count, by: 32).map { Array(bytes[$0..<$0 + 32]) }
    }

    func isGood(nowSeconds: Int64) -> Bool {
        nowSeconds < self.notAfterSeconds && nowSeconds - self.verifiedAtSeconds < Self.lifetimeSeconds
            && nowSeconds >= self.verifiedAtSeconds
    }

    // MARK: Sessions

    /// The note of a session, if it has one.
    static func of(_ session: OpaquePointer) -> TicketNote? {
        var data: UnsafeMutableRawPointer?
        var length = 0
        guard unsafe SSL_SESSION_get0_ticket_appdata(session, &data, &length) == 1, let data = unsafe data else {
            return nil
        }
        return TicketNote(unsafe Array(UnsafeRawBufferPointer(start: data, count: length)))
    }

    /// Called when a ticket is about to be made.
    static let generate: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { ssl, _ in
        // A resumed connection has no verified chain; its session keeps the note it came with.
        guard let ssl = unsafe ssl, let chain = unsafe SSL_get0_verified_chain(ssl) else { return 1 }
        guard let session = unsafe SSL_get_session(ssl) else { return 1 }
        var digests: [[UInt8]] = []
        var notAfter = Int64.max
        let certificates = unsafe CertificateFacts.members(chain)
        for index in unsafe certificates.indices {
            digests.append(unsafe CertificateFacts.digest(certificates[index]))
            notAfter = min(notAfter, unsafe CertificateFacts.notAfterSeconds(certificates[index]))
        }
        let note = TicketNote(verifiedAtSeconds: Int64(time(nil)), notAfterSeconds: notAfter, chainDigests: digests)
        let bytes = note.encoded
        return unsafe SSL_SESSION_set1_ticket_appdata(session, bytes, bytes.count)
    }

    /// Called when a ticket was opened, or could not be.
    static let decrypt:
        @convention(c) (
            OpaquePointer?, OpaquePointer?, UnsafePointer<UInt8>?, Int, Int32, UnsafeMutableRawPointer?
        ) -> Int32 = { _, session, _, _, status, _ in
            guard status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW, let session = unsafe session
            else {
                return SSL_TICKET_RETURN_IGNORE_RENEW
            }
            let use = status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW
            guard unsafe SSL_SESSION_get0_peer(session) != nil else { return use }
            guard let note = unsafe TicketNote.of(session), note.isGood(nowSeconds: Int64(time(nil))) else {
                return SSL_TICKET_RETURN_IGNORE_RENEW
            }
            return use
        }
}
