/// Why a TLS configuration cannot be used; for the operator.
package struct TLSConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case unreadableFile = "unreadable_file"
        case invalidCertificate = "invalid_certificate"
        case invalidPrivateKey = "invalid_private_key"
        case keyDoesNotMatch = "key_does_not_match"
        case invalidAuthority = "invalid_authority"
        case invalidRevocationList = "invalid_revocation_list"
        case missingAuthority = "missing_authority"
        case unknownWord = "unknown_word"
        /// OpenSSL itself refused, for a reason that is no file's fault.
        case library
    }

    package var code: Code
    /// The file at fault, if one is.
    package var file: String?
    /// What is wrong.
    package var found: String
    /// How to mend it.
    package var remedy: String

    package init(code: Code, file: String?, found: String, remedy: String) {
        self.code = code
        self.file = file
        self.found = found
        self.remedy = remedy
    }

    package var description: String {
        let place = self.file.map { "\($0): " } ?? ""
        return "\(place)\(self.found)\n  fix: \(self.remedy)"
    }

    static func unknownWord(_ word: String, known: [String]) -> TLSConfigurationError {
        TLSConfigurationError(
            code: .unknownWord,
            file: nil,
            found: "unknown word \"\(word)\"",
            remedy: "write one of: \(known.joined(separator: ", "))"
        )
    }

    static func library(_ what: String) -> TLSConfigurationError {
        TLSConfigurationError(
            code: .library,
            file: nil,
            found: "OpenSSL: \(what): \(OpenSSLError.take()?.text ?? "no reason given")",
            remedy: "check the system's OpenSSL configuration (openssl version -d)"
        )
    }
}
