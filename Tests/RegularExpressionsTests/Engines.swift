@testable import RegularExpressions

/// Every way in which we can tell whether a value matches; they must agree.
struct Engines {
    let expression: RegularExpression
    private let ways: [(name: String, matches: ([UInt8]) -> Bool)]

    init(_ pattern: String) throws {
        let expression = try RegularExpression(pattern)
        self.expression = expression
        var ways: [(name: String, matches: ([UInt8]) -> Bool)] = [("matches", { expression.matches($0) })]
        let tree = TreeSimplifier.simplified(try Parser.parse(pattern))
        if let plain = Program(tree) {
            let unshared = Box(Automaton(plain, limit: 0))
            ways.append(("threads without shared beginnings", { unshared.value.matches($0.span) }))
        }
        if let program = Program(AlternativeTrie.shared(tree)) {
            let automaton = Box(Automaton(program))
            ways.append(("automaton", { automaton.value.matches($0.span) }))
            let threads = Box(Automaton(program, limit: 0))
            ways.append(("threads", { threads.value.matches($0.span) }))
            // Room for a few states: it is thrown away and filled again in the middle of values.
            let small = Box(Automaton(program, limit: 4 * program.instructions.count + 64))
            ways.append(("small automaton", { small.value.matches($0.span) }))
        }
        if let literals = expression.literals {
            ways.append(("literals", { literals.contains($0) }))
        }
        if let common = expression.commonSyntax(limitBytes: 1 << 20) {
            let reread = try RegularExpression(common)
            ways.append(("common syntax", { reread.matches($0) }))
        }
        self.ways = ways
    }

    /// Ways that are wrong, if the right answer is `expected`.
    func dissenters(_ value: [UInt8], expected: Bool) -> [String] {
        var names = self.ways.filter { $0.matches(value) != expected }.map(\.name)
        if expected, !value.starts(with: self.expression.literalPrefix) {
            names.append("literal prefix")
        }
        return names
    }

    private final class Box<Value> {
        var value: Value
        init(_ value: Value) { self.value = value }
    }
}
