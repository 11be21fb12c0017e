/// Reads Go's RE2 syntax with the flags `Perl` and `DotNL`: as Prometheus 3 does, the dot matches line feeds too.
///
/// Groups are kept on a stack of our own, so nesting costs no call depth. This file has the loop, groups, flags and
/// repetition; escapes and classes are in extensions.
///
/// - Source: github.com/google/re2, `doc/syntax.txt`; pkg.go.dev/regexp/syntax.
struct Parser {
    struct Flags {
        var foldsCase = false
        var dotMatchesLineFeed = true
        var isMultiline = false
    }

    /// A group that is open, or the whole pattern.
    private struct Frame {
        /// Flags in force before it, again in force after it.
        var outerFlags: Flags
        var isCapturing: Bool
        var opening: Int
        var alternatives: [Int] = []
        var sequence: [Int] = []
    }

    let text: [Unicode.Scalar]
    var position = 0
    private(set) var flags = Flags()
    private var tree = SyntaxTree()
    private var limits = SyntaxLimits()
    private var outer: [Frame] = []
    private var frame: Frame
    /// Where the repetition starts that ends just before `position`.
    private var lastRepetition: Int?
    /// Set once a search for the end of a named class came back empty, lest every `[:` repeat it.
    var hasNoMoreNamedClasses = false

    private init(_ pattern: String) {
        self.text = Array(pattern.unicodeScalars)
        self.frame = Frame(outerFlags: self.flags, isCapturing: false, opening: 0)
    }

    static func parse(_ pattern: String) throws(RegularExpressionError) -> SyntaxTree {
        var parser = Parser(pattern)
        while let next = parser.peek() {
            let repetition = try parser.parseNext(next)
            parser.lastRepetition = repetition
        }
        guard parser.outer.isEmpty else {
            throw parser.error(.missingParenthesis, from: parser.frame.opening, to: parser.frame.opening + 1)
        }
        try parser.closeAlternatives()
        return parser.tree
    }

    // MARK: Reading

    /// The scalar `offset` places on, if there is one.
    func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        let index = self.position + offset
        return index < self.text.count ? self.text[index] : nil
    }

    mutating func next() -> Unicode.Scalar? {
        guard let scalar = self.peek() else { return nil }
        self.position += 1
        return scalar
    }

    /// Where `scalar` is next, from `start` on.
    func find(_ scalar: Unicode.Scalar, from start: Int) -> Int? {
        start <= self.text.count ? self.text[start...].firstIndex(of: scalar) : nil
    }

    func string(_ range: Range<Int>) -> String {
        var result = ""
        result.unicodeScalars.append(contentsOf: self.text[range])
        return result
    }

    func error(_ problem: SyntaxProblem, from start: Int, to end: Int? = nil) -> RegularExpressionError {
        RegularExpressionError(problem, self.text, start..<(end ?? self.position))
    }

    // MARK: Making nodes

    private mutating func checked(_ index: Int, isLiteral: Bool = false) throws(RegularExpressionError) -> Int {
        if let problem = self.limits.add(self.tree, isLiteral: isLiteral) {
            // It is the whole that is too much; this is how far we read it.
            throw self.error(problem, from: self.position, to: self.position)
        }
        return index
    }

    private mutating func push(
        _ node: SyntaxTree.Node,
        isLiteral: Bool = false
    ) throws(RegularExpressionError) {
        let index = try self.checked(self.tree.append(node), isLiteral: isLiteral)
        self.frame.sequence.append(index)
    }

    mutating func push(_ set: ScalarSet, isLiteral: Bool = false) throws(RegularExpressionError) {
        let index = try self.checked(self.tree.append(set), isLiteral: isLiteral)
        self.frame.sequence.append(index)
    }

    private mutating func pushLiteral(_ scalar: UInt32) throws(RegularExpressionError) {
        if self.flags.foldsCase {
            try self.push(CaseFolding.closure(ScalarSet([scalar...scalar])), isLiteral: true)
        } else if Unicode.Scalar(scalar) == nil {
            try self.push(.nothing)  // A surrogate.
        } else {
            try self.push(.literal(scalar), isLiteral: true)
        }
    }

    private mutating func closeSequence() throws(RegularExpressionError) {
        let children = self.frame.sequence
        self.frame.sequence = []
        switch children.count {
        case 0: self.frame.alternatives.append(try self.checked(self.tree.append(.empty)))
        case 1: self.frame.alternatives += children
        default: self.frame.alternatives.append(try self.checked(self.tree.append(.sequence(children))))
        }
    }

    /// Ends the open group; the node appended last, or the only one in it, is its content.
    @discardableResult
    private mutating func closeAlternatives() throws(RegularExpressionError) -> Int {
        try self.closeSequence()
        if self.frame.alternatives.count == 1 { return self.frame.alternatives[0] }
        return try self.checked(self.tree.append(.alternatives(self.frame.alternatives)))
    }

    // MARK: The loop

    /// - Returns: where the repetition starts, if it was one.
    private mutating func parseNext(_ next: Unicode.Scalar) throws(RegularExpressionError) -> Int? {
        let start = self.position
        switch next {
        case "(":
            if self.peek(1) == "?" {
                try self.parseGroupOptions()
            } else {
                self.position += 1
                self.open(isCapturing: true, from: start)
            }
        case "|":
            self.position += 1
            try self.closeSequence()
        case ")":
            self.position += 1
            try self.close(from: start)
        case "^":
            self.position += 1
            try self.push(.assertion(self.flags.isMultiline ? .lineStart : .textStart))
        case "$":
            self.position += 1
            try self.push(.assertion(self.flags.isMultiline ? .lineEnd : .textEnd))
        case ".":
            self.position += 1
            try self.push(self.flags.dotMatchesLineFeed ? .all : .allButLineFeed)
        case "[":
            try self.parseClass()
        case "*":
            return try self.parseRepetition(minimum: 0, maximum: nil, length: 1, isCounted: false)
        case "+":
            return try self.parseRepetition(minimum: 1, maximum: nil, length: 1, isCounted: false)
        case "?":
            return try self.parseRepetition(minimum: 0, maximum: 1, length: 1, isCounted: false)
        case "{":
            if let count = try self.parseCount() {
                return try self.parseRepetition(
                    minimum: count.minimum,
                    maximum: count.maximum,
                    length: count.length,
                    isCounted: true
                )
            }
            self.position += 1
            try self.pushLiteral(next.value)
        case "\\":
            try self.parseEscapeOutsideClass()
        default:
            self.position += 1
            try self.pushLiteral(next.value)
        }
        return nil
    }

    private mutating func parseEscapeOutsideClass() throws(RegularExpressionError) {
        let assertion: SyntaxTree.Assertion
        switch self.peek(1) {
        case "A": assertion = .textStart
        case "z": assertion = .textEnd
        case "b": assertion = .wordBoundary
        case "B": assertion = .noWordBoundary
        case "Q":
            self.position += 2
            while let scalar = self.next() {
                if scalar == "\\", self.peek() == "E" {
                    self.position += 1
                    break
                }
                try self.pushLiteral(scalar.value)
            }
            return
        default:
            if let set = try self.parseClassEscape() {
                try self.push(set)
            } else {
                try self.pushLiteral(try self.parseEscape())
            }
            return
        }
        self.position += 2
        try self.push(.assertion(assertion))
    }

    // MARK: Groups and flags

    private mutating func open(isCapturing: Bool, from start: Int) {
        self.outer.append(self.frame)
        self.frame = Frame(outerFlags: self.flags, isCapturing: isCapturing, opening: start)
    }

    private mutating func close(from start: Int) throws(RegularExpressionError) {
        guard !self.outer.isEmpty else { throw self.error(.unexpectedParenthesis, from: start) }
        var content = try self.closeAlternatives()
        if self.frame.isCapturing {
            content = try self.checked(self.tree.append(.group(content)))
        }
        self.flags = self.frame.outerFlags
        self.frame = self.outer.removeLast()
        self.frame.sequence.append(content)
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)`, `(?flags:`.
    private mutating func parseGroupOptions() throws(RegularExpressionError) {
        let start = self.position
        let name: Int? =
            if self.peek(2) == "P", self.peek(3) == "<", self.peek(4) != nil {
                start + 4
            } else if self.peek(2) == "<", self.peek(3) != nil {
                start + 3
            } else {
                nil
            }
        if let name {
            guard let end = self.find(">", from: start) else {
                throw self.error(.invalidNamedCapture, from: start, to: self.text.count)
            }
            let isValid = name < end && self.text[name..<end].allSatisfy { ScalarSet.wordCharacters.contains($0.value) }
            guard isValid else { throw self.error(.invalidNamedCapture, from: start, to: end + 1) }
            // Names may repeat: Go allows it.
            self.position = end + 1
            self.open(isCapturing: true, from: start)
            return
        }
        self.position += 2
        try self.parseFlags(from: start)
    }

    private mutating func parseFlags(from start: Int) throws(RegularExpressionError) {
        var flags = self.flags
        var isSet = true
        var isDangling = false
        while let scalar = self.next() {
            switch scalar {
            case "i": flags.foldsCase = isSet
            case "m": flags.isMultiline = isSet
            case "s": flags.dotMatchesLineFeed = isSet
            case "U": break  // Which of several ways to match comes first: no matter here.
            case "-" where isSet:
                isSet = false
                isDangling = true
                continue
            case ":" where !isDangling:
                self.open(isCapturing: false, from: start)
                self.flags = flags
                return
            case ")" where !isDangling:
                self.flags = flags
                return
            default:
                throw self.error(.invalidPerlSyntax, from: start)
            }
            isDangling = false
        }
        throw self.error(.invalidPerlSyntax, from: start)
    }

    // MARK: Repetition

    /// `{n}`, `{n,}` or `{n,m}` at `position`; nil if the brace stands for itself.
    private func parseCount() throws(RegularExpressionError) -> (minimum: Int, maximum: Int?, length: Int)? {
        var index = self.position + 1
        guard let minimum = self.parseNumber(at: &index) else { return nil }
        var maximum: Int? = minimum
        if index < self.text.count, self.text[index] == "," {
            index += 1
            if index < self.text.count, self.text[index] == "}" {
                maximum = nil
            } else {
                guard let number = self.parseNumber(at: &index) else { return nil }
                maximum = number
            }
        }
        guard index < self.text.count, self.text[index] == "}" else { return nil }
        index += 1
        let limit = SyntaxLimits.repeatCount
        guard minimum <= limit, maximum ?? 0 <= limit, minimum <= maximum ?? minimum else {
            throw self.error(.invalidRepeatCount, from: self.position, to: index)
        }
        return (minimum, maximum, index - self.position)
    }

    /// A number without leading zeros; one too large for us comes back as some number above the limit.
    private func parseNumber(at index: inout Int) -> Int? {
        let start = index
        var number = 0
        while index < self.text.count, ("0"..."9").contains(self.text[index]) {
            number = min(number * 10 + Int(self.text[index].value - 0x30), SyntaxLimits.repeatCount + 1)
            index += 1
        }
        guard index > start, self.text[start] != "0" || index == start + 1 else { return nil }
        return number
    }

    private mutating func parseRepetition(
        minimum: Int,
        maximum: Int?,
        length: Int,
        isCounted: Bool
    ) throws(RegularExpressionError) -> Int {
        let start = self.position
        self.position += length
        if self.peek() == "?" {
            self.position += 1  // Lazy: no matter here.
        }
        if let lastRepetition = self.lastRepetition {
            throw self.error(.nestedRepetition, from: lastRepetition)
        }
        guard let argument = self.frame.sequence.popLast() else {
            throw self.error(.missingRepeatArgument, from: start)
        }
        let index = try self.checked(self.tree.append(.repeated(argument, minimum: minimum, maximum: maximum)))
        if isCounted, self.limits.measures[index].repeatProduct > SyntaxLimits.repeatCount {
            throw self.error(.invalidRepeatCount, from: start)
        }
        self.frame.sequence.append(index)
        return start
    }
}
