import Common
import RequestSigning

/// A key pair in the variables that AWS' tools read.
package struct EnvironmentProvider: CredentialProvider {
    private let surroundings: CredentialSurroundings

    package init(in surroundings: CredentialSurroundings) {
        self.surroundings = surroundings
    }

    package func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        let what = "the environment"
        guard let id = self.surroundings.variable("AWS_ACCESS_KEY_ID") else {
            throw CredentialError(.notConfigured, "AWS_ACCESS_KEY_ID is not set")
        }
        guard let secret = self.surroundings.variable("AWS_SECRET_ACCESS_KEY") else {
            throw CredentialError(.misconfigured, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")
        }
        let key = AccessKey(
            accessKeyID: id,
            secretAccessKey: Secret(secret),
            sessionToken: self.surroundings.variable("AWS_SESSION_TOKEN").map { Secret($0) }
        )
        let expiration = self.surroundings.variable("AWS_CREDENTIAL_EXPIRATION")
        return Credentials(
            key: try key.checked(what),
            expiration: try expiration.map { (text) throws(CredentialError) in try instant(text, in: what) },
            origin: .environment
        )
    }
}
