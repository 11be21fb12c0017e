import COpenSSL
import Common

/// Stands for one password check without holding the password: a keyed digest of tenant, user name, password and hash.
struct ProofKey: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    fileprivate init(digest: [UInt8]) {
        func word(_ index: Int) -> UInt64 {
            digest[(index * 8)..<(index * 8 + 8)].reduce(0) { $0 << 8 | UInt64($1) }
        }
        self.words = (word(0), word(1), word(2), word(3))
    }

    static func == (left: ProofKey, right: ProofKey) -> Bool {
        left.words == right.words
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(self.words.0)
        hasher.combine(self.words.1)
    }
}

/// Makes `ProofKey`s with a random key of its own, so that a memory dump of the cache cannot be searched by guessing
/// without that key too.
struct ProofKeyMaker: Sendable {
    private let secret: [UInt8]

    init() {
        var generator = SystemRandomNumberGenerator()
        self.secret = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// - Parameter isDecoy: a check whose result does not count; it never shares a key with one that does.
    func key(tenant: String, username: [UInt8], password: [UInt8], hash: String, isDecoy: Bool) -> ProofKey {
        var message: [UInt8] = [isDecoy ? 1 : 0]
        message.reserveCapacity(1 + 4 * 8 + tenant.utf8.count + username.count + password.count + hash.utf8.count)
        defer { message.overwrite() }
        // Lengths first: ("ab", "c") and ("a", "bc") must differ.
        for field in [Array(tenant.utf8), username, password, Array(hash.utf8)] {
            let length = UInt64(field.count)
            for shift in stride(from: 56, through: 0, by: -8) {
                message.append(UInt8(truncatingIfNeeded: length >> UInt64(shift)))
            }
            message += field
        }
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let result = unsafe HMAC(
            EVP_sha256(),
            self.secret,
            Int32(self.secret.count),
            message,
            message.count,
            &digest,
            &length
        )
        // An all-zero key for every check would let one success stand for all others.
        precondition(unsafe result != nil && length == 32, "libcrypto has no HMAC-SHA-256")
        return ProofKey(digest: digest)
    }
}
