/// Where and why a pattern is not RE2.
package struct RegularExpressionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Offset in the pattern's UTF-8.
    package var offset: Int
    /// Go's words for the problem, then the construct between back quotes.
    package var message: String

    package init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }

    package var description: String { "\(self.message) at byte \(self.offset)" }
}
