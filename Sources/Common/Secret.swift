/// A value that must not be seen: passwords, keys, tokens. Text forms show nothing of it.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The value itself; ask for it only where it is used.
    package let revealed: String

    package init(_ value: String) {
        self.revealed = value
    }

    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
