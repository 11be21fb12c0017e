/// A statement as it was parsed.
enum SQLStatement: Sendable {
    case select(SQLQuery)
    case showDatabases(like: SQLLikePattern?)
    case showTables(database: SQLName, like: SQLLikePattern?)
    case showMeasures(SQLTableName, like: SQLLikePattern?)
    case describe(SQLTableName)
}

/// The text after LIKE in SHOW.
struct SQLLikePattern: Sendable {
    var pattern: [UInt8]
    var escape: [UInt8]?
}

struct SQLName: Sendable {
    var bytes: [UInt8]
    var position: SQLPosition

    var text: String { String(decoding: self.bytes, as: UTF8.self) }
}

struct SQLTableName: Sendable {
    var database: SQLName
    var table: SQLName
}

/// One SELECT, or several joined by UNION ALL, with what applies to the whole.
struct SQLQuery: Sendable {
    var selects: [SQLSelect]
    var order: [SQLSortKey]
    var limit: Int64?
}

struct SQLSelect: Sendable {
    var position: SQLPosition
    var isDistinct: Bool
    var items: [SQLItem]
    var table: SQLTableName?
    var condition: SQLExpression?
    var groups: [SQLExpression]
    var having: SQLExpression?
}

enum SQLItem: Sendable {
    case star(SQLPosition)
    case expression(SQLExpression, alias: SQLName?)
}

struct SQLSortKey: Sendable {
    var expression: SQLExpression
    var isDescending: Bool
    var nullsFirst: Bool
}

/// An expression, and where it starts.
struct SQLExpression: Sendable {
    indirect enum Kind: Sendable {
        case null
        case boolean(Bool)
        case integer(Int64)
        case double(Double)
        case string([UInt8])
        case timestamp(Int64)
        case interval(Int64)
        case column([UInt8])
        /// Chains of one operator, so that long ones are not deep.
        case all([SQLExpression])
        case any([SQLExpression])
        case not(SQLExpression)
        case negative(SQLExpression)
        case arithmetic(SQLArithmetic, SQLExpression, SQLExpression)
        case concatenation(SQLExpression, SQLExpression)
        case comparison(SQLComparison, SQLExpression, SQLExpression)
        case isNull(SQLExpression, isNegated: Bool)
        case inList(SQLExpression, [SQLExpression], isNegated: Bool)
        case between(SQLExpression, SQLExpression, SQLExpression, isNegated: Bool)
        case like(SQLExpression, SQLExpression, escape: SQLExpression?, isNegated: Bool)
        case cast(SQLExpression, SQLType)
        /// CASE: with a subject, the branches' conditions are values that it is compared with.
        case choice(
            subject: SQLExpression?,
            [(condition: SQLExpression, value: SQLExpression)],
            otherwise: SQLExpression?
        )
        case call(SQLCall)
    }

    let kind: Kind
    let position: SQLPosition
    /// How many expressions are nested in each other here.
    let height: Int

    init(kind: Kind, position: SQLPosition) {
        self.kind = kind
        self.position = position
        self.height = 1 + (kind.operands.map(\.height).max() ?? 0)
    }
}

extension SQLExpression.Kind {
    /// The expressions directly inside.
    var operands: [SQLExpression] {
        switch self {
        case .null, .boolean, .integer, .double, .string, .timestamp, .interval, .column: []
        case .all(let terms), .any(let terms): terms
        case .not(let operand), .negative(let operand), .isNull(let operand, _), .cast(let operand, _): [operand]
        case .arithmetic(_, let left, let right), .concatenation(let left, let right),
            .comparison(_, let left, let right):
            [left, right]
        case .inList(let operand, let values, _): [operand] + values
        case .between(let value, let low, let high, _): [value, low, high]
        case .like(let value, let pattern, let escape, _): [value, pattern] + [escape].compactMap(\.self)
        case .choice(let subject, let branches, let otherwise):
            branches.flatMap { [$0.condition, $0.value] } + [subject, otherwise].compactMap(\.self)
        case .call(let call): call.arguments
        }
    }
}

struct SQLCall: Sendable {
    /// In lower case.
    var name: String
    var arguments: [SQLExpression]
    var isDistinct: Bool
    /// `count(*)`
    var isStar: Bool
}

enum SQLArithmetic: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"
}

enum SQLComparison: String, Sendable {
    case equal = "="
    case notEqual = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
}

/// The types of the dialect that the engine knows.
enum SQLType: String, Sendable {
    case boolean
    /// 32 bits: whole-number literals.
    case integer
    case bigint
    case double
    case varchar
    case timestamp
    /// Day to second; nanoseconds inside.
    case interval = "interval day to second"
    /// The type of NULL.
    case unknown

    /// As `ColumnInfo` names it.
    var scalarType: String {
        switch self {
        case .boolean: "BOOLEAN"
        case .integer: "INTEGER"
        case .bigint: "BIGINT"
        case .double: "DOUBLE"
        case .varchar: "VARCHAR"
        case .timestamp: "TIMESTAMP"
        case .interval: "INTERVAL_DAY_TO_SECOND"
        case .unknown: "UNKNOWN"
        }
    }

    var isNumeric: Bool { self == .integer || self == .bigint || self == .double }
    var isWhole: Bool { self == .integer || self == .bigint }
}
