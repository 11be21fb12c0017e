/// A small tree of our own, printed as a pattern and matched by definition: the test's second opinion.
indirect enum RandomTree {
    case empty
    case character(Unicode.Scalar)
    case set([ClosedRange<Unicode.Scalar>], isNegated: Bool)
    case any
    case sequence([RandomTree])
    case alternatives([RandomTree])
    case repeated(RandomTree, minimum: Int, maximum: Int?)
    /// One of `^ $ \A \z \b \B (?m:^) (?m:$)`.
    case assertion(String)

    /// - Parameter isPortable: only what Python's `re` reads alike.
    static func random(depth: Int, isPortable: Bool, using generator: inout some RandomNumberGenerator) -> RandomTree {
        let alphabet: [Unicode.Scalar] = isPortable ? ["a", "b", "c", "-"] : ["a", "b", "é", "😀", "\n", "_"]
        let choice = Int.random(in: 0..<(depth == 0 ? 6 : 14), using: &generator)
        switch choice {
        case 0, 1, 2:
            return .character(alphabet.randomElement(using: &generator) ?? "a")
        case 3:
            let ranges: [ClosedRange<Unicode.Scalar>] =
                isPortable ? ["a"..."b", "-"..."-", "b"..."d"] : ["a"..."b", "à"..."ö", "\n"..."\n", "😀"..."😂"]
            let chosen = (0...1).compactMap { _ in ranges.randomElement(using: &generator) }
            return .set(chosen, isNegated: Bool.random(using: &generator))
        case 4:
            return .any
        case 5:
            let portable = ["^", "\\A", "\\b"]
            let assertions = isPortable ? portable : portable + ["$", "\\z", "\\B", "(?m:^)", "(?m:$)"]
            return Bool.random(using: &generator)
                ? .empty : .assertion(assertions.randomElement(using: &generator) ?? "^")
        case 6, 7, 8:
            return .sequence(
                (0..<Int.random(in: 2...3, using: &generator)).map { _ in
                    .random(depth: depth - 1, isPortable: isPortable, using: &generator)
                }
            )
        case 9, 10:
            return .alternatives(
                (0..<Int.random(in: 2...3, using: &generator)).map { _ in
                    .random(depth: depth - 1, isPortable: isPortable, using: &generator)
                }
            )
        default:
            let minimum = Int.random(in: 0...2, using: &generator)
            let maximum = Bool.random(using: &generator) ? nil : minimum + Int.random(in: 0...2, using: &generator)
            let content = RandomTree.random(depth: depth - 1, isPortable: isPortable, using: &generator)
            return .repeated(content, minimum: minimum, maximum: maximum)
        }
    }

    var pattern: String {
        switch self {
        case .empty: "(?:)"
        case .character(let scalar): scalar == "-" || scalar.value > 0x60 || scalar == "_" ? String(scalar) : "\\n"
        case .set(let ranges, let isNegated):
            "[\(isNegated ? "^" : "")"
                + ranges.map { range in
                    let lower = range.lowerBound == "\n" ? "\\n" : "\\\(range.lowerBound)"
                    return range.lowerBound == range.upperBound
                        ? (range.lowerBound == "-" || range.lowerBound == "\n" ? lower : "\(range.lowerBound)")
                        : "\(range.lowerBound)-\(range.upperBound)"
                }.joined() + "]"
        case .any: "."
        case .sequence(let parts): parts.map(\.pattern).joined()
        case .alternatives(let parts): "(" + parts.map(\.pattern).joined(separator: "|") + ")"
        case .repeated(let content, 0, nil): "(?:\(content.pattern))*"
        case .repeated(let content, 1, nil): "(?:\(content.pattern))+"
        case .repeated(let content, 0, 1): "(?:\(content.pattern))?"
        case .repeated(let content, let minimum, nil): "(?:\(content.pattern)){\(minimum),}"
        case .repeated(let content, let minimum, .some(let maximum)): "(?:\(content.pattern)){\(minimum),\(maximum)}"
        case .assertion(let text): text
        }
    }

    func matches(_ text: [Unicode.Scalar]) -> Bool {
        self.ends(text, [0]).contains(text.count)
    }

    /// All the places at which a match can end that begins at one of `starts`.
    private func ends(_ text: [Unicode.Scalar], _ starts: Set<Int>) -> Set<Int> {
        switch self {
        case .empty:
            return starts
        case .character(let scalar):
            return Self.step(text, starts) { $0 == scalar }
        case .set(let ranges, let isNegated):
            return Self.step(text, starts) { scalar in ranges.contains { $0.contains(scalar) } != isNegated }
        case .any:
            return Self.step(text, starts) { _ in true }
        case .sequence(let parts):
            return parts.reduce(starts) { $1.ends(text, $0) }
        case .alternatives(let parts):
            return parts.reduce(into: []) { $0.formUnion($1.ends(text, starts)) }
        case .repeated(let content, let minimum, let maximum):
            var current = (0..<minimum).reduce(starts) { places, _ in content.ends(text, places) }
            var all = current
            // After as many rounds as there are places, nothing new can come.
            for _ in 0..<(maximum.map { $0 - minimum } ?? text.count + 1) {
                current = content.ends(text, current)
                all.formUnion(current)
            }
            return all
        case .assertion(let text_):
            return starts.filter { Self.holds(text_, text, $0) }
        }
    }

    private static func step(
        _ text: [Unicode.Scalar],
        _ starts: Set<Int>,
        _ isMember: (Unicode.Scalar) -> Bool
    ) -> Set<Int> {
        Set(starts.filter { $0 < text.count && isMember(text[$0]) }.map { $0 + 1 })
    }

    private static func holds(_ assertion: String, _ text: [Unicode.Scalar], _ place: Int) -> Bool {
        let before = place > 0 ? text[place - 1] : nil
        let after = place < text.count ? text[place] : nil
        func isWord(_ scalar: Unicode.Scalar?) -> Bool {
            scalar.map { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "_") } ?? false
        }
        return switch assertion {
        case "^", "\\A": before == nil
        case "$", "\\z": after == nil
        case "(?m:^)": before == nil || before == "\n"
        case "(?m:$)": after == nil || after == "\n"
        case "\\b": isWord(before) != isWord(after)
        default: isWord(before) == isWord(after)
        }
    }
}
