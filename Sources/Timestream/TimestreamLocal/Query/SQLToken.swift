/// A place in a statement, counted from 1; columns count bytes.
struct SQLPosition: Sendable, CustomStringConvertible {
    var line: Int
    var column: Int

    var description: String { "line \(self.line):\(self.column)" }
}

/// A word of a statement.
struct SQLToken: Sendable {
    enum Kind: Sendable, Equatable {
        /// Without quotes: a keyword, or a name.
        case word(String)
        /// A name in double quotes.
        case quoted([UInt8])
        case string([UInt8])
        case integer(Int64)
        case double(Double)
        /// `15m`: in nanoseconds.
        case interval(Int64)
        case symbol(Symbol)
        case end
    }

    enum Symbol: String, Sendable {
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case comma = ","
        case dot = "."
        case star = "*"
        case plus = "+"
        case minus = "-"
        case slash = "/"
        case percent = "%"
        case equal = "="
        case notEqual = "<>"
        case bangEqual = "!="
        case lessOrEqual = "<="
        case greaterOrEqual = ">="
        case less = "<"
        case greater = ">"
        case concatenate = "||"
        case semicolon = ";"
    }

    var kind: Kind
    var position: SQLPosition
    /// As written, for messages.
    var text: String
}

extension ServiceError {
    /// An error at a place in a statement.
    static func sql(_ position: SQLPosition, _ message: String) -> ServiceError {
        ServiceError(.validation, "\(position): \(message)")
    }

    /// A part of the dialect that the engine leaves out.
    static func unsupported(_ position: SQLPosition, _ what: String) -> ServiceError {
        .sql(position, "\(what) is not supported by the local engine")
    }
}
