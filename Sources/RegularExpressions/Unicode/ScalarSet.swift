/// A set of Unicode scalar values, as ranges.
///
/// Surrogates are never members: no decoded value contains one.
struct ScalarSet: Hashable, Sendable {
    /// Ascending, disjoint, not adjacent.
    let ranges: [ClosedRange<UInt32>]

    /// Members below U+0040 and below U+0080, a bit each: most label values are ASCII.
    private let low: UInt64
    private let high: UInt64

    static let maximum: UInt32 = 0x10FFFF
    static let replacement: UInt32 = 0xFFFD
    private static let surrogates: ClosedRange<UInt32> = 0xD800...0xDFFF

    /// - Parameter ranges: in any order, overlapping or not, none above U+10FFFF.
    init(_ ranges: [ClosedRange<UInt32>]) {
        self.ranges = Self.normalised(ranges)
        var low: UInt64 = 0
        var high: UInt64 = 0
        for range in self.ranges.prefix(while: { $0.lowerBound < 128 }) {
            for scalar in range.clamped(to: 0...127) {
                if scalar < 64 {
                    low |= 1 << UInt64(scalar)
                } else {
                    high |= 1 << UInt64(scalar - 64)
                }
            }
        }
        self.low = low
        self.high = high
    }

    static let all = ScalarSet([0...Self.maximum])
    static let allButLineFeed = ScalarSet([0...9, 11...Self.maximum])

    var isEmpty: Bool { self.ranges.isEmpty }
    var isAll: Bool { self == .all }

    /// How many members it has.
    var count: Int { self.ranges.reduce(0) { $0 + $1.count } }

    /// The only member, if there is but one.
    var only: UInt32? {
        guard self.ranges.count == 1, let range = self.ranges.first, range.count == 1 else { return nil }
        return range.lowerBound
    }

    var complement: ScalarSet {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in self.ranges {
            if range.lowerBound > next {
                result.append(next...(range.lowerBound - 1))
            }
            next = range.upperBound + 1
        }
        if next <= Self.maximum {
            result.append(next...Self.maximum)
        }
        return ScalarSet(result)
    }

    func union(_ other: ScalarSet) -> ScalarSet {
        ScalarSet(self.ranges + other.ranges)
    }

    func contains(_ scalar: UInt32) -> Bool {
        if scalar < 64 { return self.low >> UInt64(scalar) & 1 == 1 }
        if scalar < 128 { return self.high >> UInt64(scalar - 64) & 1 == 1 }
        // The first range that does not end before the scalar.
        var lower = 0
        var upper = self.ranges.count
        while lower < upper {
            let middle = (lower + upper) / 2
            if self.ranges[middle].upperBound < scalar {
                lower = middle + 1
            } else {
                upper = middle
            }
        }
        return lower < self.ranges.count && self.ranges[lower].lowerBound <= scalar
    }

    private static func normalised(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        guard merged.contains(where: { $0.overlaps(Self.surrogates) }) else { return merged }
        var result: [ClosedRange<UInt32>] = []
        for range in merged {
            if range.lowerBound < Self.surrogates.lowerBound {
                result.append(range.lowerBound...min(range.upperBound, Self.surrogates.lowerBound - 1))
            }
            if range.upperBound > Self.surrogates.upperBound {
                result.append(max(range.lowerBound, Self.surrogates.upperBound + 1)...range.upperBound)
            }
        }
        return result
    }
}

extension ScalarSet {
    static let digits = ScalarSet([0x30...0x39])
    static let wordCharacters = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    /// Perl's: without the vertical tab.
    static let whitespace = ScalarSet([0x09...0x0A, 0x0C...0x0D, 0x20...0x20])

    /// The class that stands between `[:` and `:]`.
    static func posix(_ name: String) -> ScalarSet? {
        switch name {
        case "alnum": ScalarSet([0x30...0x39, 0x41...0x5A, 0x61...0x7A])
        case "alpha": ScalarSet([0x41...0x5A, 0x61...0x7A])
        case "ascii": ScalarSet([0x00...0x7F])
        case "blank": ScalarSet([0x09...0x09, 0x20...0x20])
        case "cntrl": ScalarSet([0x00...0x1F, 0x7F...0x7F])
        case "digit": .digits
        case "graph": ScalarSet([0x21...0x7E])
        case "lower": ScalarSet([0x61...0x7A])
        case "print": ScalarSet([0x20...0x7E])
        case "punct": ScalarSet([0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E])
        case "space": ScalarSet([0x09...0x0D, 0x20...0x20])
        case "upper": ScalarSet([0x41...0x5A])
        case "word": .wordCharacters
        case "xdigit": ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66])
        default: nil
        }
    }
}

/// UTF-8 of one scalar value that is not a surrogate.
func appendUTF8(_ scalar: UInt32, to bytes: inout [UInt8]) {
    switch scalar {
    case ..<0x80:
        bytes.append(UInt8(truncatingIfNeeded: scalar))
    case ..<0x800:
        bytes.append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
        bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
    case ..<0x1_0000:
        bytes.append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
        bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
        bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
    default:
        bytes.append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18))
        bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3F))
        bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
        bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
    }
}
