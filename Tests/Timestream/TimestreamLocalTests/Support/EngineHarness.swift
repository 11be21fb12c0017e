import Common
import Foundation
import HTTPTypes
import Logging
import RequestSigning
import TimestreamModel

@testable import TimestreamLocal

/// An engine in a directory of its own, driven through `respond(to:)`.
final class EngineHarness: Sendable {
    let engine: LocalEngine
    let directory: String
    let metrics = MetricRegistry()
    let log = LogLines()

    init(
        directory: String? = nil,
        keys: [LocalEngineKey] = [],
        pageRows: Int? = nil,
        tables: [TableName] = [.sample]
    ) async throws {
        self.directory = directory ?? NSTemporaryDirectory() + "local-engine-" + UUID().uuidString
        let log = self.log
        self.engine = try await LocalEngine.open(
            LocalEngineConfiguration(
                directory: self.directory,
                ownAddress: "127.0.0.1:9203",
                keys: keys,
                pageRows: pageRows
            ),
            metrics: self.metrics,
            logger: Logger(label: "test") { _ in LineCollector(lines: log) }
        )
        try await self.engine.ensureTables(tables)
    }

    /// The text of the engine's metrics.
    var metricsText: String { self.metrics.exposition() }

    /// Closes the engine and removes its directory.
    func close() async {
        await self.engine.close()
        try? FileManager.default.removeItem(atPath: self.directory)
    }

    struct Answer {
        var status: Int
        var body: [UInt8]
        var headerFields: HTTPFields

        var text: String { String(decoding: self.body, as: UTF8.self) }
        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(self.body))) as? [String: Any] ?? [:]
        }
        /// What stands after the namespace.
        var error: String? {
            (self.json["__type"] as? String).map { String($0.split(separator: "#").last ?? "") }
        }
        var message: String? { self.json["Message"] as? String }
    }

    func send(_ request: IncomingRequest) async -> Answer {
        let response = await self.engine.respond(to: request)
        return Answer(status: response.status.code, body: response.body, headerFields: response.headerFields)
    }

    /// - Parameter headers: of a signature.
    func call(_ operation: String, bytes: [UInt8], headers: [(String, String)] = []) async -> Answer {
        var fields = HTTPFields()
        for (name, value) in Self.headers(operation) + headers where name != "host" {
            guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no header name") }
            fields[name] = value
        }
        let head = HTTPRequest(
            method: .post,
            scheme: "http",
            authority: Self.host,
            path: "/",
            headerFields: fields
        )
        return await self.send(
            IncomingRequest(
                head: head,
                peer: Peer(address: "127.0.0.1:1", isEncrypted: false, identity: nil),
                body: WholeBody(bytes: bytes)
            )
        )
    }

    private static let host = "127.0.0.1:9203"

    private static func headers(_ operation: String) -> [(String, String)] {
        [
            ("content-type", "application/x-amz-json-1.0"), ("host", Self.host),
            ("x-amz-target", "Timestream_20181101.\(operation)"),
        ]
    }

    /// A call signed by a key, as of now or of another time.
    func call(_ operation: String, _ body: [String: Any], by key: AccessKey, secondsOff: Int = 0) async -> Answer {
        let bytes = Self.bytes(body)
        let headers = Self.signature(operation, bytes, by: key, secondsOff: secondsOff)
        return await self.call(operation, bytes: bytes, headers: headers)
    }

    static func signature(
        _ operation: String,
        _ body: [UInt8],
        by key: AccessKey,
        secondsOff: Int = 0
    ) -> [(String, String)] {
        let request = SignableRequest(method: "POST", target: "/", headers: Self.headers(operation))
        let now = Int64(Date().timeIntervalSince1970) + Int64(secondsOff)
        let signer = RequestSigner(service: "timestream")
        return signer.sign(request, body: FrozenBytes(body), key: key, region: "eu-west-1", at: now)
    }

    static func bytes(_ body: [String: Any]) -> [UInt8] {
        Array((try? JSONSerialization.data(withJSONObject: body)) ?? Data())
    }

    func call(_ operation: String, _ body: String) async -> Answer {
        await self.call(operation, bytes: Array(body.utf8))
    }

    func call(_ operation: String, _ body: [String: Any]) async -> Answer {
        await self.call(operation, bytes: Self.bytes(body))
    }

    // MARK: Records and rows

    func write(_ records: [[String: Any]], common: [String: Any]? = nil, to table: TableName = .sample) async -> Answer
    {
        var body: [String: Any] = ["DatabaseName": table.database, "TableName": table.table, "Records": records]
        if let common { body["CommonAttributes"] = common }
        return await self.call("WriteRecords", body)
    }

    /// A result, all pages together; cells as text, nil for null.
    struct Rows: Equatable {
        var columns: [String] = []
        var types: [String] = []
        var rows: [[String?]] = []
        var pages = 0
        var error: String?
        var message: String?
    }

    func query(_ statement: String, maxRows: Int? = nil) async -> Rows {
        var result = Rows()
        var token: String?
        repeat {
            var body: [String: Any] = ["QueryString": statement]
            if let token { body["NextToken"] = token }
            if let maxRows { body["MaxRows"] = maxRows }
            let answer = await self.call("Query", body)
            guard answer.status == 200 else {
                result.error = answer.error
                result.message = answer.message
                return result
            }
            let json = answer.json
            let columns = json["ColumnInfo"] as? [[String: Any]] ?? []
            result.columns = columns.map { $0["Name"] as? String ?? "?" }
            result.types = columns.map { ($0["Type"] as? [String: Any])?["ScalarType"] as? String ?? "?" }
            for row in json["Rows"] as? [[String: Any]] ?? [] {
                let cells = row["Data"] as? [[String: Any]] ?? []
                result.rows.append(cells.map { $0["ScalarValue"] as? String })
            }
            result.pages += 1
            token = json["NextToken"] as? String
        } while token != nil
        return result
    }
}

/// Runs a test against an engine, and takes the engine away afterwards.
func withEngine(
    keys: [LocalEngineKey] = [],
    pageRows: Int? = nil,
    tables: [TableName] = [.sample],
    _ body: (EngineHarness) async throws -> Void
) async throws {
    let harness = try await EngineHarness(keys: keys, pageRows: pageRows, tables: tables)
    do {
        try await body(harness)
    } catch {
        await harness.close()
        throw error
    }
    await harness.close()
}

extension TableName {
    static let sample = TableName(database: "prom", table: "metrics")
}

/// A record of a series with these dimensions.
func record(
    _ dimensions: [String: String],
    _ measure: String = "up",
    _ value: String = "1",
    time: Int = 1_700_000_000_000,
    type: String? = nil,
    version: Int? = nil
) -> [String: Any] {
    var record: [String: Any] = [
        "Dimensions": dimensions.sorted { $0.key < $1.key }.map { ["Name": $0.key, "Value": $0.value] },
        "MeasureName": measure, "MeasureValue": value, "Time": String(time),
    ]
    if let type { record["MeasureValueType"] = type }
    if let version { record["Version"] = version }
    return record
}

struct WholeBody: IncomingBody {
    var bytes: [UInt8]
    var declaredLength: Int? { self.bytes.count }

    func collect(limitBytes: Int) async throws(IncomingBodyError) -> [UInt8] {
        guard self.bytes.count <= limitBytes else {
            throw .tooLarge(limitBytes: limitBytes, declared: self.bytes.count)
        }
        return self.bytes
    }
}

/// What the engine has logged.
final class LogLines: Sendable {
    private let lines = Locked<[Logger.Metadata]>([])
    func append(_ line: Logger.Metadata) { self.lines.withLock { $0.append(line) } }
    var all: [Logger.Metadata] { self.lines.withLock { $0 } }
}

struct LineCollector: LogHandler {
    var lines: LogLines
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(lines: LogLines) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.lines.append(event.metadata ?? [:])
    }
}
