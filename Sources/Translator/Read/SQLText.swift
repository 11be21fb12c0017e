import RegularExpressions

/// Pieces of Timestream SQL as UTF-8 bytes, in which no name and no value can be anything but a name and a value.
///
/// - Source: developer guide, "Query language reference"; quotes are doubled, the backslash has no meaning.
struct SQLText {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ text: StaticString) {
        unsafe self.bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ number: Int64) {
        self.bytes += Array(String(number).utf8)
    }

    mutating func append(_ other: SQLText) {
        self.bytes += other.bytes
    }

    mutating func append(identifier name: [UInt8]) {
        self.append(name, quote: UInt8(ascii: "\""))
    }

    mutating func append(literal value: [UInt8]) {
        self.append(value, quote: UInt8(ascii: "'"))
    }

    private mutating func append(_ text: [UInt8], quote: UInt8) {
        self.bytes.append(quote)
        for byte in text {
            if byte == quote { self.bytes.append(quote) }
            self.bytes.append(byte)
        }
        self.bytes.append(quote)
    }

    /// A condition on a column; unknown where the column is null.
    mutating func append(column: [UInt8], passes sieve: ValueSieve) {
        switch sieve {
        case .anyOf(let values): self.append(column: column, isIn: values)
        case .noneOf(let values): self.append(column: column, isIn: values, negated: true)
        case .like(let wildcards, let negated): self.append(column: column, isLike: wildcards, negated: negated)
        case .expression(let expression, let negated):
            self.append(negated ? "NOT REGEXP_LIKE(" : "REGEXP_LIKE(")
            self.append(identifier: column)
            self.append(", ")
            self.append(literal: expression)
            self.append(")")
        }
    }

    /// `"column" LIKE 'first%second' ESCAPE '!'`; with `negated`, `NOT LIKE`.
    mutating func append(column: [UInt8], isLike wildcards: Wildcards, negated: Bool = false) {
        var pattern: [UInt8] = []
        for (index, piece) in wildcards.pieces.enumerated() {
            if index > 0 {
                pattern += [UInt8](repeating: UInt8(ascii: "_"), count: wildcards.gaps[index - 1])
                pattern.append(UInt8(ascii: "%"))
            }
            for byte in piece {
                switch byte {
                case UInt8(ascii: "%"), UInt8(ascii: "_"), UInt8(ascii: "!"): pattern.append(UInt8(ascii: "!"))
                default: break
                }
                pattern.append(byte)
            }
        }
        self.append(identifier: column)
        self.append(negated ? " NOT LIKE " : " LIKE ")
        self.append(literal: pattern)
        self.append(" ESCAPE '!'")
    }

    /// `"column" = 'a'` or `"column" IN ('a', 'b')`; with `negated`, `<>` or `NOT IN`.
    mutating func append(column: [UInt8], isIn values: [[UInt8]], negated: Bool = false) {
        self.append(identifier: column)
        if let value = values.first, values.count == 1 {
            self.append(negated ? " <> " : " = ")
            self.append(literal: value)
            return
        }
        self.append(negated ? " NOT IN (" : " IN (")
        for (index, value) in values.enumerated() {
            if index > 0 { self.append(", ") }
            self.append(literal: value)
        }
        self.append(")")
    }
}
