/// A role, and how it is assumed.
package struct AssumedRole: Sendable, Equatable {
    package var arn: String
    package var externalID: String?
    /// `nil`: what the surroundings say.
    package var sessionName: String?
    /// 900 to 43,200; `nil`: what the service does by itself, an hour.
    package var durationSeconds: Int?
    /// Session tags, in the order they are sent.
    package var tags: [Tag]
    /// Keys of tags that roles assumed with this one inherit.
    package var transitiveTagKeys: [String]

    package struct Tag: Sendable, Equatable {
        package var key: String
        package var value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    package init(
        arn: String,
        externalID: String? = nil,
        sessionName: String? = nil,
        durationSeconds: Int? = nil,
        tags: [Tag] = [],
        transitiveTagKeys: [String] = []
    ) {
        self.arn = arn
        self.externalID = externalID
        self.sessionName = sessionName
        self.durationSeconds = durationSeconds
        self.tags = tags
        self.transitiveTagKeys = transitiveTagKeys
    }
}

/// Assumes a role with the credentials of another provider, which may be an assumed role itself.
///
/// Source: STS API reference, AssumeRole.
package struct AssumeRoleProvider: CredentialProvider {
    private let role: AssumedRole
    private let source: any CredentialProvider
    private let surroundings: CredentialSurroundings

    package init(_ role: AssumedRole, source: any CredentialProvider, in surroundings: CredentialSurroundings) {
        self.role = role
        self.source = source
        self.surroundings = surroundings
    }

    package func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        let source: Credentials
        do {
            source = try await self.source.fetch(deadline: deadline)
        } catch {
            // A role that is asked for is configured, whatever its source says.
            let code = error.code == .notConfigured ? .misconfigured : error.code
            throw CredentialError(code, "the source of \(self.role.arn): \(error.message)")
        }
        var parameters = [
            (name: "RoleArn", value: self.role.arn),
            (name: "RoleSessionName", value: self.role.sessionName ?? self.surroundings.sessionName),
        ]
        for (index, tag) in self.role.tags.enumerated() {
            parameters.append(("Tags.member.\(index + 1).Key", tag.key))
            parameters.append(("Tags.member.\(index + 1).Value", tag.value))
        }
        for (index, key) in self.role.transitiveTagKeys.enumerated() {
            parameters.append(("TransitiveTagKeys.member.\(index + 1)", key))
        }
        if let externalID = self.role.externalID { parameters.append(("ExternalId", externalID)) }
        if let seconds = self.role.durationSeconds { parameters.append(("DurationSeconds", String(seconds))) }
        do {
            return try await self.surroundings.sts.credentials(
                "AssumeRole",
                parameters,
                key: source.key,
                region: self.surroundings.region,
                origin: .assumedRole,
                deadline: deadline
            )
        } catch {
            throw CredentialError(error.code, "\(self.role.arn): \(error.message)")
        }
    }
}
