/// Runs all threads of a program side by side, one scalar at a time: at most `program` steps for each (Thompson, Pike).
struct ThreadSimulator {
    /// What stands on one side of a place in the text.
    enum Neighbour: Int32 {
        case edge, lineFeed, word, other

        init(_ scalar: UInt32) {
            self = scalar == 0x0A ? .lineFeed : ScalarSet.wordCharacters.contains(scalar) ? .word : .other
        }
    }

    let program: Program
    private let hasAssertions: Bool
    /// Instructions at which threads wait: for a scalar, for an assertion to be decided, or at the match. No order.
    private(set) var waiting: [Int32] = []
    /// What was read last; always `.other` if the program does not ask.
    private(set) var previous: Neighbour = .other
    /// Instructions visited so far, for tests of linearity.
    private(set) var steps = 0

    private var decided: IndexSet
    private var visited: IndexSet
    private var stack: [Int32] = []

    init(_ program: Program) {
        self.program = program
        self.hasAssertions = program.hasAssertions
        self.decided = IndexSet(capacity: self.hasAssertions ? program.instructions.count : 0)
        self.visited = IndexSet(capacity: program.instructions.count)
    }

    /// To the start of a text.
    mutating func start() {
        self.previous = self.hasAssertions ? .edge : .other
        self.visited.removeAll()
        self.follow(0, into: \.visited, next: nil)
        self.collect()
    }

    /// To a place where an earlier run has been.
    mutating func resume(_ waiting: ArraySlice<Int32>, previous: Neighbour) {
        self.waiting.removeAll(keepingCapacity: true)
        self.waiting.append(contentsOf: waiting)
        self.previous = previous
    }

    mutating func sortWaiting() {
        self.waiting.sort()
    }

    mutating func advance(_ scalar: UInt32) {
        self.visited.removeAll()
        if self.hasAssertions {
            let next = Neighbour(scalar)
            self.decide(next)
            for position in 0..<self.decided.count {
                self.read(scalar, at: self.decided[position])
            }
            self.previous = next
        } else {
            for position in self.waiting.indices {
                self.read(scalar, at: self.waiting[position])
            }
        }
        self.collect()
    }

    /// Whether the text matches if it ends here.
    mutating func isAccepting() -> Bool {
        let match = Int32(self.program.instructions.count - 1)
        guard self.hasAssertions else { return self.waiting.contains(match) }
        self.decide(.edge)
        return self.decided.contains(match)
    }

    @inline(__always)
    private mutating func read(_ scalar: UInt32, at index: Int32) {
        let isRead =
            switch self.program.instructions[Int(index)] {
            case .scalar(let expected): scalar == expected
            case .set(let set): self.program.sets[Int(set)].contains(scalar)
            case .assertion, .jump, .split, .match: false
            }
        if isRead {
            self.follow(index + 1, into: \.visited, next: nil)
        }
    }

    /// Lets threads past the assertions that hold between `previous` and `next`.
    private mutating func decide(_ next: Neighbour) {
        self.decided.removeAll()
        for position in self.waiting.indices {
            self.follow(self.waiting[position], into: \.decided, next: next)
        }
    }

    /// Adds an instruction and all that is reached from it without reading.
    ///
    /// - Parameter next: nil if not known yet; assertions are then left to wait.
    private mutating func follow(_ index: Int32, into set: WritableKeyPath<Self, IndexSet>, next: Neighbour?) {
        self.stack.append(index)
        while let index = self.stack.popLast() {
            guard self[keyPath: set].insert(index) else { continue }
            self.steps += 1
            switch self.program.instructions[Int(index)] {
            case .jump(let target):
                self.stack.append(target)
            case .split(let first, let second):
                self.stack.append(second)
                self.stack.append(first)
            case .assertion(let assertion):
                if let next, self.holds(assertion, next) {
                    self.stack.append(index + 1)
                }
            case .scalar, .set, .match:
                break
            }
        }
    }

    private func holds(_ assertion: SyntaxTree.Assertion, _ next: Neighbour) -> Bool {
        switch assertion {
        case .textStart: self.previous == .edge
        case .textEnd: next == .edge
        case .lineStart: self.previous == .edge || self.previous == .lineFeed
        case .lineEnd: next == .edge || next == .lineFeed
        case .wordBoundary: (self.previous == .word) != (next == .word)
        case .noWordBoundary: (self.previous == .word) == (next == .word)
        }
    }

    private mutating func collect() {
        self.waiting.removeAll(keepingCapacity: true)
        for position in 0..<self.visited.count {
            let index = self.visited[position]
            switch self.program.instructions[Int(index)] {
            case .scalar, .set, .assertion, .match: self.waiting.append(index)
            case .jump, .split: break
            }
        }
    }
}

/// A set of instruction indices that is emptied in no time and remembers the order of insertion.
///
/// - Source: Briggs and Torczon, "An Efficient Representation for Sparse Sets", 1993.
struct IndexSet {
    private var dense: [Int32]
    private var sparse: [Int32]
    private(set) var count = 0

    init(capacity: Int) {
        self.dense = Array(repeating: 0, count: capacity)
        self.sparse = Array(repeating: 0, count: capacity)
    }

    subscript(position: Int) -> Int32 { self.dense[position] }

    func contains(_ index: Int32) -> Bool {
        let position = Int(self.sparse[Int(index)])
        return position < self.count && self.dense[position] == index
    }

    /// - Returns: whether it was not there yet.
    mutating func insert(_ index: Int32) -> Bool {
        if self.contains(index) { return false }
        self.dense[self.count] = index
        self.sparse[Int(index)] = Int32(self.count)
        self.count += 1
        return true
    }

    mutating func removeAll() {
        self.count = 0
    }
}
