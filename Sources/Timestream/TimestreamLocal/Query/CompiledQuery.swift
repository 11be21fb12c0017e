/// A query as SQLite runs it.
struct CompiledQuery: Sendable {
    struct Column: Sendable {
        var name: [UInt8]
        var type: SQLType
    }

    var sql: String
    /// Bound as parameters 1, 2, ...
    var parameters: [SQLValue]
    var columns: [Column]

    func prepare(on connection: SQLiteConnection) throws(SQLiteError) -> SQLiteStatement {
        let statement = try connection.prepare(self.sql)
        for (index, parameter) in self.parameters.enumerated() {
            let place = Int32(index + 1)
            switch parameter {
            case .null: statement.bindNull(place)
            case .integer(let value): statement.bind(place, value)
            case .double(let value): statement.bind(place, value)
            case .bytes(let bytes): statement.bind(place, bytes)
            }
        }
        return statement
    }
}

/// The values that a compiled query binds; equal ones share a place, so that equal expressions have equal text.
struct QueryParameters {
    private(set) var values: [SQLValue] = []
    private var places: [[UInt8]: Int] = [:]

    /// SQLite takes no more; reached only by statements that are a long list.
    static let maximum = 32_766

    mutating func place(of bytes: [UInt8]) -> String {
        if let place = self.places[bytes] { return "?\(place)" }
        self.values.append(.bytes(bytes))
        self.places[bytes] = self.values.count
        return "?\(self.values.count)"
    }

    mutating func place(of double: Double) -> String {
        self.values.append(.double(double))
        return "?\(self.values.count)"
    }
}

/// An expression in SQLite's words.
struct CompiledExpression {
    var sql: String
    var type: SQLType
    var reach = Reach.constant
    var hasAggregate = false
    /// A column that is neither grouped nor inside an aggregate.
    var ungrouped: (name: String, position: SQLPosition)?
    /// What it is, if it is known now.
    var constant: SQLValue?
    /// The double's bit pattern as it is stored, if the expression is a plain column of doubles.
    var storedBits: String?

    /// What must be read to know it.
    enum Reach: Int, Comparable {
        case constant, stream, point

        static func < (left: Reach, right: Reach) -> Bool { left.rawValue < right.rawValue }
    }

    /// The form in which a result's column is read: doubles as the integer of their bit pattern, so that every bit arrives.
    var output: String {
        guard self.type == .double else { return self.sql }
        return self.storedBits ?? "\(SQLScalar.bitsOfDouble.rawValue)(\(self.sql))"
    }
}
