package import RequestSigning

/// Which kind of place credentials came from, as a closed set: also the value of the metric label `source`.
package enum CredentialOrigin: String, Sendable, CaseIterable {
    /// A key pair in the configuration.
    case configuration
    case environment
    /// A key pair in the shared config or credentials file.
    case profile
    case process
    case container
    case instance
    case webIdentity = "web_identity"
    case assumedRole = "assumed_role"
}

/// What a provider found.
package struct Credentials: Sendable {
    package var key: AccessKey
    /// Seconds since 1970-01-01 UTC; `nil` if they do not expire.
    package var expiration: Int64?
    package var origin: CredentialOrigin
    /// They may be used beyond their expiration while no others are to be had.
    ///
    /// Source: AWS SDKs and Tools reference guide, "IMDS credential provider", static stability.
    package var outlivesExpiration: Bool

    package init(
        key: AccessKey,
        expiration: Int64? = nil,
        origin: CredentialOrigin,
        outlivesExpiration: Bool = false
    ) {
        self.key = key
        self.expiration = expiration
        self.origin = origin
        self.outlivesExpiration = outlivesExpiration
    }
}

/// Why a provider has no credentials.
package struct CredentialError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A closed set: also the value of the metric label `result`.
    package enum Code: String, Sendable, CaseIterable {
        /// Nothing asks for this provider: no variable, no file, no profile. A chain goes on to the next one.
        case notConfigured = "not_configured"
        /// What is configured cannot be right: somebody has to mend a file, a variable or a command.
        case misconfigured
        /// The service that hands out credentials says no.
        case refused
        /// No answer, or none that tells more than that the service is in trouble.
        case unreachable
        /// An answer that is not of its protocol.
        case malformed
        case cancelled
    }

    package var code: Code
    /// What happened and where, for logs. Never holds a secret.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { self.message }
}

/// One way to get credentials. Keeps nothing: each call looks anew.
package protocol CredentialProvider: Sendable {
    /// - Parameter deadline: of the whole look-up, with all that it has to ask before.
    func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials
}

/// A key pair that is known from the start; the source of assumed roles.
package struct KeyPairProvider: CredentialProvider {
    private let key: AccessKey

    package init(_ key: AccessKey) {
        self.key = key
    }

    package func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        Credentials(key: self.key, origin: .configuration)
    }
}
