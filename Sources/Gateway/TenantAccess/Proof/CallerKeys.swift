package import Common

/// AWS keys that a caller shows in basic authentication, to sign its calls with; checked for their form only.
package struct CallerKeys: Sendable, Hashable {
    package let accessKeyID: String
    package let secretAccessKey: Secret

    /// - Returns: nil for what cannot be a key: the id becomes part of a header.
    init?(username: [UInt8], password: [UInt8]) {
        let isIDByte = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard (1...128).contains(username.count), username.allSatisfy(isIDByte), !password.isEmpty,
            password.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        self.accessKeyID = String(decoding: username, as: UTF8.self)
        self.secretAccessKey = Secret(String(decoding: password, as: UTF8.self))
    }
}
