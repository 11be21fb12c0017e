/// Why a pattern is refused; the words are those of Go's `regexp/syntax`, which Prometheus' users know.
enum SyntaxProblem: String {
    case invalidClassRange = "invalid character class range"
    case invalidEscape = "invalid escape sequence"
    case invalidNamedCapture = "invalid named capture"
    case invalidPerlSyntax = "invalid or unsupported Perl syntax"
    case nestedRepetition = "invalid nested repetition operator"
    case invalidRepeatCount = "invalid repeat count"
    case missingBracket = "missing closing ]"
    case missingParenthesis = "missing closing )"
    case missingRepeatArgument = "missing argument to repetition operator"
    case trailingBackslash = "trailing backslash at end of expression"
    case unexpectedParenthesis = "unexpected )"
    case tooDeep = "expression nests too deeply"
    case tooLarge = "expression too large"
}

extension RegularExpressionError {
    /// - Parameter range: of the offending construct, in `text`.
    init(_ problem: SyntaxProblem, _ text: [Unicode.Scalar], _ range: Range<Int>) {
        var message = problem.rawValue
        var excerpt = ""
        excerpt.unicodeScalars.append(contentsOf: text[range].prefix(40))
        if !excerpt.isEmpty {
            message += ": `\(excerpt)\(range.count > 40 ? "…" : "")`"
        }
        self.init(offset: text[..<range.lowerBound].reduce(0) { $0 + UTF8.width($1) }, message: message)
    }
}
