/// Rewrites a tree into a smaller one for the same language: no groups, no sequences in sequences or alternatives in
/// alternatives, no needless repetition, anchors at the ends resolved.
///
/// The smaller tree is what fast paths, the program and the printed form are made from.
struct TreeSimplifier {
    private var tree = SyntaxTree()
    /// Of each new node: whether it matches the empty string wherever it stands.
    private var isNullable: [Bool] = []
    /// Of each new node: whether all that it matches is empty.
    private var isZeroWidth: [Bool] = []

    private init() {}

    static func simplified(_ tree: SyntaxTree) -> SyntaxTree {
        let once = Self.rewritten(tree)
        guard let resolved = AnchorResolver.resolved(once) else { return once }
        return Self.rewritten(resolved)
    }

    private static func rewritten(_ old: SyntaxTree) -> SyntaxTree {
        var simplifier = TreeSimplifier()
        var indices: [Int] = []
        indices.reserveCapacity(old.nodes.count)
        for node in old.nodes {
            let index =
                switch node {
                case .empty, .nothing, .literal, .assertion: simplifier.append(node)
                case .set(let set): simplifier.append(old.sets[set])
                case .group(let child): indices[child]
                case .sequence(let children): simplifier.sequence(children.map { indices[$0] })
                case .alternatives(let children): simplifier.alternatives(children.map { indices[$0] })
                case .repeated(let child, let minimum, let maximum):
                    simplifier.repeated(indices[child], minimum: minimum, maximum: maximum)
                }
            indices.append(index)
        }
        return simplifier.tree.compacted(root: indices[old.root])
    }

    private mutating func append(_ node: SyntaxTree.Node) -> Int {
        let isNullable: Bool
        let isZeroWidth: Bool
        switch node {
        case .empty: (isNullable, isZeroWidth) = (true, true)
        case .assertion: (isNullable, isZeroWidth) = (false, true)
        case .nothing, .literal, .set: (isNullable, isZeroWidth) = (false, false)
        case .sequence(let children):
            isNullable = children.allSatisfy { self.isNullable[$0] }
            isZeroWidth = children.allSatisfy { self.isZeroWidth[$0] }
        case .alternatives(let children):
            isNullable = children.contains { self.isNullable[$0] }
            isZeroWidth = children.allSatisfy { self.isZeroWidth[$0] }
        case .repeated(let child, let minimum, _):
            isNullable = minimum == 0 || self.isNullable[child]
            isZeroWidth = self.isZeroWidth[child]
        case .group(let child):
            (isNullable, isZeroWidth) = (self.isNullable[child], self.isZeroWidth[child])
        }
        self.isNullable.append(isNullable)
        self.isZeroWidth.append(isZeroWidth)
        return self.tree.append(node)
    }

    private mutating func append(_ set: ScalarSet) -> Int {
        self.isNullable.append(false)
        self.isZeroWidth.append(false)
        return self.tree.append(set)
    }

    // MARK: Sequences

    private mutating func sequence(_ children: [Int]) -> Int {
        var parts: [Int] = []
        for child in children {
            switch self.tree.nodes[child] {
            case .empty: continue
            case .nothing: return self.append(.nothing)
            case .sequence(let inner): inner.forEach { self.add($0, to: &parts) }
            default: self.add(child, to: &parts)
            }
        }
        switch parts.count {
        case 0: return self.append(.empty)
        case 1: return parts[0]
        default: return self.append(.sequence(parts))
        }
    }

    /// Adds a part; `x*x+` becomes `x+` where x is a single scalar.
    private mutating func add(_ part: Int, to parts: inout [Int]) {
        if case .repeated(let set, let minimum, nil) = self.tree.nodes[part], let last = parts.last,
            case .repeated(let lastSet, let lastMinimum, nil) = self.tree.nodes[last],
            minimum + lastMinimum <= SyntaxLimits.repeatCount, self.isSameSingle(set, lastSet)
        {
            parts[parts.count - 1] = self.append(
                .repeated(set, minimum: minimum + lastMinimum, maximum: nil)
            )
        } else {
            parts.append(part)
        }
    }

    private func isSameSingle(_ left: Int, _ right: Int) -> Bool {
        switch (self.tree.nodes[left], self.tree.nodes[right]) {
        case (.literal(let left), .literal(let right)): left == right
        case (.set(let left), .set(let right)): left == right
        default: false
        }
    }

    // MARK: Alternatives

    private mutating func alternatives(_ children: [Int]) -> Int {
        var branches: [Int] = []
        var singles: [Int] = []
        var hasEmpty = false
        func add(_ index: Int) {
            switch self.tree.nodes[index] {
            case .nothing: break
            case .empty: hasEmpty = true
            case .literal, .set: singles.append(index)
            default: branches.append(index)
            }
        }
        for child in children {
            if case .alternatives(let inner) = self.tree.nodes[child] {
                inner.forEach(add)
            } else {
                add(child)
            }
        }
        if singles.count == 1 {
            branches += singles
        } else if !singles.isEmpty {
            branches.append(self.append(ScalarSet(singles.flatMap { self.tree.singles(of: $0)?.ranges ?? [] })))
        }
        guard let first = branches.first else { return self.append(hasEmpty ? .empty : .nothing) }
        let index = branches.count == 1 ? first : self.append(.alternatives(branches))
        return hasEmpty ? self.repeated(index, minimum: 0, maximum: 1) : index
    }

    // MARK: Repetition

    private mutating func repeated(_ child: Int, minimum: Int, maximum: Int?) -> Int {
        var (child, minimum, maximum) = (child, minimum, maximum)
        if maximum == 0 { return self.append(.empty) }
        if self.isZeroWidth[child] {
            return minimum == 0 ? self.append(.empty) : child
        }
        if case .nothing = self.tree.nodes[child] {
            return minimum == 0 ? self.append(.empty) : child
        }
        // `(x?)*` is `x*`, `(x+)?` too; so is every pair of `?`, `*` and `+` but two alike.
        if case .repeated(let inner, let innerMinimum, let innerMaximum) = self.tree.nodes[child],
            minimum <= 1, maximum ?? 1 == 1, innerMinimum <= 1, innerMaximum ?? 1 == 1
        {
            child = inner
            minimum *= innerMinimum
            maximum = maximum == nil || innerMaximum == nil ? nil : 1
        }
        if self.isNullable[child] {
            if maximum == 1 { return child }
            minimum = 0
        }
        if minimum == 1, maximum == 1 { return child }
        return self.append(.repeated(child, minimum: minimum, maximum: maximum))
    }
}

extension SyntaxTree {
    /// The part of the tree below `root`, each node once for every place where it stands.
    func compacted(root: Int) -> SyntaxTree {
        enum Step {
            case enter(Int)
            case leave(Int)
        }
        var result = SyntaxTree()
        var steps = [Step.enter(root)]
        var finished: [Int] = []
        while let step = steps.popLast() {
            switch step {
            case .enter(let index):
                steps.append(.leave(index))
                switch self.nodes[index] {
                case .sequence(let children), .alternatives(let children):
                    steps += children.reversed().map { .enter($0) }
                case .repeated(let child, _, _), .group(let child):
                    steps.append(.enter(child))
                case .empty, .nothing, .literal, .set, .assertion:
                    break
                }
            case .leave(let index):
                switch self.nodes[index] {
                case .sequence(let children):
                    let moved = Array(finished.suffix(children.count))
                    finished.removeLast(children.count)
                    finished.append(result.append(.sequence(moved)))
                case .alternatives(let children):
                    let moved = Array(finished.suffix(children.count))
                    finished.removeLast(children.count)
                    finished.append(result.append(.alternatives(moved)))
                case .repeated(_, let minimum, let maximum):
                    finished.append(
                        result.append(.repeated(finished.removeLast(), minimum: minimum, maximum: maximum))
                    )
                case .set(let set):
                    finished.append(result.append(self.sets[set]))
                case .group, .empty, .nothing, .literal, .assertion:
                    if case .group = self.nodes[index] { continue }
                    finished.append(result.append(self.nodes[index]))
                }
            }
        }
        return result
    }
}
