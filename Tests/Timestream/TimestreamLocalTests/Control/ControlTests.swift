import Foundation
import HTTPTypes
import Logging
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("Databases, tables, tags and endpoints")
struct ControlTests {
    private func database(_ answer: EngineHarness.Answer) -> [String: Any] {
        answer.json["Database"] as? [String: Any] ?? [:]
    }

    private func table(_ answer: EngineHarness.Answer) -> [String: Any] {
        answer.json["Table"] as? [String: Any] ?? [:]
    }

    @Test("a database is made, described, changed and deleted")
    func databases() async throws {
        try await withEngine(tables: []) { engine in
            let created = await engine.call("CreateDatabase", ["DatabaseName": "db-1", "KmsKeyId": "alias/k"])
            let entry = self.database(created)
            #expect(entry["DatabaseName"] as? String == "db-1" && entry["KmsKeyId"] as? String == "alias/k")
            #expect(entry["Arn"] as? String == "arn:aws:timestream:us-east-1:000000000000:database/db-1")
            #expect(entry["TableCount"] as? Int == 0)
            let seconds = entry["CreationTime"] as? Double ?? 0
            #expect(abs(seconds - Date().timeIntervalSince1970) < 600)
            let again = await engine.call("CreateDatabase", ["DatabaseName": "db-1"])
            #expect(again.status == 409 && again.error == "ConflictException")
            let updated = await engine.call("UpdateDatabase", ["DatabaseName": "db-1", "KmsKeyId": "other"])
            #expect(self.database(updated)["KmsKeyId"] as? String == "other")
            #expect(self.database(updated)["CreationTime"] as? Double == seconds)
            #expect(await engine.call("UpdateDatabase", ["DatabaseName": "db-1"]).error == "ValidationException")

            #expect(await engine.call("CreateTable", ["DatabaseName": "db-1", "TableName": "t.1"]).status == 200)
            let described = await engine.call("DescribeDatabase", ["DatabaseName": "db-1"])
            #expect(self.database(described)["TableCount"] as? Int == 1)
            let full = await engine.call("DeleteDatabase", ["DatabaseName": "db-1"])
            #expect(full.status == 400 && full.error == "ValidationException")
            #expect(await engine.call("DeleteTable", ["DatabaseName": "db-1", "TableName": "t.1"]).text == "{}")
            #expect(await engine.call("DeleteDatabase", ["DatabaseName": "db-1"]).text == "{}")
            for operation in ["DescribeDatabase", "UpdateDatabase", "DeleteDatabase", "ListTables"] {
                let gone = await engine.call(operation, ["DatabaseName": "db-1", "KmsKeyId": "k"])
                #expect(gone.status == 404 && gone.error == "ResourceNotFoundException", "\(operation)")
                #expect(gone.message == "The database db-1 does not exist.")
            }
        }
    }

    @Test("a table is made, described, changed and deleted; what it held does not come back")
    func tables() async throws {
        try await withEngine(tables: []) { engine in
            let names = ["DatabaseName": "prom", "TableName": "metrics"]
            let early = await engine.call("CreateTable", names)
            #expect(early.status == 404 && early.message == "The database prom does not exist.")
            #expect(await engine.call("CreateDatabase", ["DatabaseName": "prom"]).status == 200)
            let created = await engine.call("CreateTable", names)
            let entry = self.table(created)
            #expect(entry["TableStatus"] as? String == "ACTIVE")
            #expect(
                entry["RetentionProperties"] as? [String: Int] == [
                    "MemoryStoreRetentionPeriodInHours": 6, "MagneticStoreRetentionPeriodInDays": 73_000,
                ]
            )
            #expect(
                (entry["MagneticStoreWriteProperties"] as? [String: Any])?["EnableMagneticStoreWrites"] as? Bool
                    == false
            )
            #expect(await engine.call("CreateTable", names).status == 409)

            let change = #"""
                {"DatabaseName":"prom","TableName":"metrics",
                 "RetentionProperties":{"MemoryStoreRetentionPeriodInHours":24,"MagneticStoreRetentionPeriodInDays":7},
                 "MagneticStoreWriteProperties":{"EnableMagneticStoreWrites":true,"MagneticStoreRejectedDataLocation":
                   {"S3Configuration":{"BucketName":"b\"ü"}}},
                 "Schema":{"CompositePartitionKey":[{"Type":"DIMENSION","Name":"job","EnforcementInRecord":"OPTIONAL"}]}}
                """#
            for answer in [await engine.call("UpdateTable", change), await engine.call("DescribeTable", names)] {
                let entry = self.table(answer)
                #expect((entry["RetentionProperties"] as? [String: Int])?["MemoryStoreRetentionPeriodInHours"] == 24)
                let writes = entry["MagneticStoreWriteProperties"] as? [String: Any]
                #expect(writes?["EnableMagneticStoreWrites"] as? Bool == true)
                #expect(answer.text.contains(#""BucketName":"b\"ü""#))
                #expect(answer.text.contains(#""Name":"job""#))
            }
            // What a change does not name stays.
            let partial = await engine.call(
                "UpdateTable",
                #"{"DatabaseName":"prom","TableName":"metrics","MagneticStoreWriteProperties":{"EnableMagneticStoreWrites":false}}"#
            )
            #expect(
                (self.table(partial)["RetentionProperties"] as? [String: Int])?["MagneticStoreRetentionPeriodInDays"]
                    == 7
            )

            #expect(await engine.write([record(["old": "x"], "m", "1")]).status == 200)
            #expect(await engine.call("DeleteTable", names).status == 200)
            let gone = await engine.call("DeleteTable", names)
            #expect(gone.status == 404 && gone.message == "The table metrics does not exist.")
            #expect(await engine.write([record(["old": "x"], "m", "1")]).error == "ResourceNotFoundException")
            #expect(await engine.call("CreateTable", names).status == 200)
            #expect(await engine.query("SELECT * FROM prom.metrics").columns == ["measure_name", "time"])
            #expect(await engine.write([record(["new": "x"], "m", "text", type: "VARCHAR")]).status == 200)
            #expect(
                await engine.query("SELECT * FROM prom.metrics").columns == [
                    "new", "measure_name", "time", "measure_value::varchar",
                ]
            )
        }
    }

    @Test("names, retention and other members are checked")
    func refused() async throws {
        try await withEngine { engine in
            let retention =
                #","RetentionProperties":{"MemoryStoreRetentionPeriodInHours":\#("%"),"MagneticStoreRetentionPeriodInDays":1}}"#
            let cases: [(String, String, String)] = [
                ("CreateDatabase", "{}", "'databaseName'"),
                ("CreateDatabase", #"{"DatabaseName":null}"#, "'databaseName'"),
                ("CreateDatabase", #"{"DatabaseName":"ab"}"#, "between 3 and 256"),
                ("CreateDatabase", #"{"DatabaseName":"a b c"}"#, "pattern"),
                ("CreateDatabase", #"{"DatabaseName":"año"}"#, "pattern"),
                ("CreateDatabase", #"{"DatabaseName":"a/b"}"#, "pattern"),
                ("CreateTable", #"{"DatabaseName":"prom","TableName":"x"}"#, "'tableName'"),
                ("CreateTable", #"{"DatabaseName":"prom"}"#, "'tableName'"),
                (
                    "CreateTable", #"{"DatabaseName":"prom","TableName":"new""# + retention.replacing("%", with: "0"),
                    "between 1 and 8766"
                ),
                (
                    "CreateTable",
                    #"{"DatabaseName":"prom","TableName":"new""# + retention.replacing("%", with: "8767"),
                    "between 1 and 8766"
                ),
                (
                    "UpdateTable",
                    #"{"DatabaseName":"prom","TableName":"metrics","RetentionProperties":{"MemoryStoreRetentionPeriodInHours":1}}"#,
                    "magneticStoreRetentionPeriodInDays"
                ),
                (
                    "UpdateTable", #"{"DatabaseName":"prom","TableName":"metrics","MagneticStoreWriteProperties":{}}"#,
                    "enableMagneticStoreWrites"
                ),
                ("ListDatabases", #"{"MaxResults":0}"#, "between 1 and 20"),
                ("ListTables", #"{"MaxResults":21}"#, "between 1 and 20"),
                ("TagResource", "{}", "'resourceARN'"), ("TagResource", #"{"ResourceARN":"x"}"#, "is not the ARN"),
                (
                    "TagResource",
                    #"{"ResourceARN":"arn:aws:timestream:r:0:database/prom","Tags":[{"Key":"","Value":""}]}"#,
                    "between 1 and 128"
                ),
            ]
            for (operation, body, message) in cases {
                let answer = await engine.call(operation, body)
                #expect(
                    answer.status == 400 && answer.error == "ValidationException",
                    "\(operation) \(body): \(answer.text)"
                )
                #expect(answer.message?.contains(message) == true, "\(operation) \(body): \(answer.text)")
            }
            for body in [
                "", "x", "[]", #"{"DatabaseName":1}"#, #"{"DatabaseName":"abc"} x"#, "{\"DatabaseName\":\"\u{0}\"}",
                #"{"MaxResults":"1"}"#,
            ] {
                #expect(await engine.call("ListTables", body).error == "SerializationException", "\(body)")
            }
        }
    }

    @Test("lists come in pages, sorted, each entry once")
    func lists() async throws {
        let tables = (0..<23).map { TableName(database: $0 < 21 ? "db\($0 % 21 + 100)" : "db100", table: "t\($0)__") }
        try await withEngine(tables: tables) { engine in
            func pages(_ operation: String, _ key: String, _ name: String, _ body: [String: Any]) async -> [[String]] {
                var pages: [[String]] = []
                var body = body
                repeat {
                    let answer = await engine.call(operation, body)
                    #expect(answer.status == 200)
                    pages.append((answer.json[key] as? [[String: Any]] ?? []).map { $0[name] as? String ?? "?" })
                    body["NextToken"] = answer.json["NextToken"] as? String
                } while body["NextToken"] != nil
                return pages
            }
            let databases = await pages("ListDatabases", "Databases", "DatabaseName", [:])
            #expect(databases.map(\.count) == [20, 1])
            #expect(databases.flatMap(\.self) == Set(tables.map(\.database)).sorted())
            let all = await pages("ListTables", "Tables", "TableName", ["MaxResults": 9])
            #expect(all.map(\.count) == [9, 9, 5])
            #expect(all.flatMap(\.self).sorted() == tables.map(\.table).sorted())
            #expect(
                await pages("ListTables", "Tables", "TableName", ["DatabaseName": "db100", "MaxResults": 2]) == [
                    ["t0__", "t21__"], ["t22__"],
                ]
            )
        }
    }

    @Test("tags of databases and tables")
    func tags() async throws {
        try await withEngine { engine in
            let arn = "arn:aws:timestream:us-east-1:000000000000:database/prom/table/metrics"
            func tags() async -> [[String: String]] {
                await engine.call("ListTagsForResource", ["ResourceARN": arn]).json["Tags"] as? [[String: String]] ?? []
            }
            #expect(await tags().isEmpty)
            let some = [["Key": "b", "Value": "1"], ["Key": "a", "Value": ""]]
            #expect(await engine.call("TagResource", ["ResourceARN": arn, "Tags": some]).text == "{}")
            #expect(
                await engine.call("TagResource", ["ResourceARN": arn, "Tags": [["Key": "b", "Value": "2"]]]).status
                    == 200
            )
            #expect(await tags() == [["Key": "a", "Value": ""], ["Key": "b", "Value": "2"]])
            #expect(await engine.call("UntagResource", ["ResourceARN": arn, "TagKeys": ["b", "x"]]).status == 200)
            #expect(await tags() == [["Key": "a", "Value": ""]])
            let many = (0..<200).map { ["Key": "k\($0)", "Value": "v"] }
            #expect(
                await engine.call("TagResource", ["ResourceARN": arn, "Tags": many]).error == "ValidationException"
            )
            #expect(await tags().count == 1)
            let missing = await engine.call("ListTagsForResource", ["ResourceARN": arn + "x"])
            #expect(missing.error == "ResourceNotFoundException")
            // A new table of that name has none of the old one's.
            #expect(await engine.call("DeleteTable", ["DatabaseName": "prom", "TableName": "metrics"]).status == 200)
            let again: [String: Any] = [
                "DatabaseName": "prom", "TableName": "metrics", "Tags": [["Key": "new", "Value": "v"]],
            ]
            #expect(await engine.call("CreateTable", again).status == 200)
            #expect(await tags() == [["Key": "new", "Value": "v"]])
        }
    }

    @Test("endpoints are the engine's own; what it does not serve is unknown; every answer has an id of its own")
    func endpoints() async throws {
        try await withEngine { engine in
            let endpoints = await engine.call("DescribeEndpoints", "{}")
            #expect(endpoints.text == #"{"Endpoints":[{"Address":"127.0.0.1:9203","CachePeriodInMinutes":1440}]}"#)
            for operation in ["CreateScheduledQuery", "describeendpoints", "", "Query "] {
                let answer = await engine.call(operation, "{}")
                // Blanks around a header's value do not count.
                if operation == "Query " { continue }
                #expect(answer.status == 404 && answer.error == "UnknownOperationException", "\(operation)")
            }
            var ids: Set<String> = []
            for _ in 0..<10 {
                let answer = await engine.call("DescribeEndpoints", "{}")
                #expect(answer.headerFields[.contentType] == "application/x-amz-json-1.0")
                ids.insert(HTTPField.Name("x-amzn-RequestId").flatMap { answer.headerFields[$0] } ?? "")
            }
            #expect(ids.count == 10 && !ids.contains(""))
        }
    }

    @Test("calls are counted by operation and error, and logged with what they were about")
    func observation() async throws {
        try await withEngine { engine in
            #expect(await engine.write([record(["a": "x"]), record(["a": "x"], "up", "2")]).status == 419)
            #expect(engine.log.all.last?["operation"] == "WriteRecords" && engine.log.all.last?["table"] == "metrics")
            #expect(engine.log.all.last?["error.code"] == "rejected_records")
            #expect(await engine.query("SELECT time FROM prom.metrics").rows.count == 1)
            #expect(engine.log.all.last?["rows"]?.description == "1" && engine.log.all.last?["database"] == "prom")
            #expect(await engine.query("SELECT").error == "ValidationException")
            for line in [
                #"gateway_local_requests_total{operation="WriteRecords"} 1"#,
                #"gateway_local_requests_total{operation="Query"} 2"#,
                "gateway_local_records_stored_total 1", "gateway_local_records_rejected_total 1",
                "gateway_local_rows_returned_total 1",
                #"gateway_local_errors_total{code="rejected_records"} 1"#,
                #"gateway_local_errors_total{code="validation"} 1"#,
                #"gateway_local_errors_total{code="internal_server"} 0"#,
            ] {
                #expect(engine.metricsText.contains(line), "\(line)")
            }
        }
    }
}
