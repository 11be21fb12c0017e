import Common

/// `credentials` of a tenant: a key pair, a profile, a place to look in, or a role on top of any of them.
struct CredentialsSection {
    /// Roles on top of roles; AWS makes each an hour at most.
    static let maximumRoles = 4
    private static let pairKeys = ["access_key_id", "secret_access_key", "secret_access_key_file", "session_token"]
    private static let roleKeys = [
        "external_id", "session_name", "duration", "tags", "transitive_tags", "source",
    ]

    /// `nil` after a problem.
    var settings: CredentialSettings?

    /// - Parameter isLocal: the backend is the embedded engine, which knows key pairs only.
    init(_ field: Field, isLocal: Bool) {
        self.settings = Self.read(field.mapping(), isLocal: isLocal, roles: 0)
    }

    private static func read(_ reader: consuming MappingReader, isLocal: Bool, roles: Int) -> CredentialSettings? {
        let profile = reader.field("profile")
        let from = reader.field("from")
        let role = reader.field("role_arn")
        let isRole = reader.has("role_arn")
        let others = [profile, from, role].compactMap { $0 }
        let isPair = others.isEmpty && !["profile", "from", "role_arn"].contains { reader.has($0) }

        let pair = isPair ? Self.keyPair(&reader) : nil
        if !isPair {
            for key in Self.pairKeys {
                reader.field(key)?.report(
                    "there is another kind of credentials beside it",
                    remedy: "keep one of them; the key pair that a role is assumed with goes below source"
                )
            }
        }
        let assumed = isRole ? Self.role(role, &reader, isLocal: isLocal, roles: roles + 1) : nil
        if !isRole {
            for key in Self.roleKeys {
                reader.field(key)?.report("only used with role_arn", remedy: "add role_arn, or remove it")
            }
        }
        reader.finish()

        if isPair { return pair }
        for other in others.dropFirst() {
            other.report(
                "there is another kind of credentials beside it",
                remedy:
                    "keep one of access_key_id, profile, from and role_arn; a role's own credentials go below source"
            )
        }
        if isLocal, let first = others.first {
            first.report(
                "only used with backend: aws",
                remedy: "use access_key_id with secret_access_key_file, or leave credentials out to get a key made"
            )
        }
        if isRole { return assumed }
        if let profile { return profile.profileName().map { .profile($0) } }
        return from.flatMap { $0.origin(isSource: roles > 0) }
    }

    // MARK: A key pair

    private static func keyPair(_ reader: inout MappingReader) -> CredentialSettings? {
        let id = Self.accessKeyID(&reader)
        let secret = Self.secretAccessKey(&reader)
        let token = reader.field("session_token")
        let sessionToken = token?.asSecret.credential("a session token")
        guard let id, let secret, token == nil || sessionToken != nil else { return nil }
        return .keyPair(accessKeyID: id, secretAccessKey: secret, sessionToken: sessionToken)
    }

    private static func accessKeyID(_ reader: inout MappingReader) -> String? {
        let field = reader.required("access_key_id", remedy: "add access_key_id: \"${NAME}\"")
        return field?.accessKeyID()
    }

    private static func secretAccessKey(_ reader: inout MappingReader) -> Secret? {
        let what = "a secret access key"
        let inline = reader.field("secret_access_key")
        let file = reader.field("secret_access_key_file")
        switch (inline, file) {
        case (nil, nil):
            if !reader.has("secret_access_key"), !reader.has("secret_access_key_file") {
                reader.context.report(
                    reader.place,
                    "neither secret_access_key nor secret_access_key_file is given",
                    remedy: "add secret_access_key_file: the path of a file that holds the key alone"
                )
            }
            return nil
        case (.some, .some(let file)):
            file.report("secret_access_key is given as well", remedy: "keep one of them")
            return nil
        case (.some(let inline), nil):
            return inline.asSecret.credential(what)
        case (nil, .some(let file)):
            return file.secretFile(what).flatMap { file.credential($0, what) }
        }
    }

    // MARK: A role

    private static func role(
        _ arn: Field?,
        _ reader: inout MappingReader,
        isLocal: Bool,
        roles: Int
    ) -> CredentialSettings? {
        let externalID = reader.field("external_id")
        let sessionName = reader.field("session_name")
        let duration = reader.field("duration")
        let (tags, names) = reader.field("tags")?.tags() ?? ([], [])
        let transitive = reader.field("transitive_tags")?.list(of: "tags' names", example: "[team]") ?? []
        let role = AssumedRoleSettings(
            arn: arn?.roleARN() ?? "",
            externalID: externalID?.externalID(),
            sessionName: sessionName?.sessionName(),
            duration: duration?.duration(in: .seconds(900)...(.seconds(43200))),
            tags: tags,
            transitiveTagKeys: transitive.compactMap { $0.transitiveTag(of: names) }
        )
        guard let source = reader.field("source") else {
            return .role(role, source: .found(.defaultChain))
        }
        guard roles < Self.maximumRoles else {
            source.report(
                "more than \(Self.maximumRoles) roles on top of one another",
                remedy: "let the last role trust one of the first ones directly"
            )
            return nil
        }
        // What is wrong with a source that only AWS knows is said of the role already.
        return Self.read(source.mapping(), isLocal: false, roles: roles).map { .role(role, source: $0) }
    }
}

extension Field {
    func accessKeyID() -> String? {
        self.text("an access key id", remedy: "use letters, digits, - and _, at most 128") {
            AccessKeyForm.isID(Array($0.utf8))
        }
    }

    /// A secret of visible ASCII characters, as AWS and HTTP have them.
    func credential(_ what: String) -> Secret? {
        self.asSecret.text(what, remedy: "write it without spaces, line breaks and other characters than ASCII") {
            $0.utf8.allSatisfy(ASCII.isVisible)
        }.map { Secret($0) }
    }

    /// Checks the same of what a file held.
    func credential(_ secret: Secret, _ what: String) -> Secret? {
        if unsafe secret.withUnsafeBytes({ unsafe $0.allSatisfy(ASCII.isVisible) }) { return secret }
        self.report(
            "the file does not hold \(what): there are spaces or other characters than ASCII in it",
            remedy: "write \(what) into it, and nothing else"
        )
        return nil
    }
}
