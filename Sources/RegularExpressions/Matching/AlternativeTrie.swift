/// Alternatives that begin alike, such as `host-1.*|host-2.*`, with their beginnings shared: `host-(?:1.*|2.*)`.
///
/// A value then keeps a few threads busy, and not one for each of a thousand alternatives. Only programs are made from
/// such trees: they nest deeper than what was written, which other engines should not be asked to read.
struct AlternativeTrie {
    private struct Edge: Hashable {
        var from: Int
        var label: Label
    }

    private enum Label: Hashable {
        case literal(UInt32)
        case set(Int)
    }

    private struct Place {
        /// Nodes that read one scalar, and where they lead.
        var edges: [(part: Int, to: Int)] = []
        /// What follows here and is not shared.
        var rests: [Int] = []
        /// Whether an alternative ends here.
        var isEnd = false
    }

    private var edges: [Edge: Int] = [:]
    private var places = [Place()]

    private init() {}

    /// The tree with the beginnings of its alternatives shared.
    static func shared(_ old: SyntaxTree) -> SyntaxTree {
        var tree = SyntaxTree()
        var indices: [Int] = []
        indices.reserveCapacity(old.nodes.count)
        for node in old.nodes {
            let index =
                switch node {
                case .empty, .nothing, .literal, .assertion: tree.append(node)
                case .set(let set): tree.append(old.sets[set])
                case .group(let child): indices[child]
                case .sequence(let children): tree.append(.sequence(children.map { indices[$0] }))
                case .repeated(let child, let minimum, let maximum):
                    tree.append(.repeated(indices[child], minimum: minimum, maximum: maximum))
                case .alternatives(let children):
                    Self.shared(children.map { indices[$0] }, in: &tree)
                }
            indices.append(index)
        }
        return tree.compacted(root: indices[old.root])
    }

    private static func shared(_ branches: [Int], in tree: inout SyntaxTree) -> Int {
        var trie = AlternativeTrie()
        for branch in branches {
            trie.insert(branch, &tree)
        }
        return trie.node(in: &tree)
    }

    private mutating func insert(_ branch: Int, _ tree: inout SyntaxTree) {
        var parts = [branch][...]
        if case .sequence(let children) = tree.nodes[branch] {
            parts = children[...]
        }
        var place = 0
        while let part = parts.first {
            let label: Label
            switch tree.nodes[part] {
            case .literal(let scalar): label = .literal(scalar)
            case .set(let set): label = .set(set)
            default:
                self.places[place].rests.append(parts.count == 1 ? part : tree.append(.sequence(Array(parts))))
                return
            }
            parts.removeFirst()
            let edge = Edge(from: place, label: label)
            if let next = self.edges[edge] {
                place = next
            } else {
                self.edges[edge] = self.places.count
                self.places[place].edges.append((part, self.places.count))
                place = self.places.count
                self.places.append(Place())
            }
        }
        self.places[place].isEnd = true
    }

    /// Makes the nodes, from the last place to the first: a place comes before those that it leads to.
    private mutating func node(in tree: inout SyntaxTree) -> Int {
        // What follows each place, last part first.
        var contents = [[Int]](repeating: [], count: self.places.count)
        for index in self.places.indices.reversed() {
            let place = self.places[index]
            var options = place.rests.map { [$0] }
            for (part, next) in place.edges {
                var option = contents[next]
                contents[next] = []
                option.append(part)
                options.append(option)
            }
            if options.count == 1, !place.isEnd {
                contents[index] = options[0]
            } else if !options.isEmpty {
                let nodes = options.map { Self.sequence($0.reversed(), in: &tree) }
                let node = nodes.count == 1 ? nodes[0] : tree.append(.alternatives(nodes))
                contents[index] = [place.isEnd ? tree.append(.repeated(node, minimum: 0, maximum: 1)) : node]
            }
        }
        return Self.sequence(contents[0].reversed(), in: &tree)
    }

    private static func sequence(_ parts: [Int], in tree: inout SyntaxTree) -> Int {
        switch parts.count {
        case 0: tree.append(.empty)
        case 1: parts[0]
        default: tree.append(.sequence(parts))
        }
    }
}
