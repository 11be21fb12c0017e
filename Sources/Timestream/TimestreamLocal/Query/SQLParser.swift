/// Reads a statement: what the engine knows of the dialect, and nothing else.
///
/// What it does not know is refused by name and place. Expressions are in `SQLParser+Expressions.swift`.
struct SQLParser {
    private let tokens: [SQLToken]
    private var index = 0
    /// How deep the expression at hand is nested.
    var depth = 0
    /// Deeper ones would need more stack than a thread surely has, in the parser or in SQLite's.
    static let maximumDepth = 100
    static let maximumHeight = 150
    /// `now()` of this statement, in nanoseconds.
    let now: Int64

    /// Longest statement. Source: developer guide, "Quotas".
    static let maximumBytes = 262_144

    static func parse(_ statement: String, now: Int64) throws(ServiceError) -> SQLStatement {
        var parser = SQLParser(tokens: try SQLLexer.tokens(of: statement), now: now)
        let parsed = try parser.statement()
        _ = parser.accept(.semicolon)
        guard case .end = parser.current.kind else { throw parser.mismatch("<EOF>") }
        return parsed
    }

    private init(tokens: [SQLToken], now: Int64) {
        self.tokens = tokens
        self.now = now
    }

    // MARK: Words

    var current: SQLToken { self.tokens[min(self.index, self.tokens.count - 1)] }
    var following: SQLToken { self.tokens[min(self.index + 1, self.tokens.count - 1)] }

    mutating func advance() {
        self.index += 1
    }

    func mismatch(_ expected: String) -> ServiceError {
        .sql(self.current.position, "mismatched input '\(self.current.text.prefix(64))'. Expecting: \(expected)")
    }

    mutating func accept(_ symbol: SQLToken.Symbol) -> Bool {
        guard case .symbol(symbol) = self.current.kind else { return false }
        self.advance()
        return true
    }

    mutating func expect(_ symbol: SQLToken.Symbol) throws(ServiceError) {
        guard self.accept(symbol) else { throw self.mismatch("'\(symbol.rawValue)'") }
    }

    func isKeyword(_ keyword: String, _ token: SQLToken) -> Bool {
        guard case .word(let word) = token.kind, word.utf8.count == keyword.utf8.count else { return false }
        return word.uppercased() == keyword
    }

    func at(_ keyword: String) -> Bool {
        self.isKeyword(keyword, self.current)
    }

    mutating func accept(_ keyword: String) -> Bool {
        guard self.at(keyword) else { return false }
        self.advance()
        return true
    }

    mutating func expect(_ keyword: String) throws(ServiceError) {
        guard self.accept(keyword) else { throw self.mismatch("'\(keyword)'") }
    }

    /// Source: developer guide, "Quotas", reserved keywords.
    static let reserved: Set<String> = [
        "ALTER", "AND", "AS", "BETWEEN", "BY", "CASE", "CAST", "CONSTRAINT", "CREATE", "CROSS", "CUBE", "CURRENT_DATE",
        "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "DEALLOCATE", "DELETE", "DESCRIBE", "DISTINCT", "DROP",
        "ELSE", "END", "ESCAPE", "EXCEPT", "EXECUTE", "EXISTS", "EXTRACT", "FALSE", "FOR", "FROM", "FULL", "GROUP",
        "GROUPING", "HAVING", "IN", "INNER", "INSERT", "INTERSECT", "INTO", "IS", "JOIN", "LEFT", "LIKE", "LOCALTIME",
        "LOCALTIMESTAMP", "NATURAL", "NORMALIZE", "NOT", "NULL", "ON", "OR", "ORDER", "OUTER", "PREPARE", "RECURSIVE",
        "RIGHT", "ROLLUP", "SELECT", "TABLE", "THEN", "TRUE", "UESCAPE", "UNION", "UNNEST", "USING", "VALUES", "WHEN",
        "WHERE", "WITH",
    ]

    /// A name, quoted or not; keywords only in quotes.
    mutating func name(_ expected: String = "identifier") throws(ServiceError) -> SQLName {
        let token = self.current
        switch token.kind {
        case .quoted(let bytes):
            self.advance()
            return SQLName(bytes: bytes, position: token.position)
        case .word(let word) where !Self.reserved.contains(word.uppercased()):
            self.advance()
            return SQLName(bytes: Array(word.utf8), position: token.position)
        default:
            throw self.mismatch(expected)
        }
    }

    // MARK: Statements

    private mutating func statement() throws(ServiceError) -> SQLStatement {
        if self.at("SELECT") { return .select(try self.query()) }
        if self.accept("SHOW") { return try self.show() }
        if self.accept("DESCRIBE") { return .describe(try self.tableName()) }
        if case .word(let word) = self.current.kind,
            ["WITH", "UNLOAD", "VALUES", "EXPLAIN"].contains(word.uppercased())
        {
            throw .unsupported(self.current.position, word.uppercased())
        }
        if case .symbol(.leftParenthesis) = self.current.kind {
            throw .unsupported(self.current.position, "a statement in parentheses")
        }
        throw self.mismatch("'SELECT', 'SHOW', 'DESCRIBE'")
    }

    private mutating func show() throws(ServiceError) -> SQLStatement {
        if self.accept("DATABASES") { return .showDatabases(like: try self.likePattern()) }
        if self.accept("TABLES") {
            let position = self.current.position
            guard self.accept("FROM") || self.accept("IN") else {
                throw .unsupported(position, "SHOW TABLES without FROM")
            }
            return .showTables(database: try self.name(), like: try self.likePattern())
        }
        if self.accept("MEASURES") {
            guard self.accept("FROM") || self.accept("IN") else { throw self.mismatch("'FROM'") }
            return .showMeasures(try self.tableName(), like: try self.likePattern())
        }
        throw self.mismatch("'DATABASES', 'TABLES', 'MEASURES'")
    }

    private mutating func likePattern() throws(ServiceError) -> SQLLikePattern? {
        guard self.accept("LIKE") else { return nil }
        let pattern = try self.string()
        return SQLLikePattern(pattern: pattern, escape: self.accept("ESCAPE") ? try self.string() : nil)
    }

    mutating func string() throws(ServiceError) -> [UInt8] {
        guard case .string(let text) = self.current.kind else { throw self.mismatch("<string>") }
        self.advance()
        return text
    }

    private mutating func tableName() throws(ServiceError) -> SQLTableName {
        if self.at("UNNEST") || self.at("TABLE") || self.at("LATERAL") {
            throw .unsupported(self.current.position, self.current.text.uppercased())
        }
        if case .symbol(.leftParenthesis) = self.current.kind {
            throw .unsupported(self.current.position, "a sub-query")
        }
        let first = try self.name()
        guard self.accept(.dot) else {
            throw .sql(
                first.position,
                "the table '\(first.text)' must be named with its database: \"database\".\"table\""
            )
        }
        let table = try self.name()
        if case .symbol(.dot) = self.current.kind {
            throw .unsupported(self.current.position, "a table name of three parts")
        }
        return SQLTableName(database: first, table: table)
    }

    // MARK: Queries

    private mutating func query() throws(ServiceError) -> SQLQuery {
        var selects = [try self.select()]
        while true {
            let position = self.current.position
            if self.at("INTERSECT") || self.at("EXCEPT") {
                throw .unsupported(position, self.current.text.uppercased())
            }
            guard self.accept("UNION") else { break }
            guard self.accept("ALL") else { throw .unsupported(position, "UNION without ALL") }
            guard selects.count < 100 else { throw .unsupported(position, "UNION ALL of more than 100 selections") }
            selects.append(try self.select())
        }
        var order: [SQLSortKey] = []
        if self.accept("ORDER") {
            try self.expect("BY")
            repeat { order.append(try self.sortKey()) } while self.accept(.comma)
        }
        if self.at("OFFSET") || self.at("FETCH") {
            throw .unsupported(self.current.position, self.current.text.uppercased())
        }
        var limit: Int64?
        if self.accept("LIMIT"), !self.accept("ALL") {
            guard case .integer(let count) = self.current.kind else { throw self.mismatch("'ALL', <integer>") }
            self.advance()
            limit = count
        }
        return SQLQuery(selects: selects, order: order, limit: limit)
    }

    private mutating func sortKey() throws(ServiceError) -> SQLSortKey {
        var key = SQLSortKey(expression: try self.expression(), isDescending: false, nullsFirst: false)
        if self.accept("DESC") { key.isDescending = true } else { _ = self.accept("ASC") }
        if self.accept("NULLS") {
            if self.accept("FIRST") { key.nullsFirst = true } else { try self.expect("LAST") }
        }
        return key
    }

    private mutating func select() throws(ServiceError) -> SQLSelect {
        let position = self.current.position
        if case .symbol(.leftParenthesis) = self.current.kind {
            throw .unsupported(position, "a SELECT in parentheses")
        }
        try self.expect("SELECT")
        var select = SQLSelect(
            position: position,
            isDistinct: self.accept("DISTINCT"),
            items: [],
            table: nil,
            condition: nil,
            groups: [],
            having: nil
        )
        if !select.isDistinct { _ = self.accept("ALL") }
        repeat { select.items.append(try self.item()) } while self.accept(.comma)
        if self.accept("FROM") {
            select.table = try self.tableName()
            try self.refuseJoin()
        }
        if self.accept("WHERE") { select.condition = try self.expression() }
        if self.accept("GROUP") {
            try self.expect("BY")
            for word in ["GROUPING", "CUBE", "ROLLUP"] where self.at(word) {
                throw .unsupported(self.current.position, word)
            }
            repeat { select.groups.append(try self.expression()) } while self.accept(.comma)
        }
        if self.accept("HAVING") { select.having = try self.expression() }
        if self.at("WINDOW") { throw .unsupported(self.current.position, "WINDOW") }
        return select
    }

    /// After the table: another table, or a name for this one.
    private func refuseJoin() throws(ServiceError) {
        if case .symbol(.comma) = self.current.kind { throw .unsupported(self.current.position, "a join") }
        for word in ["JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL"] where self.at(word) {
            throw .unsupported(self.current.position, "a join")
        }
        if self.at("TABLESAMPLE") { throw .unsupported(self.current.position, "TABLESAMPLE") }
        switch self.current.kind {
        case .quoted: throw .unsupported(self.current.position, "a table alias")
        case .word(let word) where word.uppercased() == "AS": throw .unsupported(self.current.position, "a table alias")
        case .word(let word)
        where !Self.reserved.contains(word.uppercased())
            && !["LIMIT", "WINDOW", "OFFSET", "FETCH"].contains(word.uppercased()):
            throw .unsupported(self.current.position, "a table alias")
        default: return
        }
    }

    private mutating func item() throws(ServiceError) -> SQLItem {
        if case .symbol(.star) = self.current.kind {
            let position = self.current.position
            self.advance()
            return .star(position)
        }
        let expression = try self.expression()
        if self.accept("AS") { return .expression(expression, alias: try self.name()) }
        switch self.current.kind {
        case .quoted:
            return .expression(expression, alias: try self.name())
        case .word(let word)
        where !Self.reserved.contains(word.uppercased()) && !["LIMIT", "OFFSET", "FETCH"].contains(word.uppercased()):
            return .expression(expression, alias: try self.name())
        default:
            return .expression(expression, alias: nil)
        }
    }
}
