@testable import RegularExpressions

/// A pattern and a value. First byte: how many bytes the pattern has; then the pattern, then the value.
///
/// The reference is the program of the tree as it was parsed, its threads run one character at a time: no simplification,
/// no shared beginnings, no automaton, no table of values.
enum ExpressionTarget {
    static func run(_ input: [UInt8]) {
        guard let length = input.first else { return }
        let pattern = Array(input.dropFirst().prefix(Int(length)))
        let value = Array(input.dropFirst(1 + pattern.count))
        // Patterns arrive as valid UTF-8 or not at all; values may be anything.
        guard (try? UTF8Span(validating: pattern.span)) != nil else { return }
        let text = String(decoding: pattern, as: UTF8.self)
        let expression: RegularExpression
        do throws(RegularExpressionError) {
            expression = try RegularExpression(text)
        } catch {
            require((0...pattern.count).contains(error.offset), "offset \(error.offset)")
            require(!error.message.isEmpty, "no message")
            return
        }
        let isMatch = expression.matches(value)
        self.checkValues(expression, value, isMatch)
        guard let tree = try? Parser.parse(text) else { return require(false, "parsed once, but not twice") }
        self.checkReference(expression, tree, value, isMatch)
        self.checkCommonSyntax(expression, value, isMatch)
    }

    private static func checkReference(
        _ expression: RegularExpression,
        _ tree: SyntaxTree,
        _ value: [UInt8],
        _ isMatch: Bool
    ) {
        guard let program = Program(tree), program.instructions.count <= 20_000 else { return }
        var reference = Automaton(program, limit: 0)
        require(reference.matches(value.span) == isMatch, "the plain threads say \(!isMatch)")
        // Each instruction is visited once a character and side, whatever the pattern.
        let visits = 4 * (program.instructions.count + 1) * (value.count + 2)
        require(reference.steps <= visits, "\(reference.steps) steps, at most \(visits)")
        // Values that match are rare among random ones, so one is made from the program, whose way the bytes choose.
        guard let sample = self.match(of: program, choices: value) else { return }
        require(expression.matches(sample), "\(sample) does not match")
        self.checkValues(expression, sample, true)
        // And what is nearly it: shortcuts go wrong at the edges.
        guard !sample.isEmpty else { return }
        var without = sample
        without.remove(at: Int(value.last ?? 0) % sample.count)
        for near in [Array(sample.dropFirst()), Array(sample.dropLast()), without, sample + sample] {
            require(expression.matches(near) == reference.matches(near.span), "\(near): other than the plain threads")
        }
    }

    /// A value that the program matches.
    ///
    /// - Returns: nil if it has assertions, or the way leads to no end.
    private static func match(of program: Program, choices: [UInt8]) -> [UInt8]? {
        guard !program.hasAssertions, !choices.isEmpty else { return nil }
        var result: [UInt8] = []
        var place = 0
        for step in 0..<1000 {
            let choice = choices[step % choices.count]
            switch program.instructions[place] {
            case .match: return result
            case .jump(let next): place = Int(next)
            case .split(let first, let second): place = Int(choice & 1 == 0 ? first : second)
            case .assertion: return nil
            case .scalar(let scalar):
                guard scalar <= ScalarSet.maximum else { return nil }
                appendUTF8(scalar, to: &result)
                place += 1
            case .set(let index):
                let ranges = program.sets[Int(index)].ranges
                let range = ranges[Int(choice) % ranges.count]
                let scalar = range.lowerBound + UInt32(choice) * 31 % UInt32(range.count)
                appendUTF8(scalar, to: &result)
                place += 1
            }
        }
        return nil
    }

    private static func checkValues(_ expression: RegularExpression, _ value: [UInt8], _ isMatch: Bool) {
        if let literals = expression.literals {
            require(literals.contains(value) == isMatch, "literals say \(!isMatch)")
            let ascends = zip(literals, literals.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) }
            require(ascends, "literals are not in order")
            require(literals.allSatisfy { expression.matches($0) }, "a literal does not match")
        }
        let prefix = expression.literalPrefix
        require(!isMatch || value.starts(with: prefix), "a match without the prefix")
        require((try? UTF8Span(validating: prefix.span)) != nil, "the prefix is not whole characters")
    }

    private static func checkCommonSyntax(_ expression: RegularExpression, _ value: [UInt8], _ isMatch: Bool) {
        guard let common = expression.commonSyntax(limitBytes: 4_096) else { return }
        require(common.utf8.count <= 4_096, "\(common.utf8.count) bytes")
        guard let reread = try? RegularExpression(common) else {
            return require(false, "cannot be read again: \(common)")
        }
        require(reread.matches(value) == isMatch, "as \(common): \(!isMatch)")
    }
}
