import Common

/// `auth` of a tenant: what proves that a caller may act for it.
struct AuthenticationSection {
    var settings: AuthenticationSettings
    var place: Place
    var certificatePlace: Place?
    private var awsKeys: Field?
    private let context: LoadContext

    static let anyKindRemedy =
        "list client_certificate, basic, bearer or aws_keys, or write auth: none to let everybody in"

    private enum Requirement: String, CaseIterable { case any, all }

    init(_ field: Field) {
        self.place = field.place
        self.context = field.context
        self.settings = AuthenticationSettings(
            isOpen: false,
            clientCertificate: nil,
            basic: [],
            bearerTokenDigests: [],
            awsKeys: nil,
            requiresAll: false
        )
        guard field.isMapping else {
            self.settings.isOpen = Self.isNone(field)
            return
        }
        var reader = field.mapping()
        self.place = reader.place
        let isEmpty = reader.isEmpty
        if let certificate = reader.field("client_certificate") {
            self.certificatePlace = certificate.place
            self.settings.clientCertificate = Self.clientCertificate(certificate.mapping())
        }
        self.settings.basic = Self.basicUsers(&reader)
        self.settings.bearerTokenDigests = Self.bearerDigests(&reader)
        let kinds = ["client_certificate", "basic", "bearer", "aws_keys"]
        let hasKind = kinds.contains { reader.has($0) }
        if let awsKeys = reader.field("aws_keys") {
            self.awsKeys = awsKeys
            self.settings.awsKeys = Self.awsKeys(awsKeys.mapping())
        }
        if let requirement = reader.field("require") {
            self.settings.requiresAll = requirement.choice(Requirement.self) == .all
            if self.settings.requiresAll, reader.has("basic"), reader.has("bearer") {
                requirement.report(
                    "basic and bearer can never come together: a request has one Authorization header for both",
                    remedy: "leave one of them out, or write require: any; client_certificate can stand beside either"
                )
            }
        }
        reader.finish()
        if isEmpty || (!hasKind && reader.has("require")) {
            reader.context.report(
                self.place,
                "no kind of proof is listed: nobody could use the tenant",
                remedy: Self.anyKindRemedy
            )
        }
    }

    /// `auth` of the admin listener: passwords and tokens as tenants have them, and nothing else.
    static func ofOperators(_ reader: consuming MappingReader) -> AuthenticationSettings {
        let basic = Self.basicUsers(&reader)
        let bearer = Self.bearerDigests(&reader)
        if !reader.has("basic"), !reader.has("bearer") {
            reader.context.report(
                reader.place,
                "no kind of proof is listed: nobody could see the pages",
                remedy: "list basic or bearer, or leave auth out: the pages are for the machine itself then"
            )
        }
        reader.finish()
        return AuthenticationSettings(
            isOpen: false,
            clientCertificate: nil,
            basic: basic,
            bearerTokenDigests: bearer,
            awsKeys: nil,
            requiresAll: false
        )
    }

    // MARK: Beside the credentials

    /// Checks `auth` of a tenant with `credentials: {from: basic_auth}`: `Authorization` has room for one kind of proof,
    /// and it holds the keys.
    func checkBesideCallersKeys() {
        let settings = self.settings
        guard settings.isOpen || !settings.basic.isEmpty || !settings.bearerTokenDigests.isEmpty else { return }
        self.context.report(
            self.place,
            "with credentials: {from: basic_auth} a caller shows AWS keys, where this asks for something else",
            remedy: "leave auth out, or list aws_keys and client_certificate only"
        )
    }

    /// Reports `aws_keys` of a tenant whose calls are signed with other keys: they would prove nothing.
    func refuseCallersKeys() {
        self.awsKeys?.report(
            "the keys that a caller shows are checked by AWS alone, with each call they sign",
            remedy: "write credentials: {from: basic_auth}, or list another kind of proof"
        )
    }

    /// Anything but a mapping has to be the word `none`. What else was found is not repeated: it may be a password.
    private static func isNone(_ field: Field) -> Bool {
        let expected = "none, or a mapping of client_certificate, basic, bearer and aws_keys"
        let remedy = "write auth: none to let everybody in, or list the kinds of proof below it"
        guard let scalar = field.asSecret.scalar(expected, remedy: remedy) else { return false }
        if scalar.text == "none" { return true }
        field.report("expected \(expected), found a single value", remedy: remedy)
        return false
    }

    // MARK: Client certificates

    private static func clientCertificate(_ reader: consuming MappingReader) -> AuthenticationSettings.ClientCertificate
    {
        let keys = ["subject_cn", "san_dns", "san_uri", "san_email"]
        let names = keys.map { key in
            reader.field(key)?.list(of: "names", example: "[NAME]").compactMap { item in
                item.text(
                    "a name as it stands in the certificate",
                    remedy: "write it letter by letter; there are no patterns"
                )
            }
        }
        let certificate = AuthenticationSettings.ClientCertificate(
            subjectCommonNames: names[0] ?? [],
            dnsNames: names[1] ?? [],
            uris: names[2] ?? [],
            emails: names[3] ?? [],
            // Empty where it is wrong: it is not taken for absent then.
            caPath: reader.field("ca").map { $0.pemFile(.certificates)?.path ?? "" },
            crlPath: reader.field("crl").map { $0.pemFile(.revocationList)?.path ?? "" }
        )
        if certificate.crlPath != nil, certificate.caPath == nil {
            reader.context.report(
                reader.place,
                "crl without ca: the certificates come from server.tls.client_ca",
                remedy: "put the list into server.tls.crl, or add the tenant's own ca"
            )
        }
        if !keys.contains(where: { reader.has($0) }) {
            reader.context.report(
                reader.place,
                "no names are listed: every certificate of the CA would prove the tenant",
                remedy: "add subject_cn, san_dns, san_uri or san_email with a list of names"
            )
        }
        reader.finish()
        return certificate
    }

    // MARK: AWS keys

    /// Nil after a problem.
    private static func awsKeys(_ reader: consuming MappingReader) -> AuthenticationSettings.AWSKeys? {
        let field = reader.required("access_key_ids", remedy: "list the ids, or write access_key_ids: any")
        reader.finish()
        guard let field else { return nil }
        guard case .sequence = field.node.content else {
            let word = field.text("any, or a list of access key ids", remedy: "write any, or [ID, ID]") { $0 == "any" }
            return word.map { _ in .any }
        }
        let ids = field.list(of: "access key ids", example: "[ID, ID]").compactMap { $0.accessKeyID() }
        return .accessKeyIDs(Set(ids))
    }

    // MARK: Passwords

    private static func basicUsers(_ reader: inout MappingReader) -> [AuthenticationSettings.BasicUser] {
        let users = reader.field("basic")?.list(of: "users", example: "[{username: NAME, password_hash_file: PATH}]")
        return (users ?? []).compactMap { Self.basicUser($0.mapping()) }
    }

    private static func basicUser(_ reader: consuming MappingReader) -> AuthenticationSettings.BasicUser? {
        let username = reader.required("username", remedy: "add username: NAME")?
            // RFC 7617: the first colon ends the user name.
            .text("a user name without \":\"", remedy: "choose a name without a colon") {
                !$0.utf8.contains(UInt8(ascii: ":"))
            }
        reader.refuse(
            "password",
            "passwords are not kept in this file",
            remedy: "give password_hash_file: bcrypt, by htpasswd -nBC 10 NAME"
        )
        reader.refuse(
            "password_file",
            "passwords are not kept on this side",
            remedy: "give password_hash_file: bcrypt, by htpasswd -nBC 10 NAME"
        )
        let inline = reader.field("password_hash")
        let file = reader.field("password_hash_file")
        let isRefused = reader.has("password") || reader.has("password_file")
        let field: Field
        let hash: Secret?
        switch (inline, file) {
        case (nil, nil):
            if !isRefused, !reader.has("password_hash"), !reader.has("password_hash_file") {
                reader.context.report(
                    reader.place,
                    "neither password_hash nor password_hash_file is given",
                    remedy: "make one by htpasswd -nBC 10 NAME, and keep what stands after the colon"
                )
            }
            reader.finish()
            return nil
        case (.some, .some(let file)):
            file.report("password_hash is given as well", remedy: "keep one of them")
            reader.finish()
            return nil
        case (.some(let inline), nil):
            field = inline
            hash = inline.asSecret.text("a bcrypt hash", remedy: BcryptHash.remedy).map { Secret($0) }
        case (nil, .some(let file)):
            field = file
            hash = file.secretFile("a bcrypt hash")
        }
        reader.finish()
        guard let hash else { return nil }
        if let problem = BcryptHash.problem(with: hash.revealed) {
            field.report(problem, remedy: BcryptHash.remedy)
            return nil
        }
        return username.map { AuthenticationSettings.BasicUser(username: $0, passwordHash: hash) }
    }

    // MARK: Tokens

    private static func bearerDigests(_ reader: inout MappingReader) -> [[UInt8]] {
        let tokens = reader.field("bearer")?.list(of: "tokens", example: "[{token_file: PATH}]")
        return (tokens ?? []).compactMap { Self.bearerDigest($0.mapping()) }
    }

    private static func bearerDigest(_ reader: consuming MappingReader) -> [UInt8]? {
        reader.refuse(
            "token",
            "tokens are not kept in this file",
            remedy: "give token_file, or token_sha256: its digest"
        )
        let inline = reader.field("token_sha256")
        let file = reader.field("token_file")
        defer { reader.finish() }
        switch (inline, file) {
        case (nil, nil):
            if !["token", "token_sha256", "token_file"].contains(where: { reader.has($0) }) {
                reader.context.report(
                    reader.place,
                    "neither token_sha256 nor token_file is given",
                    remedy: "add token_file: PATH, or token_sha256: the token's SHA-256 digest as 64 hexadecimal digits"
                )
            }
            return nil
        case (.some, .some(let file)):
            file.report("token_sha256 is given as well", remedy: "keep one of them")
            return nil
        case (.some(let inline), nil):
            // A token put here by mistake is not repeated.
            return inline.asSecret.text(
                "a SHA-256 digest as 64 hexadecimal digits",
                remedy: "make it by: printf %s \"$TOKEN\" | sha256sum"
            ) { Self.digest($0) != nil }.flatMap(Self.digest)
        case (nil, .some(let file)):
            return file.secretFile("a token").flatMap { file.credential($0, "a token") }.map { token in
                var bytes = unsafe token.withUnsafeBytes { unsafe Array($0) }
                defer { bytes.overwrite() }
                return sha256(bytes)
            }
        }
    }

    private static func digest(_ text: String) -> [UInt8]? {
        guard text.utf8.count == 64, text.utf8.allSatisfy(ASCII.isLetterOrDigit) else { return nil }
        var bytes: [UInt8] = []
        var rest = text[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

/// What a bcrypt hash looks like: `$2b$10$` and 53 characters.
enum BcryptHash {
    static let remedy = "make one by htpasswd -nBC 10 NAME, and keep what stands after the colon"
    /// 4 is bcrypt's least; above 15 one check would take seconds of CPU.
    static let costs = 4...15

    /// What is wrong with a hash, in words that do not repeat it.
    static func problem(with text: String) -> String? {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        if !text.hasPrefix("$"), text.contains(":$2") {
            return "expected a bcrypt hash, found a line of htpasswd with the user's name in front"
        }
        guard parts.count == 4, parts[0].isEmpty, ["2a", "2b", "2y"].contains(parts[1]), parts[2].utf8.count == 2,
            parts[2].utf8.allSatisfy(ASCII.isDigit), let cost = Int(parts[2]), parts[3].utf8.count == 53,
            parts[3].utf8.allSatisfy({ ASCII.isLetterOrDigit($0) || "./".utf8.contains($0) })
        else { return "expected a bcrypt hash ($2b$10$ and 53 characters); the value found is not shown" }
        guard Self.costs.contains(cost) else {
            return "expected a bcrypt cost from \(Self.costs.lowerBound) to \(Self.costs.upperBound), found \(cost)"
        }
        return nil
    }
}
