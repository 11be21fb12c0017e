import COpenSSL
import Common

/// libcrypto's SHA-256, looked up once: a look-up for each use costs more than hashing a short text.
@safe private struct SHA256Algorithm: @unchecked Sendable {
    // Safe because: the object is immutable, and libcrypto counts its references atomically.
    let pointer: OpaquePointer

    static let shared = SHA256Algorithm()

    private init() {
        guard let pointer = unsafe EVP_MD_fetch(nil, "SHA256", nil) else {
            fatalError("libcrypto offers no SHA-256: its configuration or provider is broken")
        }
        unsafe self.pointer = pointer
    }
}

/// One running SHA-256 of libcrypto, used again and again.
@safe final class SHA256Context: @unchecked Sendable {
    // Safe because: whoever has a context out of the pool, or made it, is the only one to change it; one that is only
    // copied from (a key's padded state) may be read by many threads, as libcrypto does not change it then.
    private let context: OpaquePointer

    init() {
        guard let context = unsafe EVP_MD_CTX_new() else {
            fatalError("libcrypto has no memory for a digest context")
        }
        unsafe self.context = context
        let status = unsafe EVP_DigestInit_ex2(context, SHA256Algorithm.shared.pointer, nil)
        Self.check(status)
    }

    deinit {
        unsafe EVP_MD_CTX_free(self.context)
    }

    /// Forgets what was hashed so far.
    func restart() {
        let status = unsafe EVP_DigestInit_ex2(self.context, nil, nil)
        Self.check(status)
    }

    /// Takes over the other context's state.
    func restart(from other: SHA256Context) {
        let status = unsafe EVP_MD_CTX_copy_ex(self.context, other.context)
        Self.check(status)
    }

    func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        let status = unsafe EVP_DigestUpdate(self.context, start, bytes.count)
        Self.check(status)
    }

    func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe self.update($0) }
    }

    /// The 32 bytes of the digest; `restart` before the next use.
    func finish() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            let status = unsafe EVP_DigestFinal_ex(self.context, buffer.baseAddress, nil)
            Self.check(status)
            count = 32
        }
    }

    /// With SHA-256 at hand only an exhausted heap makes these calls fail, and a wrong digest must not leave here.
    private static func check(_ status: Int32) {
        guard status == 1 else { fatalError("libcrypto failed to compute a digest") }
    }
}

/// Contexts waiting for their next use; bounded, so that a burst of threads does not keep its peak for ever.
final class SHA256ContextPool: Sendable {
    private static let capacity = 64
    private let idle = Locked<[SHA256Context]>([])

    func withContext<Result>(_ body: (SHA256Context) -> Result) -> Result {
        let context = self.idle.withLock { $0.popLast() } ?? SHA256Context()
        defer {
            self.idle.withLock { idle in
                if idle.count < Self.capacity { idle.append(context) }
            }
        }
        context.restart()
        return body(context)
    }
}
