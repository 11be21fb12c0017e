import Common
import Foundation
import Logging
import RequestSigning
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("Signatures and the tables of a key")
struct PermissionTests {
    private static let mine = AccessKey(accessKeyID: "AKIDMINE", secretAccessKey: Secret("mine"))
    private static let other = AccessKey(accessKeyID: "AKIDOTHER", secretAccessKey: Secret("other"))
    private static let foreign = TableName(database: "search", table: "logs")
    private static let shared = TableName(database: "prom", table: "second")

    private func withKeys(_ body: (EngineHarness) async throws -> Void) async throws {
        try await withEngine(
            keys: [
                LocalEngineKey(key: Self.mine, tables: [.sample]),
                LocalEngineKey(key: Self.other, tables: [Self.foreign]),
                // A second entry of one key adds to its tables.
                LocalEngineKey(key: Self.other, tables: [Self.shared]),
            ],
            tables: [.sample, Self.foreign, Self.shared],
            body
        )
    }

    private static func names(_ table: TableName) -> [String: Any] {
        ["DatabaseName": table.database, "TableName": table.table]
    }

    private static func arn(_ table: TableName) -> String {
        "arn:aws:timestream:eu-west-1:000000000000:database/\(table.database)/table/\(table.table)"
    }

    @Test("every operation on another key's table or database is denied, whether it is there or not")
    func denied() async throws {
        try await self.withKeys { engine in
            for table in [
                Self.foreign, Self.shared, TableName(database: "search", table: "nope"),
                TableName(database: "nope", table: "nope"),
            ] {
                let names = Self.names(table)
                let sql = "\"\(table.database)\".\"\(table.table)\""
                let calls: [(String, [String: Any])] = [
                    ("WriteRecords", names.merging(["Records": [record(["a": "x"])]]) { $1 }),
                    ("CreateTable", names), ("DescribeTable", names), ("UpdateTable", names), ("DeleteTable", names),
                    ("ListTagsForResource", ["ResourceARN": Self.arn(table)]),
                    ("TagResource", ["ResourceARN": Self.arn(table), "Tags": [["Key": "k", "Value": "v"]]]),
                    ("UntagResource", ["ResourceARN": Self.arn(table), "TagKeys": ["k"]]),
                    ("Query", ["QueryString": "SELECT 1 FROM \(sql)"]), ("Query", ["QueryString": "DESCRIBE \(sql)"]),
                    ("Query", ["QueryString": "SHOW MEASURES FROM \(sql)"]),
                    ("Query", ["QueryString": "SELECT 1 FROM prom.metrics UNION ALL SELECT 1 FROM \(sql)"]),
                ]
                for (operation, body) in calls {
                    let answer = await engine.call(operation, body, by: Self.mine)
                    #expect(answer.status == 403 && answer.error == "AccessDeniedException", "\(operation) \(body)")
                    #expect(answer.message?.contains("not exist") == false)
                    #expect(
                        answer.message?.hasPrefix(
                            "User: arn:aws:iam::000000000000:user/AKIDMINE is not authorized to perform: timestream:"
                        ) == true
                    )
                }
            }
            for database in ["search", "nope"] {
                for operation in [
                    "CreateDatabase", "DescribeDatabase", "ListTables", "UpdateDatabase", "DeleteDatabase",
                ] {
                    let body = ["DatabaseName": database, "KmsKeyId": "k"]
                    #expect(
                        await engine.call(operation, body, by: Self.mine).error == "AccessDeniedException",
                        "\(operation)"
                    )
                }
                let tables = await engine.call("Query", ["QueryString": "SHOW TABLES FROM \(database)"], by: Self.mine)
                #expect(tables.error == "AccessDeniedException")
            }
            // A whole database is nobody's who has one table in it.
            for operation in ["UpdateDatabase", "DeleteDatabase"] {
                let body = ["DatabaseName": "prom", "KmsKeyId": "k"]
                #expect(await engine.call(operation, body, by: Self.mine).error == "AccessDeniedException")
            }
            #expect(await engine.call("DescribeTable", Self.names(Self.foreign), by: Self.other).status == 200)
        }
    }

    @Test("a key works on its own tables, and lists show no others")
    func allowed() async throws {
        try await self.withKeys { engine in
            let write = Self.names(.sample).merging(["Records": [record(["a": "x"])]]) { $1 }
            #expect(await engine.call("WriteRecords", write, by: Self.mine).status == 200)
            func query(_ statement: String, _ key: AccessKey) async -> String {
                await engine.call("Query", ["QueryString": statement], by: key).text
            }
            #expect(await query("SELECT \"a\" FROM prom.metrics", Self.mine).contains(#"{"ScalarValue":"x"}"#))
            #expect(await query("SELECT 1", Self.mine).contains(#"{"ScalarValue":"1"}"#))
            let databases = await query("SHOW DATABASES", Self.mine)
            #expect(databases.contains("prom") && !databases.contains("search"))
            let tables = await query("SHOW TABLES FROM prom", Self.mine)
            #expect(tables.contains("metrics") && !tables.contains("second"))
            let theirs = await query("SHOW TABLES FROM prom", Self.other)
            #expect(theirs.contains("second") && !theirs.contains("metrics"))
            let listed = await engine.call("ListTables", [:], by: Self.mine)
            #expect(listed.text.contains("metrics") && !listed.text.contains("logs") && !listed.text.contains("second"))
            #expect((await engine.call("ListDatabases", [:], by: Self.mine).json["Databases"] as? [Any])?.count == 1)
            let database = await engine.call("DescribeDatabase", ["DatabaseName": "prom"], by: Self.mine)
            #expect((database.json["Database"] as? [String: Any])?["TableCount"] as? Int == 1)
            #expect(await engine.call("DescribeEndpoints", [:], by: Self.mine).text.contains("127.0.0.1:9203"))
            #expect(await engine.call("DeleteTable", Self.names(.sample), by: Self.mine).status == 200)
            #expect(await engine.call("CreateTable", Self.names(.sample), by: Self.mine).status == 200)
        }
    }

    @Test("a request that is not soundly signed is refused before anything is said")
    func signatures() async throws {
        try await self.withKeys { engine in
            let body = EngineHarness.bytes(["QueryString": "SELECT 1"])
            let good = EngineHarness.signature("Query", body, by: Self.mine)
            #expect(await engine.call("Query", bytes: body, headers: good).status == 200)
            let wrongSecret = AccessKey(accessKeyID: "AKIDMINE", secretAccessKey: Secret("guess"))
            let unknown = AccessKey(accessKeyID: "AKIDNOBODY", secretAccessKey: Secret("mine"))
            let token = AccessKey(accessKeyID: "AKIDMINE", secretAccessKey: Secret("mine"), sessionToken: Secret("t"))
            let garbled = good.map { ($0.0, $0.0 == "authorization" ? "AWS4-HMAC-SHA256 Credential=x" : $0.1) }
            let cases: [(what: String, bytes: [UInt8], headers: [(String, String)], error: String)] = [
                ("none", body, [], "MissingAuthenticationTokenException"),
                ("basic", body, [("authorization", "Basic YTpi")], "MissingAuthenticationTokenException"),
                ("garbled", body, garbled, "IncompleteSignatureException"),
                (
                    "unknown key", body, EngineHarness.signature("Query", body, by: unknown),
                    "UnrecognizedClientException"
                ),
                ("token", body, EngineHarness.signature("Query", body, by: token), "UnrecognizedClientException"),
                (
                    "wrong secret", body, EngineHarness.signature("Query", body, by: wrongSecret),
                    "InvalidSignatureException"
                ),
                ("other body", body + [0x20], good, "InvalidSignatureException"),
                (
                    "other operation", body, EngineHarness.signature("DeleteTable", body, by: Self.mine),
                    "InvalidSignatureException"
                ),
                (
                    "six minutes late", body, EngineHarness.signature("Query", body, by: Self.mine, secondsOff: 360),
                    "InvalidSignatureException"
                ),
                (
                    "six minutes early", body, EngineHarness.signature("Query", body, by: Self.mine, secondsOff: -360),
                    "InvalidSignatureException"
                ),
            ]
            for (what, bytes, headers, error) in cases {
                let answer = await engine.call("Query", bytes: bytes, headers: headers)
                #expect(answer.error == error, "\(what): \(answer.text)")
                #expect(answer.status == (error == "IncompleteSignatureException" ? 400 : 403), "\(what)")
            }
            // Four minutes are no skew yet.
            for seconds in [-240, 240] {
                let headers = EngineHarness.signature("Query", body, by: Self.mine, secondsOff: seconds)
                #expect(await engine.call("Query", bytes: body, headers: headers).status == 200)
            }
            for operation in ["DescribeEndpoints", "ListDatabases", "WriteRecords"] {
                #expect(await engine.call(operation, [:]).status == 403)
            }
        }
    }

    @Test("without keys any signature is good, and none")
    func open() async throws {
        try await withEngine { engine in
            #expect(await engine.call("Query", ["QueryString": "SELECT 1"]).status == 200)
            #expect(await engine.call("Query", ["QueryString": "SELECT 1"], by: Self.mine).status == 200)
            let table = await engine.call("DescribeTable", Self.names(.sample), by: Self.mine)
            #expect(table.text.contains(Self.arn(.sample)))
            #expect(engine.log.all.last?["key.id"] == "AKIDMINE")
            #expect(await engine.call("DescribeTable", Self.names(.sample)).text.contains("timestream:us-east-1:"))
        }
    }
}
