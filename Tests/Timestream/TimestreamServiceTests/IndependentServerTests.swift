import Common
import Foundation
import RequestSigning
import TestSupport
import Testing
import TimestreamModel
import UpstreamHTTP

@testable import TimestreamService

@Suite("Calls checked by independent implementations")
struct IndependentServerTests {
    private static let region = "eu-central-1"

    private func write(_ fixture: ServiceFixture, _ text: String) async throws(TimestreamError) {
        let body = FrozenBytes(Array(text.utf8))
        try await fixture.client.writeRecords(body: body, deadline: .now + .seconds(30))
    }

    @Test("botocore finds signature and shape of every call right, discovered or configured", arguments: [true, false])
    func botocore(isDiscovered: Bool) async throws {
        let script = try #require(Bundle.module.url(forResource: "timestream_oracle", withExtension: "py"))
        let key = ServiceFixture.key
        let server = try Python(importing: ["botocore"]).serve(
            script,
            [
                key.accessKeyID, key.secretAccessKey.revealed, key.sessionToken?.revealed ?? "", Self.region,
            ]
        )
        defer { server.stop() }
        let url = "http://127.0.0.1:\(server.port)"
        let fixture = try ServiceFixture(
            endpoint: isDiscovered ? nil : url,
            discovery: isDiscovered ? url : nil,
            region: Self.region,
            maxRetries: 0
        )
        try await self.write(
            fixture,
            #"{"DatabaseName":"db","TableName":"prometheus","CommonAttributes":{"Dimensions":[{"Name":"job","#
                + #""Value":"é"}],"MeasureValueType":"DOUBLE","Time":"1700000000000"},"Records":"#
                + #"[{"MeasureName":"up","MeasureValue":"1"},{"MeasureName":"down","MeasureValue":"0"}]}"#
        )
        let statement = "SELECT \"a\\b\", 'it''s'\n\tFROM \"d\".\"t\" -- \u{1} é😀"
        let first = try await fixture.query(statement)
        #expect(first.bytes(row: 0, column: 0).map { String(decoding: $0, as: UTF8.self) } == statement)
        #expect(first.bytes(row: 0, column: 1) == nil)
        #expect(first.nextToken == "more/+=")
        let last = try await fixture.query(statement, nextToken: first.nextToken)
        #expect(last.nextToken == nil)
        await fixture.client.cancelQuery(id: first.queryID)
        #expect(fixture.calls("CancelQuery", "none") == 1)
        let table = TableName(database: "db", table: "prometheus")
        let deadline = ContinuousClock.now + .seconds(20)
        try await fixture.client.createDatabase("db", deadline: deadline)
        for key in [nil, TableSettings.PartitionKey(dimension: "job", isRequired: false)] {
            let settings = TableSettings(
                memoryStoreHours: 24,
                magneticStoreDays: 365,
                magneticStoreWrites: key == nil,
                partitionKey: key
            )
            try await fixture.client.createTable(table, settings, deadline: deadline)
        }
        #expect(try await fixture.client.describeTable(table, deadline: deadline).memoryStoreHours == 24)
        #expect(fixture.calls("DescribeEndpoints", "none") == (isDiscovered ? 2 : 0))

        // The oracle does refuse: a body that the model does not allow, and another key's signature.
        let wrongShape = await failure { try await self.write(fixture, #"{"DatabaseName":"db","Records":[]}"#) }
        #expect(wrongShape?.code == .validation)
        await fixture.upstream.shutdown()
        let stranger = try ServiceFixture(endpoint: url, region: "elsewhere-1", maxRetries: 0)
        let wrongScope = await failure { try await stranger.query() }
        #expect(wrongScope?.message.contains("Authorization") == true)
        await stranger.upstream.shutdown()
    }

    @Test("moto's server understands our calls, and we its answers")
    func moto() async throws {
        let server = try Python(importing: ["moto.server", "werkzeug"]).serve(
            application: """
                from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
                application = DomainDispatcherApplication(create_backend_app)
                """
        )
        defer { server.stop() }
        let url = "http://127.0.0.1:\(server.port)"
        let fixture = try ServiceFixture(endpoint: url, region: Self.region, maxRetries: 0)
        func prepare(_ operation: String, _ body: String) async throws -> UpstreamResponse {
            var headers = [
                (name: "content-type", value: "application/x-amz-json-1.0"),
                (name: "host", value: "127.0.0.1:\(server.port)"),
                (name: "x-amz-target", value: "Timestream_20181101.\(operation)"),
            ]
            let bytes = FrozenBytes(Array(body.utf8))
            headers += RequestSigner(service: "timestream").sign(
                SignableRequest(method: "POST", target: "/", headers: headers),
                body: bytes,
                key: ServiceFixture.key,
                region: Self.region,
                at: Int64(Date().timeIntervalSince1970)
            )
            let request = UpstreamRequest(method: "POST", url: url + "/", headers: headers, body: bytes)
            return try await fixture.upstream.send(request, deadline: .now + .seconds(30))
        }
        let deadline = ContinuousClock.now + .seconds(30)
        let settings = TableSettings(
            memoryStoreHours: 24,
            magneticStoreDays: 365,
            magneticStoreWrites: true,
            partitionKey: TableSettings.PartitionKey(dimension: "a", isRequired: true)
        )
        let store = TableCreatingStore(
            client: fixture.client,
            table: TableName(database: "db", table: "t"),
            settings: settings,
            metrics: fixture.registry,
            logger: fixture.client.logger
        )
        let table = TableName(database: "db", table: "t")
        let absent = await failure { try await fixture.client.describeTable(table, deadline: deadline) }
        #expect(absent?.code == .resourceNotFound)

        let records = #"[{"MeasureName":"up","MeasureValue":"1","Dimensions":[{"Name":"a","Value":"b"}],"Time":"1"}]"#
        let body = FrozenBytes(Array(#"{"DatabaseName":"db","TableName":"t","Records":\#(records)}"#.utf8))
        // There is neither table nor database yet.
        try await store.writeRecords(body: body, deadline: deadline)
        let description = try await fixture.client.describeTable(table, deadline: deadline)
        #expect(description.memoryStoreHours == 24)
        #expect(description.magneticStoreDays == 365)
        #expect(description.magneticStoreWrites == true)
        #expect(description.partitionDimension == "a")
        let missing = await failure {
            try await self.write(fixture, #"{"DatabaseName":"nowhere","TableName":"t","Records":\#(records)}"#)
        }
        #expect(missing?.code == .resourceNotFound)
        #expect(missing?.message.contains("nowhere") == true)

        let endpoints = try await prepare("DescribeEndpoints", "{}")
        let found = try ServiceAnswer.endpoint(in: endpoints.body)
        #expect(found.address == "ingest.timestream.\(Self.region).amazonaws.com")
        #expect(found.minutes == 1440)
        await fixture.upstream.shutdown()
    }
}
