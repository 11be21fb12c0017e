/// A value that must not be seen: passwords, keys, tokens. Text forms show nothing of it.
///
/// The bytes lie in memory of their own, which is overwritten when the last copy of the value goes. What they were copied
/// from, and what is made of them by `revealed`, is not.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let memory: SecretMemory

    package init(_ value: String) {
        self.init(bytes: value.utf8)
    }

    /// - Parameter bytes: UTF-8.
    package init(bytes: some Collection<UInt8>) {
        self.memory = SecretMemory(bytes)
    }

    /// The value as text of its own; ask for it only where it is used, and where bytes would not do.
    package var revealed: String {
        unsafe self.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    package var isEmpty: Bool { self.memory.count == 0 }

    /// Lends the bytes, for the time of the call.
    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe self.memory.withUnsafeBytes(body)
    }

    package static func == (left: Secret, right: Secret) -> Bool { left.memory.holdsTheSame(as: right.memory) }

    package func hash(into hasher: inout Hasher) {
        unsafe self.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }

    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
