import Common
import RegularExpressions
import TimestreamModel

/// The statements that a reader sends, understood a second time: a small SQL of `SELECT * … WHERE` and of rows counted by
/// groups, with three-valued logic and Timestream's words for columns that are missing.
indirect enum SQLCondition: Sendable {
    case both(SQLCondition, SQLCondition)
    case either(SQLCondition, SQLCondition)
    case isNull([UInt8], negated: Bool)
    case isIn([UInt8], [[UInt8]], negated: Bool)
    case like([UInt8], [UInt8], escape: UInt8, negated: Bool)
    case expression([UInt8], RegularExpression, negated: Bool)
    case between([UInt8], Int64, Int64)

    struct Statement: Sendable {
        var database: [UInt8]
        var table: [UInt8]
        var condition: SQLCondition
        /// The columns by which rows are grouped, and the name of their number.
        var groups: [[UInt8]]?
        var countName: [UInt8] = []
        /// The column whose texts' lengths are added up, and the name of their sum.
        var lengthColumn: [UInt8]?
        var lengthName: [UInt8] = []
        var limit: Int?
    }

    /// Nil stands for unknown. `time` is looked up by `time`, every other column by `value`.
    func evaluate(
        time: Int64,
        hasFraction: Bool = false,
        value: ([UInt8]) throws(TimestreamError) -> [UInt8]?
    ) throws(TimestreamError) -> Bool? {
        switch self {
        case .both(let left, let right):
            let one = try left.evaluate(time: time, hasFraction: hasFraction, value: value)
            let other = try right.evaluate(time: time, hasFraction: hasFraction, value: value)
            if one == false || other == false { return false }
            return one == nil || other == nil ? nil : true
        case .either(let left, let right):
            let one = try left.evaluate(time: time, hasFraction: hasFraction, value: value)
            let other = try right.evaluate(time: time, hasFraction: hasFraction, value: value)
            if one == true || other == true { return true }
            return one == nil || other == nil ? nil : false
        case .isNull(let column, let negated):
            return (try value(column) == nil) != negated
        case .isIn(let column, let values, let negated):
            guard let found = try value(column) else { return nil }
            return values.contains(found) != negated
        case .like(let column, let pattern, let escape, let negated):
            guard let found = try value(column) else { return nil }
            return Self.isLike(found[...], pattern[...], escape) != negated
        case .expression(let column, let expression, let negated):
            guard let found = try value(column) else { return nil }
            return expression.matches(found) != negated
        case .between(_, let low, let high):
            return time >= low && (hasFraction ? time < high : time <= high)
        }
    }

    private static func isLike(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>, _ escape: UInt8) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        let rest = pattern.dropFirst()
        if first == escape, let literal = rest.first {
            return text.first == literal && self.isLike(text.dropFirst(), rest.dropFirst(), escape)
        }
        if first == UInt8(ascii: "%") {
            return (0...text.count).contains { self.isLike(text.dropFirst($0), rest, escape) }
        }
        if first == UInt8(ascii: "_") { return !text.isEmpty && self.isLike(text.dropFirst(), rest, escape) }
        return text.first == first && self.isLike(text.dropFirst(), rest, escape)
    }
}

/// Parses what `SQLCondition` knows, and nothing else.
struct SQLParser {
    enum Token: Equatable {
        case identifier([UInt8])
        case literal([UInt8])
        case word(String)
    }

    private static let expressions = Locked<[String: RegularExpression]>([:])

    private var tokens: [Token] = []
    private var index = 0

    static func parse(_ text: String) throws(TimestreamError) -> SQLCondition.Statement {
        var parser = SQLParser()
        parser.tokens = try Self.tokens(Array(text.utf8))
        try parser.expect("SELECT")
        var groups: [[UInt8]]?
        var countName: [UInt8] = []
        var length: (column: [UInt8], name: [UInt8])?
        if !parser.skip("*") {
            var columns: [[UInt8]] = []
            while !parser.skip("COUNT") {
                columns.append(try parser.identifier())
                try parser.expect(",")
            }
            for word in ["(", "*", ")", "AS"] { try parser.expect(word) }
            countName = try parser.identifier()
            groups = columns
            if parser.skip(",") {
                for word in ["SUM", "(", "LENGTH", "("] { try parser.expect(word) }
                let column = try parser.identifier()
                for word in [")", ")", "AS"] { try parser.expect(word) }
                length = (column, try parser.identifier())
            }
        }
        try parser.expect("FROM")
        let database = try parser.identifier()
        try parser.expect(".")
        let table = try parser.identifier()
        try parser.expect("WHERE")
        let condition = try parser.either()
        if let groups {
            for word in ["GROUP", "BY"] { try parser.expect(word) }
            for (index, column) in groups.enumerated() {
                if index > 0 { try parser.expect(",") }
                guard try parser.identifier() == column else { throw parser.mismatch() }
            }
        }
        var limit: Int?
        if parser.skip("LIMIT") {
            guard case .word(let digits) = try parser.next(), let number = Int(digits) else { throw parser.mismatch() }
            limit = number
        }
        guard parser.index == parser.tokens.count else { throw parser.mismatch() }
        return SQLCondition.Statement(
            database: database,
            table: table,
            condition: condition,
            groups: groups,
            countName: countName,
            lengthColumn: length?.column,
            lengthName: length?.name ?? [],
            limit: limit
        )
    }

    private static func tokens(_ text: [UInt8]) throws(TimestreamError) -> [Token] {
        var tokens: [Token] = []
        var index = 0
        func isWord(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
        }
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: " ") {
                index += 1
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                var content: [UInt8] = []
                index += 1
                while true {
                    guard index < text.count else { throw Self.error("line 1:\(index): unterminated string") }
                    if text[index] == byte {
                        guard index + 1 < text.count, text[index + 1] == byte else { break }
                        index += 1
                    }
                    content.append(text[index])
                    index += 1
                }
                index += 1
                tokens.append(byte == UInt8(ascii: "'") ? .literal(content) : .identifier(content))
            } else if isWord(byte) {
                var word: [UInt8] = []
                while index < text.count, isWord(text[index]) {
                    word.append(text[index])
                    index += 1
                }
                tokens.append(.word(String(decoding: word, as: UTF8.self)))
            } else if text[index...].starts(with: Array("<>".utf8)) {
                tokens.append(.word("<>"))
                index += 2
            } else {
                tokens.append(.word(String(UnicodeScalar(byte))))
                index += 1
            }
        }
        return tokens
    }

    private static func error(_ message: String) -> TimestreamError {
        TimestreamError(.validation, message: message, status: 400)
    }

    private func mismatch() -> TimestreamError {
        Self.error("line 1:\(self.index): mismatched input. Expecting: something else")
    }

    private mutating func next() throws(TimestreamError) -> Token {
        guard self.index < self.tokens.count else { throw self.mismatch() }
        self.index += 1
        return self.tokens[self.index - 1]
    }

    private mutating func expect(_ word: String) throws(TimestreamError) {
        guard try self.next() == .word(word) else { throw self.mismatch() }
    }

    private mutating func skip(_ word: String) -> Bool {
        guard self.index < self.tokens.count, self.tokens[self.index] == .word(word) else { return false }
        self.index += 1
        return true
    }

    private mutating func identifier() throws(TimestreamError) -> [UInt8] {
        guard case .identifier(let name) = try self.next() else { throw self.mismatch() }
        return name
    }

    private mutating func literal() throws(TimestreamError) -> [UInt8] {
        guard case .literal(let value) = try self.next() else { throw self.mismatch() }
        return value
    }

    private mutating func either() throws(TimestreamError) -> SQLCondition {
        var result = try self.both()
        while self.skip("OR") { result = .either(result, try self.both()) }
        return result
    }

    private mutating func both() throws(TimestreamError) -> SQLCondition {
        var result = try self.test()
        while self.skip("AND") { result = .both(result, try self.test()) }
        return result
    }

    private mutating func milliseconds() throws(TimestreamError) -> Int64 {
        try self.expect("from_milliseconds")
        try self.expect("(")
        guard case .word(let digits) = try self.next(), let value = Int64(digits) else { throw self.mismatch() }
        try self.expect(")")
        return value
    }

    private mutating func test() throws(TimestreamError) -> SQLCondition {
        if self.skip("(") {
            let result = try self.either()
            try self.expect(")")
            return result
        }
        if self.skip("REGEXP_LIKE") { return try self.expression(negated: false) }
        if self.skip("NOT") {
            try self.expect("REGEXP_LIKE")
            return try self.expression(negated: true)
        }
        let column = try self.identifier()
        guard case .word(let operation) = try self.next() else { throw self.mismatch() }
        switch operation {
        case "=": return .isIn(column, [try self.literal()], negated: false)
        case "<>": return .isIn(column, [try self.literal()], negated: true)
        case "IS":
            let isNegated = self.skip("NOT")
            try self.expect("NULL")
            return .isNull(column, negated: isNegated)
        case "LIKE": return try self.like(column, negated: false)
        case "BETWEEN":
            let low = try self.milliseconds()
            try self.expect("AND")
            return .between(column, low, try self.milliseconds())
        case "IN", "NOT":
            if operation == "NOT" {
                if self.skip("LIKE") { return try self.like(column, negated: true) }
                try self.expect("IN")
            }
            try self.expect("(")
            var values = [try self.literal()]
            while self.skip(",") { values.append(try self.literal()) }
            try self.expect(")")
            return .isIn(column, values, negated: operation == "NOT")
        default:
            throw self.mismatch()
        }
    }

    private mutating func like(_ column: [UInt8], negated: Bool) throws(TimestreamError) -> SQLCondition {
        let pattern = try self.literal()
        try self.expect("ESCAPE")
        let escape = try self.literal()
        guard escape.count == 1 else { throw self.mismatch() }
        return .like(column, pattern, escape: escape[0], negated: negated)
    }

    /// What stands behind `REGEXP_LIKE`, which looks for its pattern anywhere.
    private mutating func expression(negated: Bool) throws(TimestreamError) -> SQLCondition {
        try self.expect("(")
        let column = try self.identifier()
        try self.expect(",")
        let pattern = String(decoding: try self.literal(), as: UTF8.self)
        try self.expect(")")
        // A reader's patterns come again and again.
        let cached = Self.expressions.withLock { $0[pattern] }
        guard let expression = cached ?? (try? RegularExpression("(?s:.*)(?-s:\(pattern))(?s:.*)")) else {
            throw self.mismatch()
        }
        if cached == nil { Self.expressions.withLock { $0[pattern] = expression } }
        return .expression(column, expression, negated: negated)
    }
}
