/// Writes JSON, byte by byte.
struct JSONWriter: Sendable {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 256) {
        self.bytes.reserveCapacity(capacity)
    }

    /// Syntax, as it stands.
    mutating func raw(_ text: StaticString) {
        unsafe self.bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// JSON made elsewhere.
    mutating func raw(_ json: some Collection<UInt8>) {
        self.bytes.append(contentsOf: json)
    }

    mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { unsafe self.string(UnsafeRawBufferPointer($0)) }
    }

    mutating func string(_ text: [UInt8]) {
        unsafe text.withUnsafeBytes { unsafe self.string($0) }
    }

    /// A string of UTF-8 bytes, with quotes.
    mutating func string(_ text: UnsafeRawBufferPointer) {
        self.bytes.append(UInt8(ascii: "\""))
        // What needs no escape is copied in runs.
        var start = 0
        for index in 0..<text.count {
            let byte = unsafe text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            unsafe self.bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<index]))
            start = index + 1
            switch byte {
            case UInt8(ascii: "\""): self.raw(#"\""#)
            case UInt8(ascii: "\\"): self.raw(#"\\"#)
            case 0x0A: self.raw(#"\n"#)
            case 0x0D: self.raw(#"\r"#)
            case 0x09: self.raw(#"\t"#)
            default:
                self.raw(byte < 0x10 ? #"\u000"# : #"\u001"#)
                let digit = byte & 15
                self.bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
        unsafe self.bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start...]))
        self.bytes.append(UInt8(ascii: "\""))
    }

    mutating func integer(_ value: Int64) {
        DecimalDigits.append(value, to: &self.bytes)
    }

    mutating func number(_ value: Double) {
        self.bytes.append(contentsOf: value.description.utf8)
    }

    /// Milliseconds since 1970, as the service writes times: seconds with three decimals.
    mutating func timestamp(milliseconds: Int64) {
        self.integer(milliseconds / 1000)
        let rest = milliseconds % 1000
        self.bytes.append(UInt8(ascii: "."))
        DecimalDigits.append(rest, width: 3, to: &self.bytes)
    }

    mutating func removeAll() {
        self.bytes.removeAll(keepingCapacity: true)
    }

    /// Takes back what was written after that many bytes.
    mutating func truncate(to count: Int) {
        self.bytes.removeLast(self.bytes.count - count)
    }
}

/// Whole numbers as decimal digits, without a string in between.
enum DecimalDigits {
    static func append(_ value: Int64, to bytes: inout [UInt8]) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        var divisor: UInt64 = 1
        while rest / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    /// With leading zeros; the value is not negative and has no more digits than the width.
    static func append(_ value: Int64, width: Int, to bytes: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}
