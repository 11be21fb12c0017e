/// Reads a JSON document member by member, strictly, without building a tree.
///
/// Strings are unescaped in place, in the document's own bytes: an escape is never shorter than what it stands for.
/// Members that nobody asks for are checked and skipped; a member that somebody asks for may come once; `null` is the same
/// as absent. Every fault is a `SerializationException`, as at the service.
struct JSONReader {
    /// A string: where its unescaped UTF-8 stands in `bytes`.
    typealias Text = Range<Int>

    private static let maximumDepth = 32

    private(set) var bytes: [UInt8]
    private var position = 0
    private var depth = 0

    init(_ bytes: [UInt8]) throws(ServiceError) {
        self.bytes = bytes
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw ServiceError(.serialization, "The request body is not UTF-8.")
        }
    }

    func string(_ text: Text) -> String {
        String(decoding: self.bytes[text], as: UTF8.self)
    }

    // MARK: Values

    /// The one value of the document: an object.
    mutating func document(
        _ names: MemberNames,
        _ member: (inout JSONReader, Int) throws(ServiceError) -> Void
    ) throws(ServiceError) {
        try self.object(names, member)
        self.skipBlanks()
        guard self.position == self.bytes.count else { throw self.unexpected("the end of the document") }
    }

    /// An object; calls `member`, positioned at its value, for each member of those names that is there and not null.
    mutating func object(
        _ names: MemberNames,
        _ member: (inout JSONReader, Int) throws(ServiceError) -> Void
    ) throws(ServiceError) {
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
                throw ServiceError(.serialization, "The member \(self.string(name)) is there twice.")
            }
            seen |= 1 << UInt64(index)
            self.skipBlanks()
            if !self.consumeNull() { try member(&self, index) }
        } while self.consume(UInt8(ascii: ","))
        try self.expect(UInt8(ascii: "}"), "',' or '}'")
        self.depth -= 1
    }

    /// An array; calls `element`, positioned at it, for each.
    mutating func array(_ element: (inout JSONReader) throws(ServiceError) -> Void) throws(ServiceError) {
        try self.open(UInt8(ascii: "["), "an array")
        if self.consume(UInt8(ascii: "]")) { return self.depth -= 1 }
        repeat {
            self.skipBlanks()
            try element(&self)
        } while self.consume(UInt8(ascii: ","))
        try self.expect(UInt8(ascii: "]"), "',' or ']'")
        self.depth -= 1
    }

    mutating func text() throws(ServiceError) -> Text {
        self.skipBlanks()
        guard self.position < self.bytes.count, self.bytes[self.position] == UInt8(ascii: "\"") else {
            throw self.unexpected("a string")
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
        throw self.unexpected("the end of a string")
    }

    mutating func string() throws(ServiceError) -> String {
        // Two steps: in one expression, the bytes would be those from before they were unescaped.
        let text = try self.text()
        return self.string(text)
    }

    mutating func integer() throws(ServiceError) -> Int64 {
        self.skipBlanks()
        let start = self.position
        try self.skipNumber()
        guard let value = Int64(String(decoding: self.bytes[start..<self.position], as: UTF8.self)) else {
            throw ServiceError(.serialization, "A whole number of 64 bits was expected at byte \(start).")
        }
        return value
    }

    mutating func boolean() throws(ServiceError) -> Bool {
        self.skipBlanks()
        if self.consumeWord("true") { return true }
        if self.consumeWord("false") { return false }
        throw self.unexpected("true or false")
    }

    /// Checks a value of any kind, and passes over it.
    mutating func skip() throws(ServiceError) {
        self.skipBlanks()
        guard self.position < self.bytes.count else { throw self.unexpected("a value") }
        switch self.bytes[self.position] {
        case UInt8(ascii: "{"): try self.object(MemberNames([])) { (_, _) throws(ServiceError) in }
        case UInt8(ascii: "["): try self.array { (reader) throws(ServiceError) in try reader.skip() }
        case UInt8(ascii: "\""): _ = try self.text()
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try self.boolean()
        case UInt8(ascii: "n"):
            guard self.consumeNull() else { throw self.unexpected("a value") }
        default: try self.skipNumber()
        }
    }

    /// The bytes of any value, as they stand.
    mutating func raw() throws(ServiceError) -> [UInt8] {
        self.skipBlanks()
        let start = self.position
        // A copy, since strings are unescaped in place.
        var probe = self
        try probe.skip()
        self.position = probe.position
        return Array(self.bytes[start..<self.position])
    }

    // MARK: Parts

    private mutating func open(_ bracket: UInt8, _ expected: String) throws(ServiceError) {
        self.skipBlanks()
        guard self.position < self.bytes.count, self.bytes[self.position] == bracket else {
            throw self.unexpected(expected)
        }
        guard self.depth < Self.maximumDepth else {
            throw ServiceError(.serialization, "The request body is nested deeper than \(Self.maximumDepth) levels.")
        }
        self.depth += 1
        self.position += 1
    }

    private mutating func escapedText(from start: Int, firstEscape: Int) throws(ServiceError) -> Text {
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
                throw self.unexpected("the end of a string")
            default:
                self.bytes[target] = byte
                source += 1
                target += 1
            }
        }
        self.position = source
        throw self.unexpected("the end of a string")
    }

    private mutating func unescape(_ source: inout Int, _ target: inout Int) throws(ServiceError) {
        guard source + 1 < self.bytes.count else { throw self.unexpected("an escape") }
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
        case UInt8(ascii: "u"):
            var scalar = try self.hexadecimal(at: source + 2)
            source += 6
            if 0xD800..<0xDC00 ~= scalar {
                guard source + 1 < self.bytes.count, self.bytes[source] == UInt8(ascii: "\\"),
                    self.bytes[source + 1] == UInt8(ascii: "u"),
                    case let low = try self.hexadecimal(at: source + 2), 0xDC00..<0xE000 ~= low
                else { throw self.unexpected("the second half of a surrogate pair") }
                source += 6
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let valid = Unicode.Scalar(scalar) else { throw self.unexpected("a Unicode scalar") }
            for unit in Unicode.UTF8.encode(valid) ?? Unicode.UTF8.encodedReplacementCharacter {
                self.bytes[target] = unit
                target += 1
            }
            return
        default: throw self.unexpected("an escape")
        }
        self.bytes[target] = byte
        source += 2
        target += 1
    }

    private func hexadecimal(at start: Int) throws(ServiceError) -> UInt32 {
        guard start + 4 <= self.bytes.count else { throw self.unexpected("four hexadecimal digits") }
        var value: UInt32 = 0
        for digit in self.bytes[start..<start + 4] {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(digit - UInt8(ascii: "A") + 10)
            default: throw self.unexpected("four hexadecimal digits")
            }
        }
        return value
    }

    /// `-? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)?`
    private mutating func skipNumber() throws(ServiceError) {
        _ = self.consumeHere(UInt8(ascii: "-"))
        if !self.consumeHere(UInt8(ascii: "0")) { try self.skipDigits() }
        if self.consumeHere(UInt8(ascii: ".")) { try self.skipDigits() }
        if self.consumeHere(UInt8(ascii: "e")) || self.consumeHere(UInt8(ascii: "E")) {
            _ = self.consumeHere(UInt8(ascii: "+")) || self.consumeHere(UInt8(ascii: "-"))
            try self.skipDigits()
        }
    }

    private mutating func skipDigits() throws(ServiceError) {
        let start = self.position
        while self.position < self.bytes.count, self.bytes[self.position] &- UInt8(ascii: "0") < 10 {
            self.position += 1
        }
        guard self.position > start else { throw self.unexpected("a number") }
    }

    private mutating func consumeNull() -> Bool {
        self.consumeWord("null")
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

    private mutating func expect(_ byte: UInt8, _ expected: String) throws(ServiceError) {
        guard self.consume(byte) else { throw self.unexpected(expected) }
    }

    private mutating func skipBlanks() {
        while self.position < self.bytes.count {
            switch self.bytes[self.position] {
            case 0x20, 0x09, 0x0A, 0x0D: self.position += 1
            default: return
            }
        }
    }

    private func unexpected(_ expected: String) -> ServiceError {
        ServiceError(
            .serialization,
            "The request body is not the JSON expected: no \(expected) at byte \(self.position)."
        )
    }
}

/// The members that a reader knows of one kind of object; at most 64.
struct MemberNames: Sendable {
    private let names: [[UInt8]]

    init(_ names: [String]) {
        self.names = names.map { Array($0.utf8) }
    }

    func index(of name: ArraySlice<UInt8>) -> Int? {
        self.names.firstIndex { $0.count == name.count && $0.elementsEqual(name) }
    }
}
