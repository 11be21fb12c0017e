/// Go's bounds on what a pattern may become, counted node by node as the parser makes them.
///
/// - Source: Go, package `regexp/syntax` (`maxHeight`, `maxSize`, `maxRunes`, `maxRepeat`).
struct SyntaxLimits {
    static let repeatCount = 1000
    private static let height = 1000
    /// Instructions after counted repetitions are written out.
    private static let size = 128 << 20 / 40
    private static let scalars = 128 << 20 / 4
    /// Ours: ranges in distinct sets, 8 MiB of them. Go would let a small pattern of large classes take 128 MiB.
    private static let ranges = 1 << 20

    /// What is known of each node, by its index.
    struct Measure {
        var size = 1
        var height = 1
        /// Characters in a row, which Go keeps in one node.
        var isLiteral = false
        /// The largest product of nested counts inside.
        var repeatProduct = 1
    }

    private(set) var measures: [Measure] = []
    private var scalarCount = 0

    /// Measures the node appended last.
    ///
    /// - Parameter isLiteral: whether it came from a character, not a class.
    mutating func add(_ tree: SyntaxTree, isLiteral: Bool) -> SyntaxProblem? {
        let node = tree.nodes[tree.root]
        var measure = Measure()
        switch node {
        case .empty, .nothing, .assertion:
            break
        case .literal:
            measure.isLiteral = isLiteral
            self.scalarCount += 1
        case .set(let index):
            measure.isLiteral = isLiteral
            self.scalarCount += isLiteral ? 1 : 2 * tree.sets[index].ranges.count
        case .sequence(let children):
            measure = self.combined(children)
            if children.allSatisfy({ self.measures[$0].isLiteral }) {
                measure.isLiteral = true
            } else {
                // A sequence straight in a sequence is taken up into it.
                measure.height =
                    1 + self.height(of: children) { if case .sequence = tree.nodes[$0] { 1 } else { 0 } }
            }
        case .alternatives(let children):
            measure = self.combined(children)
            measure.size += children.count - 1
            if children.contains(where: { tree.singles(of: $0) == nil }) {
                measure.height =
                    1 + self.height(of: children) { if case .alternatives = tree.nodes[$0] { 1 } else { 0 } }
            }
        case .repeated(let child, let minimum, let maximum):
            measure = self.repeated(self.measures[child], minimum: minimum, maximum: maximum)
        case .group(let child):
            measure = self.measures[child]
            measure.size += 2
            measure.height += 1
            measure.isLiteral = false
        }
        self.measures.append(measure)
        if self.scalarCount > Self.scalars || tree.rangeCount > Self.ranges || measure.size > Self.size {
            return .tooLarge
        }
        return measure.height > Self.height ? .tooDeep : nil
    }

    private func combined(_ children: [Int]) -> Measure {
        var result = Measure(size: 0)
        for child in children {
            result.size += self.measures[child].size
            result.repeatProduct = max(result.repeatProduct, self.measures[child].repeatProduct)
        }
        return result
    }

    private func height(of children: [Int], less: (Int) -> Int) -> Int {
        children.reduce(1) { max($0, self.measures[$1].height - less($1)) }
    }

    private func repeated(_ child: Measure, minimum: Int, maximum: Int?) -> Measure {
        var result = child
        result.isLiteral = false
        result.height += 1
        guard let maximum else {
            result.size = minimum == 0 ? 2 + child.size : 1 + minimum * child.size
            result.repeatProduct *= max(1, minimum)
            return result
        }
        result.size = max(1, maximum * child.size + maximum - minimum)
        result.repeatProduct = maximum == 0 ? 1 : maximum * child.repeatProduct
        return result
    }
}
