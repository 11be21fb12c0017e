/// A regular expression in Go's RE2 syntax, matched against whole values in linear time.
///
/// As in Prometheus 3: anchored at both ends, and the dot matches every character, line feeds too.
///
/// Copies share one cache of automaton states; matching is safe from any thread.
package struct RegularExpression: Sendable {
    /// The pattern as given.
    package let pattern: String

    /// All the values that match, if they are finitely many and no more than 1,000; sorted by bytes, no duplicates.
    ///
    /// Nil too if the pattern has U+FFFD: that is how any byte is read that is not UTF-8.
    package let literals: [[UInt8]]?

    /// Bytes that every matching value starts with; may be empty.
    ///
    /// Whole characters, no more than 4 KiB; the longest such bytes that are evident from the pattern's structure.
    package let literalPrefix: [UInt8]

    /// The language as literal texts with gaps, if it has that form; nil if it has finitely many values.
    package let wildcards: Wildcards?

    private let tree: SyntaxTree
    private let strategy: Strategy

    /// From the cheapest on.
    private enum Strategy: Sendable {
        case everything, notEmpty
        case values(ValueTable)
        case pieces(LiteralPieces)
        case automaton(SharedAutomaton)
    }

    private static let literalLimit = 1000

    /// - Throws: `RegularExpressionError` for everything that Go's `regexp/syntax` refuses (flags: Perl), and for
    ///   patterns that are more than 2^20 instructions when counted repetitions are written out, where Go allows three
    ///   times as many.
    package init(_ pattern: String) throws(RegularExpressionError) {
        self.pattern = pattern
        self.tree = TreeSimplifier.simplified(try Parser.parse(pattern))
        let values = self.tree.values(limit: Self.literalLimit).map(sortedUnique)
        let literals = values.flatMap { $0.count <= Self.literalLimit ? $0 : nil }
        self.literals = literals
        self.literalPrefix = literals == [] ? [] : self.tree.literalPrefix()
        self.wildcards = Wildcards(self.tree)
        if let values {
            self.strategy = .values(ValueTable(values))
        } else if let wildcards = self.wildcards {
            self.strategy = Self.strategy(for: wildcards)
        } else if let program = Program(AlternativeTrie.shared(self.tree)) {
            self.strategy = .automaton(SharedAutomaton(program, prefix: self.literalPrefix))
        } else {
            throw RegularExpressionError(offset: 0, message: SyntaxProblem.tooLarge.rawValue)
        }
    }

    private static func strategy(for wildcards: Wildcards) -> Strategy {
        if wildcards.isEverything { return .everything }
        return wildcards.isNotEmpty ? .notEmpty : .pieces(LiteralPieces(wildcards))
    }

    /// Whether the whole value matches. Values are UTF-8; a byte that is not is read as U+FFFD, as in Go.
    ///
    /// Makes no copy of values in contiguous memory.
    package func matches(_ value: some RandomAccessCollection<UInt8> & Sendable) -> Bool {
        let result = value.withContiguousStorageIfAvailable { unsafe self.matches($0.span) }
        return result ?? self.matches(ContiguousArray(value).span)
    }

    private func matches(_ bytes: Span<UInt8>) -> Bool {
        switch self.strategy {
        case .everything: true
        case .notEmpty: !bytes.isEmpty
        case .values(let table): table.contains(bytes)
        case .pieces(let pieces): pieces.matches(bytes)
        case .automaton(let automaton): automaton.matches(bytes)
        }
    }

    /// The same language in a syntax on which Java, Joni and RE2 agree, `\A(?:…)\z`.
    ///
    /// Printed when asked for. Classes are written out, so it may be much longer than the pattern.
    ///
    /// - Returns: nil if it would have more bytes than `limitBytes`, or would need lookaround, which RE2 has not: for
    ///   word boundaries and line anchors inside, and for what matches nothing.
    package func commonSyntax(limitBytes: Int) -> String? {
        CommonSyntaxPrinter.print(self.tree, limitBytes: limitBytes)
    }

    /// Whether engines that backtrack need not be feared with `commonSyntax`.
    package var isCheapToBacktrack: Bool { self.tree.hasFewPaths }
}
