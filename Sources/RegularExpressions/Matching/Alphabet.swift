/// Scalars sorted into classes that a program cannot tell apart, so that an automaton needs a column for each class
/// and not for each scalar.
struct Alphabet: Sendable {
    /// Number of classes.
    let count: Int
    /// A scalar of each class.
    let representatives: [UInt32]
    private let ascii: [UInt16]
    /// Ascending starts of intervals, the first at 0, and the class of each.
    private let starts: [UInt32]
    private let classes: [UInt16]

    /// Work to spend on sorting: intervals times sets.
    private static let limit = 1 << 24
    private static let setLimit = 1 << 12

    /// - Returns: nil if the program tells so many scalars apart that an automaton would not pay.
    init?(_ program: Program) {
        var scalars: Set<UInt32> = []
        for case .scalar(let scalar) in program.instructions where scalar <= ScalarSet.maximum {
            scalars.insert(scalar)
        }
        var distinct = Set(program.sets)
        guard distinct.count + scalars.count <= Self.setLimit else { return nil }
        distinct.formUnion(scalars.map { ScalarSet([$0...$0]) })
        if program.hasAssertions {
            distinct.insert(.wordCharacters)
            distinct.insert(ScalarSet([0x0A...0x0A]))
        }
        let ranges = distinct.flatMap(\.ranges)
        guard ranges.count * distinct.count <= Self.limit else { return nil }

        let edges = Set(ranges.flatMap { [$0.lowerBound, $0.upperBound + 1] } + [0])
        let starts = edges.filter { $0 <= ScalarSet.maximum }.sorted()
        let intervals = Dictionary(uniqueKeysWithValues: starts.enumerated().map { ($1, $0) })
        var classes = [Int](repeating: 0, count: starts.count)
        var next = 1
        for set in distinct {
            // Members of a class that are in the set part from those that are not.
            var parted: [Int: Int] = [:]
            for range in set.ranges {
                var interval = intervals[range.lowerBound] ?? starts.count
                while interval < starts.count, starts[interval] <= range.upperBound {
                    if let new = parted[classes[interval]] {
                        classes[interval] = new
                    } else {
                        parted[classes[interval]] = next
                        classes[interval] = next
                        next += 1
                    }
                    interval += 1
                }
            }
        }

        var numbers: [Int: UInt16] = [:]
        var representatives: [UInt32] = []
        for (interval, old) in classes.enumerated() where numbers[old] == nil {
            guard let number = UInt16(exactly: numbers.count) else { return nil }
            numbers[old] = number
            representatives.append(starts[interval])
        }
        self.starts = starts
        self.classes = classes.compactMap { numbers[$0] }
        self.representatives = representatives
        self.count = numbers.count
        var ascii: [UInt16] = []
        for scalar in 0..<UInt32(128) {
            ascii.append(Self.find(scalar, self.starts, self.classes))
        }
        self.ascii = ascii
    }

    @inline(__always)
    func index(of scalar: UInt32) -> Int {
        Int(scalar < 128 ? self.ascii[Int(scalar)] : Self.find(scalar, self.starts, self.classes))
    }

    private static func find(_ scalar: UInt32, _ starts: [UInt32], _ classes: [UInt16]) -> UInt16 {
        // The last interval that starts at or before the scalar; the first starts at 0.
        var lower = 0
        var upper = starts.count
        while upper - lower > 1 {
            let middle = (lower + upper) / 2
            if starts[middle] <= scalar {
                lower = middle
            } else {
                upper = middle
            }
        }
        return classes[lower]
    }
}
