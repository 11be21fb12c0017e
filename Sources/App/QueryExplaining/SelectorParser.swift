/// Reads a selector from the left to the right.
struct SelectorParser {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    mutating func parse() throws(SelectorError) -> [Selector.Matcher] {
        self.skipBlanks()
        var matchers: [Selector.Matcher] = []
        let metric = self.identifier(allowsColons: true)
        if let metric { matchers.append(Self.matcher(ofMetric: metric)) }
        self.skipBlanks()
        if self.consume("{") {
            try self.list(into: &matchers, hasMetric: metric != nil)
        } else if metric == nil {
            throw self.error("expected a metric name or {, found \(self.found)")
        }
        self.skipBlanks()
        guard self.position == self.bytes.count else { throw self.trailing() }
        return matchers
    }

    // MARK: Matchers

    /// From behind the opening brace to behind the closing one.
    private mutating func list(into matchers: inout [Selector.Matcher], hasMetric: Bool) throws(SelectorError) {
        var names = hasMetric ? 1 : 0
        self.skipBlanks()
        while !self.consume("}") {
            let start = self.position
            let matcher = try self.item()
            if matcher.name == Selector.metricName, hasMetric || matcher.operation == .equal {
                names += 1
                guard names < 2 else { throw self.error("the metric name is set twice", at: start) }
            }
            matchers.append(matcher)
            self.skipBlanks()
            if self.consume(",") {
                self.skipBlanks()
            } else if self.peek != UInt8(ascii: "}") {
                throw self.error("expected , or }, found \(self.found)")
            }
        }
    }

    /// A matcher, or a metric's name in quotes.
    private mutating func item() throws(SelectorError) -> Selector.Matcher {
        let start = self.position
        var name: [UInt8]
        let isQuoted = self.isAtQuote
        if isQuoted {
            name = try self.string()
        } else if let identifier = self.identifier(allowsColons: false) {
            name = identifier
        } else {
            throw self.error("expected a label name, a quoted name or }, found \(self.found)")
        }
        self.skipBlanks()
        guard let operation = self.operation() else {
            if isQuoted, self.peek == UInt8(ascii: ",") || self.peek == UInt8(ascii: "}") {
                return Self.matcher(ofMetric: name)
            }
            throw self.error("expected =, !=, =~ or !~, found \(self.found)")
        }
        if name.isEmpty { throw self.error("a label's name is empty", at: start) }
        self.skipBlanks()
        guard self.isAtQuote else { throw self.error("expected a value in quotes, found \(self.found)") }
        return Selector.Matcher(name: name, operation: operation, value: try self.string())
    }

    private static func matcher(ofMetric name: [UInt8]) -> Selector.Matcher {
        Selector.Matcher(name: Selector.metricName, operation: .equal, value: name)
    }

    private mutating func operation() -> Selector.Operation? {
        // The longer ones first.
        for operation in [Selector.Operation.matches, .doesNotMatch, .notEqual, .equal] {
            let text = Array(operation.rawValue.utf8)
            if self.bytes[self.position...].starts(with: text) {
                self.position += text.count
                return operation
            }
        }
        return nil
    }

    // MARK: Words

    static func isLetter(_ byte: UInt8, allowsColons: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        default: allowsColons && byte == UInt8(ascii: ":")
        }
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private mutating func identifier(allowsColons: Bool) -> [UInt8]? {
        guard let first = self.peek, Self.isLetter(first, allowsColons: allowsColons) else { return nil }
        let start = self.position
        while let byte = self.peek, Self.isLetter(byte, allowsColons: allowsColons) || Self.isDigit(byte) {
            self.position += 1
        }
        return Array(self.bytes[start..<self.position])
    }

    private var isAtQuote: Bool {
        self.peek == UInt8(ascii: "\"") || self.peek == UInt8(ascii: "'") || self.peek == UInt8(ascii: "`")
    }

    /// A string, whose opening quote is next.
    private mutating func string() throws(SelectorError) -> [UInt8] {
        let start = self.position
        let quote = self.bytes[start]
        self.position += 1
        var value: [UInt8] = []
        while let byte = self.peek {
            if byte == quote {
                self.position += 1
                return value
            }
            if quote == UInt8(ascii: "`") {
                value.append(byte)
                self.position += 1
            } else if byte == UInt8(ascii: "\\") {
                value += try self.escape(quote)
            } else if byte == UInt8(ascii: "\n") {
                throw self.error("a quoted string ends at the end of its line; write \\n")
            } else {
                value.append(byte)
                self.position += 1
            }
        }
        throw self.error("this string has no closing quote", at: start)
    }

    /// An escape of Go, whose backslash is next.
    private mutating func escape(_ quote: UInt8) throws(SelectorError) -> [UInt8] {
        let start = self.position
        self.position += 1
        let plain: [UInt8: UInt8] = [
            UInt8(ascii: "a"): 7, UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10,
            UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9, UInt8(ascii: "v"): 11, UInt8(ascii: "\\"): UInt8(ascii: "\\"),
            quote: quote,
        ]
        guard let letter = self.peek else { throw self.error("an escape is not complete", at: start) }
        if let byte = plain[letter] {
            self.position += 1
            return [byte]
        }
        let digits: (count: Int, radix: UInt32)
        switch letter {
        case UInt8(ascii: "0")...UInt8(ascii: "7"): digits = (3, 8)
        case UInt8(ascii: "x"): digits = (2, 16)
        case UInt8(ascii: "u"): digits = (4, 16)
        case UInt8(ascii: "U"): digits = (8, 16)
        default:
            throw self.error(
                "unknown escape; a backslash itself is \\\\, or write the value in `backquotes`",
                at: start
            )
        }
        if digits.radix == 16 { self.position += 1 }
        var number: UInt32 = 0
        for _ in 0..<digits.count {
            guard let digit = self.peek.flatMap({ Character(UnicodeScalar($0)).hexDigitValue }), digit < digits.radix
            else { throw self.error("an escape needs \(digits.count) digits here", at: start) }
            self.position += 1
            // Eight hexadecimal digits are all that it can hold.
            number = number << (digits.radix == 16 ? 4 : 3) | UInt32(digit)
        }
        if digits.count <= 3 {
            guard number <= 0xFF else { throw self.error("an octal escape is at most \\377", at: start) }
            return [UInt8(number)]
        }
        guard let scalar = UnicodeScalar(number) else { throw self.error("there is no such character", at: start) }
        return Array(String(scalar).utf8)
    }

    // MARK: Bytes

    private var peek: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

    private mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard self.peek == UInt8(ascii: character) else { return false }
        self.position += 1
        return true
    }

    /// Blanks, and comments to the end of their line.
    private mutating func skipBlanks() {
        while let byte = self.peek {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): self.position += 1
            case UInt8(ascii: "#"): while let byte = self.peek, byte != UInt8(ascii: "\n") { self.position += 1 }
            default: return
            }
        }
    }

    // MARK: Errors

    /// What stands here, for errors.
    private var found: String {
        let rest = String(decoding: self.bytes[self.position...].prefix(4), as: UTF8.self)
        return rest.unicodeScalars.first.map { "\"\($0)\"" } ?? "the end"
    }

    private func error(_ message: String, at place: Int? = nil) -> SelectorError {
        let before = String(decoding: self.bytes[..<(place ?? self.position)], as: UTF8.self)
        return SelectorError(column: before.unicodeScalars.count + 1, message: message)
    }

    /// What follows a whole selector is PromQL that Prometheus works out by itself, or nothing at all.
    private func trailing() -> SelectorError {
        switch self.peek {
        case UInt8(ascii: "["): self.error("a range is no part of a selector: use --from and --to")
        case UInt8(ascii: "("): self.error("functions are worked out by Prometheus: give the selector alone")
        default: self.error("expected the end of the selector, found \(self.found)")
        }
    }
}
