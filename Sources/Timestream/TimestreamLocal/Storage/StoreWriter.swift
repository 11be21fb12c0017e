import TimestreamModel

/// The one connection that writes, with what it remembers; used by the writer thread alone.
final class StoreWriter {
    let connection: SQLiteConnection
    private var tables: [TableName: TableState] = [:]
    /// The streams of records written lately: canonical key to stream.
    private var streams: [Int64: [[UInt8]: Stream]] = [:]
    private var streamBytes = 0
    private let findTable: SQLiteStatement

    private struct Stream {
        var id: Int64
        var type: MeasureType
    }

    /// What is remembered; beyond it everything is forgotten and read again.
    private static let maximumTables = 256
    private static let maximumStreamBytes = 16 << 20

    init(path: String) throws(SQLiteError) {
        self.connection = try StoreSchema.openWriter(path: path)
        self.findTable = try self.connection.prepare(
            """
            SELECT tables.id FROM tables JOIN databases ON databases.id = tables.database_id
            WHERE databases.name = ?1 AND tables.name = ?2
            """,
            isPersistent: true
        )
    }

    var catalogue: Catalogue { Catalogue(connection: self.connection) }

    /// Drops what may not be in the file: after a rollback, or when a table goes.
    func forget() {
        self.tables = [:]
        self.streams = [:]
        self.streamBytes = 0
    }

    /// - Returns: `nil` if there is no such table.
    func state(of table: TableName) throws(SQLiteError) -> TableState? {
        if let state = self.tables[table] { return state }
        self.findTable.bind(1, text: table.database)
        self.findTable.bind(2, text: table.table)
        defer { self.findTable.reset() }
        guard try self.findTable.step() else { return nil }
        if self.tables.count >= Self.maximumTables { self.forget() }
        let state = try TableState(id: self.findTable.integer(0), on: self.connection)
        self.tables[table] = state
        return state
    }

    // MARK: Records

    struct Outcome: Sendable {
        var stored = 0
        var rejected: [RejectedRecordReport] = []
    }

    /// Stores a batch inside the open transaction; what cannot be stored is rejected, record by record.
    ///
    /// Records are taken in their order, so of two records of one identity in one request the second meets the first: the
    /// same value is accepted, another value is rejected unless its version is higher.
    ///
    /// - Returns: `nil` if there is no such table.
    func store(_ batch: RecordBatch) throws(SQLiteError) -> Outcome? {
        guard let state = try self.state(of: batch.table) else { return nil }
        var outcome = Outcome()
        for (index, record) in batch.records.enumerated() {
            if let rejection = try self.store(record, key: batch.keys[record.key], in: state) {
                outcome.rejected.append(
                    RejectedRecordReport(
                        index: index,
                        reason: rejection.reason,
                        existingVersion: rejection.existingVersion
                    )
                )
            } else {
                outcome.stored += 1
            }
        }
        return outcome
    }

    private struct Rejection: Error {
        var reason: String
        var existingVersion: Int64?
    }

    private func store(
        _ record: RecordBatch.Record,
        key: ArraySlice<UInt8>,
        in state: TableState
    ) throws(SQLiteError) -> Rejection? {
        guard record.sizeBytes <= RecordRules.maximumRecordBytes else {
            return Rejection(
                reason: "The record has \(record.sizeBytes) bytes; a record can have at most "
                    + "\(RecordRules.maximumRecordBytes) bytes."
            )
        }
        if case .multi(let measures) = record.value, let rejection = Self.rejection(of: measures, in: state) {
            return rejection
        }
        let key = Array(key)
        let stream: Stream
        if let known = self.streams[state.id]?[key] {
            stream = known
        } else {
            switch try self.resolve(key, record, in: state) {
            case .success(let resolved): stream = resolved
            case .failure(let rejection): return rejection
            }
            self.remember(stream, key: key, table: state.id)
        }
        guard stream.type == record.type else { return Self.otherType(stream.type, than: record.type) }
        // From here on the record is stored, or loses against a point that is there: no stream is without points.
        var value = record.value
        if case .multi(let measures) = value {
            // With a measure that is no column yet it cannot equal the point that is there; if it loses, there must be
            // no such column afterwards either.
            if measures.contains(where: { state.columns[$0.name] == nil }),
                let rejection = try self.rejection(ofOtherValue: record, stream: stream.id, in: state)
            {
                return rejection
            }
            value = .text(try self.encode(measures, in: state))
        }
        return try self.insert(record, value: value, stream: stream.id, in: state)
    }

    /// Whether a point is there whose version is not lower.
    private func rejection(
        ofOtherValue record: RecordBatch.Record,
        stream: Int64,
        in state: TableState
    ) throws(SQLiteError) -> Rejection? {
        state.readPoint.bind(1, stream)
        state.readPoint.bind(2, record.timeNanoseconds)
        defer { state.readPoint.reset() }
        guard try state.readPoint.step() else { return nil }
        return Self.rejection(of: record.version, over: state.readPoint.integer(0))
    }

    /// - Returns: `nil` if the version is higher than the existing one.
    private static func rejection(of version: Int64, over existing: Int64) -> Rejection? {
        guard version <= existing else { return nil }
        let lower =
            "The record version \(version) is lower than the existing version \(existing). A higher version is required "
            + "to update the measure value."
        return Rejection(reason: version == existing ? Self.sameVersion : lower, existingVersion: existing)
    }

    private func insert(
        _ record: RecordBatch.Record,
        value: MeasureValue,
        stream: Int64,
        in state: TableState
    ) throws(SQLiteError) -> Rejection? {
        Self.bind(record, value, stream, to: state.insertPoint)
        try state.insertPoint.run()
        if self.connection.changes == 1 { return nil }

        state.readPoint.bind(1, stream)
        state.readPoint.bind(2, record.timeNanoseconds)
        defer { state.readPoint.reset() }
        guard try state.readPoint.step() else {
            throw SQLiteError(code: 0, message: "a point that conflicts is not there")
        }
        let version = state.readPoint.integer(0)
        let isSame =
            switch value {
            case .word(let word): word == state.readPoint.integer(1)
            case .text(let text): text == state.readPoint.bytes(1)
            case .multi: preconditionFailure("measures are encoded before they are compared")
            }
        if let rejection = Self.rejection(of: record.version, over: version) { return isSame ? nil : rejection }
        state.readPoint.reset()
        Self.bind(record, value, stream, to: state.replacePoint)
        try state.replacePoint.run()
        return nil
    }

    private static func bind(
        _ record: RecordBatch.Record,
        _ value: MeasureValue,
        _ stream: Int64,
        to statement: SQLiteStatement
    ) {
        statement.bind(1, stream)
        statement.bind(2, record.timeNanoseconds)
        statement.bind(3, record.version)
        switch value {
        case .word(let word): statement.bind(4, word)
        case .text(let text): statement.bind(4, text)
        case .multi: preconditionFailure("measures are encoded before they are bound")
        }
    }

    // MARK: Streams

    /// Finds a stream, or makes it together with the names it brings; nothing is changed when it is rejected.
    private func resolve(
        _ key: [UInt8],
        _ record: RecordBatch.Record,
        in state: TableState
    ) throws(SQLiteError) -> Result<Stream, Rejection> {
        let texts = StreamKey.texts(of: key[...])
        let measureName = Array(texts[0])
        let measure = state.measures[measureName]
        if let measure, measure.type != record.type {
            return .failure(Self.otherType(measure.type, than: record.type))
        }
        if measure == nil, state.measures.count >= RecordRules.maximumMeasureNamesPerTable {
            return .failure(
                Rejection(
                    reason: "The table already has \(RecordRules.maximumMeasureNamesPerTable) measure names, the most "
                        + "that a table can have."
                )
            )
        }
        var newDimensions = 0
        for index in stride(from: 1, to: texts.count, by: 2) {
            let name = Array(texts[index])
            guard state.dimensions[name] == nil else { continue }
            newDimensions += 1
            guard state.columns[name] == nil else {
                return .failure(
                    Rejection(reason: "'\(String(decoding: name, as: UTF8.self))' is a measure of the table.")
                )
            }
        }
        guard newDimensions == 0 || state.dimensions.count + newDimensions <= RecordRules.maximumDimensionsPerTable
        else {
            return .failure(
                Rejection(
                    reason:
                        "The table would have more than \(RecordRules.maximumDimensionsPerTable) dimensions, the most "
                        + "that a table can have."
                )
            )
        }
        let measureID: Int64
        if let measure {
            measureID = measure.id
        } else {
            measureID = try state.addMeasure(measureName, record.type, on: self.connection)
        }
        var columns: [(number: Int64, value: ArraySlice<UInt8>)] = []
        for index in stride(from: 1, to: texts.count, by: 2) {
            let number = try state.dimension(Array(texts[index]), on: self.connection)
            columns.append((number, texts[index + 1]))
        }
        let id = try self.stream(measureID, columns, in: state)
        return .success(Stream(id: id, type: record.type))
    }

    private func stream(
        _ measure: Int64,
        _ columns: [(number: Int64, value: ArraySlice<UInt8>)],
        in state: TableState
    ) throws(SQLiteError) -> Int64 {
        var key: [UInt8] = []
        for (number, value) in columns {
            key.append(UInt8(truncatingIfNeeded: number))
            StreamKey.append(value, to: &key)
        }
        state.findStream.bind(1, measure)
        state.findStream.bind(2, key)
        defer { state.findStream.reset() }
        if try state.findStream.step() { return state.findStream.integer(0) }

        let names = columns.map { ", d\($0.number)" }.joined()
        let places = columns.indices.map { ", ?\($0 + 2)" }.joined()
        let insert = try self.connection.prepare(
            "INSERT INTO streams_\(state.id) (measure\(names)) VALUES (?1\(places))"
        )
        insert.bind(1, measure)
        for (index, column) in columns.enumerated() { insert.bind(Int32(index + 2), column.value) }
        try insert.run()
        let id = self.connection.lastInsertedRow
        state.insertKey.bind(1, measure)
        state.insertKey.bind(2, key)
        state.insertKey.bind(3, id)
        try state.insertKey.run()
        return id
    }

    private func remember(_ stream: Stream, key: [UInt8], table: Int64) {
        // The dictionary's own share for each entry is about 100 bytes.
        let bytes = key.count + 100
        if self.streamBytes + bytes > Self.maximumStreamBytes {
            self.streams = [:]
            self.streamBytes = 0
        }
        self.streamBytes += bytes
        self.streams[table, default: [:]][key] = stream
    }

    /// Why the measures of a MULTI record cannot be columns of the table.
    private static func rejection(of measures: [MultiValue], in state: TableState) -> Rejection? {
        var newColumns = 0
        for measure in measures {
            let name = String(decoding: measure.name, as: UTF8.self)
            if state.dimensions[measure.name] != nil {
                return Rejection(reason: "'\(name)' is a dimension of the table.")
            }
            if let column = state.columns[measure.name] {
                guard column.type == measure.type else {
                    return Rejection(
                        reason: "The measure '\(name)' has the type \(column.type.wireName) in this table."
                    )
                }
            } else {
                newColumns += 1
            }
        }
        guard newColumns == 0 || state.columns.count + newColumns <= RecordRules.maximumMultiColumnsPerTable else {
            return Rejection(
                reason: "The table would have more than \(RecordRules.maximumMultiColumnsPerTable) measures in MULTI "
                    + "records, the most that a table can have."
            )
        }
        return nil
    }

    /// Encodes the measures of a MULTI record; makes the columns that they need.
    private func encode(_ measures: [MultiValue], in state: TableState) throws(SQLiteError) -> [UInt8] {
        var encoded: [(column: Int64, value: MeasureValue)] = []
        for measure in measures {
            let number = try state.column(measure.name, measure.type, on: self.connection)
            encoded.append((number, measure.value))
        }
        return StoredMulti.encode(encoded)
    }

    // MARK: Reasons

    /// The service's own words, which clients look for.
    private static let sameVersion =
        "A record already exists with the same time, dimensions, measure name, and record version. A higher record "
        + "version must be specified in order to update the measure value. Specifying record version is supported by "
        + "the latest SDKs."

    private static func otherType(_ existing: MeasureType, than found: MeasureType) -> Rejection {
        Rejection(
            reason: "The measure name has the measure value type \(existing.wireName) in this table; the record has "
                + "\(found.wireName)."
        )
    }
}
