/// Cuts a statement into words. Source: developer guide, "Query language reference"; Presto's lexical rules.
struct SQLLexer {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var lineStart = 0

    init(_ statement: String) {
        self.bytes = Array(statement.utf8)
    }

    /// All words of a statement; the last is `.end`.
    static func tokens(of statement: String) throws(ServiceError) -> [SQLToken] {
        var lexer = SQLLexer(statement)
        var tokens: [SQLToken] = []
        repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
        return tokens
    }

    private var position: SQLPosition { SQLPosition(line: self.line, column: self.index - self.lineStart + 1) }

    private func byte(_ ahead: Int = 0) -> UInt8? {
        self.index + ahead < self.bytes.count ? self.bytes[self.index + ahead] : nil
    }

    private func text(from start: Int) -> String {
        String(decoding: self.bytes[start..<self.index], as: UTF8.self)
    }

    private mutating func advance() {
        if self.bytes[self.index] == 0x0A {
            self.line += 1
            self.lineStart = self.index + 1
        }
        self.index += 1
    }

    private mutating func next() throws(ServiceError) -> SQLToken {
        try self.skipBlanks()
        let position = self.position
        let start = self.index
        guard let first = self.byte() else { return SQLToken(kind: .end, position: position, text: "<EOF>") }
        let kind: SQLToken.Kind
        switch first {
        case UInt8(ascii: "'"):
            kind = .string(try self.delimited(by: first, position))
        case UInt8(ascii: "\""):
            let name = try self.delimited(by: first, position)
            guard !name.isEmpty else { throw .sql(position, "Zero-length delimited identifier not allowed") }
            kind = .quoted(name)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            kind = try self.number(position)
        case UInt8(ascii: ".") where self.byte(1).map(Self.isDigit) == true:
            kind = try self.number(position)
        case _ where Self.isLetter(first) || first == UInt8(ascii: "_"):
            self.word()
            kind = .word(self.text(from: start))
        default:
            guard let symbol = self.symbol(first) else {
                if first == UInt8(ascii: "[") { throw .unsupported(position, "an ARRAY or a subscript") }
                // The whole character, so that the message is text.
                let rest = String(decoding: self.bytes[start...].prefix(4), as: UTF8.self)
                throw .sql(position, "mismatched input '\(rest.prefix(1))'. Expecting: a statement")
            }
            kind = .symbol(symbol)
        }
        return SQLToken(kind: kind, position: position, text: self.text(from: start))
    }

    private mutating func skipBlanks() throws(ServiceError) {
        while let byte = self.byte() {
            if byte == 0x20 || byte == 0x0A || byte == 0x09 || byte == 0x0D {
                self.advance()
            } else if byte == UInt8(ascii: "-"), self.byte(1) == UInt8(ascii: "-") {
                while let next = self.byte(), next != 0x0A { self.advance() }
            } else if byte == UInt8(ascii: "/"), self.byte(1) == UInt8(ascii: "*") {
                let position = self.position
                self.advance()
                self.advance()
                while self.byte() != UInt8(ascii: "*") || self.byte(1) != UInt8(ascii: "/") {
                    guard self.byte() != nil else { throw .sql(position, "the comment does not end") }
                    self.advance()
                }
                self.advance()
                self.advance()
            } else {
                return
            }
        }
    }

    /// A text up to its delimiter, which stands doubled inside it. Nothing else has a meaning inside.
    private mutating func delimited(by delimiter: UInt8, _ position: SQLPosition) throws(ServiceError) -> [UInt8] {
        var text: [UInt8] = []
        self.advance()
        while let byte = self.byte() {
            self.advance()
            if byte == delimiter {
                guard self.byte() == delimiter else { return text }
                self.advance()
            }
            text.append(byte)
        }
        throw .sql(position, "the \(delimiter == UInt8(ascii: "'") ? "string" : "name") does not end")
    }

    /// `name`, or `name::type`, the form of value columns.
    private mutating func word() {
        self.skipNameBytes()
        if self.byte() == UInt8(ascii: ":"), self.byte(1) == UInt8(ascii: ":"),
            self.byte(2).map(Self.isLetter) == true
        {
            self.index += 2
            self.skipNameBytes()
        }
    }

    private mutating func skipNameBytes() {
        while let byte = self.byte(), Self.isLetter(byte) || Self.isDigit(byte) || byte == UInt8(ascii: "_") {
            self.index += 1
        }
    }

    private mutating func skipDigits() {
        while let byte = self.byte(), Self.isDigit(byte) { self.index += 1 }
    }

    /// `12`, `1.5`, `1e3`, or an interval such as `15m`.
    private mutating func number(_ position: SQLPosition) throws(ServiceError) -> SQLToken.Kind {
        let start = self.index
        self.skipDigits()
        let digits = self.text(from: start)
        var isWhole = true
        if self.byte() == UInt8(ascii: "."), self.byte(1) != UInt8(ascii: ".") {
            isWhole = false
            self.index += 1
            self.skipDigits()
        }
        if let letter = self.byte(), letter | 0x20 == UInt8(ascii: "e") {
            let sign = self.byte(1) == UInt8(ascii: "+") || self.byte(1) == UInt8(ascii: "-")
            if self.byte(sign ? 2 : 1).map(Self.isDigit) == true {
                isWhole = false
                self.index += sign ? 2 : 1
                self.skipDigits()
            }
        }
        let unitStart = self.index
        while let byte = self.byte(), Self.isLetter(byte) || Self.isDigit(byte) || byte == UInt8(ascii: "_") {
            self.index += 1
        }
        let unit = self.text(from: unitStart)
        if unit.isEmpty {
            if isWhole {
                guard let value = Int64(digits) else { throw .sql(position, "Invalid numeric literal: \(digits)") }
                return .integer(value)
            }
            guard let value = NumberText.double(self.bytes[start..<self.index]) else {
                throw .sql(position, "Invalid numeric literal: \(self.text(from: start))")
            }
            return .double(value)
        }
        guard isWhole, let count = Int64(digits), let interval = SQLInterval.nanoseconds(count, unit: unit) else {
            if ["y", "year", "week", "month"].contains(unit) {
                throw .unsupported(position, "the interval '\(self.text(from: start))'")
            }
            throw .sql(position, "Invalid interval or number: \(self.text(from: start))")
        }
        return .interval(interval)
    }

    private mutating func symbol(_ first: UInt8) -> SQLToken.Symbol? {
        let second = self.byte(1)
        let symbol: SQLToken.Symbol
        switch first {
        case UInt8(ascii: "("): symbol = .leftParenthesis
        case UInt8(ascii: ")"): symbol = .rightParenthesis
        case UInt8(ascii: ","): symbol = .comma
        case UInt8(ascii: "."): symbol = .dot
        case UInt8(ascii: "*"): symbol = .star
        case UInt8(ascii: "+"): symbol = .plus
        case UInt8(ascii: "-"): symbol = .minus
        case UInt8(ascii: "/"): symbol = .slash
        case UInt8(ascii: "%"): symbol = .percent
        case UInt8(ascii: "="): symbol = .equal
        case UInt8(ascii: ";"): symbol = .semicolon
        case UInt8(ascii: "<") where second == UInt8(ascii: ">"): symbol = .notEqual
        case UInt8(ascii: "<") where second == UInt8(ascii: "="): symbol = .lessOrEqual
        case UInt8(ascii: "<"): symbol = .less
        case UInt8(ascii: ">") where second == UInt8(ascii: "="): symbol = .greaterOrEqual
        case UInt8(ascii: ">"): symbol = .greater
        case UInt8(ascii: "!") where second == UInt8(ascii: "="): symbol = .bangEqual
        case UInt8(ascii: "|") where second == UInt8(ascii: "|"): symbol = .concatenate
        default: return nil
        }
        self.index += symbol.rawValue.utf8.count
        return symbol
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }
}

/// Intervals of fixed length, in nanoseconds.
enum SQLInterval {
    /// - Returns: `nil` if the unit is unknown, or the interval too long.
    static func nanoseconds(_ count: Int64, unit: String) -> Int64? {
        let factor: Int64
        switch unit.lowercased() {
        case "ns", "nanosecond": factor = 1
        case "us", "microsecond": factor = 1000
        case "ms", "millisecond": factor = 1_000_000
        case "s", "second": factor = 1_000_000_000
        case "m", "minute": factor = 60_000_000_000
        case "h", "hour": factor = 3_600_000_000_000
        case "d", "day": factor = 86_400_000_000_000
        default: return nil
        }
        let (nanoseconds, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? nil : nanoseconds
    }
}
