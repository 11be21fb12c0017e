/// Whether a listener asks its clients for certificates.
package enum TLSClientAuthentication: String, Sendable, CaseIterable {
    /// Not asked for.
    case none
    /// Asked for; a client may have none, but one that does not verify ends the handshake.
    case request
    /// A client without a certificate that verifies is refused.
    case require
}

package enum TLSVersion: String, Sendable, CaseIterable {
    case tls12 = "1.2"
    case tls13 = "1.3"
}

/// The files and rules of one TLS listener. Paths are as the process sees them; all files are PEM.
package struct TLSServerConfiguration: Sendable {
    package typealias ClientAuthentication = TLSClientAuthentication

    /// A certificate with its intermediates, and its key.
    package struct CertificateFiles: Sendable, Hashable {
        package var certificateChainPath: String
        package var privateKeyPath: String

        package init(certificateChainPath: String, privateKeyPath: String) {
            self.certificateChainPath = certificateChainPath
            self.privateKeyPath = privateKeyPath
        }
    }

    /// The server's certificate first, then its intermediates.
    package var certificateChainPath: String
    package var privateKeyPath: String
    /// Trusted for client certificates, and announced to clients.
    package var clientCAPath: String?
    /// Trusted for client certificates, and not announced: who the tenants' CAs are is nobody's business.
    package var additionalCAPaths: [String]
    package var clientAuthentication: TLSClientAuthentication
    package var minimumVersion: TLSVersion
    /// Revocation lists; client certificates from `clientCAPath` must be covered by one, those of additional CAs may.
    package var crlPath: String?
    /// Revocation lists of additional CAs.
    package var additionalCRLPaths: [String] = []
    /// Further certificates, for clients that ask for one of their names; the first that fits is taken.
    package var furtherCertificates: [CertificateFiles] = []
    /// In order of preference, in OpenSSL's names, which for TLS 1.3 are the standard's; empty: all that are good.
    package var cipherSuites: [String] = []
    /// In order of preference, in OpenSSL's names; empty: X25519, P-256, P-384.
    package var groups: [String] = []
    /// Whether clients may resume a session, with a ticket that they keep for us.
    package var sessionTickets = true

    package init(
        certificateChainPath: String,
        privateKeyPath: String,
        clientCAPath: String?,
        additionalCAPaths: [String],
        clientAuthentication: TLSClientAuthentication,
        minimumVersion: TLSVersion,
        crlPath: String?
    ) {
        self.certificateChainPath = certificateChainPath
        self.privateKeyPath = privateKeyPath
        self.clientCAPath = clientCAPath
        self.additionalCAPaths = additionalCAPaths
        self.clientAuthentication = clientAuthentication
        self.minimumVersion = minimumVersion
        self.crlPath = crlPath
    }

    /// The same from the words that a configuration file has for the two enumerations.
    ///
    /// - Throws: `.unknownWord` for a word that is none of theirs.
    package init(
        certificateChainPath: String,
        privateKeyPath: String,
        clientCAPath: String?,
        additionalCAPaths: [String],
        clientAuthentication: String,
        minimumVersion: String,
        crlPath: String?
    ) throws(TLSConfigurationError) {
        guard let authentication = TLSClientAuthentication(rawValue: clientAuthentication) else {
            throw .unknownWord(clientAuthentication, known: TLSClientAuthentication.allCases.map(\.rawValue))
        }
        guard let version = TLSVersion(rawValue: minimumVersion) else {
            throw .unknownWord(minimumVersion, known: TLSVersion.allCases.map(\.rawValue))
        }
        self.init(
            certificateChainPath: certificateChainPath,
            privateKeyPath: privateKeyPath,
            clientCAPath: clientCAPath,
            additionalCAPaths: additionalCAPaths,
            clientAuthentication: authentication,
            minimumVersion: version,
            crlPath: crlPath
        )
    }
}
