import Common
import Foundation
import TimestreamModel

@testable import TimestreamLocal
@testable import TimestreamService

/// The local engine without network and threads, with one table.
///
/// Its callers take turns, as SQLite's connection demands: the queries of one request come at once.
final class EngineTable: TimestreamStore {
    static let name = TableName(database: "metrics", table: "prometheus")

    private let connection: SQLiteConnection
    private let turn = Locked(())

    /// - Parameter bodies: `WriteRecords` calls, for the table `name`.
    init(_ bodies: [[UInt8]]) {
        do {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("engine-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let path = folder.appendingPathComponent("store.sqlite").path
            let writer = try StoreWriter(path: path)
            try writer.connection.execute("BEGIN IMMEDIATE")
            try writer.catalogue.createDatabase(Self.name.database, kmsKeyID: nil, tags: [])
            try writer.catalogue.createTable(Self.name, TableProperties(), tags: [])
            for body in bodies {
                let outcome = try writer.store(try RecordCheck.batch(of: WriteRecordsRequest(body), table: Self.name))
                require(outcome?.rejected.isEmpty == true, "records of the table are rejected")
            }
            try writer.connection.execute("COMMIT")
            self.connection = try StoreSchema.openReader(path: path)
        } catch {
            fatalError("no table to ask: \(error)")
        }
    }

    /// Runs a statement up to its first page.
    ///
    /// - Throws: what is wrong with the statement; an error of any other kind ends the process.
    func page(_ statement: String, maximumRows: Int) throws(ServiceError) -> QueryPage {
        try self.turn.withLock { (_) throws(ServiceError) in
            try self.pageInTurn(statement, maximumRows: maximumRows)
        }
    }

    private func pageInTurn(_ statement: String, maximumRows: Int) throws(ServiceError) -> QueryPage {
        let control = RunControl()
        let caller = Caller(keyID: "key", region: "us-east-1", tables: nil)
        do throws(ServiceError) {
            let parsed = try SQLParser.parse(statement, now: 1_760_000_000_000_000_000)
            var planner = QueryPlanner(connection: self.connection, caller: caller, control: control)
            self.connection.setControl(control)
            QueryCursor.allowPage(control)
            let rows = try planner.rows(of: parsed)
            let cursor = QueryCursor(id: "query", control: control, connection: self.connection, rows: rows)
            let page = try cursor.page(maximumRows: maximumRows)
            let answer = cursor.answer(page, nextToken: nil)
            _ = cursor.finish()
            guard let read = try? QueryPageParser.parse(answer) else {
                fatalError("our client does not read \(String(decoding: answer, as: UTF8.self))")
            }
            require(read.rowCount == page.rowCount, "\(read.rowCount) rows arrive of \(page.rowCount)")
            return read
        } catch {
            require(error.code == .validation || error.code == .queryExecution, "\(error)")
            require(JSONDocument.object(error.body) != nil, "an error that is no JSON")
            _ = QueryCursor(id: "", control: control, connection: self.connection, rows: TextRows.none).finish()
            throw error
        }
    }

    // MARK: TimestreamStore

    func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        do throws(ServiceError) {
            return try self.page(statement, maximumRows: .max)
        } catch {
            throw TimestreamError(error.code == .validation ? .validation : .queryExecution, message: error.message)
        }
    }

    func writeRecords(body: FrozenBytes, deadline: ContinuousClock.Instant) async throws(TimestreamError) {
        fatalError("nothing is written here")
    }

    func cancelQuery(id: String) async {}
}
