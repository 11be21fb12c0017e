/// Why bytes are not the JSON that was expected.
package struct JSONError: Error, Sendable, Equatable {
    /// Offset of the byte at fault, or of the end.
    package var offset: Int
    /// What should stand there, as a noun.
    package var expected: String

    package init(offset: Int, expected: String) {
        self.offset = offset
        self.expected = expected
    }
}

/// Reads a JSON document (RFC 8259) member by member, strictly, and builds nothing.
///
/// The document must be UTF-8 as a whole. Strings are unescaped in place, in the document's own bytes: an escape is never
/// shorter than what it stands for. Members that nobody asks for are checked and skipped; a member that somebody asks for
/// may come once; `null` is the same as absent. Depth is bounded, so no document can exhaust the stack.
package struct JSONReader {
    /// A string: where its unescaped UTF-8 stands in `bytes`.
    package typealias Text = Range<Int>

    package static let maximumDepth = 64

    /// The document, with the strings that were read unescaped.
    package private(set) var bytes: [UInt8]
    private var position = 0
    private var depth = 0

    /// - Throws: `JSONError` if the bytes are not UTF-8.
    package init(_ bytes: [UInt8]) throws(JSONError) {
        self.bytes = bytes
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw JSONError(offset: error.byteOffsets.lowerBound, expected: "UTF-8")
        }
    }

    package func string(_ text: Text) -> String {
        String(decoding: self.bytes[text], as: UTF8.self)
    }

    /// The error for what does not stand here.
    package func expected(_ what: String) -> JSONError {
        JSONError(offset: self.position, expected: what)
    }

    // MARK: Structure

    /// The one value of the document: an object.
    package mutating func document(
        _ names: MemberNames,
        _ member: (inout JSONReader, Int) throws(JSONError) -> Void
    ) throws(JSONError) {
        try self.object(names, member)
        try self.finish()
    }

    /// The document must end here, but for white space.
    package mutating func finish() throws(JSONError) {
        self.skipBlanks()
        guard self.position == self.bytes.count else { throw self.expected("the end of the document") }
    }

    /// An object; calls `member`, positioned at its value, for each member of those names that is there and not null.
    package mutating func object(
        _ names: MemberNames,
        _ member: (inout JSONReader, Int) throws(JSONError) -> Void
    ) throws(JSONError) {
        try self.open(UInt8(ascii: "{"), "an object")
        var seen: UInt64 = 0
        if self.consume(UInt8(ascii: "}")) { return self.depth -= 1 }
        repeat {
            let name = try self.text()
            try self.expect(UInt8(ascii: ":"), "':'")
            guard let index = names.index(of: self.bytes[name]) else {
                try self.skip()
                continue
            }
            guard seen & (1 << UInt64(index)) == 0 else {
                throw self.expected("the member '\(self.string(name))' only once")
            }
            seen |= 1 << UInt64(index)
            if !self.consumeNull() { try member(&self, index) }
        } while self.consume(UInt8(ascii: ","))
        try self.expect(UInt8(ascii: "}"), "',' or '}'")
        self.depth -= 1
    }

    /// An array; calls `element`, positioned at it, for each.
    package mutating func array(_ element: (inout JSONReader) throws(JSONError) -> Void) throws(JSONError) {
        try self.open(UInt8(ascii: "["), "an array")
        if self.consume(UInt8(ascii: "]")) { return self.depth -= 1 }
        repeat { try element(&self) } while self.consume(UInt8(ascii: ","))
        try self.expect(UInt8(ascii: "]"), "',' or ']'")
        self.depth -= 1
    }

    // MARK: Values

    package mutating func text() throws(JSONError) -> Text {
        self.skipBlanks()
        guard self.position < self.bytes.count, self.bytes[self.position] == UInt8(ascii: "\"") else {
            throw self.expected("a string")
        }
        let start = self.position + 1
        var index = start
        while index < self.bytes.count {
            let byte = self.bytes[index]
            if byte == UInt8(ascii: "\"") {
                self.position = index + 1
                return start..<index
            }
            if byte == UInt8(ascii: "\\") { return try self.escapedText(from: start, firstEscape: index) }
            guard byte >= 0x20 else { break }
            index += 1
        }
        self.position = index
        throw self.expected("the end of a string")
    }

    package mutating func string() throws(JSONError) -> String {
        // Two steps: in one expression, the bytes would be those from before they were unescaped.
        let text = try self.text()
        return self.string(text)
    }

    package mutating func integer() throws(JSONError) -> Int64 {
        self.skipBlanks()
        let start = self.position
        guard let value = try self.number() else {
            throw JSONError(offset: start, expected: "a whole number of 64 bits")
        }
        return value
    }

    /// Any number; `nil` if it is not written as a whole one of 64 bits.
    package mutating func number() throws(JSONError) -> Int64? {
        self.skipBlanks()
        let start = self.position
        try self.skipNumber()
        return Int64(String(decoding: self.bytes[start..<self.position], as: UTF8.self))
    }

    package mutating func boolean() throws(JSONError) -> Bool {
        self.skipBlanks()
        if self.consumeWord("true") { return true }
        if self.consumeWord("false") { return false }
        throw self.expected("true or false")
    }

    /// Checks a value of any kind, and passes over it.
    package mutating func skip() throws(JSONError) {
        self.skipBlanks()
        guard self.position < self.bytes.count else { throw self.expected("a value") }
        switch self.bytes[self.position] {
        case UInt8(ascii: "{"): try self.object(.none) { (_, _) throws(JSONError) in }
        case UInt8(ascii: "["): try self.array { (reader) throws(JSONError) in try reader.skip() }
        case UInt8(ascii: "\""): _ = try self.text()
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try self.boolean()
        case UInt8(ascii: "n"): guard self.consumeNull() else { throw self.expected("a value") }
        default: try self.skipNumber()
        }
    }

    /// The bytes of any value, as they stand.
    package mutating func raw() throws(JSONError) -> [UInt8] {
        self.skipBlanks()
        let start = self.position
        // A copy, since strings are unescaped in place.
        var probe = self
        try probe.skip()
        self.position = probe.position
        return Array(self.bytes[start..<self.position])
    }

    // MARK: Escapes

    private mutating func escapedText(from start: Int, firstEscape: Int) throws(JSONError) -> Text {
        var source = firstEscape
        var target = firstEscape
        while source < self.bytes.count {
            let byte = self.bytes[source]
            switch byte {
            case UInt8(ascii: "\""):
                self.position = source + 1
                return start..<target
            case UInt8(ascii: "\\"):
                self.position = source
                try self.unescape(&source, &target)
            case 0..<0x20:
                self.position = source
                throw self.expected("the end of a string")
            default:
                self.bytes[target] = byte
                source += 1
                target += 1
            }
        }
        self.position = source
        throw self.expected("the end of a string")
    }

    private mutating func unescape(_ source: inout Int, _ target: inout Int) throws(JSONError) {
        guard source + 1 < self.bytes.count else { throw self.expected("an escape") }
        let byte: UInt8
        switch self.bytes[source + 1] {
        case UInt8(ascii: "\""): byte = UInt8(ascii: "\"")
        case UInt8(ascii: "\\"): byte = UInt8(ascii: "\\")
        case UInt8(ascii: "/"): byte = UInt8(ascii: "/")
        case UInt8(ascii: "b"): byte = 0x08
        case UInt8(ascii: "f"): byte = 0x0C
        case UInt8(ascii: "n"): byte = 0x0A
        case UInt8(ascii: "r"): byte = 0x0D
        case UInt8(ascii: "t"): byte = 0x09
        case UInt8(ascii: "u"): return try self.unescapeScalar(&source, &target)
        default: throw self.expected("an escape")
        }
        self.bytes[target] = byte
        source += 2
        target += 1
    }

    /// `\u` and four digits, or two of them that are the halves of a surrogate pair.
    private mutating func unescapeScalar(_ source: inout Int, _ target: inout Int) throws(JSONError) {
        var scalar = try self.hexadecimal(at: source + 2)
        source += 6
        if 0xD800..<0xDC00 ~= scalar {
            guard source + 1 < self.bytes.count, self.bytes[source] == UInt8(ascii: "\\"),
                self.bytes[source + 1] == UInt8(ascii: "u"),
                case let low = try self.hexadecimal(at: source + 2), 0xDC00..<0xE000 ~= low
            else { throw self.expected("the second half of a surrogate pair") }
            source += 6
            scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
        }
        // Fails for a second half that stands alone.
        guard let valid = Unicode.Scalar(scalar) else { throw self.expected("a character") }
        for unit in Unicode.UTF8.encode(valid) ?? Unicode.UTF8.encodedReplacementCharacter {
            self.bytes[target] = unit
            target += 1
        }
    }

    private func hexadecimal(at start: Int) throws(JSONError) -> UInt32 {
        guard start + 4 <= self.bytes.count else { throw self.expected("four hexadecimal digits") }
        var value: UInt32 = 0
        for digit in self.bytes[start..<start + 4] {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(digit - UInt8(ascii: "A") + 10)
            default: throw self.expected("four hexadecimal digits")
            }
        }
        return value
    }

    // MARK: Bytes

    private mutating func open(_ bracket: UInt8, _ expected: String) throws(JSONError) {
        guard self.consume(bracket) else { throw self.expected(expected) }
        guard self.depth < Self.maximumDepth else { throw self.expected("at most \(Self.maximumDepth) levels") }
        self.depth += 1
    }

    /// `-? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)?`
    private mutating func skipNumber() throws(JSONError) {
        _ = self.consumeHere(UInt8(ascii: "-"))
        if !self.consumeHere(UInt8(ascii: "0")) { try self.skipDigits() }
        if self.consumeHere(UInt8(ascii: ".")) { try self.skipDigits() }
        if self.consumeHere(UInt8(ascii: "e")) || self.consumeHere(UInt8(ascii: "E")) {
            _ = self.consumeHere(UInt8(ascii: "+")) || self.consumeHere(UInt8(ascii: "-"))
            try self.skipDigits()
        }
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = self.position
        while self.position < self.bytes.count, self.bytes[self.position] &- UInt8(ascii: "0") < 10 {
            self.position += 1
        }
        guard self.position > start else { throw self.expected("a digit") }
    }

    private mutating func consumeNull() -> Bool {
        self.skipBlanks()
        return self.consumeWord("null")
    }

    private mutating func consumeWord(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard self.position + count <= self.bytes.count else { return false }
        for index in 0..<count {
            guard unsafe self.bytes[self.position + index] == word.utf8Start[index] else { return false }
        }
        self.position += count
        return true
    }

    private mutating func consumeHere(_ byte: UInt8) -> Bool {
        guard self.position < self.bytes.count, self.bytes[self.position] == byte else { return false }
        self.position += 1
        return true
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        self.skipBlanks()
        return self.consumeHere(byte)
    }

    private mutating func expect(_ byte: UInt8, _ expected: String) throws(JSONError) {
        guard self.consume(byte) else { throw self.expected(expected) }
    }

    private mutating func skipBlanks() {
        while self.position < self.bytes.count {
            switch self.bytes[self.position] {
            case 0x20, 0x09, 0x0A, 0x0D: self.position += 1
            default: return
            }
        }
    }
}

/// The members that a reader knows of one kind of object; at most 64.
package struct MemberNames: Sendable {
    private let names: [[UInt8]]

    package static let none = MemberNames([])

    /// - Parameter names: a member is known by its place in this list.
    package init(_ names: [String]) {
        precondition(names.count <= 64)
        self.names = names.map { Array($0.utf8) }
    }

    func index(of name: ArraySlice<UInt8>) -> Int? {
        self.names.firstIndex { $0.count == name.count && $0.elementsEqual(name) }
    }
}
