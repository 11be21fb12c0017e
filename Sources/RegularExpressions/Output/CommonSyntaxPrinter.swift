/// Prints a tree in the part of regular expression syntax that java.util.regex, Joni with Java's syntax and RE2 read
/// alike, where there is one: word boundaries and line anchors would need lookaround, which RE2 has not.
///
/// Classes are always written as ranges of code points, never by a property's name: each engine has its own version of
/// Unicode, and `\d`, `\w`, `\s`, `\b` differ.
struct CommonSyntaxPrinter {
    private enum Step {
        case node(Int)
        case text(String)
    }

    private let tree: SyntaxTree
    /// Of each node: whether it can match the empty string somewhere.
    private var canBeEmpty: [Bool] = []
    private var output = ""

    /// - Returns: nil if there are more bytes than the limit, or no such pattern.
    static func print(_ tree: SyntaxTree, limitBytes: Int) -> String? {
        let isCommon = tree.nodes.allSatisfy { node in
            switch node {
            case .assertion(.textStart), .assertion(.textEnd): true
            case .assertion, .nothing: false
            default: true
            }
        }
        guard isCommon else { return nil }
        var printer = CommonSyntaxPrinter(tree)
        return printer.print(limitBytes) ? printer.output : nil
    }

    private init(_ tree: SyntaxTree) {
        self.tree = tree
        for node in tree.nodes {
            let canBeEmpty =
                switch node {
                case .empty, .assertion: true
                case .nothing, .literal, .set: false
                case .sequence(let children): children.allSatisfy { self.canBeEmpty[$0] }
                case .alternatives(let children): children.contains { self.canBeEmpty[$0] }
                case .repeated(let child, let minimum, _): minimum == 0 || self.canBeEmpty[child]
                case .group(let child): self.canBeEmpty[child]
                }
            self.canBeEmpty.append(canBeEmpty)
        }
    }

    /// - Returns: whether it fits.
    private mutating func print(_ limitBytes: Int) -> Bool {
        var steps: [Step] = [.text(")\\z"), .node(self.tree.root), .text("\\A(?:")]
        while let step = steps.popLast() {
            guard self.output.utf8.count <= limitBytes else { return false }
            switch step {
            case .text(let text):
                self.output += text
            case .node(let index):
                self.print(self.tree.nodes[index], &steps)
            }
        }
        return self.output.utf8.count <= limitBytes
    }

    private mutating func print(_ node: SyntaxTree.Node, _ steps: inout [Step]) {
        switch node {
        case .empty:
            steps.append(.text("(?:)"))
        case .literal(let scalar):
            self.printCharacter(scalar)
        case .set(let set):
            self.printSet(self.tree.sets[set])
        case .sequence(let children):
            steps += children.reversed().map { .node($0) }
        case .alternatives(let children):
            steps.append(.text(")"))
            for child in children.dropFirst().reversed() {
                steps.append(.node(child))
                steps.append(.text("|"))
            }
            if let first = children.first {
                steps.append(.node(first))
            }
            steps.append(.text("(?:"))
        case .repeated(let child, let minimum, let maximum) where minimum > 1 && self.canBeEmpty[child]:
            // `(?:\A|x){2}` matches x. But Java leaves a counted repetition at the first empty round, so the rounds that
            // must be are written out.
            if maximum != minimum {
                self.printRepeated(child, minimum: 0, maximum: maximum.map { $0 - minimum }, &steps)
            }
            for _ in 0..<minimum {
                self.printRepeated(child, minimum: 1, maximum: 1, &steps)
            }
        case .repeated(let child, let minimum, let maximum):
            self.printRepeated(child, minimum: minimum, maximum: maximum, &steps)
        case .assertion(.textStart):
            steps.append(.text("\\A"))
        case .assertion(.textEnd):
            steps.append(.text("\\z"))
        case .group(let child):
            steps.append(.node(child))
        case .nothing, .assertion:
            preconditionFailure("trees with these are not printed")
        }
    }

    private func printRepeated(_ child: Int, minimum: Int, maximum: Int?, _ steps: inout [Step]) {
        steps.append(.text(")" + Self.count(minimum: minimum, maximum: maximum)))
        steps.append(.node(child))
        steps.append(.text("(?:"))
    }

    private static func count(minimum: Int, maximum: Int?) -> String {
        switch (minimum, maximum) {
        case (0, nil): "*"
        case (1, nil): "+"
        case (0, 1): "?"
        case (1, 1): ""
        case (_, nil): "{\(minimum),}"
        case (_, .some(minimum)): "{\(minimum)}"
        case (_, .some(let maximum)): "{\(minimum),\(maximum)}"
        }
    }

    private mutating func printSet(_ set: ScalarSet) {
        if set.isAll {
            self.output += "(?s:.)"
            return
        }
        if set == .allButLineFeed {
            self.output += "[^\\n]"
            return
        }
        let complement = set.complement
        let isNegated = complement.ranges.count < set.ranges.count
        self.output += isNegated ? "[^" : "["
        for range in (isNegated ? complement : set).ranges {
            self.printCharacter(range.lowerBound)
            if range.count > 2 {
                self.output.append("-")
            }
            if range.count > 1 {
                self.printCharacter(range.upperBound)
            }
        }
        self.output.append("]")
    }

    /// A character so that no engine takes it for anything else, inside a class or outside.
    private mutating func printCharacter(_ value: UInt32) {
        guard let scalar = Unicode.Scalar(value) else { return }
        switch scalar {
        case "0"..."9", "A"..."Z", "a"..."z":
            break
        case "\0"..."\u{1F}", "\u{7F}":
            let digits = Array("0123456789ABCDEF")
            self.output += "\\x\(digits[Int(value >> 4)])\(digits[Int(value & 15)])"
            return
        case "\0"..."\u{7F}":
            self.output += "\\"
        default:
            break
        }
        self.output.unicodeScalars.append(scalar)
    }
}
