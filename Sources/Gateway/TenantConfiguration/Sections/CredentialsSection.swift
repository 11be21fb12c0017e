import Common

extension CredentialSettings {
    /// Reads `credentials`; `nil` after a problem.
    init?(_ reader: consuming MappingReader) {
        let keyPairOnly =
            "use access_key_id with secret_access_key_file; with backend: local, leave credentials out to get a key made"
        if let from = reader.field("from"), from.word(of: ["basic_auth"]) != nil {
            reader.finish()
            self = .caller
            return
        }
        reader.refuseUnsupported(
            ["profile", "role_arn", "external_id", "session_name", "tags", "source"],
            instead: keyPairOnly
        )
        let hasOtherKind = ["profile", "from", "role_arn"].contains { reader.has($0) }
        let id = Self.accessKeyID(&reader, isRequired: !hasOtherKind)
        let secret = Self.secretAccessKey(&reader, isRequired: !hasOtherKind)
        let token = reader.field("session_token")
        let sessionToken = token?.asSecret.credential("a session token")
        reader.finish()
        guard let id, let secret, token == nil || sessionToken != nil else { return nil }
        self = .keyPair(accessKeyID: id, secretAccessKey: secret, sessionToken: sessionToken)
    }

    private static func accessKeyID(_ reader: inout MappingReader, isRequired: Bool) -> String? {
        let field =
            isRequired
            ? reader.required("access_key_id", remedy: "add access_key_id: \"${NAME}\"") : reader.field("access_key_id")
        return field?.accessKeyID()
    }

    private static func secretAccessKey(_ reader: inout MappingReader, isRequired: Bool) -> Secret? {
        let what = "a secret access key"
        let inline = reader.field("secret_access_key")
        let file = reader.field("secret_access_key_file")
        switch (inline, file) {
        case (nil, nil):
            if isRequired, !reader.has("secret_access_key"), !reader.has("secret_access_key_file") {
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
}

extension Field {
    /// An access key id, which stands in the `Authorization` header between slashes and commas.
    func accessKeyID() -> String? {
        self.text("an access key id", remedy: "use letters, digits, - and _, at most 128") { text in
            text.utf8.count <= 128 && text.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "-_".utf8.contains($0) }
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
        if secret.revealed.utf8.allSatisfy(ASCII.isVisible) { return secret }
        self.report(
            "the file does not hold \(what): there are spaces or other characters than ASCII in it",
            remedy: "write \(what) into it, and nothing else"
        )
        return nil
    }
}
