/// Prints a tree in the part of regular expression syntax that java.util.regex, Joni with Java's syntax and RE2 read
/// alike, where there is one; word boundaries and line anchors need lookaround, which RE2 has not.
///
/// Classes are always written as ranges of code points, never by a property's name: each engine has its own version of
/// Unicode, and `\d`, `\w`, `\s`, `\b` differ.
struct CommonSyntaxPrinter {
    private enum Step {
        case node(Int)
        case text(String)
    }

    private let tree: SyntaxTree
    private var output = String.UnicodeScalarView()

    static func print(_ tree: SyntaxTree) -> String {
        var printer = CommonSyntaxPrinter(tree: tree)
        printer.print()
        return String(printer.output)
    }

    private init(tree: SyntaxTree) {
        self.tree = tree
    }

    private mutating func print() {
        var steps: [Step] = [.text(")\\z"), .node(self.tree.root), .text("\\A(?:")]
        while let step = steps.popLast() {
            switch step {
            case .text(let text):
                self.output.append(contentsOf: text.unicodeScalars)
            case .node(let index):
                self.print(self.tree.nodes[index], &steps)
            }
        }
    }

    private mutating func print(_ node: SyntaxTree.Node, _ steps: inout [Step]) {
        switch node {
        case .empty:
            steps.append(.text("(?:)"))
        case .nothing:
            steps.append(.text("(?!)"))
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
        case .repeated(let child, let minimum, let maximum):
            steps.append(.text(")" + Self.count(minimum: minimum, maximum: maximum)))
            steps.append(.node(child))
            steps.append(.text("(?:"))
        case .assertion(let assertion):
            steps.append(.text(Self.text(assertion)))
        case .group(let child):
            steps.append(.node(child))
        }
    }

    private static func count(minimum: Int, maximum: Int?) -> String {
        switch (minimum, maximum) {
        case (0, nil): "*"
        case (1, nil): "+"
        case (0, 1): "?"
        case (_, nil): "{\(minimum),}"
        case (_, .some(minimum)): "{\(minimum)}"
        case (_, .some(let maximum)): "{\(minimum),\(maximum)}"
        }
    }

    private static func text(_ assertion: SyntaxTree.Assertion) -> String {
        let word = "[0-9A-Za-z_]"
        return switch assertion {
        case .textStart: "\\A"
        case .textEnd: "\\z"
        case .lineStart: "(?<![^\\n])"
        case .lineEnd: "(?![^\\n])"
        case .wordBoundary: "(?:(?<=\(word))(?!\(word))|(?<!\(word))(?=\(word)))"
        case .noWordBoundary: "(?:(?<=\(word))(?=\(word))|(?<!\(word))(?!\(word)))"
        }
    }

    private mutating func printSet(_ set: ScalarSet) {
        if set.isAll {
            self.output.append(contentsOf: "(?s:.)".unicodeScalars)
            return
        }
        if set == .allButLineFeed {
            self.output.append(contentsOf: "[^\\n]".unicodeScalars)
            return
        }
        let complement = set.complement
        let isNegated = complement.ranges.count < set.ranges.count
        self.output.append(contentsOf: (isNegated ? "[^" : "[").unicodeScalars)
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
            self.output.append(scalar)
        case "\0"..."\u{1F}", "\u{7F}":
            let digits = Array("0123456789ABCDEF".unicodeScalars)
            self.output.append(contentsOf: "\\x".unicodeScalars)
            self.output.append(digits[Int(value >> 4)])
            self.output.append(digits[Int(value & 15)])
        case "\0"..."\u{7F}":
            self.output.append("\\")
            self.output.append(scalar)
        default:
            self.output.append(scalar)
        }
    }
}
