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
            case .pattern(let pattern): statement.bind(place, pattern, SQLSearchPattern.pointerType)
            }
        }
        return statement
    }
}

/// The values that a compiled query binds; equal ones share a place, so that equal expressions have equal text.
struct QueryParameters {
    private(set) var values: [SQLValue] = []
    private var places: [[UInt8]: Int] = [:]
    /// By bit pattern.
    private var doublePlaces: [UInt64: Int] = [:]
    private var patternPlaces: [[UInt8]: Int] = [:]

    /// SQLite takes no more; reached only by statements that are a long list.
    static let maximum = 32_766

    mutating func place(of bytes: [UInt8]) -> String {
        if let place = self.places[bytes] { return "?\(place)" }
        self.values.append(.bytes(bytes))
        self.places[bytes] = self.values.count
        return "?\(self.values.count)"
    }

    mutating func place(of double: Double) -> String {
        if let place = self.doublePlaces[double.bitPattern] { return "?\(place)" }
        self.values.append(.double(double))
        self.doublePlaces[double.bitPattern] = self.values.count
        return "?\(self.values.count)"
    }

    /// A pattern that was read before is not read again.
    ///
    /// - Parameter make: reads the pattern.
    mutating func pattern<Failure>(
        _ bytes: [UInt8],
        _ make: ([UInt8]) throws(Failure) -> SQLSearchPattern
    ) throws(Failure) -> (place: String, pattern: SQLValue) {
        if let place = self.patternPlaces[bytes] { return ("?\(place)", self.values[place - 1]) }
        self.values.append(.pattern(try make(bytes)))
        self.patternPlaces[bytes] = self.values.count
        return ("?\(self.values.count)", self.values[self.values.count - 1])
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

    /// The form to group or sort by. SQLite makes a plain 0 of `0 AND x` before it looks for positions there; behind a
    /// call it does not.
    var term: String { self.type == .boolean ? "abs(\(self.sql))" : self.sql }

    /// The form in which a result's column is read: doubles as the integer of their bit pattern, so that every bit arrives.
    var output: String {
        guard self.type == .double else { return self.sql }
        return self.storedBits ?? "\(SQLScalar.bitsOfDouble.rawValue)(\(self.sql))"
    }
}
