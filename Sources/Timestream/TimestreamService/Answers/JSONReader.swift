/// What is wrong with a text that should be JSON, and where.
struct JSONFault: Error, Equatable {
    var offset: Int
    var message: String
}

/// Reads a JSON text value by value, in place; strict (RFC 8259), with a bound on nesting.
///
/// The caller asks for what it expects; anything else is a fault with its byte offset.
struct JSONReader {
    /// Values nested deeper are a fault, so that no text can exhaust the stack.
    static let maximumDepth = 64

    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func fault(_ message: String) -> JSONFault {
        JSONFault(offset: self.position, message: message)
    }

    // MARK: Structure

    /// The next byte that is no blank, not taken; nil at the end.
    mutating func peek() -> UInt8? {
        while self.position < self.bytes.count {
            let byte = self.bytes[self.position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            self.position += 1
        }
        return nil
    }

    mutating func take(_ byte: UInt8) throws(JSONFault) {
        guard self.peek() == byte else { throw self.fault("expected '\(UnicodeScalar(byte))'") }
        self.position += 1
    }

    private mutating func takeIfNext(_ byte: UInt8) -> Bool {
        guard self.peek() == byte else { return false }
        self.position += 1
        return true
    }

    /// Goes to the next member of an object whose `{` was taken.
    ///
    /// - Parameters:
    ///   - key: becomes the member's name, unescaped; its value is what must be read next.
    ///   - isFirst: true before the first call; becomes false.
    /// - Returns: false at the object's end, which is taken.
    mutating func nextMember(_ key: inout [UInt8], _ isFirst: inout Bool) throws(JSONFault) -> Bool {
        if self.takeIfNext(UInt8(ascii: "}")) { return false }
        if !isFirst { try self.take(UInt8(ascii: ",")) }
        isFirst = false
        key.removeAll(keepingCapacity: true)
        try self.string(into: &key)
        try self.take(UInt8(ascii: ":"))
        return true
    }

    /// Goes to the next element of an array whose `[` was taken; false at its end, which is taken.
    mutating func nextElement(_ isFirst: inout Bool) throws(JSONFault) -> Bool {
        if self.takeIfNext(UInt8(ascii: "]")) { return false }
        if !isFirst { try self.take(UInt8(ascii: ",")) }
        isFirst = false
        return true
    }

    /// Nothing but blanks may follow.
    mutating func end() throws(JSONFault) {
        guard self.peek() == nil else { throw self.fault("expected the end of the text") }
    }

    // MARK: Values

    mutating func string() throws(JSONFault) -> String {
        var text: [UInt8] = []
        try self.string(into: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends a string's unescaped bytes.
    mutating func string(into output: inout [UInt8]) throws(JSONFault) {
        try self.take(UInt8(ascii: "\""))
        while true {
            let start = self.position
            while self.position < self.bytes.count {
                let byte = self.bytes[self.position]
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
                self.position += 1
            }
            output += self.bytes[start..<self.position]
            guard self.position < self.bytes.count else { throw self.fault("a string without an end") }
            switch self.bytes[self.position] {
            case UInt8(ascii: "\""):
                self.position += 1
                return
            case UInt8(ascii: "\\"):
                self.position += 1
                try self.escape(into: &output)
            default:
                throw self.fault("a control character in a string")
            }
        }
    }

    private mutating func escape(into output: inout [UInt8]) throws(JSONFault) {
        guard self.position < self.bytes.count else { throw self.fault("a string without an end") }
        let letter = self.bytes[self.position]
        self.position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(letter)
        case UInt8(ascii: "n"): output.append(0x0A)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "r"): output.append(0x0D)
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0C)
        case UInt8(ascii: "u"): try self.unicodeEscape(into: &output)
        default: throw self.fault("an unknown escape in a string")
        }
    }

    /// `\uXXXX`, or two of them for a scalar beyond U+FFFF.
    private mutating func unicodeEscape(into output: inout [UInt8]) throws(JSONFault) {
        var value = try self.fourDigits()
        if (0xD800..<0xDC00).contains(value) {
            guard self.position + 1 < self.bytes.count, self.bytes[self.position] == UInt8(ascii: "\\"),
                self.bytes[self.position + 1] == UInt8(ascii: "u")
            else { throw self.fault("half a surrogate pair") }
            self.position += 2
            let low = try self.fourDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw self.fault("half a surrogate pair") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = UnicodeScalar(value) else { throw self.fault("half a surrogate pair") }
        output += UTF8.encode(scalar).map(Array.init) ?? []
    }

    private mutating func fourDigits() throws(JSONFault) -> UInt32 {
        guard self.position + 4 <= self.bytes.count else { throw self.fault("a string without an end") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = self.bytes[self.position]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw self.fault("a \\u escape without four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            self.position += 1
        }
        return value
    }

    /// A whole number that fits 64 bits.
    mutating func integer() throws(JSONFault) -> Int {
        let start = self.position
        let text = try self.number()
        guard let value = Int(String(decoding: text, as: UTF8.self)) else {
            throw JSONFault(offset: start, message: "expected a whole number")
        }
        return value
    }

    private mutating func number() throws(JSONFault) -> ArraySlice<UInt8> {
        _ = self.peek()
        let start = self.position
        func isDigit(_ index: Int) -> Bool {
            index < self.bytes.count && self.bytes[index] &- UInt8(ascii: "0") < 10
        }
        func isOneOf(_ text: StaticString, _ index: Int) -> Bool {
            guard index < self.bytes.count else { return false }
            return text.withUTF8Buffer { unsafe $0.contains(self.bytes[index]) }
        }
        var index = start
        func skipDigits() throws(JSONFault) {
            guard isDigit(index) else { throw JSONFault(offset: index, message: "expected a digit") }
            while isDigit(index) { index += 1 }
        }
        if isOneOf("-", index) { index += 1 }
        if isOneOf("0", index) { index += 1 } else { try skipDigits() }
        if isOneOf(".", index) {
            index += 1
            try skipDigits()
        }
        if isOneOf("eE", index) {
            index += 1
            if isOneOf("+-", index) { index += 1 }
            try skipDigits()
        }
        self.position = index
        return self.bytes[start..<index]
    }

    private mutating func word(_ text: StaticString) throws(JSONFault) {
        let count = text.utf8CodeUnitCount
        let end = self.position + count
        guard end <= self.bytes.count,
            text.withUTF8Buffer({ unsafe $0.elementsEqual(self.bytes[self.position..<end]) })
        else { throw self.fault("expected a value") }
        self.position = end
    }

    /// Skips a value of any kind.
    mutating func skipValue() throws(JSONFault) {
        try self.skipValue(depth: 0)
    }

    private mutating func skipValue(depth: Int) throws(JSONFault) {
        guard depth < Self.maximumDepth else { throw self.fault("values nested too deep") }
        var isFirst = true
        switch self.peek() {
        case UInt8(ascii: "{"):
            self.position += 1
            var key: [UInt8] = []
            while try self.nextMember(&key, &isFirst) { try self.skipValue(depth: depth + 1) }
        case UInt8(ascii: "["):
            self.position += 1
            while try self.nextElement(&isFirst) { try self.skipValue(depth: depth + 1) }
        case UInt8(ascii: "\""):
            var text: [UInt8] = []
            try self.string(into: &text)
        case UInt8(ascii: "t"): try self.word("true")
        case UInt8(ascii: "f"): try self.word("false")
        case UInt8(ascii: "n"): try self.word("null")
        case .some: _ = try self.number()
        case nil: throw self.fault("the text ends where a value was expected")
        }
    }

    /// Skips `null`, if that is what stands next.
    mutating func takeNull() throws(JSONFault) -> Bool {
        guard self.peek() == UInt8(ascii: "n") else { return false }
        try self.word("null")
        return true
    }
}
