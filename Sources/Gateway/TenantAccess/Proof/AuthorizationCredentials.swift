import HTTPTypes

/// What the `Authorization` field of a request holds.
enum AuthorizationCredentials: Equatable {
    case absent
    /// Several fields, an unknown scheme, or a value that breaks the scheme's grammar.
    case malformed
    /// RFC 7617; bytes, because the encoding is the client's affair.
    case basic(username: [UInt8], password: [UInt8])
    /// RFC 6750, section 2.1.
    case bearer(token: [UInt8])

    /// libxcrypt hashes at most 511 bytes (`CRYPT_MAX_PASSPHRASE_SIZE` with its NUL).
    static let maximumPasswordBytes = 511

    init(_ fields: HTTPFields) {
        let values = fields[values: .authorization]
        guard let value = values.first else {
            self = .absent
            return
        }
        let parts = value.utf8.split(separator: UInt8(ascii: " "), maxSplits: 1)
        guard values.count == 1, parts.count == 2 else {
            self = .malformed
            return
        }
        let payload = parts[1].drop { $0 == UInt8(ascii: " ") }
        switch String(decoding: parts[0], as: UTF8.self).lowercased() {
        case "basic": self = Self.basic(payload)
        case "bearer": self = Self.bearer(payload)
        default: self = .malformed
        }
    }

    private static func basic(_ payload: some Collection<UInt8>) -> Self {
        guard let pair = Base64.decode(payload), let colon = pair.firstIndex(of: UInt8(ascii: ":")) else {
            return .malformed
        }
        let username = Array(pair[..<colon])
        let password = Array(pair[(colon + 1)...])
        // RFC 7617 forbids control characters; a NUL would also end the password early for crypt(3).
        let isControl = { (byte: UInt8) in byte < 0x20 || byte == 0x7F }
        guard password.count <= Self.maximumPasswordBytes, !pair.contains(where: isControl) else { return .malformed }
        return .basic(username: username, password: password)
    }

    private static func bearer(_ payload: some Collection<UInt8>) -> Self {
        let isTokenByte = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
                true
            default: false
            }
        }
        guard !payload.isEmpty, payload.allSatisfy(isTokenByte) else { return .malformed }
        return .bearer(token: Array(payload))
    }
}
