import Common

/// Assumes a role with the token of an identity provider, such as a service account's of EKS (IRSA).
///
/// The token's file is read anew each time: its owner replaces it long before it expires. The request is not signed.
///
/// Source: STS API reference, AssumeRoleWithWebIdentity.
package struct WebIdentityProvider: CredentialProvider {
    /// What a profile says in place of the environment.
    struct Settings {
        var tokenFile: String
        var roleARN: String
        var sessionName: String?
    }
    private let settings: Settings?
    private let surroundings: CredentialSurroundings

    /// With what the environment says.
    package init(in surroundings: CredentialSurroundings) {
        self.settings = nil
        self.surroundings = surroundings
    }

    init(_ settings: Settings, in surroundings: CredentialSurroundings) {
        self.settings = settings
        self.surroundings = surroundings
    }

    package func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        let settings = if let given = self.settings { given } else { try self.fromEnvironment() }
        guard let path = self.surroundings.path(settings.tokenFile) else {
            throw CredentialError(.misconfigured, "\(settings.tokenFile): there is no HOME to look in")
        }
        let token = try await SmallFile.token(path, "the web identity token file")
        do {
            return try await self.surroundings.sts.credentials(
                "AssumeRoleWithWebIdentity",
                [
                    (name: "RoleArn", value: settings.roleARN),
                    (name: "RoleSessionName", value: settings.sessionName ?? self.surroundings.sessionName),
                    (name: "WebIdentityToken", value: token),
                ],
                key: nil,
                hiding: Secret(token),
                region: self.surroundings.region,
                origin: .webIdentity,
                deadline: deadline
            )
        } catch {
            throw CredentialError(error.code, "\(settings.roleARN): \(error.message)")
        }
    }

    private func fromEnvironment() throws(CredentialError) -> Settings {
        guard let file = self.surroundings.variable("AWS_WEB_IDENTITY_TOKEN_FILE") else {
            throw CredentialError(.notConfigured, "AWS_WEB_IDENTITY_TOKEN_FILE is not set")
        }
        guard let arn = self.surroundings.variable("AWS_ROLE_ARN") else {
            throw CredentialError(.misconfigured, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not")
        }
        return Settings(tokenFile: file, roleARN: arn, sessionName: self.surroundings.variable("AWS_ROLE_SESSION_NAME"))
    }
}
