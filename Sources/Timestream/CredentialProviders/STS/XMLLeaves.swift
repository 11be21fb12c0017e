/// Why bytes are not the XML that was expected.
struct XMLError: Error, Equatable {
    var offset: Int
    var expected: String
}

/// The texts of an XML document's elements that have no elements inside.
///
/// Enough for the answers of AWS query services: name-space prefixes are cut off, attributes are passed over, entities
/// are the five of XML and numbers. Everything has a bound, and a document type, which could define entities, is refused.
struct XMLLeaves {
    static let maximumDepth = 16
    static let maximumBytes = 256 << 10

    private var leaves: [(path: String, text: String)] = []

    /// The text of the first element whose path ends so, such as `Credentials/AccessKeyId`.
    subscript(_ path: String) -> String? {
        self.leaves.first { $0.path == path || $0.path.hasSuffix("/" + path) }?.text
    }

    init(_ bytes: [UInt8]) throws(XMLError) {
        guard bytes.count <= Self.maximumBytes else {
            throw XMLError(offset: Self.maximumBytes, expected: "the end of the document")
        }
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw XMLError(offset: error.byteOffsets.lowerBound, expected: "UTF-8")
        }
        var scanner = XMLScanner(bytes)
        var open: [Open] = []
        var hasRoot = false
        while let piece = try scanner.next() {
            switch piece {
            case .text(let text):
                guard !open.isEmpty else {
                    guard text.allSatisfy(XMLScanner.isBlank) else { throw scanner.expected("an element") }
                    continue
                }
                open[open.count - 1].text += text
            case .start(let name, let isEmpty):
                guard !open.isEmpty || !hasRoot else { throw scanner.expected("the end of the document") }
                guard open.count < Self.maximumDepth else {
                    throw scanner.expected("at most \(Self.maximumDepth) levels")
                }
                hasRoot = true
                if !open.isEmpty { open[open.count - 1].hasElements = true }
                open.append(Open(name: name))
                if isEmpty { self.close(&open) }
            case .end(let name):
                guard let last = open.last, last.name == name else { throw scanner.expected("the matching end tag") }
                self.close(&open)
            }
        }
        guard hasRoot, open.isEmpty else { throw scanner.expected(hasRoot ? "an end tag" : "an element") }
    }

    private struct Open {
        var name: String
        var text: [UInt8] = []
        var hasElements = false
        var localName: Substring { self.name.split(separator: ":").last ?? "" }
    }

    private mutating func close(_ open: inout [Open]) {
        let path = open.map(\.localName).joined(separator: "/")
        let last = open.removeLast()
        if !last.hasElements { self.leaves.append((path, String(decoding: last.text, as: UTF8.self))) }
    }
}

/// Cuts XML into tags and texts.
struct XMLScanner {
    enum Piece {
        /// With entities decoded.
        case text([UInt8])
        case start(String, isEmpty: Bool)
        case end(String)
    }

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { self.position = 3 }
    }

    func expected(_ what: String) -> XMLError { XMLError(offset: self.position, expected: what) }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    /// The next piece; `nil` at the end.
    mutating func next() throws(XMLError) -> Piece? {
        while self.position < self.bytes.count {
            if self.bytes[self.position] != UInt8(ascii: "<") { return .text(try self.text()) }
            if self.consume("<!--") {
                try self.skip(behind: "-->")
            } else if self.consume("<?") {
                try self.skip(behind: "?>")
            } else if self.consume("<![CDATA[") {
                let start = self.position
                try self.skip(behind: "]]>")
                return .text(Array(self.bytes[start..<(self.position - 3)]))
            } else if self.consume("</") {
                let name = try self.name()
                self.skipBlanks()
                guard self.consume(">") else { throw self.expected("'>'") }
                return .end(name)
            } else {
                self.position += 1
                return try self.startTag()
            }
        }
        return nil
    }

    private mutating func startTag() throws(XMLError) -> Piece {
        let name = try self.name()
        while true {
            let hadBlanks = self.skipBlanks()
            if self.consume("/>") { return .start(name, isEmpty: true) }
            if self.consume(">") { return .start(name, isEmpty: false) }
            guard hadBlanks else { throw self.expected("'>'") }
            _ = try self.name()
            self.skipBlanks()
            guard self.consume("=") else { throw self.expected("'='") }
            self.skipBlanks()
            if self.consume("\"") {
                try self.skip(behind: "\"")
            } else if self.consume("'") {
                try self.skip(behind: "'")
            } else {
                throw self.expected("a quoted value")
            }
        }
    }

    private mutating func name() throws(XMLError) -> String {
        let start = self.position
        while self.position < self.bytes.count, !Self.isBlank(self.bytes[self.position]),
            !"<>/=&'\"!".utf8.contains(self.bytes[self.position])
        {
            self.position += 1
        }
        guard self.position > start else { throw self.expected("a name") }
        return String(decoding: self.bytes[start..<self.position], as: UTF8.self)
    }

    private mutating func text() throws(XMLError) -> [UInt8] {
        var text: [UInt8] = []
        while self.position < self.bytes.count, self.bytes[self.position] != UInt8(ascii: "<") {
            let byte = self.bytes[self.position]
            if byte == UInt8(ascii: "&") {
                text += try self.entity()
            } else {
                text.append(byte)
                self.position += 1
            }
        }
        return text
    }

    private mutating func entity() throws(XMLError) -> String.UTF8View {
        let fault = self.expected("an entity of XML")
        guard let end = self.bytes[self.position...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { throw fault }
        let name = String(decoding: self.bytes[(self.position + 1)..<end], as: UTF8.self)
        self.position = end + 1
        switch name {
        case "lt": return "<".utf8
        case "gt": return ">".utf8
        case "amp": return "&".utf8
        case "quot": return "\"".utf8
        case "apos": return "'".utf8
        default:
            let isHexadecimal = name.hasPrefix("#x")
            let digits = name.dropFirst(isHexadecimal ? 2 : 1)
            guard name.hasPrefix("#"), digits.first?.isHexDigit == true,
                let number = UInt32(digits, radix: isHexadecimal ? 16 : 10), number > 0,
                let scalar = Unicode.Scalar(number)
            else { throw fault }
            return String(scalar).utf8
        }
    }

    @discardableResult private mutating func skipBlanks() -> Bool {
        let start = self.position
        while self.position < self.bytes.count, Self.isBlank(self.bytes[self.position]) { self.position += 1 }
        return self.position > start
    }

    private mutating func skip(behind text: String) throws(XMLError) {
        let wanted = Array(text.utf8)
        var index = self.position
        while index + wanted.count <= self.bytes.count {
            if self.bytes[index] == wanted[0], self.bytes[index..<(index + wanted.count)].elementsEqual(wanted) {
                self.position = index + wanted.count
                return
            }
            index += 1
        }
        self.position = self.bytes.count
        throw self.expected("'\(text)'")
    }

    private mutating func consume(_ text: String) -> Bool {
        guard self.bytes[self.position...].starts(with: text.utf8) else { return false }
        self.position += text.utf8.count
        return true
    }
}
