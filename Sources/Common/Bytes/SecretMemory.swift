import COpenSSL

/// Bytes at one address that never change, and that are overwritten before their memory is given back.
@safe final class SecretMemory: @unchecked Sendable, CustomReflectable {
    // Safe because: the memory is written only before `init` returns, is owned by this object alone, and is freed in
    // `deinit`; in between there are only readers.
    private let storage: UnsafeMutableRawBufferPointer

    init(_ bytes: some Collection<UInt8>) {
        unsafe self.storage = .allocate(byteCount: bytes.count, alignment: 1)
        unsafe self.storage.copyBytes(from: bytes)
    }

    deinit {
        unsafe OPENSSL_cleanse(self.storage.baseAddress, self.storage.count)
        unsafe self.storage.deallocate()
    }

    var count: Int { unsafe self.storage.count }

    func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(self.storage))
    }

    /// Takes the same time wherever the two differ.
    func holdsTheSame(as other: SecretMemory) -> Bool {
        guard self.count == other.count else { return false }
        return unsafe self.count == 0
            || CRYPTO_memcmp(self.storage.baseAddress, other.storage.baseAddress, self.count) == 0
    }

    /// `dump` goes through whatever it is given.
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension [UInt8] {
    /// Overwrites the bytes and gives their memory back.
    ///
    /// Only where no other array shares them: else this one would get a copy of its own, and that would be overwritten.
    package mutating func overwrite() {
        unsafe self.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe OPENSSL_cleanse(start, bytes.count)
        }
        self = []
    }
}
