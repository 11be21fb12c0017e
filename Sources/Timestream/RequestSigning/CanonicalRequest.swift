import Common

/// The text of a request that both sides of SigV4 hash.
///
/// Source: AWS Signature Version 4, "Create a canonical request"; the path is encoded once more than it was sent, as
/// for every service but S3.
struct CanonicalRequest {
    private(set) var text: [UInt8] = []
    /// The names signed, sorted, joined by semicolons.
    private(set) var signedHeaders = ""

    /// - Parameters:
    ///   - headers: those to sign, names in lower case; of several with one name the order counts.
    ///   - bodyDigest: the body's SHA-256, 32 bytes.
    init(method: String, target: String, headers: [(name: String, value: String)], bodyDigest: [UInt8]) {
        let order = headers.indices.sorted { (headers[$0].name, $0) < (headers[$1].name, $1) }
        self.text.reserveCapacity(512)
        self.text += method.utf8
        self.text.append(Ascii.lineFeed)

        let bytes = Array(target.utf8)
        let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        self.appendPath(bytes[..<mark])
        self.text.append(Ascii.lineFeed)
        self.appendQuery(bytes[mark...].dropFirst())
        self.text.append(Ascii.lineFeed)

        self.signedHeaders.reserveCapacity(64)
        var last: String?
        for index in order {
            let name = headers[index].name
            if name == last {
                self.text[self.text.endIndex - 1] = UInt8(ascii: ",")
            } else {
                if last != nil { self.signedHeaders += ";" }
                self.signedHeaders += name
                last = name
                self.text += name.utf8
                self.text.append(UInt8(ascii: ":"))
            }
            self.appendTrimmed(headers[index].value)
            self.text.append(Ascii.lineFeed)
        }
        self.text.append(Ascii.lineFeed)
        self.text += self.signedHeaders.utf8
        self.text.append(Ascii.lineFeed)
        self.text += hexadecimal(bodyDigest).utf8
    }

    /// The value without blanks around it, and with one space for each run of blanks within.
    private mutating func appendTrimmed(_ value: String) {
        guard Self.hasBlanksToTrim(value) else {
            self.text += value.utf8
            return
        }
        let start = self.text.count
        var pendingSpace = false
        for byte in value.utf8 {
            if byte == 0x20 || (0x09...0x0D).contains(byte) {
                pendingSpace = self.text.count > start
            } else {
                if pendingSpace { self.text.append(0x20) }
                pendingSpace = false
                self.text.append(byte)
            }
        }
    }

    /// Whether a value is other than it is signed. Few are, and looking is cheaper than taking the bytes one by one.
    private static func hasBlanksToTrim(_ value: String) -> Bool {
        let bytes = value.utf8Span.span
        var wasBlank = true
        for index in bytes.indices {
            let byte = bytes[index]
            let isBlank = byte == 0x20
            if (0x09...0x0D).contains(byte) || isBlank && wasBlank { return true }
            wasBlank = isBlank
        }
        return wasBlank && !bytes.isEmpty
    }

    /// The path without `.`, `..` and empty segments, each byte that is not unreserved escaped.
    private mutating func appendPath(_ path: ArraySlice<UInt8>) {
        var segments: [ArraySlice<UInt8>] = []
        for segment in path.split(separator: UInt8(ascii: "/")) {
            if segment.elementsEqual("..".utf8) {
                _ = segments.popLast()
            } else if !segment.elementsEqual(".".utf8) {
                segments.append(segment)
            }
        }
        for segment in segments {
            self.text.append(UInt8(ascii: "/"))
            for byte in segment { self.appendEscaped(byte) }
        }
        if segments.isEmpty || path.last == UInt8(ascii: "/") { self.text.append(UInt8(ascii: "/")) }
    }

    /// The parameters sorted by name, then value, each decoded and escaped anew.
    private mutating func appendQuery(_ query: ArraySlice<UInt8>) {
        guard !query.isEmpty else { return }
        var parameters: [(name: [UInt8], value: [UInt8])] = []
        for parameter in query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false) {
            let mark = parameter.firstIndex(of: UInt8(ascii: "=")) ?? parameter.endIndex
            parameters.append((Self.reescaped(parameter[..<mark]), Self.reescaped(parameter[mark...].dropFirst())))
        }
        parameters.sort { left, right in
            left.name == right.name
                ? left.value.lexicographicallyPrecedes(right.value) : left.name.lexicographicallyPrecedes(right.name)
        }
        for (index, parameter) in parameters.enumerated() {
            if index > 0 { self.text.append(UInt8(ascii: "&")) }
            self.text += parameter.name
            self.text.append(UInt8(ascii: "="))
            self.text += parameter.value
        }
    }

    private static func reescaped(_ part: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var index = part.startIndex
        while index < part.endIndex {
            if part[index] == UInt8(ascii: "%"), index + 2 < part.endIndex,
                let high = Ascii.hexadecimalValue(part[index + 1]), let low = Ascii.hexadecimalValue(part[index + 2])
            {
                Ascii.appendEscaped(high << 4 | low, to: &result)
                index += 3
            } else {
                Ascii.appendEscaped(part[index], to: &result)
                index += 1
            }
        }
        return result
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        Ascii.appendEscaped(byte, to: &self.text)
    }
}

/// The few rules about ASCII that SigV4 needs.
enum Ascii {
    static let lineFeed: UInt8 = 0x0A

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// The byte itself if unreserved (RFC 3986, section 2.3), else `%` and two upper-case digits.
    static func appendEscaped(_ byte: UInt8, to text: inout [UInt8]) {
        if self.isUnreserved(byte) {
            text.append(byte)
        } else {
            let digits = StaticString("0123456789ABCDEF")
            text.append(UInt8(ascii: "%"))
            digits.withUTF8Buffer { table in
                unsafe text.append(table[Int(byte >> 4)])
                unsafe text.append(table[Int(byte & 15)])
            }
        }
    }

    static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Header names differ by letter case in ASCII only.
    static func lowercased(_ name: String) -> String {
        guard name.utf8.contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) else { return name }
        let bytes = name.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        return String(decoding: bytes, as: UTF8.self)
    }
}
