import TimestreamModel

/// The columns of a table, as a query's snapshot of the file has them.
struct TableColumns: Sendable {
    struct Column: Sendable {
        var name: [UInt8]
        var source: Source
        var type: SQLType
    }

    enum Source: Sendable, Equatable {
        /// Column `dN` of the streams.
        case dimension(Int64)
        case measureName
        case time
        /// The value of records of that type.
        case value(MeasureType)
        /// A measure of MULTI records.
        case multi(Int64, MeasureType)
    }

    var id: Int64
    /// Dimensions sorted by name, `measure_name`, `time`, values by type, measures of MULTI records sorted by name.
    var columns: [Column] = []
    /// Whether all records have one type, so that it needs no test.
    var hasOneType: Bool
    private var places: [[UInt8]: Int] = [:]

    func column(_ name: [UInt8]) -> Column? {
        self.places[name].map { self.columns[$0] }
    }

    /// - Returns: `nil` if there is no such table.
    init?(_ table: TableName, on connection: SQLiteConnection) throws(SQLiteError) {
        let find = try connection.prepare(
            """
            SELECT tables.id FROM tables JOIN databases ON databases.id = tables.database_id
            WHERE databases.name = ?1 AND tables.name = ?2
            """
        )
        find.bind(1, text: table.database)
        find.bind(2, text: table.table)
        guard try find.step() else { return nil }
        self.id = find.integer(0)
        find.reset()

        let dimensions = try connection.prepare("SELECT name, number FROM dimensions WHERE table_id = ?1 ORDER BY name")
        dimensions.bind(1, self.id)
        while try dimensions.step() {
            self.columns.append(
                Column(name: dimensions.bytes(0), source: .dimension(dimensions.integer(1)), type: .varchar)
            )
        }
        self.columns.append(Column(name: Array("measure_name".utf8), source: .measureName, type: .varchar))
        self.columns.append(Column(name: Array("time".utf8), source: .time, type: .timestamp))

        let types = try connection.prepare("SELECT DISTINCT type FROM measures WHERE table_id = ?1 ORDER BY type")
        types.bind(1, self.id)
        var count = 0
        while try types.step() {
            count += 1
            guard let type = MeasureType(rawValue: types.integer(0)), type != .multi else { continue }
            let name = Array("measure_value::\(type.sqlName)".utf8)
            self.columns.append(Column(name: name, source: .value(type), type: SQLType(type)))
        }
        self.hasOneType = count == 1

        let multi = try connection.prepare(
            "SELECT name, number, type FROM multi_columns WHERE table_id = ?1 ORDER BY name"
        )
        multi.bind(1, self.id)
        while try multi.step() {
            guard let type = MeasureType(rawValue: multi.integer(2)) else { continue }
            self.columns.append(
                Column(name: multi.bytes(0), source: .multi(multi.integer(1), type), type: SQLType(type))
            )
        }
        for (place, column) in self.columns.enumerated() { self.places[column.name] = place }
    }
}

extension SQLType {
    init(_ type: MeasureType) {
        switch type {
        case .double: self = .double
        case .bigint: self = .bigint
        case .boolean: self = .boolean
        case .timestamp: self = .timestamp
        case .varchar, .multi: self = .varchar
        }
    }
}
