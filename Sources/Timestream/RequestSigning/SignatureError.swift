/// Why a signature was refused.
package struct SignatureError: Error, Sendable, Equatable {
    package enum Code: Sendable, Equatable {
        /// The request is not signed.
        case missing
        /// What stands there is not a signature by the rules, or leaves out what it must cover.
        case malformed
        case unknownKey
        /// The scope names another service.
        case wrongService
        /// The request's time is too far from ours, which is given in seconds since 1970-01-01 UTC.
        case skewed(serverTimeSeconds: Int64)
        /// The signature is not that of this request by this key.
        case mismatch
        /// The session token is missing, superfluous or not this key's.
        case token
    }

    package var code: Code
    /// What is wrong, for the sender; holds no secret.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
