/// A regular expression in Go's RE2 syntax, matched against whole values in linear time.
///
/// As in Prometheus 3: anchored at both ends, and the dot matches every character, line feeds too.
package struct RegularExpression: Sendable {
    /// The pattern as given.
    package let pattern: String

    /// - Throws: `RegularExpressionError` for everything that Go's `regexp/syntax` refuses (flags: Perl).
    package init(_ pattern: String) throws(RegularExpressionError) {
        self.pattern = pattern
    }

    /// Whether the whole value matches. Values are UTF-8; a byte that is not is read as U+FFFD, as in Go.
    package func matches(_ value: some RandomAccessCollection<UInt8> & Sendable) -> Bool {
        fatalError("to be filled")
    }

    /// All the values that match, if they are finitely many and no more than 1,000; sorted by bytes, no duplicates.
    package var literals: [[UInt8]]? { nil }

    /// Bytes that every matching value starts with; may be empty.
    package var literalPrefix: [UInt8] { [] }

    /// The same language in a syntax on which Java, Joni and RE2 agree, `\A(?:…)\z`.
    package var commonSyntax: String { "" }
}

/// Where and why a pattern is not RE2.
package struct RegularExpressionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Offset in the pattern's UTF-8.
    package var offset: Int
    package var message: String

    package init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }

    package var description: String { "\(self.message) at byte \(self.offset)" }
}
