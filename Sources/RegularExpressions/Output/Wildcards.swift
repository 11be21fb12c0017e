/// Literal texts with any text between, before or behind: `prefix.*`, `.*part.*`, `a.+b.*c`.
///
/// A language that needs no regular expression: SQL's LIKE says the same.
package struct Wildcards: Sendable, Equatable {
    /// Whole characters; one more than there are gaps. Only the first and the last one may be empty.
    package let pieces: [[UInt8]]
    /// How many characters stand between two pieces, at least: 0 for `.*`, 1 for `.+`.
    package let gaps: [Int]

    /// Everything that begins so.
    package init(prefix: [UInt8]) {
        self.pieces = [prefix, []]
        self.gaps = [0]
    }

    /// - Returns: nil if the tree has another form, or no gap.
    init?(_ tree: SyntaxTree) {
        let parts: [Int]
        switch tree.nodes[tree.root] {
        case .sequence(let children): parts = children
        case .repeated: parts = [tree.root]
        default: return nil
        }
        var pieces: [[UInt8]] = [[]]
        var gaps: [Int] = []
        for part in parts {
            switch tree.nodes[part] {
            case .literal(let scalar) where scalar != ScalarSet.replacement:
                appendUTF8(scalar, to: &pieces[pieces.count - 1])
            case .repeated(let child, let minimum, nil) where minimum <= 1:
                guard tree.singles(of: child)?.isAll == true else { return nil }
                pieces.append([])
                gaps.append(minimum)
            default:
                return nil
            }
        }
        guard !gaps.isEmpty, !pieces.dropFirst().dropLast().contains([]) else { return nil }
        self.pieces = pieces
        self.gaps = gaps
    }

    /// Whether it is any text at all.
    package var isEverything: Bool { self.isAnyText && self.gaps[0] == 0 }
    /// Whether it is any text but the empty one.
    package var isNotEmpty: Bool { self.isAnyText && self.gaps[0] == 1 }

    private var isAnyText: Bool { self.pieces.allSatisfy(\.isEmpty) }

    /// Bytes of the shortest text, if every gap takes nothing.
    package var literalBytes: Int { self.pieces.reduce(0) { $0 + $1.count } }
}
