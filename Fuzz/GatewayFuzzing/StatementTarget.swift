import Foundation
import TimestreamModel

@testable import TimestreamLocal
@testable import TimestreamService

/// A statement in Timestream's SQL: parsed, compiled and run by the local engine on a small table, its answer read by our
/// client.
///
/// The engine may refuse it, but never for a reason of its own.
enum StatementTarget {
    static func run(_ input: [UInt8]) {
        guard (try? UTF8Span(validating: input.span)) != nil, input.count <= SQLParser.maximumBytes else { return }
        let statement = String(decoding: input, as: UTF8.self)
        let control = RunControl()
        let caller = Caller(keyID: "key", region: "us-east-1", tables: nil)
        do throws(ServiceError) {
            let parsed = try SQLParser.parse(statement, now: 1_760_000_000_000_000_000)
            var planner = QueryPlanner(connection: self.connection, caller: caller, control: control)
            self.connection.setControl(control)
            QueryCursor.allowPage(control)
            let rows = try planner.rows(of: parsed)
            let cursor = QueryCursor(id: "query", control: control, connection: self.connection, rows: rows)
            let page = try cursor.page(maximumRows: 50)
            let answer = cursor.answer(page, nextToken: nil)
            _ = cursor.finish()
            guard let read = try? QueryPageParser.parse(answer) else {
                return require(false, "our client does not read \(String(decoding: answer, as: UTF8.self))")
            }
            require(read.rowCount == page.rowCount, "\(read.rowCount) rows arrive of \(page.rowCount)")
        } catch {
            require(error.code == .validation || error.code == .queryExecution, "\(error)")
            require(JSONDocument.object(error.body) != nil, "an error that is no JSON")
            _ = QueryCursor(id: "", control: control, connection: self.connection, rows: TextRows.none).finish()
        }
    }

    /// A table with a series of each type of value.
    private static let connection: SQLiteConnection = {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("statement-\(getpid())")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let path = folder.appendingPathComponent("store.sqlite").path
            let table = TableName(database: "metrics", table: "prometheus")
            let writer = try StoreWriter(path: path)
            try writer.connection.execute("BEGIN IMMEDIATE")
            try writer.catalogue.createDatabase(table.database, kmsKeyID: nil, tags: [])
            try writer.catalogue.createTable(table, TableProperties(), tags: [])
            _ = try writer.store(
                try RecordCheck.batch(of: WriteRecordsRequest(Array(StatementTarget.records.utf8)), table: table)
            )
            try writer.connection.execute("COMMIT")
            return try StoreSchema.openReader(path: path)
        } catch {
            fatalError("no table to ask: \(error)")
        }
    }()

    private static let records = """
        {"DatabaseName": "metrics", "TableName": "prometheus",
         "CommonAttributes": {"Dimensions": [{"Name": "job", "Value": "node"}], "TimeUnit": "MILLISECONDS"},
         "Records": [
          {"Dimensions": [{"Name": "host", "Value": "a"}], "MeasureName": "cpu", "MeasureValue": "0.5", "Time": "1760000000000"},
          {"Dimensions": [{"Name": "host", "Value": "a"}], "MeasureName": "cpu", "MeasureValue": "-0.0", "Time": "1760000001000"},
          {"Dimensions": [{"Name": "host", "Value": "é%_"}], "MeasureName": "cpu", "MeasureValue": "1e300", "Time": "0"},
          {"MeasureName": "promx_special", "MeasureValue": "9218868437227405314", "MeasureValueType": "BIGINT", "Time": "1"},
          {"MeasureName": "text", "MeasureValue": "a\\u0000'b", "MeasureValueType": "VARCHAR", "Time": "2"},
          {"MeasureName": "flag", "MeasureValue": "true", "MeasureValueType": "BOOLEAN", "Time": "3"},
          {"MeasureName": "many", "MeasureValueType": "MULTI", "Time": "4", "MeasureValues": [
           {"Name": "x", "Value": "1", "Type": "BIGINT"}, {"Name": "y", "Value": "z", "Type": "VARCHAR"}]}]}
        """
}
