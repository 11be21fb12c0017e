import TimestreamModel

/// Finds out what a statement's rows are, in the snapshot of a connection and for one caller.
struct QueryPlanner {
    let connection: SQLiteConnection
    let caller: Caller
    let control: RunControl
    /// The first table that the statement names.
    private(set) var table: TableName?

    init(connection: SQLiteConnection, caller: Caller, control: RunControl) {
        self.connection = connection
        self.caller = caller
        self.control = control
    }

    mutating func rows(of statement: SQLStatement) throws(ServiceError) -> any RowSource {
        switch statement {
        case .select(let query): return try self.selected(query)
        case .showDatabases(let like): return try self.databases(Self.pattern(like))
        case .showTables(let database, let like): return try self.tables(database, Self.pattern(like))
        case .showMeasures(let name, let like):
            let columns = try self.columns("DescribeTable", name)
            let pattern = try Self.pattern(like)
            return try self.reading { () throws(SQLiteError) in
                try MeasureRows(columns, like: pattern, on: self.connection)
            }
        case .describe(let name): return Self.described(try self.columns("DescribeTable", name))
        }
    }

    private mutating func selected(_ query: SQLQuery) throws(ServiceError) -> any RowSource {
        var first: TableName?
        let compiled = try QueryCompiler.compile(query) { (name) throws(ServiceError) in
            if first == nil { first = Self.tableName(name) }
            return try self.columns(name, "Select")
        }
        self.table = first
        do throws(SQLiteError) {
            return try SelectedRows(compiled, on: self.connection)
        } catch {
            // What was compiled is sound, so only its size can be at fault: SQLite limits depth and length.
            guard error.isStatementFailure else { throw .query(error, control: self.control) }
            throw ServiceError(.validation, "the statement is too complex for the local engine: \(error.message)")
        }
    }

    // MARK: Tables

    private mutating func columns(_ action: String, _ name: SQLTableName) throws(ServiceError) -> TableColumns {
        self.table = Self.tableName(name)
        return try self.columns(name, action)
    }

    private static func tableName(_ name: SQLTableName) -> TableName {
        TableName(database: name.database.text, table: name.table.text)
    }

    /// - Throws: `AccessDeniedException`, then `ValidationException` in the service's words if it is not there.
    private func columns(_ name: SQLTableName, _ action: String) throws(ServiceError) -> TableColumns {
        let table = Self.tableName(name)
        try self.caller.require(action, on: table)
        let columns = try self.reading { () throws(SQLiteError) in try TableColumns(table, on: self.connection) }
        if let columns { return columns }
        try self.requireDatabase(name.database, identifier: "\(table.database).\(table.table)")
        throw ServiceError(
            .validation,
            "The table '\(table.table)' does not exist in database '\(table.database)' at \(name.table.position)"
        )
    }

    private func requireDatabase(_ name: SQLName, identifier: String) throws(ServiceError) {
        let entry = try self.reading { () throws(SQLiteError) in
            try Catalogue(connection: self.connection).database(name.text)
        }
        guard entry == nil else { return }
        throw ServiceError(
            .validation,
            "Requested database '\(name.text)' not found for identifier '\(identifier)' at \(name.position)"
        )
    }

    private func reading<Value>(_ body: () throws(SQLiteError) -> Value) throws(ServiceError) -> Value {
        do throws(SQLiteError) {
            return try body()
        } catch { throw .query(error, control: self.control) }
    }

    // MARK: SHOW and DESCRIBE

    private static func pattern(_ like: SQLLikePattern?) throws(ServiceError) -> SQLLike? {
        guard let like else { return nil }
        do throws(SQLRunError) {
            return try SQLLike(pattern: like.pattern, escape: like.escape)
        } catch { throw ServiceError(.validation, error.message) }
    }

    private func databases(_ like: SQLLike?) throws(ServiceError) -> any RowSource {
        let caller = self.caller
        return try self.reading { () throws(SQLiteError) in
            let statement = try self.connection.prepare("SELECT name FROM databases ORDER BY name")
            return TextRows(columns: ["Database"]) { () throws(SQLiteError) in
                while try statement.step() {
                    let name = statement.bytes(0)
                    guard caller.maySee(database: String(decoding: name, as: UTF8.self)) else { continue }
                    if like?.matches(name) != false { return [name] }
                }
                return nil
            }
        }
    }

    private func tables(_ database: SQLName, _ like: SQLLike?) throws(ServiceError) -> any RowSource {
        let caller = self.caller
        let name = database.text
        try caller.require("ListTables", onDatabase: name)
        try self.requireDatabase(database, identifier: name)
        return try self.reading { () throws(SQLiteError) in
            let statement = try self.connection.prepare(
                """
                SELECT tables.name FROM tables JOIN databases ON databases.id = tables.database_id
                WHERE databases.name = ?1 ORDER BY tables.name
                """
            )
            statement.bind(1, text: name)
            return TextRows(columns: ["Table"]) { () throws(SQLiteError) in
                while try statement.step() {
                    let table = statement.bytes(0)
                    let tableName = TableName(database: name, table: String(decoding: table, as: UTF8.self))
                    if caller.mayUse(tableName), like?.matches(table) != false { return [table] }
                }
                return nil
            }
        }
    }

    private static func described(_ table: TableColumns) -> any RowSource {
        var next = 0
        return TextRows(columns: ["Column", "Type", "Timestream attribute type"]) { () throws(SQLiteError) in
            guard next < table.columns.count else { return nil }
            let column = table.columns[next]
            next += 1
            let attribute =
                switch column.source {
                case .dimension: "DIMENSION"
                case .measureName: "MEASURE_NAME"
                case .time: "TIMESTAMP"
                case .value: "MEASURE_VALUE"
                case .multi: "MULTI"
                }
            return [column.name, Array(column.type.rawValue.utf8), Array(attribute.utf8)]
        }
    }
}
