import Common
import RequestSigning

/// A profile of the shared config and credentials files, with all that it may refer to.
///
/// Source: AWS SDKs and Tools reference guide, "Shared config and credentials files", "Assume role credential provider",
/// "Process credential provider".
package struct SharedFilesProvider: CredentialProvider {
    private static let maximumChain = 8

    private let profile: String?
    private let surroundings: CredentialSurroundings

    /// - Parameter profile: `nil`: the one that the environment names, or `default`.
    package init(profile: String?, in surroundings: CredentialSurroundings) {
        self.profile = profile
        self.surroundings = surroundings
    }

    package func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        let named = self.profile ?? self.surroundings.variable("AWS_PROFILE")
        let profiles = try await self.load()
        let name = named ?? "default"
        guard profiles.profiles[name] != nil else {
            throw CredentialError(
                named == nil ? .notConfigured : .misconfigured,
                "the shared files have no profile \(Self.shown(name))"
            )
        }
        let resolution = Resolution(profiles: profiles.profiles, surroundings: self.surroundings)
        let provider = try resolution.provider(of: name, visited: [])
        return try await provider.fetch(deadline: deadline)
    }

    private func load() async throws(CredentialError) -> SharedProfiles {
        SharedProfiles(
            config: try await self.document("AWS_CONFIG_FILE", default: "~/.aws/config"),
            credentials: try await self.document("AWS_SHARED_CREDENTIALS_FILE", default: "~/.aws/credentials")
        )
    }

    private func document(_ variable: String, default path: String) async throws(CredentialError) -> INIDocument? {
        guard let path = self.surroundings.path(self.surroundings.variable(variable) ?? path),
            let bytes = try await SmallFile.read(path)
        else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CredentialError(.misconfigured, "\(path) is not UTF-8")
        }
        do {
            return try INIDocument(text)
        } catch {
            throw CredentialError(.misconfigured, "\(path):\(error.line): expected \(error.expected)")
        }
    }

    fileprivate static func shown(_ name: String) -> String { "\"\(oneLine(name, limitBytes: 80))\"" }

    /// Follows what a profile refers to.
    private struct Resolution {
        let profiles: [String: [String: String]]
        let surroundings: CredentialSurroundings

        func provider(of name: String, visited: [String]) throws(CredentialError) -> any CredentialProvider {
            let shown = SharedFilesProvider.shown(name)
            guard let profile = self.profiles[name] else {
                let parent = visited.last.map { " that \(SharedFilesProvider.shown($0)) takes its source from" } ?? ""
                throw CredentialError(.misconfigured, "the shared files have no profile \(shown)\(parent)")
            }
            guard visited.count < SharedFilesProvider.maximumChain else {
                throw CredentialError(.misconfigured, "the profile \(shown) is the end of too long a chain")
            }
            // As a source, a profile's own keys go before its role; at the front it is the other way round.
            let isSource = !visited.isEmpty
            if isSource, let keys = try self.keys(profile, name) { return keys }
            if profile["role_arn"] != nil { return try self.role(profile, name, visited: visited) }
            if let keys = try self.keys(profile, name) { return keys }
            if profile["sso_session"] != nil || profile["sso_start_url"] != nil || profile["login_session"] != nil {
                throw CredentialError(
                    .misconfigured,
                    "the profile \(shown) signs in with a browser (SSO), which a server cannot: use role_arn, "
                        + "credential_process or a key pair"
                )
            }
            if let command = profile["credential_process"] {
                return ProcessProvider(command: command, profile: name, environment: self.surroundings.environment)
            }
            throw CredentialError(isSource ? .misconfigured : .notConfigured, "the profile \(shown) has no credentials")
        }

        private func keys(_ profile: [String: String], _ name: String) throws(CredentialError) -> KeysOfProfile? {
            let id = profile["aws_access_key_id"]
            let secret = profile["aws_secret_access_key"]
            guard id != nil || secret != nil else { return nil }
            let what = "the profile \(SharedFilesProvider.shown(name))"
            guard let id, let secret else {
                let missing = id == nil ? "aws_access_key_id" : "aws_secret_access_key"
                throw CredentialError(.misconfigured, "\(what) has no \(missing)")
            }
            let token = profile["aws_session_token"].flatMap { $0.isEmpty ? nil : Secret($0) }
            let key = AccessKey(accessKeyID: id, secretAccessKey: Secret(secret), sessionToken: token)
            do {
                return KeysOfProfile(key: try key.checked(what))
            } catch {
                throw CredentialError(.misconfigured, error.message)
            }
        }

        private func role(
            _ profile: [String: String],
            _ name: String,
            visited: [String]
        ) throws(CredentialError) -> any CredentialProvider {
            let what = "the profile \(SharedFilesProvider.shown(name))"
            let arn = profile["role_arn"] ?? ""
            if let file = profile["web_identity_token_file"] {
                return WebIdentityProvider(
                    .init(tokenFile: file, roleARN: arn, sessionName: profile["role_session_name"]),
                    in: self.surroundings
                )
            }
            if profile["mfa_serial"] != nil {
                throw CredentialError(
                    .misconfigured,
                    "\(what) needs a code of a second factor (mfa_serial), which a server cannot type in"
                )
            }
            let role = AssumedRole(
                arn: arn,
                externalID: profile["external_id"],
                sessionName: profile["role_session_name"],
                durationSeconds: profile["duration_seconds"].flatMap { Int($0) }
            )
            let source: any CredentialProvider
            switch (profile["source_profile"], profile["credential_source"]) {
            case (.some, .some):
                throw CredentialError(.misconfigured, "\(what) has both source_profile and credential_source")
            case (nil, nil):
                throw CredentialError(
                    .misconfigured,
                    "\(what) has role_arn, but no source_profile or credential_source"
                )
            case (.some(let sourceName), nil):
                if sourceName == name, let keys = try self.keys(profile, name) {
                    source = keys
                } else if sourceName == name || visited.contains(sourceName) {
                    let circle = (visited + [name, sourceName]).joined(separator: " -> ")
                    throw CredentialError(
                        .misconfigured,
                        "the profiles take their source from one another in a circle: "
                            + oneLine(circle, limitBytes: 200)
                    )
                } else {
                    source = try self.provider(of: sourceName, visited: visited + [name])
                }
            case (nil, .some(let kind)):
                source = try self.namedSource(kind, what)
            }
            return AssumeRoleProvider(role, source: source, in: self.surroundings)
        }

        private func namedSource(_ kind: String, _ what: String) throws(CredentialError) -> any CredentialProvider {
            switch kind.lowercased() {
            case "environment": return EnvironmentProvider(in: self.surroundings)
            case "ecscontainer": return ContainerProvider(in: self.surroundings)
            case "ec2instancemetadata": return InstanceProvider(in: self.surroundings)
            default:
                throw CredentialError(
                    .misconfigured,
                    "\(what): credential_source is Environment, EcsContainer or Ec2InstanceMetadata, not "
                        + SharedFilesProvider.shown(kind)
                )
            }
        }
    }

    private struct KeysOfProfile: CredentialProvider {
        let key: AccessKey

        func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
            Credentials(key: self.key, origin: .profile)
        }
    }
}
