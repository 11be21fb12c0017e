/// Why bytes are not the JSON that was expected.
struct JSONError: Error, Equatable {
    /// Offset of the byte at fault, or of the end.
    var offset: Int
    var expected: String
}

/// A strict JSON reader (RFC 8259) that hands out values as it meets them and builds nothing.
///
/// The document must be UTF-8 as a whole. Depth is bounded, so no document can exhaust the stack.
struct JSONReader {
    static let maxDepth = 64

    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    init(_ bytes: [UInt8]) throws(JSONError) {
        self.bytes = bytes
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw JSONError(offset: error.byteOffsets.lowerBound, expected: "UTF-8")
        }
    }

    /// The document must end here, but for white space.
    mutating func finish() throws(JSONError) {
        self.skipSpace()
        guard self.index == self.bytes.count else { throw self.expected("the end") }
    }

    // MARK: Structure

    /// Reads an object; `member` is called with each name and must read that member's value.
    mutating func readObject(
        _ member: (inout JSONReader, String) throws(JSONError) -> Void
    ) throws(JSONError) {
        try self.enter(UInt8(ascii: "{"), "an object")
        if self.take(UInt8(ascii: "}")) {
            self.depth -= 1
            return
        }
        repeat {
            let name = try self.readString()
            guard self.take(UInt8(ascii: ":")) else { throw self.expected("a colon") }
            try member(&self, name)
        } while self.take(UInt8(ascii: ","))
        guard self.take(UInt8(ascii: "}")) else { throw self.expected("a comma or the object's end") }
        self.depth -= 1
    }

    /// Reads an array; `element` must read one element each time.
    mutating func readArray(_ element: (inout JSONReader) throws(JSONError) -> Void) throws(JSONError) {
        try self.enter(UInt8(ascii: "["), "an array")
        if self.take(UInt8(ascii: "]")) {
            self.depth -= 1
            return
        }
        repeat { try element(&self) } while self.take(UInt8(ascii: ","))
        guard self.take(UInt8(ascii: "]")) else { throw self.expected("a comma or the array's end") }
        self.depth -= 1
    }

    private mutating func enter(_ bracket: UInt8, _ name: String) throws(JSONError) {
        guard self.take(bracket) else { throw self.expected(name) }
        self.depth += 1
        guard self.depth <= Self.maxDepth else { throw self.expected("at most \(Self.maxDepth) levels") }
    }

    // MARK: Scalars

    mutating func readString() throws(JSONError) -> String {
        self.skipSpace()
        // Nearly all strings have no escape; short ones make no allocation then.
        var end = self.index + 1
        while end < self.bytes.count, Self.isPlain(self.bytes[end]) { end += 1 }
        if end < self.bytes.count, self.bytes[self.index] == UInt8(ascii: "\""), self.bytes[end] == UInt8(ascii: "\"") {
            let start = self.index + 1
            self.index = end + 1
            return String(decoding: self.bytes[start..<end], as: UTF8.self)
        }
        var text: [UInt8] = []
        try self.readString(into: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends a string's text, unescaped.
    mutating func readString(into text: inout [UInt8]) throws(JSONError) {
        guard self.take(UInt8(ascii: "\"")) else { throw self.expected("a string") }
        while true {
            let start = self.index
            while self.index < self.bytes.count, Self.isPlain(self.bytes[self.index]) { self.index += 1 }
            text.append(contentsOf: self.bytes[start..<self.index])
            switch self.index < self.bytes.count ? self.bytes[self.index] : 0 {
            case UInt8(ascii: "\""):
                self.index += 1
                return
            case UInt8(ascii: "\\"):
                self.index += 1
                try self.readEscape(into: &text)
            default:
                throw self.expected("the string's end")
            }
        }
    }

    /// Whether a byte stands for itself within a string.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func readEscape(into text: inout [UInt8]) throws(JSONError) {
        guard self.index < self.bytes.count else { throw self.expected("an escape") }
        switch self.bytes[self.index] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(self.bytes[self.index])
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            self.index += 1
            try self.readUnicodeEscape(into: &text)
            return
        default: throw self.expected("an escape")
        }
        self.index += 1
    }

    private mutating func readUnicodeEscape(into text: inout [UInt8]) throws(JSONError) {
        var value = try self.readFourDigits()
        if (0xD800...0xDBFF).contains(value) {
            guard self.index + 1 < self.bytes.count, self.bytes[self.index] == UInt8(ascii: "\\"),
                self.bytes[self.index + 1] == UInt8(ascii: "u")
            else { throw self.expected("the second half of a surrogate pair") }
            self.index += 2
            let low = try self.readFourDigits()
            guard (0xDC00...0xDFFF).contains(low) else { throw self.expected("the second half of a surrogate pair") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        // Fails for a second half that stands alone.
        guard let scalar = Unicode.Scalar(value) else { throw self.expected("a character") }
        text.append(contentsOf: Character(scalar).utf8)
    }

    private mutating func readFourDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard self.index < self.bytes.count else { throw self.expected("a hexadecimal digit") }
            let byte = self.bytes[self.index]
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
            default: throw self.expected("a hexadecimal digit")
            }
            self.index += 1
        }
        return value
    }

    mutating func readBool() throws(JSONError) -> Bool {
        if self.takeWord("true") { return true }
        if self.takeWord("false") { return false }
        throw self.expected("true or false")
    }

    /// Reads `null` if it stands here.
    mutating func takeNull() -> Bool {
        self.takeWord("null")
    }

    /// Reads a number; `nil` if it is not a whole one that fits.
    mutating func readInteger() throws(JSONError) -> Int? {
        self.skipSpace()
        let start = self.index
        try self.readNumber()
        return Int(String(decoding: self.bytes[start..<self.index], as: UTF8.self))
    }

    private mutating func readNumber() throws(JSONError) {
        _ = self.takeHere(UInt8(ascii: "-"))
        if !self.takeHere(UInt8(ascii: "0")) { try self.readDigits() }
        if self.takeHere(UInt8(ascii: ".")) { try self.readDigits() }
        if self.takeHere(UInt8(ascii: "e")) || self.takeHere(UInt8(ascii: "E")) {
            if !self.takeHere(UInt8(ascii: "+")) { _ = self.takeHere(UInt8(ascii: "-")) }
            try self.readDigits()
        }
    }

    private mutating func readDigits() throws(JSONError) {
        let start = self.index
        while self.index < self.bytes.count,
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self.bytes[self.index])
        { self.index += 1 }
        guard self.index > start else { throw self.expected("a digit") }
    }

    /// Reads a value of any kind and drops it.
    mutating func skipValue() throws(JSONError) {
        self.skipSpace()
        guard self.index < self.bytes.count else { throw self.expected("a value") }
        switch self.bytes[self.index] {
        case UInt8(ascii: "{"):
            try self.readObject { (reader: inout JSONReader, _: String) throws(JSONError) in try reader.skipValue() }
        case UInt8(ascii: "["):
            try self.readArray { (reader: inout JSONReader) throws(JSONError) in try reader.skipValue() }
        case UInt8(ascii: "\""): _ = try self.readString()
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try self.readBool()
        case UInt8(ascii: "n"): guard self.takeNull() else { throw self.expected("a value") }
        default: try self.readNumber()
        }
    }

    // MARK: Bytes

    private mutating func skipSpace() {
        while self.index < self.bytes.count {
            switch self.bytes[self.index] {
            case 0x20, 0x09, 0x0A, 0x0D: self.index += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        self.skipSpace()
        return self.takeHere(byte)
    }

    private mutating func takeHere(_ byte: UInt8) -> Bool {
        guard self.index < self.bytes.count, self.bytes[self.index] == byte else { return false }
        self.index += 1
        return true
    }

    private mutating func takeWord(_ word: String) -> Bool {
        self.skipSpace()
        guard self.bytes[self.index...].starts(with: word.utf8) else { return false }
        self.index += word.utf8.count
        return true
    }

    /// The error for what does not stand here.
    func expected(_ what: String) -> JSONError {
        JSONError(offset: self.index, expected: what)
    }
}
