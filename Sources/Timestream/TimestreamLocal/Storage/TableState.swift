import TimestreamModel

/// What the writer knows of one table: its names, and the statements that touch it.
///
/// Follows the open transaction; thrown away when that is rolled back.
final class TableState {
    let id: Int64
    /// Dimension name to column number.
    private(set) var dimensions: [[UInt8]: Int64] = [:]
    private(set) var measures: [[UInt8]: Measure] = [:]
    /// The columns of MULTI records.
    private(set) var columns: [[UInt8]: Column] = [:]

    struct Measure {
        var id: Int64
        var type: MeasureType
    }

    struct Column {
        var number: Int64
        var type: MeasureType
    }

    let insertPoint: SQLiteStatement
    let readPoint: SQLiteStatement
    let replacePoint: SQLiteStatement
    let findStream: SQLiteStatement
    let insertKey: SQLiteStatement

    init(id: Int64, on connection: SQLiteConnection) throws(SQLiteError) {
        self.id = id
        self.insertPoint = try connection.prepare(
            "INSERT INTO points_\(id) (stream, time, version, value) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            isPersistent: true
        )
        self.readPoint = try connection.prepare(
            "SELECT version, value FROM points_\(id) WHERE stream = ?1 AND time = ?2",
            isPersistent: true
        )
        self.replacePoint = try connection.prepare(
            "UPDATE points_\(id) SET version = ?3, value = ?4 WHERE stream = ?1 AND time = ?2",
            isPersistent: true
        )
        self.findStream = try connection.prepare(
            "SELECT stream FROM stream_keys_\(id) WHERE measure = ?1 AND key = ?2",
            isPersistent: true
        )
        self.insertKey = try connection.prepare(
            "INSERT INTO stream_keys_\(id) (measure, key, stream) VALUES (?1, ?2, ?3)",
            isPersistent: true
        )
        let dimensions = try connection.prepare("SELECT name, number FROM dimensions WHERE table_id = \(id)")
        while try dimensions.step() { self.dimensions[dimensions.bytes(0)] = dimensions.integer(1) }
        let measures = try connection.prepare("SELECT name, id, type FROM measures WHERE table_id = \(id)")
        while try measures.step() {
            guard let type = MeasureType(rawValue: measures.integer(2)) else { continue }
            self.measures[measures.bytes(0)] = Measure(id: measures.integer(1), type: type)
        }
        let columns = try connection.prepare("SELECT name, number, type FROM multi_columns WHERE table_id = \(id)")
        while try columns.step() {
            guard let type = MeasureType(rawValue: columns.integer(2)) else { continue }
            self.columns[columns.bytes(0)] = Column(number: columns.integer(1), type: type)
        }
    }

    /// The number of a dimension; a new one gets a row of the catalogue and a column of the streams.
    func dimension(_ name: [UInt8], on connection: SQLiteConnection) throws(SQLiteError) -> Int64 {
        if let number = self.dimensions[name] { return number }
        let number = Int64(self.dimensions.count)
        let insert = try connection.prepare("INSERT INTO dimensions (table_id, number, name) VALUES (?1, ?2, ?3)")
        insert.bind(1, self.id)
        insert.bind(2, number)
        insert.bind(3, name)
        try insert.run()
        try connection.execute("ALTER TABLE streams_\(self.id) ADD COLUMN d\(number)")
        self.dimensions[name] = number
        return number
    }

    func addMeasure(_ name: [UInt8], _ type: MeasureType, on connection: SQLiteConnection) throws(SQLiteError) -> Int64
    {
        let insert = try connection.prepare("INSERT INTO measures (table_id, name, type) VALUES (?1, ?2, ?3)")
        insert.bind(1, self.id)
        insert.bind(2, name)
        insert.bind(3, type.rawValue)
        try insert.run()
        let id = connection.lastInsertedRow
        self.measures[name] = Measure(id: id, type: type)
        return id
    }

    /// The number of a column of MULTI records; makes a new one.
    func column(_ name: [UInt8], _ type: MeasureType, on connection: SQLiteConnection) throws(SQLiteError) -> Int64 {
        if let column = self.columns[name] { return column.number }
        let column = Column(number: Int64(self.columns.count), type: type)
        let insert = try connection.prepare(
            "INSERT INTO multi_columns (table_id, number, name, type) VALUES (?1, ?2, ?3, ?4)"
        )
        insert.bind(1, self.id)
        insert.bind(2, column.number)
        insert.bind(3, name)
        insert.bind(4, type.rawValue)
        try insert.run()
        self.columns[name] = column
        return column.number
    }
}
