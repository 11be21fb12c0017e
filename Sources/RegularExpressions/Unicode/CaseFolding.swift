/// Simple case folding: which characters `(?i)` takes for one another.
///
/// An orbit is a set of scalars that fold to the same one, such as `k`, `K` and U+212A (Kelvin sign), or the three
/// forms of sigma. Full folding (`ss` for U+00DF) is not part of RE2.
enum CaseFolding {
    /// Orbits of two or more, each ascending.
    private static let orbits: [[UInt32]] = {
        var reader = TableReader(UnicodeTables.orbits.utf8)
        var result: [[UInt32]] = []
        var first: UInt32 = 0
        while let count = reader.next(), let step = reader.next() {
            first += step
            var orbit = [first]
            while orbit.count < count, let difference = reader.next(), let last = orbit.last {
                orbit.append(last + difference)
            }
            result.append(orbit)
        }
        return result
    }()

    /// Members of all orbits, ascending, each with the index of its orbit.
    private static let members: [(scalar: UInt32, orbit: Int)] = Self.orbits.enumerated()
        .flatMap { index, orbit in orbit.map { (scalar: $0, orbit: index) } }
        .sorted { $0.scalar < $1.scalar }

    /// The set and everything that folds to the same as one of its members.
    static func closure(_ set: ScalarSet) -> ScalarSet {
        var ranges = set.ranges
        for range in set.ranges {
            var index = Self.firstMember(from: range.lowerBound)
            while index < Self.members.count, Self.members[index].scalar <= range.upperBound {
                ranges += Self.orbits[Self.members[index].orbit].map { $0...$0 }
                index += 1
            }
        }
        return ScalarSet(ranges)
    }

    private static func firstMember(from scalar: UInt32) -> Int {
        var lower = 0
        var upper = Self.members.count
        while lower < upper {
            let middle = (lower + upper) / 2
            if Self.members[middle].scalar < scalar {
                lower = middle + 1
            } else {
                upper = middle
            }
        }
        return lower
    }
}
