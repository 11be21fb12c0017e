import Common

/// A key of HMAC-SHA-256, with both paddings hashed already.
///
/// Source: RFC 2104.
final class HMACKey: Sendable {
    private static let blockSize = 64
    private let inner = SHA256Context()
    private let outer = SHA256Context()

    /// - Parameter context: scratch, free to use.
    init(_ bytes: [UInt8], using context: SHA256Context) {
        // Made once and as long as it has to be, so that all there is of it can be overwritten.
        var block = [UInt8](repeating: 0, count: Self.blockSize)
        defer { block.overwrite() }
        if bytes.count > Self.blockSize {
            context.restart()
            context.update(bytes)
            block.replaceSubrange(..<32, with: context.finish())
        } else {
            block.replaceSubrange(..<bytes.count, with: bytes)
        }
        for index in block.indices { block[index] ^= 0x36 }
        self.inner.update(block)
        for index in block.indices { block[index] ^= 0x36 ^ 0x5C }
        self.outer.update(block)
    }

    /// The 32 bytes of the message's authentication code.
    func authenticate(_ message: [UInt8], using context: SHA256Context) -> [UInt8] {
        context.restart(from: self.inner)
        context.update(message)
        let digest = context.finish()
        context.restart(from: self.outer)
        context.update(digest)
        return context.finish()
    }
}

/// The key that signs one day's requests to one service in one region.
///
/// Source: AWS Signature Version 4, "Derive a signing key".
struct SigningKey: Sendable {
    let hmac: HMACKey

    /// - Parameter day: of the request, `yyyymmdd`.
    init(secret: Secret, day: String, region: String, service: String, using context: SHA256Context) {
        var key: [UInt8] = []
        defer { key.overwrite() }
        unsafe secret.withUnsafeBytes { secret in
            key.reserveCapacity(4 + secret.count)
            key += "AWS4".utf8
            unsafe key += secret
        }
        for part in [day, region, service, "aws4_request"] {
            let next = HMACKey(key, using: context).authenticate(Array(part.utf8), using: context)
            key.overwrite()
            key = next
        }
        self.hmac = HMACKey(key, using: context)
    }
}

/// Derived keys by day, region and access key. Bounded: pass-through callers bring as many access keys as they like.
final class SigningKeyCache: Sendable {
    private struct Name: Hashable {
        var accessKeyID: String
        var secret: Secret
        var day: String
        var region: String
    }
    private static let capacity = 1024
    private let service: String
    private let keys = Locked(BoundedCache<Name, SigningKey>(capacity: capacity))

    init(service: String) {
        self.service = service
    }

    func key(for accessKey: AccessKey, day: String, region: String, using context: SHA256Context) -> SigningKey {
        let name = Name(
            accessKeyID: accessKey.accessKeyID,
            secret: accessKey.secretAccessKey,
            day: day,
            region: region
        )
        if let known = self.keys.withLock({ $0.value(of: name) }) { return known }
        // Outside the lock: two threads may derive the same key at once, and either result is right.
        let key = SigningKey(
            secret: accessKey.secretAccessKey,
            day: day,
            region: region,
            service: self.service,
            using: context
        )
        self.keys.withLock { $0.insert(key, for: name) }
        return key
    }

    /// How many keys are held; for tests of the bound.
    var count: Int { self.keys.withLock { $0.count } }
}
