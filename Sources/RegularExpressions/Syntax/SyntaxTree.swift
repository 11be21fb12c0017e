/// A pattern's tree in one array: children stand before their parents, and every node but the root has one parent.
///
/// So each pass over it is a loop, not a recursion that a pattern could drive deep. Groups carry no names or numbers,
/// repetitions no greed: whether a whole value matches does not depend on them. `(?i)` is already expanded into sets.
struct SyntaxTree: Sendable {
    enum Node: Sendable, Equatable {
        /// Matches the empty string.
        case empty
        /// Matches nothing at all.
        case nothing
        case literal(UInt32)
        /// Index in `sets`; two members or more.
        case set(Int)
        case sequence([Int])
        case alternatives([Int])
        /// Without a maximum, any number from the minimum on.
        case repeated(Int, minimum: Int, maximum: Int?)
        case assertion(Assertion)
        /// A capturing group: only the parser makes it, for Go counts its depth; simplification takes it away.
        case group(Int)
    }

    enum Assertion: Sendable {
        case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary
    }

    private(set) var nodes: [Node] = []
    private(set) var sets: [ScalarSet] = []
    private var setIndices: [ScalarSet: Int] = [:]
    /// Ranges in all of `sets`.
    private(set) var rangeCount = 0

    var root: Int { self.nodes.count - 1 }

    mutating func append(_ node: Node) -> Int {
        self.nodes.append(node)
        return self.nodes.count - 1
    }

    /// Appends a node that matches one scalar of the set.
    mutating func append(_ set: ScalarSet) -> Int {
        if set.isEmpty { return self.append(.nothing) }
        if let only = set.only { return self.append(.literal(only)) }
        if let index = self.setIndices[set] { return self.append(.set(index)) }
        self.sets.append(set)
        self.rangeCount += set.ranges.count
        self.setIndices[set] = self.sets.count - 1
        return self.append(.set(self.sets.count - 1))
    }

    /// Puts a node without children in another such node's place.
    mutating func replace(_ index: Int, with leaf: Node) {
        self.nodes[index] = leaf
    }

    /// Node `index` as a set of single scalars, if it is one.
    func singles(of index: Int) -> ScalarSet? {
        switch self.nodes[index] {
        case .literal(let scalar): ScalarSet([scalar...scalar])
        case .set(let set): self.sets[set]
        default: nil
        }
    }
}
