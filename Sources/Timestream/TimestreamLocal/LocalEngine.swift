package import Common
import HTTPTypes
package import Logging
package import TimestreamModel

/// A Timestream-compatible server on SQLite: the Write and the Query API on one port.
///
/// Acknowledged means on disk: a crash of the process or the machine loses nothing of it. Event loops only read and check
/// requests here; everything that touches the file runs on threads of the engine's own.
package final class LocalEngine: HTTPResponder {
    let configuration: LocalEngineConfiguration
    let metrics: LocalMetrics
    let writer: WriterThread
    let readers: ReaderPool
    let cursors: CursorTable
    private let callers: Locked<CallerCheck>
    private let logger: Logger
    private let lock: DirectoryLock

    /// Largest request body; 100 records of the largest size are far smaller.
    static let bodyLimitBytes = 4 << 20

    private init(
        _ configuration: LocalEngineConfiguration,
        metrics: LocalMetrics,
        logger: Logger
    ) throws {
        self.configuration = configuration
        self.metrics = metrics
        self.logger = logger
        self.callers = Locked(CallerCheck(keys: configuration.keys))
        self.lock = try DirectoryLock(directory: configuration.directory)
        let path = configuration.directory + "/timestream.sqlite"
        self.writer = try WriterThread(path: path, metrics: metrics)
        self.readers = try ReaderPool(path: path, metrics: metrics)
        self.cursors = CursorTable(metrics: metrics)
    }

    /// Opens the engine's file, and makes it if it is not there.
    ///
    /// - Throws: `LocalEngineError`, saying what cannot be used and why.
    package static func open(
        _ configuration: LocalEngineConfiguration,
        metrics: MetricRegistry,
        logger: Logger
    ) async throws -> LocalEngine {
        do {
            return try LocalEngine(configuration, metrics: LocalMetrics(metrics), logger: logger)
        } catch let error as SQLiteError {
            throw LocalEngineError("the database file cannot be used: \(error.message)")
        }
    }

    /// Takes other keys for the calls that come.
    package func replaceKeys(with keys: [LocalEngineKey]) {
        let callers = CallerCheck(keys: keys)
        self.callers.withLock { $0 = callers }
    }

    /// Makes tables, and their databases, if they are not there.
    ///
    /// - Throws: `LocalEngineError` if a name is none that Timestream takes, or the file cannot be written.
    package func ensureTables(_ names: [TableName]) async throws {
        for name in names {
            guard RecordRules.isResourceName(name.database), RecordRules.isResourceName(name.table) else {
                throw LocalEngineError("\(name): names have 3 to 256 letters, digits, dots, dashes or underscores")
            }
        }
        do {
            // One commit for all: at the start there may be thousands.
            try await self.writer.perform(cost: 0) { (writer) throws(SQLiteError) in
                for name in names {
                    if try writer.catalogue.database(name.database) == nil {
                        try writer.catalogue.createDatabase(name.database, kmsKeyID: nil, tags: [])
                    }
                    if try writer.catalogue.table(name) == nil {
                        try writer.catalogue.createTable(name, TableProperties(), tags: [])
                    }
                }
                return .success(())
            }
        } catch { throw LocalEngineError("the tables cannot be made: \(error.message)") }
    }

    /// Answers one call of the Write or the Query API.
    package func respond(to request: IncomingRequest) async -> OutgoingResponse {
        let start = MonotonicTime.nanoseconds()
        var call = Call()
        var answer: OutgoingResponse
        do throws(ServiceError) {
            answer = Self.response(.ok, try await self.answer(request, &call))
        } catch {
            call.error = error
            answer = Self.response(error.status, error.body)
        }
        answer.headerFields[Self.requestIDField] = RandomText.uuid()
        self.readers.finish(self.cursors.expired(now: start))
        self.record(call, seconds: Double(MonotonicTime.nanoseconds() - start) / 1e9)
        return answer
    }

    /// Ends open queries, stores what waits, closes the file.
    package func close() async {
        self.readers.finish(self.cursors.removeAll())
        await self.writer.close()
        await self.readers.close()
        self.lock.release()
    }

    // MARK: One call

    /// What is said of a call in the log.
    struct Call {
        var operation: Operation?
        var keyID: String?
        var database: String?
        var table: String?
        var records: Int?
        var rows: Int?
        var error: ServiceError?
    }

    private func answer(_ request: IncomingRequest, _ call: inout Call) async throws(ServiceError) -> [UInt8] {
        guard request.head.method == .post, request.head.path == "/",
            let target = request.head.headerFields[Self.targetField], let operation = Operation(target: target)
        else { throw ServiceError(.unknownOperation, "The operation is not known here.") }
        call.operation = operation
        let body: [UInt8]
        do throws(IncomingBodyError) {
            body = try await request.body.collect(limitBytes: Self.bodyLimitBytes)
        } catch { throw Self.serviceError(error) }
        let callers = self.callers.withLock { $0 }
        let caller = try callers.caller(request.head, body: body, nowSeconds: WallTime.seconds())
        call.keyID = caller.keyID
        switch operation {
        case .writeRecords: return try await self.writeRecords(body, caller, &call)
        case .query: return try await self.query(body, caller, &call)
        case .cancelQuery: return try await self.cancelQuery(body, caller)
        case .describeEndpoints: return try self.describeEndpoints(body)
        default: return try await self.control(operation, body, caller, &call)
        }
    }

    private static func serviceError(_ error: IncomingBodyError) -> ServiceError {
        switch error {
        case .tooLarge(let limit, _): ServiceError(.tooLarge, "The request body may have \(limit) bytes.")
        case .timedOut, .disconnected: ServiceError(.serialization, "The request body did not arrive.")
        }
    }

    private func describeEndpoints(_ body: [UInt8]) throws(ServiceError) -> [UInt8] {
        try JSONReader.request(body) { (reader) throws(JSONError) in
            try reader.document(.none) { (_, _) throws(JSONError) in }
        }
        var json = JSONWriter()
        json.raw(#"{"Endpoints":[{"Address":"#)
        json.string(self.configuration.ownAddress)
        json.raw(#","CachePeriodInMinutes":1440}]}"#)
        return json.bytes
    }

    private func record(_ call: Call, seconds: Double) {
        self.metrics.observe(call.operation, error: call.error?.code, seconds: seconds)
        var metadata: Logger.Metadata = [LogKey.durationSeconds: .stringConvertible(seconds)]
        metadata["operation"] = .string(call.operation?.rawValue ?? "unknown")
        if let keyID = call.keyID { metadata["key.id"] = .string(keyID) }
        if let database = call.database { metadata["database"] = .string(database) }
        if let table = call.table { metadata["table"] = .string(table) }
        if let records = call.records { metadata["records"] = .stringConvertible(records) }
        if let rows = call.rows { metadata["rows"] = .stringConvertible(rows) }
        if let error = call.error { metadata[LogKey.errorCode] = .string(error.code.rawValue) }
        self.logger.info("call", metadata: metadata)
        guard let cause = call.error?.cause else { return }
        metadata["error.cause"] = .string(cause)
        self.logger.error("a call failed by the engine's own fault", metadata: metadata)
    }

    // MARK: Writing

    private func writeRecords(
        _ body: [UInt8],
        _ caller: Caller,
        _ call: inout Call
    ) async throws(ServiceError) -> [UInt8] {
        let request = try WriteRecordsRequest(body)
        call.database = request.database
        call.table = request.table
        call.records = request.records?.count
        guard let database = request.database else { throw .isMissing("databaseName") }
        guard let tableName = request.table else { throw .isMissing("tableName") }
        let table = TableName(database: database, table: tableName)
        try caller.require("WriteRecords", on: table)
        let batch = try RecordCheck.batch(of: request, table: table)
        let outcome = try await self.writer.perform(cost: body.count) { (writer) throws(SQLiteError) in
            if let outcome = try writer.store(batch) { return Result<_, ServiceError>.success(outcome) }
            return .failure(try writer.catalogue.notFound(table))
        }
        self.metrics.recordsStored.increment(by: outcome.stored)
        self.metrics.recordsRejected.increment(by: outcome.rejected.count)
        guard outcome.rejected.isEmpty else {
            throw ServiceError(
                .rejectedRecords,
                "One or more records have been rejected. See RejectedRecords for details.",
                rejected: outcome.rejected
            )
        }
        var json = JSONWriter()
        json.raw(#"{"RecordsIngested":{"Total":"#)
        json.integer(Int64(outcome.stored))
        json.raw(#","MemoryStore":"#)
        json.integer(Int64(outcome.stored))
        json.raw(#","MagneticStore":0}}"#)
        return json.bytes
    }

    // MARK: HTTP

    private static let targetField = HTTPField.Name("X-Amz-Target") ?? .contentType
    private static let requestIDField = HTTPField.Name("x-amzn-RequestId") ?? .contentType

    private static func response(_ status: HTTPResponse.Status, _ body: [UInt8]) -> OutgoingResponse {
        OutgoingResponse(
            status: status,
            headerFields: [.contentType: "application/x-amz-json-1.0"],
            body: body
        )
    }
}
