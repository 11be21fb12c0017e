import Common
import CredentialProviders
import Foundation
import Logging
import RequestSigning
import TestSupport
import TimestreamModel
import UpstreamHTTP

@testable import TimestreamService

/// A client of the service with everything around it that a test wants to see.
final class ServiceFixture: Sendable {
    static let key = AccessKey(
        accessKeyID: "AKIDEXAMPLE",
        secretAccessKey: Secret("do+not/show"),
        sessionToken: Secret("nor+this//one==")
    )

    let registry = MetricRegistry()
    let logs = LogCapture()
    let upstream: UpstreamClient
    let client: TimestreamServiceClient

    /// - Parameters:
    ///   - endpoint: of both APIs; `nil` to discover it at `discovery`.
    ///   - change: what else is to be different.
    init(
        endpoint: String?,
        discovery: String? = nil,
        region: String = "eu-west-1",
        maxRetries: Int = 3,
        credentials: any CredentialSource = StaticCredentialSource(ServiceFixture.key),
        change: (inout TimestreamServiceConfiguration) -> Void = { _ in }
    ) throws {
        self.upstream = try UpstreamClient(UpstreamConfiguration(), metrics: self.registry)
        var configuration = TimestreamServiceConfiguration(
            tenant: "payments",
            region: region,
            writeEndpoint: endpoint,
            queryEndpoint: endpoint
        )
        configuration.retries = RetryPolicy(maxRetries: maxRetries, base: .milliseconds(1), cap: .milliseconds(4))
        if let discovery {
            configuration.discoveryAddress = { api, _ in "\(discovery)/\(api == .write ? "write" : "query")" }
        }
        change(&configuration)
        let logs = self.logs
        var logger = Logger(label: "test") { _ in logs }
        logger.logLevel = .trace
        self.client = TimestreamServiceClient(
            configuration: configuration,
            credentials: credentials,
            upstream: self.upstream,
            signer: RequestSigner(service: "timestream"),
            metrics: self.registry,
            logger: logger
        )
    }

    func write(within duration: Duration = .seconds(20)) async throws(TimestreamError) {
        let body = FrozenBytes(Array(#"{"DatabaseName":"db","TableName":"t","Records":[{}]}"#.utf8))
        try await self.client.writeRecords(body: body, deadline: .now + duration)
    }

    func query(
        _ statement: String = "SELECT 1",
        nextToken: String? = nil,
        within duration: Duration = .seconds(20)
    ) async throws(TimestreamError) -> QueryPage {
        try await self.client.query(statement, nextToken: nextToken, deadline: .now + duration)
    }

    func calls(_ operation: String, _ error: String) -> Int {
        let labels = "tenant=\"payments\",operation=\"\(operation)\",error=\"\(error)\""
        return self.value("gateway_timestream_calls_total{\(labels)}")
    }

    var retries: Int { self.value("gateway_timestream_retries_total{tenant=\"payments\"}") }

    /// - Parameter series: as in the exposition, with its labels.
    func value(_ series: String) -> Int {
        let lines = self.registry.exposition().split(separator: "\n")
        let line = lines.first { $0.hasPrefix(series + " ") }
        return line.flatMap { Int($0.dropFirst(series.count + 1)) } ?? 0
    }
}

/// The error a call ends in; `nil` if it succeeds.
func failure<Result>(_ call: () async throws -> Result) async -> TimestreamError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error as? TimestreamError
    }
}

let ingested = ScriptedServer.Reply.json(200, #"{"RecordsIngested":{"Total":1,"MemoryStore":1,"MagneticStore":0}}"#)
let onePage = ScriptedServer.Reply.json(
    200,
    #"{"QueryId":"Q","Rows":[{"Data":[{"ScalarValue":"1"}]}],"#
        + #""ColumnInfo":[{"Name":"_col0","Type":{"ScalarType":"BIGINT"}}]}"#
)

func serviceError(_ status: Int, _ name: String, _ message: String = "text") -> ScriptedServer.Reply {
    .json(status, #"{"__type":"com.amazonaws.timestream.v20181101#\#(name)","Message":"\#(message)"}"#)
}
