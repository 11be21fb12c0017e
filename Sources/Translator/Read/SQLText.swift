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

    /// `"column" LIKE 'prefix%' ESCAPE '!'`.
    mutating func append(column: [UInt8], startsWith prefix: [UInt8]) {
        var pattern: [UInt8] = []
        for byte in prefix {
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: "_"), UInt8(ascii: "!"): pattern.append(UInt8(ascii: "!"))
            default: break
            }
            pattern.append(byte)
        }
        pattern.append(UInt8(ascii: "%"))
        self.append(identifier: column)
        self.append(" LIKE ")
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
