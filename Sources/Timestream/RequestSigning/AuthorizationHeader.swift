/// The `Authorization` header of SigV4, taken apart:
/// `AWS4-HMAC-SHA256 Credential=<id>/<day>/<region>/<service>/aws4_request, SignedHeaders=<a;b>, Signature=<hex>`.
struct AuthorizationHeader: Equatable {
    var accessKeyID: String
    var scope: CredentialScope
    /// Lower case, sorted, each once.
    var signedHeaders: [String]
    /// 32 bytes.
    var signature: [UInt8]

    /// Whether the value is of this scheme at all, well formed or not.
    static func isSignature(_ value: String) -> Bool {
        value == CredentialScope.algorithm || value.hasPrefix(CredentialScope.algorithm + " ")
    }

    init(parsing value: String) throws(SignatureError) {
        guard Self.isSignature(value) else {
            throw SignatureError(.missing, "The request is not signed with \(CredentialScope.algorithm).")
        }
        var credential: Substring?
        var names: Substring?
        var digits: Substring?
        for part in value.dropFirst(CredentialScope.algorithm.count).split(separator: ",") {
            let field = Self.trimmed(part)
            guard let mark = field.firstIndex(of: "=") else {
                throw Self.malformed("a part of it is not of the form name=value")
            }
            let content = field[field.index(after: mark)...]
            switch field[..<mark] {
            case "Credential" where credential == nil: credential = content
            case "SignedHeaders" where names == nil: names = content
            case "Signature" where digits == nil: digits = content
            case "Credential", "SignedHeaders", "Signature": throw Self.malformed("a parameter stands there twice")
            default: throw Self.malformed("a parameter is unknown")
            }
        }
        guard let credential else { throw Self.malformed("it requires the parameter Credential") }
        guard let names else { throw Self.malformed("it requires the parameter SignedHeaders") }
        guard let digits else { throw Self.malformed("it requires the parameter Signature") }

        // From the end: nothing forbids a slash in an access key id.
        let parts = credential.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts.allSatisfy({ !$0.isEmpty }), parts.last.map(String.init) == "aws4_request",
            parts[parts.count - 4].utf8.count == 8
        else { throw Self.malformed("Credential must be <id>/<yyyymmdd>/<region>/<service>/aws4_request") }
        self.accessKeyID = parts.dropLast(4).joined(separator: "/")
        self.scope = CredentialScope(
            day: String(parts[parts.count - 4]),
            region: String(parts[parts.count - 3]),
            service: String(parts[parts.count - 2])
        )

        self.signedHeaders = names.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        let isOrdered = zip(self.signedHeaders, self.signedHeaders.dropFirst()).allSatisfy { $0 < $1 }
        let isLowerCase = self.signedHeaders.allSatisfy { name in
            !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && Ascii.lowercased(name) == name
        }
        guard isOrdered && isLowerCase else {
            throw Self.malformed("SignedHeaders must be lower-case names in order, each once, separated by semicolons")
        }

        let nibbles = digits.utf8.compactMap(Ascii.hexadecimalValue)
        guard digits.utf8.count == 64, nibbles.count == 64 else {
            throw Self.malformed("Signature must be 64 hexadecimal digits")
        }
        self.signature = stride(from: 0, to: 64, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
    }

    private static func malformed(_ why: String) -> SignatureError {
        SignatureError(.malformed, "The Authorization header is malformed: \(why).")
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var rest = text.drop { $0 == " " || $0 == "\t" }
        while let last = rest.last, last == " " || last == "\t" { rest = rest.dropLast() }
        return rest
    }
}
