extension Field {
    // MARK: Where credentials are found

    private enum OriginWord: String, CaseIterable {
        case defaultChain = "default"
        case environment, container, instance
        case webIdentity = "web_identity"
        case basicAuth = "basic_auth"
    }

    /// - Parameter isSource: a role is assumed with what is found.
    func origin(isSource: Bool) -> CredentialSettings? {
        switch self.choice(OriginWord.self) {
        case .defaultChain: return .found(.defaultChain)
        case .environment: return .found(.environment)
        case .container: return .found(.container)
        case .instance: return .found(.instance)
        case .webIdentity: return .found(.webIdentity)
        case .basicAuth where isSource:
            self.report(
                "basic_auth: a role is not assumed with the keys of a caller",
                remedy: "assume the role with credentials of the gateway's own"
            )
            return nil
        case .basicAuth: return .caller
        case nil: return nil
        }
    }

    func profileName() -> String? {
        self.text("the name of a profile in the shared AWS files", remedy: "use at most 256 characters") {
            $0.utf8.count <= 256
        }
    }

    // MARK: Roles

    /// - Source: IAM user guide, "IAM ARNs".
    func roleARN() -> String? {
        self.text(
            "the ARN of a role",
            remedy: "write it as IAM shows it: arn:aws:iam::111122223333:role/NAME, in quotes inside braces"
        ) { text in
            let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
            return text.utf8.count <= 2048 && text.utf8.allSatisfy(ASCII.isVisible) && parts.count == 6
                && parts[0] == "arn" && (parts[1] == "aws" || parts[1].hasPrefix("aws-")) && parts[2] == "iam"
                && parts[3].isEmpty && parts[4].utf8.count == 12 && parts[4].utf8.allSatisfy(ASCII.isDigit)
                && parts[5].hasPrefix("role/") && parts[5].utf8.count > "role/".utf8.count
        }
    }

    /// - Source: STS API reference, AssumeRole, `ExternalId`.
    func externalID() -> String? {
        self.text("an external id", remedy: "use 2 to 1224 letters, digits and _ + = , . @ : / -") { text in
            (2...1224).contains(text.utf8.count)
                && text.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "_+=,.@:/-".utf8.contains($0) }
        }
    }

    /// - Source: STS API reference, AssumeRole, `RoleSessionName`.
    func sessionName() -> String? {
        self.text("the name of a session", remedy: "use 2 to 64 letters, digits and _ + = , . @ -") { text in
            (2...64).contains(text.utf8.count)
                && text.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "_+=,.@-".utf8.contains($0) }
        }
    }

    /// Session tags, in the file's order, and the names of all, wrong ones among them.
    ///
    /// - Source: STS API reference, `Tag`, and AssumeRole, `Tags`.
    func tags() -> (tags: [AssumedRoleSettings.Tag], names: [String]) {
        var reader = self.mapping()
        let entries = reader.takeAll()
        if entries.count > 50 {
            self.report("expected at most 50 tags, found \(entries.count)", remedy: "remove some")
        }
        let tags = entries.compactMap { (key, field) -> AssumedRoleSettings.Tag? in
            guard (1...128).contains(key.unicodeScalars.count), key.unicodeScalars.allSatisfy(Self.mayStandInTag),
                !key.lowercased().hasPrefix("aws:")
            else {
                field.report(
                    "not the name of a tag",
                    remedy: "use 1 to 128 letters, digits, spaces and _ . : / = + - @, and not aws: at the front"
                )
                return nil
            }
            let value = field.text(
                "the value of a tag",
                remedy: "use 1 to 256 letters, digits, spaces and _ . : / = + - @"
            ) { $0.unicodeScalars.count <= 256 && $0.unicodeScalars.allSatisfy(Self.mayStandInTag) }
            return value.map { .init(key: key, value: $0) }
        }
        return (tags, entries.map(\.key))
    }

    private static func mayStandInTag(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .spaceSeparator,
            .decimalNumber, .letterNumber, .otherNumber:
            true
        default: "_.:/=+-@".unicodeScalars.contains(scalar)
        }
    }

    func transitiveTag(of keys: [String]) -> String? {
        let key = self.text("the name of a tag", remedy: "name one of the tags beside it")
        guard let key, !keys.contains(key) else { return key }
        let nearest = Spelling.nearest(to: key, among: keys)
        self.report(
            "no tag has this name",
            remedy: nearest.map { "did you mean \"\($0)\"?" } ?? "name one of the tags beside it"
        )
        return nil
    }
}
