extension SyntaxTree {
    /// Whether an engine that tries one way after the other soon has tried them all, whatever the value.
    ///
    /// Ours takes time linear in the value, java.util.regex and Joni do not: `(a*)*b` keeps them busy for ever. Counted
    /// are the ways there are through the pattern for a value of `valueLength` characters, generously: what repeats
    /// something that has several ways itself has too many.
    var hasFewPaths: Bool {
        var paths: [Double] = []
        paths.reserveCapacity(self.nodes.count)
        for node in self.nodes {
            let count: Double
            switch node {
            case .empty, .nothing, .literal, .set, .assertion: count = 1
            case .sequence(let children): count = children.reduce(1) { $0 * paths[$1] }
            case .alternatives(let children): count = children.reduce(0) { $0 + paths[$1] }
            case .group(let child): count = paths[child]
            case .repeated(let child, let minimum, let maximum):
                count = Self.paths(ofRepeated: paths[child], minimum, maximum)
            }
            guard count <= Self.maximumPaths else { return false }
            paths.append(count)
        }
        return true
    }

    private static let valueLength = 256.0
    /// Three times any number of characters in a row, as in `.*a.*b.*`.
    private static let maximumPaths = Self.valueLength * Self.valueLength * Self.valueLength

    private static func paths(ofRepeated child: Double, _ minimum: Int, _ maximum: Int?) -> Double {
        guard child > 1 else {
            return maximum.map { min(Double($0 - minimum + 1), Self.valueLength) } ?? Self.valueLength
        }
        var sum = 0.0
        var power = 1.0
        for count in 0...(maximum ?? .max) {
            if count >= minimum { sum += power }
            power *= child
            // With at least two ways each round, this comes soon.
            if power > Self.maximumPaths {
                return maximum.map { $0 > count } ?? true ? .infinity : sum
            }
        }
        return sum
    }
}
