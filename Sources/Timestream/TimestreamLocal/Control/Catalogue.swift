import TimestreamModel

/// A database, as the catalogue has it.
struct DatabaseEntry: Sendable {
    var id: Int64
    var name: String
    var kmsKeyID: String
    var createdMilliseconds: Int64
    var updatedMilliseconds: Int64
}

/// What can be set of a table; `nil` in a change leaves it as it is.
struct TableProperties: Sendable {
    var memoryHours: Int64?
    var magneticDays: Int64?
    /// The JSON objects as they were given.
    var magneticWrites: String?
    var partitionSchema: String?

    static let defaultMemoryHours: Int64 = 6
    static let defaultMagneticDays: Int64 = 73_000
}

/// A table, as the catalogue has it.
struct TableEntry: Sendable {
    var id: Int64
    var name: TableName
    var properties: TableProperties
    var createdMilliseconds: Int64
    var updatedMilliseconds: Int64
}

/// The databases, tables and tags in the file; on any connection, writing only on the writer's.
struct Catalogue {
    let connection: SQLiteConnection

    // MARK: Databases

    private static let databaseColumns = "SELECT id, name, kms_key_id, created_ms, updated_ms FROM databases"

    func database(_ name: String) throws(SQLiteError) -> DatabaseEntry? {
        let find = try self.connection.prepare("\(Self.databaseColumns) WHERE name = ?1")
        find.bind(1, text: name)
        return try find.step() ? Self.databaseEntry(find) : nil
    }

    /// All databases whose names come after that one, sorted.
    func databases(after name: String) throws(SQLiteError) -> [DatabaseEntry] {
        let find = try self.connection.prepare("\(Self.databaseColumns) WHERE name > ?1 ORDER BY name")
        find.bind(1, text: name)
        var entries: [DatabaseEntry] = []
        while try find.step() { entries.append(Self.databaseEntry(find)) }
        return entries
    }

    private static func databaseEntry(_ row: SQLiteStatement) -> DatabaseEntry {
        DatabaseEntry(
            id: row.integer(0),
            name: row.text(1) ?? "",
            kmsKeyID: row.text(2) ?? "",
            createdMilliseconds: row.integer(3),
            updatedMilliseconds: row.integer(4)
        )
    }

    func createDatabase(_ name: String, kmsKeyID: String?, tags: [Tag]) throws(SQLiteError) {
        let insert = try self.connection.prepare(
            "INSERT INTO databases (name, kms_key_id, created_ms, updated_ms) VALUES (?1, ?2, ?3, ?3)"
        )
        insert.bind(1, text: name)
        insert.bind(2, text: kmsKeyID ?? "alias/aws/timestream")
        insert.bind(3, WallTime.milliseconds())
        try insert.run()
        try self.setTags(tags, of: TaggedResource.database(name).key)
    }

    func updateDatabase(_ name: String, kmsKeyID: String) throws(SQLiteError) {
        let update = try self.connection.prepare(
            "UPDATE databases SET kms_key_id = ?2, updated_ms = ?3 WHERE name = ?1"
        )
        update.bind(1, text: name)
        update.bind(2, text: kmsKeyID)
        update.bind(3, WallTime.milliseconds())
        try update.run()
    }

    func deleteDatabase(_ name: String) throws(SQLiteError) {
        let delete = try self.connection.prepare("DELETE FROM databases WHERE name = ?1")
        delete.bind(1, text: name)
        try delete.run()
        try self.removeTags(nil, of: TaggedResource.database(name).key)
    }

    // MARK: Tables

    private static let tableColumns = """
        SELECT tables.id, databases.name, tables.name, memory_hours, magnetic_days, magnetic_writes, partition_schema,
            tables.created_ms, tables.updated_ms
        FROM tables JOIN databases ON databases.id = tables.database_id
        """

    func table(_ name: TableName) throws(SQLiteError) -> TableEntry? {
        let find = try self.connection.prepare("\(Self.tableColumns) WHERE databases.name = ?1 AND tables.name = ?2")
        find.bind(1, text: name.database)
        find.bind(2, text: name.table)
        return try find.step() ? Self.tableEntry(find) : nil
    }

    /// All tables, of one database or of all, that come after that one; sorted by database and name.
    func tables(inDatabase database: String?, after name: TableName) throws(SQLiteError) -> [TableEntry] {
        let find = try self.connection.prepare(
            """
            \(Self.tableColumns)
            WHERE (?1 IS NULL OR databases.name = ?1) AND (databases.name, tables.name) > (?2, ?3)
            ORDER BY databases.name, tables.name
            """
        )
        find.bind(1, text: database)
        find.bind(2, text: name.database)
        find.bind(3, text: name.table)
        var entries: [TableEntry] = []
        while try find.step() { entries.append(Self.tableEntry(find)) }
        return entries
    }

    private static func tableEntry(_ row: SQLiteStatement) -> TableEntry {
        TableEntry(
            id: row.integer(0),
            name: TableName(database: row.text(1) ?? "", table: row.text(2) ?? ""),
            properties: TableProperties(
                memoryHours: row.integer(3),
                magneticDays: row.integer(4),
                magneticWrites: row.text(5),
                partitionSchema: row.text(6)
            ),
            createdMilliseconds: row.integer(7),
            updatedMilliseconds: row.integer(8)
        )
    }

    /// - Parameter name: in a database that is there.
    func createTable(_ name: TableName, _ properties: TableProperties, tags: [Tag]) throws(SQLiteError) {
        let insert = try self.connection.prepare(
            """
            INSERT INTO tables (database_id, name, memory_hours, magnetic_days, magnetic_writes, partition_schema,
                created_ms, updated_ms)
            SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?7 FROM databases WHERE name = ?1
            """
        )
        insert.bind(1, text: name.database)
        insert.bind(2, text: name.table)
        insert.bind(3, properties.memoryHours ?? TableProperties.defaultMemoryHours)
        insert.bind(4, properties.magneticDays ?? TableProperties.defaultMagneticDays)
        insert.bind(5, text: properties.magneticWrites)
        insert.bind(6, text: properties.partitionSchema)
        insert.bind(7, WallTime.milliseconds())
        try insert.run()
        try self.connection.execute(StoreSchema.table(self.connection.lastInsertedRow))
        try self.setTags(tags, of: TaggedResource.table(name).key)
    }

    func updateTable(_ id: Int64, _ properties: TableProperties) throws(SQLiteError) {
        let update = try self.connection.prepare(
            """
            UPDATE tables SET memory_hours = coalesce(?2, memory_hours), magnetic_days = coalesce(?3, magnetic_days),
                magnetic_writes = coalesce(?4, magnetic_writes), partition_schema = coalesce(?5, partition_schema),
                updated_ms = ?6
            WHERE id = ?1
            """
        )
        update.bind(1, id)
        if let hours = properties.memoryHours { update.bind(2, hours) }
        if let days = properties.magneticDays { update.bind(3, days) }
        update.bind(4, text: properties.magneticWrites)
        update.bind(5, text: properties.partitionSchema)
        update.bind(6, WallTime.milliseconds())
        try update.run()
    }

    func deleteTable(_ entry: TableEntry) throws(SQLiteError) {
        try self.connection.execute(StoreSchema.dropTable(entry.id))
        try self.removeTags(nil, of: TaggedResource.table(entry.name).key)
    }

    /// Which of the two is not there.
    func notFound(_ table: TableName) throws(SQLiteError) -> ServiceError {
        try self.database(table.database) == nil
            ? Self.databaseNotFound(table.database)
            : ServiceError(.resourceNotFound, "The table \(table.table) does not exist.")
    }

    static func databaseNotFound(_ name: String) -> ServiceError {
        ServiceError(.resourceNotFound, "The database \(name) does not exist.")
    }

    // MARK: Tags

    struct Tag: Sendable {
        var key: String
        var value: String
    }

    func tags(of resource: String) throws(SQLiteError) -> [Tag] {
        let find = try self.connection.prepare("SELECT key, value FROM tags WHERE resource = ?1 ORDER BY key")
        find.bind(1, text: resource)
        var tags: [Tag] = []
        while try find.step() { tags.append(Tag(key: find.text(0) ?? "", value: find.text(1) ?? "")) }
        return tags
    }

    func setTags(_ tags: [Tag], of resource: String) throws(SQLiteError) {
        let insert = try self.connection.prepare(
            "INSERT OR REPLACE INTO tags (resource, key, value) VALUES (?1, ?2, ?3)"
        )
        for tag in tags {
            insert.bind(1, text: resource)
            insert.bind(2, text: tag.key)
            insert.bind(3, text: tag.value)
            try insert.run()
        }
    }

    /// - Parameter keys: `nil`: all of them.
    func removeTags(_ keys: [String]?, of resource: String) throws(SQLiteError) {
        let delete = try self.connection.prepare("DELETE FROM tags WHERE resource = ?1 AND (?2 IS NULL OR key = ?2)")
        for key in keys.map({ $0.map(Optional.some) }) ?? [nil] {
            delete.bind(1, text: resource)
            delete.bind(2, text: key)
            try delete.run()
        }
    }
}

/// What can have tags.
enum TaggedResource: Sendable {
    case database(String)
    case table(TableName)

    /// The resource's name in the file.
    var key: String {
        switch self {
        case .database(let name): name
        case .table(let name): "\(name.database)/\(name.table)"
        }
    }

    /// Reads `arn:aws:timestream:<region>:<account>:database/<database>[/table/<table>]`.
    init?(arn: String) {
        let fields = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard fields.count == 6, fields[0] == "arn", fields[2] == "timestream" else { return nil }
        let parts = fields[5].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch (parts.count, parts.first) {
        case (2, "database"): self = .database(parts[1])
        case (4, "database") where parts[2] == "table": self = .table(TableName(database: parts[1], table: parts[3]))
        default: return nil
        }
    }
}
