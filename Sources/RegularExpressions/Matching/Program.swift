/// Instructions for a set of threads that read one scalar each at a time.
struct Program: Sendable {
    enum Instruction: Sendable {
        /// Reads one scalar, then goes on with the next instruction.
        case scalar(UInt32)
        case set(Int32)
        case assertion(SyntaxTree.Assertion)
        case jump(Int32)
        case split(Int32, Int32)
        case match
    }

    private(set) var instructions: [Instruction] = []
    let sets: [ScalarSet]

    /// Instructions, at most. Twelve bytes each, and as many steps a character where no automaton fits.
    static let limit = 1 << 20

    /// Counted repetitions are written out: `x{2,4}` as `xx(x(x)?)?`.
    ///
    /// - Returns: nil if it would be longer than `limit`.
    init?(_ tree: SyntaxTree) {
        self.sets = tree.sets
        guard Self.size(of: tree) < Self.limit else { return nil }
        var emitter = Emitter(tree)
        self.instructions = emitter.emit()
    }

    var hasAssertions: Bool {
        self.instructions.contains { if case .assertion = $0 { true } else { false } }
    }

    private static func size(of tree: SyntaxTree) -> Int {
        var sizes: [Int] = []
        for node in tree.nodes {
            let size =
                switch node {
                case .empty: 0
                case .nothing, .literal, .set, .assertion: 1
                case .sequence(let children): children.reduce(0) { $0 + sizes[$1] }
                case .alternatives(let children): children.reduce(0) { $0 + sizes[$1] + 2 }
                case .repeated(let child, let minimum, let maximum):
                    maximum.map { $0 * (sizes[child] + 1) } ?? max(minimum, 1) * sizes[child] + 2
                case .group(let child): sizes[child]
                }
            sizes.append(size)
        }
        return sizes[tree.root] + 1
    }

    /// Writes the tree in order, with a stack of what is still to write.
    private struct Emitter {
        private enum Step {
            case node(Int)
            /// A split whose second way is set by the step that closes it.
            case open
            /// Between alternatives: ends the one, opens the next.
            case otherwise
            /// Ends alternatives: as many ways lead here.
            case join(Int)
            /// Ends `x*`.
            case loop
            /// Before and after the last `x` of `x+`.
            case mark
            case again
            /// Ends nested optional parts, so many.
            case skip(Int)
        }

        private let tree: SyntaxTree
        private var instructions: [Instruction] = []
        /// Splits to be completed, and marks.
        private var opens: [Int] = []
        /// Jumps to be completed.
        private var exits: [Int] = []

        init(_ tree: SyntaxTree) {
            self.tree = tree
        }

        private var here: Int32 { Int32(self.instructions.count) }

        mutating func emit() -> [Instruction] {
            var steps: [Step] = [.node(self.tree.root)]
            while let step = steps.popLast() {
                self.perform(step, &steps)
            }
            self.instructions.append(.match)
            return self.instructions
        }

        private mutating func perform(_ step: Step, _ steps: inout [Step]) {
            switch step {
            case .node(let index):
                self.write(self.tree.nodes[index], &steps)
            case .open:
                self.opens.append(self.instructions.count)
                self.instructions.append(.split(self.here + 1, 0))
            case .otherwise:
                self.exits.append(self.instructions.count)
                self.instructions.append(.jump(0))
                self.complete(self.opens.removeLast())
            case .join(let count):
                self.exits.suffix(count).forEach { self.instructions[$0] = .jump(self.here) }
                self.exits.removeLast(count)
            case .loop:
                let start = self.opens.removeLast()
                self.instructions.append(.jump(Int32(start)))
                self.complete(start)
            case .mark:
                self.opens.append(self.instructions.count)
            case .again:
                self.instructions.append(.split(Int32(self.opens.removeLast()), self.here + 1))
            case .skip(let count):
                self.opens.suffix(count).forEach { self.complete($0) }
                self.opens.removeLast(count)
            }
        }

        private mutating func complete(_ split: Int) {
            self.instructions[split] = .split(Int32(split) + 1, self.here)
        }

        private mutating func write(_ node: SyntaxTree.Node, _ steps: inout [Step]) {
            switch node {
            case .empty:
                break
            case .nothing:
                // Reads a scalar that is in no text.
                self.instructions.append(.scalar(.max))
            case .literal(let scalar):
                self.instructions.append(.scalar(scalar))
            case .set(let set):
                self.instructions.append(.set(Int32(set)))
            case .assertion(let assertion):
                self.instructions.append(.assertion(assertion))
            case .group(let child):
                steps.append(.node(child))
            case .sequence(let children):
                steps += children.reversed().map { .node($0) }
            case .alternatives(let children):
                steps.append(.join(children.count - 1))
                for (position, child) in children.enumerated().reversed() {
                    if position < children.count - 1 {
                        steps.append(.otherwise)
                    }
                    steps.append(.node(child))
                    if position < children.count - 1 {
                        steps.append(.open)
                    }
                }
            case .repeated(let child, let minimum, nil):
                if minimum == 0 {
                    steps += [.loop, .node(child), .open]
                } else {
                    steps += [.again, .node(child), .mark]
                    steps += repeatElement(.node(child), count: minimum - 1)
                }
            case .repeated(let child, let minimum, .some(let maximum)):
                steps.append(.skip(maximum - minimum))
                for _ in minimum..<maximum {
                    steps += [.node(child), .open]
                }
                steps += repeatElement(.node(child), count: minimum)
            }
        }
    }
}
