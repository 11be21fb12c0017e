/// Bytes at one address that never change: handed from the translator to the signer and to libcurl without a copy.
@safe package final class FrozenBytes: @unchecked Sendable {
    // Safe because: the memory is written only before `init` returns, is owned by this object alone, and is freed in
    // `deinit`; afterwards there are only readers.
    private let storage: UnsafeRawBufferPointer

    /// Takes over memory made by `malloc`.
    ///
    /// - Parameter adopting: the bytes; the object frees them with `free` when it goes.
    package init(adopting memory: UnsafeRawBufferPointer) {
        unsafe self.storage = memory
    }

    package convenience init(_ bytes: some Collection<UInt8>) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 16)
        unsafe memory.copyBytes(from: bytes)
        unsafe self.init(adopting: UnsafeRawBufferPointer(rebasing: memory[..<bytes.count]))
    }

    deinit {
        unsafe self.storage.deallocate()
    }

    package var count: Int { unsafe self.storage.count }

    /// Lends the bytes; the pointer stays valid for as long as this object lives.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(self.storage)
    }

    /// A copy, for tests and logs.
    package var array: [UInt8] { unsafe Array(self.storage) }
}
