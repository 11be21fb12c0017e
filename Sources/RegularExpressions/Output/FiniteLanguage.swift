/// All values that a tree matches, where they are finitely many and can be told by their bytes.
extension SyntaxTree {
    /// - Parameter limit: how many values may come of combining parts. Alternatives that are written out may be as many
    ///   as the pattern has, for hundreds of host names joined by `|` are common.
    /// - Returns: nil if there are more, or if a value is not told by its bytes: an assertion stands inside, or U+FFFD,
    ///   for which any byte that is not UTF-8 is read as well.
    func values(limit: Int) -> [[UInt8]]? {
        var known: [[[UInt8]]] = []
        known.reserveCapacity(self.nodes.count)
        for node in self.nodes {
            let values: [[UInt8]]?
            switch node {
            case .empty: values = [[]]
            case .nothing: values = []
            case .literal(let scalar): values = Self.values(of: ScalarSet([scalar...scalar]), limit: 1)
            case .set(let set): values = Self.values(of: self.sets[set], limit: limit)
            case .sequence(let children):
                var product: [[UInt8]]? = [[]]
                for child in children {
                    Self.multiply(&product, by: known[child], limit: limit)
                    known[child] = []
                }
                values = product
            case .alternatives(let children):
                var sum: [[UInt8]] = []
                for child in children {
                    sum += known[child]
                    known[child] = []
                }
                values = sum
            case .repeated(let child, let minimum, let maximum):
                values = maximum.flatMap { Self.powers(known[child], minimum: minimum, maximum: $0, limit: limit) }
                known[child] = []
            case .group(let child):
                values = known[child]
            case .assertion:
                values = nil
            }
            guard let values else { return nil }
            known.append(values)
        }
        return known.last
    }

    /// Bytes in all values of one node, at most: a bound on memory, above any that a query needs.
    private static let byteLimit = 1 << 22

    private static func values(of set: ScalarSet, limit: Int) -> [[UInt8]]? {
        guard set.count <= limit, !set.contains(ScalarSet.replacement) else { return nil }
        return set.ranges.flatMap { range in
            range.map { scalar in
                var bytes: [UInt8] = []
                appendUTF8(scalar, to: &bytes)
                return bytes
            }
        }
    }

    /// Appends each of `right` to each of `left`; in place where there is one of each, which is the common case.
    private static func multiply(_ left: inout [[UInt8]]?, by right: [[UInt8]], limit: Int) {
        guard let count = left?.count else { return }
        if count == 1, right.count == 1 {
            left?[0] += right[0]
            if left?[0].count ?? 0 > Self.byteLimit {
                left = nil
            }
            return
        }
        // A part with one value makes the others longer, not more.
        guard let starts = left, count * right.count <= limit || count == 1 || right.count == 1 else {
            left = nil
            return
        }
        let length =
            starts.reduce(0) { $0 + $1.count } * right.count + right.reduce(0) { $0 + $1.count } * starts.count
        left = length > Self.byteLimit ? nil : starts.flatMap { start in right.map { start + $0 } }
    }

    private static func powers(_ values: [[UInt8]], minimum: Int, maximum: Int, limit: Int) -> [[UInt8]]? {
        var power: [[UInt8]]? = [[]]
        var result: [[UInt8]] = []
        for exponent in 0...maximum {
            if exponent >= minimum {
                guard let power, result.count + power.count <= limit || maximum == 1 else { return nil }
                result += power
            }
            if exponent < maximum {
                Self.multiply(&power, by: values, limit: limit)
            }
        }
        return result
    }
}

/// Sorted by bytes, each once.
func sortedUnique(_ values: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    for value in values.sorted(by: { $0.lexicographicallyPrecedes($1) }) where value != result.last {
        result.append(value)
    }
    return result
}
