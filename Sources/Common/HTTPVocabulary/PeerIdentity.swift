/// Who a client certificate says the peer is. Exists only for a chain that OpenSSL has verified.
package struct PeerIdentity: Sendable, Hashable {
    /// The subject's common name, if it has exactly one.
    package var commonName: String?
    /// Subject alternative names, each kind in the certificate's order.
    package var dnsNames: [String]
    package var uris: [String]
    package var emails: [String]
    /// SHA-256 of the DER form of every certificate of the verified chain, leaf first, trust anchor last.
    package var chainDigests: [[UInt8]]
    /// The end of the leaf's validity, in seconds since 1970-01-01 UTC.
    package var notAfterSeconds: Int64

    package init(
        commonName: String?,
        dnsNames: [String],
        uris: [String],
        emails: [String],
        chainDigests: [[UInt8]],
        notAfterSeconds: Int64
    ) {
        self.commonName = commonName
        self.dnsNames = dnsNames
        self.uris = uris
        self.emails = emails
        self.chainDigests = chainDigests
        self.notAfterSeconds = notAfterSeconds
    }
}

/// The other end of a connection.
package struct Peer: Sendable, Hashable {
    /// The socket address as text, `127.0.0.1:51234`; for logs.
    package var address: String
    /// Whether the connection is TLS.
    package var isEncrypted: Bool
    /// The verified client certificate, if one was presented.
    package var identity: PeerIdentity?
    /// Its certificate was good when it connected, and is not any more: its CA or a revocation list has changed.
    package var isTrustLost: Bool
    /// How many times the rules of trust had changed when the certificate was verified.
    package var trustGeneration: Int

    package init(
        address: String,
        isEncrypted: Bool,
        identity: PeerIdentity?,
        isTrustLost: Bool = false,
        trustGeneration: Int = 0
    ) {
        self.address = address
        self.isEncrypted = isEncrypted
        self.identity = identity
        self.isTrustLost = isTrustLost
        self.trustGeneration = trustGeneration
    }
}
