import Common
import RequestSigning

/// The JSON that metadata services, containers and credential processes hand out.
struct CredentialDocument {
    private enum Member: Int, CaseIterable {
        case version, accessKeyID, secretAccessKey, token, sessionToken, expiration, code, message, lowerCode,
            lowerMessage
    }
    private static let names = MemberNames([
        "Version", "AccessKeyId", "SecretAccessKey", "Token", "SessionToken", "Expiration", "Code", "Message", "code",
        "message",
    ])

    private(set) var version: Int64?
    private(set) var accessKeyID: String?
    private(set) var secretAccessKey: Secret?
    /// Under either of its names.
    private(set) var sessionToken: Secret?
    private(set) var expiration: String?
    /// What a service says in place of credentials.
    private(set) var code: String?
    private(set) var message: String?

    /// - Parameter what: who wrote it, for messages.
    init(_ bytes: [UInt8], from what: String) throws(CredentialError) {
        do {
            var reader = try JSONReader(bytes)
            try reader.document(Self.names) { (reader, index) throws(JSONError) in
                switch Member(rawValue: index) {
                case .version: self.version = try reader.number()
                case .accessKeyID: self.accessKeyID = try reader.string()
                case .secretAccessKey: self.secretAccessKey = Secret(try reader.string())
                case .token, .sessionToken: self.sessionToken = Secret(try reader.string())
                case .expiration: self.expiration = try reader.string()
                case .code, .lowerCode: self.code = try reader.string()
                case .message, .lowerMessage: self.message = try reader.string()
                case nil: try reader.skip()
                }
            }
        } catch {
            throw CredentialError(.malformed, "\(what) has not \(error.expected) at byte \(error.offset)")
        }
    }

    /// The credentials in it.
    ///
    /// - Parameter isTemporary: whether a token and an expiration have to be there.
    func credentials(
        _ origin: CredentialOrigin,
        isTemporary: Bool,
        from what: String
    ) throws(CredentialError) -> Credentials {
        func missing(_ name: String) -> CredentialError { CredentialError(.malformed, "\(what) has no \(name)") }
        guard let accessKeyID, !accessKeyID.isEmpty else { throw missing("AccessKeyId") }
        guard let secretAccessKey, !secretAccessKey.isEmpty else { throw missing("SecretAccessKey") }
        let token = self.sessionToken.flatMap { $0.isEmpty ? nil : $0 }
        if isTemporary {
            guard token != nil else { throw missing("Token") }
            guard self.expiration != nil else { throw missing("Expiration") }
        }
        let key = AccessKey(accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: token)
        return Credentials(
            key: try key.checked(what),
            expiration: try self.expiration.map { (text) throws(CredentialError) in try instant(text, in: what) },
            origin: origin
        )
    }
}

extension AccessKey {
    /// The key itself, if all of it can stand in an HTTP header.
    func checked(_ what: String) throws(CredentialError) -> AccessKey {
        let parts = [
            (Secret(self.accessKeyID), "access key id"), (self.secretAccessKey, "secret access key"),
            (self.sessionToken ?? Secret("-"), "session token"),
        ]
        let isVisible = { (value: Secret) in
            unsafe value.withUnsafeBytes { unsafe $0.allSatisfy { $0 > 0x20 && $0 < 0x7F } }
        }
        for (value, name) in parts where value.isEmpty || !isVisible(value) {
            throw CredentialError(
                .malformed,
                "the \(name) of \(what) is empty, or holds blanks or other characters than ASCII"
            )
        }
        return self
    }
}

/// Seconds since 1970 of an expiration.
func instant(_ text: String, in what: String) throws(CredentialError) -> Int64 {
    guard let seconds = TimeText.seconds(text) else {
        throw CredentialError(.malformed, "the expiration in \(what) is no time: \(oneLine(text, limitBytes: 40))")
    }
    return seconds
}

/// ISO 8601 as AWS and its tools write it.
package enum TimeText {
    /// Seconds since 1970-01-01 UTC of `2026-01-31T12:00:00[.fraction](Z|±hh[:]mm)`, a fraction cut off; `nil` otherwise.
    static func seconds(_ text: String) -> Int64? {
        var rest = Substring(text)
        func number(_ digits: Int) -> Int64? {
            let part = rest.utf8.prefix(digits)
            guard part.count == digits, part.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
            rest = rest.dropFirst(digits)
            return part.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        }
        func skip(_ characters: String) -> Bool {
            guard let first = rest.first, characters.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), skip("-"), let month = number(2), skip("-"), let day = number(2), skip("Tt "),
            let hour = number(2), skip(":"), let minute = number(2), skip(":"), let second = number(2),
            hour < 24, minute < 60, second <= 60, (1...12).contains(month)
        else { return nil }
        let date = CivilDate(year: year, month: month, day: day)
        guard date.exists else { return nil }
        if skip(".") {
            let fraction = rest.prefix { $0.isASCII && $0.isNumber }
            guard !fraction.isEmpty else { return nil }
            rest = rest.dropFirst(fraction.count)
        }
        var offset: Int64 = 0
        if !skip("Zz") {
            let sign: Int64 = rest.first == "-" ? -1 : 1
            guard skip("+-"), let hours = number(2) else { return nil }
            _ = skip(":")
            guard let minutes = number(2) else { return nil }
            offset = sign * (hours * 3600 + minutes * 60)
        }
        guard rest.isEmpty else { return nil }
        return date.daysSinceEpoch * 86400 + hour * 3600 + minute * 60 + second - offset
    }

    /// `2026-01-31T12:00:00Z`, for logs.
    package static func text(_ seconds: Int64) -> String {
        let (days, rest) = seconds.floored(by: 86400)
        let date = CivilDate(daysSinceEpoch: days)
        func padded(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
            + "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))Z"
    }
}
