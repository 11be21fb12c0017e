/// Decides anchors whose place is known: as whole values are matched, `^` in first place and `$` in last always hold,
/// and `^` behind a character never does.
struct AnchorResolver {
    private enum Place {
        /// At the edge of the text in every match, in none, or it depends.
        case always, never, sometimes
    }

    /// - Returns: nil if there is nothing to resolve.
    static func resolved(_ tree: SyntaxTree) -> SyntaxTree? {
        guard tree.nodes.contains(where: { if case .assertion = $0 { true } else { false } }) else { return nil }
        var result = tree
        let widths = tree.nodes.reduce(into: [Width]()) { $0.append(Width($1, $0)) }
        var starts = [Place](repeating: .sometimes, count: tree.nodes.count)
        var ends = starts
        starts[tree.root] = .always
        ends[tree.root] = .always
        for index in tree.nodes.indices.reversed() {
            switch tree.nodes[index] {
            case .sequence(let children):
                Self.spread(starts[index], over: children, widths, to: &starts)
                Self.spread(ends[index], over: children.reversed(), widths, to: &ends)
            case .alternatives(let children):
                for child in children {
                    starts[child] = starts[index]
                    ends[child] = ends[index]
                }
            case .repeated(let child, _, let maximum):
                // Only one iteration is the first, but none is if the whole is not.
                starts[child] = maximum == 1 || starts[index] == .never ? starts[index] : .sometimes
                ends[child] = maximum == 1 || ends[index] == .never ? ends[index] : .sometimes
            case .group(let child):
                starts[child] = starts[index]
                ends[child] = ends[index]
            case .assertion(let assertion):
                if let node = Self.node(assertion, start: starts[index], end: ends[index]) {
                    result.replace(index, with: node)
                }
            case .empty, .nothing, .literal, .set:
                break
            }
        }
        return result
    }

    private static func node(_ assertion: SyntaxTree.Assertion, start: Place, end: Place) -> SyntaxTree.Node? {
        switch (assertion, start, end) {
        case (.textStart, .always, _), (.lineStart, .always, _), (.textEnd, _, .always), (.lineEnd, _, .always):
            .empty
        case (.textStart, .never, _), (.textEnd, _, .never):
            .nothing
        default:
            nil
        }
    }

    private static func spread(
        _ place: Place,
        over children: some Sequence<Int>,
        _ widths: [Width],
        to places: inout [Place]
    ) {
        var place = place
        for child in children {
            places[child] = place
            switch widths[child] {
            case .zero: break
            case .some: place = .never
            case .any: if place == .always { place = .sometimes }
            }
        }
    }

    /// How much of the text a node takes.
    private enum Width {
        /// Nothing in every match, something in every match, or it depends.
        case zero, some, any

        init(_ node: SyntaxTree.Node, _ known: [Width]) {
            switch node {
            case .empty, .assertion: self = .zero
            case .nothing, .literal, .set: self = .some
            case .sequence(let children):
                let widths = children.map { known[$0] }
                self = widths.contains(.some) ? .some : widths.allSatisfy { $0 == .zero } ? .zero : .any
            case .alternatives(let children):
                let widths = children.map { known[$0] }
                self = widths.allSatisfy { $0 == .some } ? .some : widths.allSatisfy { $0 == .zero } ? .zero : .any
            case .repeated(let child, let minimum, _):
                self = known[child] == .some && minimum == 0 ? .any : known[child]
            case .group(let child): self = known[child]
            }
        }
    }
}
