extension Field {
    // MARK: Integers

    /// A whole number of a range, written in digits.
    func integer(in range: ClosedRange<Int>) -> Int? {
        guard case .value(let value) = self.amount(in: range, takesUnlimited: false) else { return nil }
        return value
    }

    /// A limit that can be lifted by the word `unlimited`.
    enum Amount: Equatable {
        case value(Int)
        case unlimited
    }

    func amount(in range: ClosedRange<Int>, takesUnlimited: Bool) -> Amount? {
        let expected = "an integer from \(range.lowerBound) to \(range.upperBound)"
        let orUnlimited = takesUnlimited ? ", or unlimited" : ""
        guard let scalar = self.scalar(expected, remedy: "write digits only\(orUnlimited)") else { return nil }
        if takesUnlimited, scalar.text == "unlimited" { return .unlimited }
        if scalar.isPlain, Self.isInteger(scalar.text), let value = Int(scalar.text), range.contains(value) {
            return .value(value)
        }
        self.reportWrong(expected, scalar, remedy: Self.integerRemedy(scalar, range, takesUnlimited: takesUnlimited))
        return nil
    }

    /// Digits without a leading zero, which YAML 1.1 would read as octal.
    private static func isInteger(_ text: String) -> Bool {
        let digits = text.utf8
        return !digits.isEmpty && digits.allSatisfy(ASCII.isDigit)
            && (digits.count == 1 || digits.first != UInt8(ascii: "0"))
    }

    private static func integerRemedy(_ scalar: Scalar, _ range: ClosedRange<Int>, takesUnlimited: Bool) -> String {
        let text = scalar.text
        let orUnlimited = takesUnlimited ? ", or unlimited" : ""
        guard let first = text.utf8.first else { return "write digits only\(orUnlimited)" }
        if Self.isInteger(text) {
            if !scalar.isPlain { return "write it without quotes" }
            // Digits that do not fit an Int are too many.
            let isBelow = Int(text).map { $0 < range.lowerBound } ?? false
            return isBelow
                ? "write at least \(range.lowerBound)\(orUnlimited)" : "write at most \(range.upperBound)\(orUnlimited)"
        }
        if text.utf8.allSatisfy(ASCII.isDigit) { return "write it without leading zeros" }
        if first == UInt8(ascii: "-"), Self.isInteger(String(text.dropFirst())) {
            return "write at least \(range.lowerBound)\(orUnlimited)"
        }
        if ASCII.isDigit(first) { return "write digits only; units are not accepted here" }
        if takesUnlimited { return "write digits only, or the word unlimited" }
        return text == "unlimited"
            ? "this limit cannot be lifted; write at most \(range.upperBound)" : "write digits only"
    }

    // MARK: Durations

    /// A whole number with a unit: `250ms`, `10s`, `6m`, `1h`.
    func duration(in range: ClosedRange<Duration>) -> Duration? {
        let (low, high) = (DurationText.text(range.lowerBound), DurationText.text(range.upperBound))
        let expected = "a duration from \(low) to \(high)"
        let remedy = "write a whole number and one unit, such as 250ms, 10s, 6m or 1h"
        guard let scalar = self.scalar(expected, remedy: remedy) else { return nil }
        if let value = DurationText.duration(scalar.text) {
            guard !range.contains(value) else { return value }
            self.reportWrong(
                expected,
                scalar,
                remedy: value < range.lowerBound ? "write at least \(low)" : "write at most \(high)"
            )
        } else if !scalar.text.isEmpty, scalar.text.utf8.count <= 9, scalar.text.utf8.allSatisfy(ASCII.isDigit) {
            let number = scalar.text
            self.reportWrong(
                expected,
                scalar,
                remedy: "add the unit: \(number)ms, \(number)s, \(number)m or \(number)h"
            )
        } else {
            self.reportWrong(expected, scalar, remedy: remedy)
        }
        return nil
    }
}

/// Durations as `tenants.yaml` writes them.
enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
    ]

    static func duration(_ text: String) -> Duration? {
        guard let unit = Self.units.first(where: { text.hasSuffix($0.suffix) }) else { return nil }
        let digits = text.dropLast(unit.suffix.count)
        guard (1...9).contains(digits.utf8.count), digits.utf8.allSatisfy(ASCII.isDigit), let number = Int64(digits)
        else { return nil }
        return .milliseconds(number * unit.milliseconds)
    }

    /// In the largest unit that leaves a whole number.
    static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        for (suffix, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] as [(String, Int64)]
        where milliseconds >= size && milliseconds % size == 0 {
            return "\(milliseconds / size)\(suffix)"
        }
        return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
    }
}

extension MappingReader {
    /// An integer, or what counts where the key is absent or wrong.
    mutating func integer(_ key: String, in range: ClosedRange<Int>, default value: Int) -> Int {
        self.field(key)?.integer(in: range) ?? value
    }

    /// A limit that `unlimited` lifts.
    mutating func limit(_ key: String, in range: ClosedRange<Int>, default value: Int?) -> Int? {
        switch self.field(key)?.amount(in: range, takesUnlimited: true) {
        case .value(let number): number
        case .unlimited: nil
        case nil: value
        }
    }

    mutating func duration(_ key: String, in range: ClosedRange<Duration>, default value: Duration) -> Duration {
        self.field(key)?.duration(in: range) ?? value
    }

    mutating func choice<Choice: CaseIterable & RawRepresentable<String>>(_ key: String, default value: Choice)
        -> Choice
    {
        self.field(key)?.choice(Choice.self) ?? value
    }
}
