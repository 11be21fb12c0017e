import Foundation
import Testing
import TimestreamModel

@testable import TimestreamLocal

/// What a write found, and what it must lead to.
private struct Step {
    var value: String
    var version: Int?
    /// Nil: accepted. Else the existing version that the report must name.
    var rejectedOver: Int?
    /// What a read gives afterwards.
    var stored: String
}

@Suite("Identity and versions of records")
struct VersionTests {
    /// Source: API reference, `WriteRecords`, on versions and upserts.
    @Test("the first writer wins, a higher version overwrites, an equal repeat is accepted")
    func versions() async throws {
        try await withEngine { engine in
            let steps = [
                Step(value: "1", stored: "1.0"),
                // The same again, with and without its version; and another text of the same number.
                Step(value: "1", stored: "1.0"), Step(value: "1", version: 1, stored: "1.0"),
                Step(value: "1.0e0", stored: "1.0"),
                Step(value: "2", rejectedOver: 1, stored: "1.0"),
                Step(value: "2", version: 1, rejectedOver: 1, stored: "1.0"),
                Step(value: "2", version: 5, stored: "2.0"), Step(value: "2", version: 5, stored: "2.0"),
                Step(value: "3", version: 4, rejectedOver: 5, stored: "2.0"),
                Step(value: "3", version: 5, rejectedOver: 5, stored: "2.0"),
                Step(value: "3", rejectedOver: 5, stored: "2.0"),
                // The same value with a lower version changes nothing; with a higher, only the version rises.
                Step(value: "2", version: 1, stored: "2.0"), Step(value: "2", version: 9, stored: "2.0"),
                Step(value: "4", version: 8, rejectedOver: 9, stored: "2.0"),
                Step(value: "4", version: .max, stored: "4.0"),
                Step(value: "5", version: .max, rejectedOver: .max, stored: "4.0"),
            ]
            for (index, step) in steps.enumerated() {
                let answer = await engine.write([record(["job": "a"], "up", step.value, version: step.version)])
                #expect(answer.status == (step.rejectedOver == nil ? 200 : 419), "step \(index)")
                if let existing = step.rejectedOver {
                    #expect(answer.error == "RejectedRecordsException")
                    let report = (answer.json["RejectedRecords"] as? [[String: Any]])?.first
                    #expect(report?["RecordIndex"] as? Int == 0)
                    #expect(report?["ExistingVersion"] as? Int == existing, "step \(index)")
                    let reason = report?["Reason"] as? String ?? ""
                    #expect(
                        (step.version ?? 1) == existing
                            ? reason.hasPrefix("A record already exists with the same time, dimensions, measure name")
                            : reason.hasPrefix(
                                "The record version \(step.version ?? 1) is lower than the existing version"
                            ),
                        "step \(index): \(reason)"
                    )
                }
                let rows = await engine.query(#"SELECT "measure_value::double" FROM "prom"."metrics""#)
                #expect(rows.rows == [[step.stored]], "step \(index)")
            }
        }
    }

    @Test("dimensions in any order are one identity; another value, time or name is another")
    func identity() async throws {
        try await withEngine { engine in
            func send(_ dimensions: [(String, String)], _ value: String, time: String = "1", name: String = "up") async
                -> Int
            {
                await engine.write([
                    [
                        "Dimensions": dimensions.map { ["Name": $0.0, "Value": $0.1] }, "MeasureName": name,
                        "MeasureValue": value, "Time": time,
                    ]
                ]).status
            }
            #expect(await send([("a", "1"), ("b", "2")], "1") == 200)
            #expect(await send([("b", "2"), ("a", "1")], "2") == 419)
            #expect(await send([("a", "1")], "2") == 200)
            #expect(await send([("a", "2"), ("b", "1")], "2") == 200)
            #expect(await send([("a", "1"), ("b", "2")], "2", time: "2") == 200)
            #expect(await send([("a", "1"), ("b", "2")], "2", name: "down") == 200)
            // The lengths of names and values are part of the identity, not only their bytes in a row.
            #expect(await send([("a", "12")], "3") == 200)
            #expect(await send([("a1", "2")], "4") == 200)
            // Canonically equivalent Unicode is not equal: é as one character and as two.
            #expect(await send([("a", "\u{E9}")], "5") == 200)
            #expect(await send([("a", "e\u{301}")], "6") == 200)
            #expect(await send([("A", "1"), ("b", "2")], "7") == 200)
            #expect(await engine.query(#"SELECT count(*) FROM "prom"."metrics""#).rows == [["10"]])
        }
    }

    @Test("zero and negative zero differ, as their bits do")
    func negativeZero() async throws {
        try await withEngine { engine in
            #expect(await engine.write([record(["job": "a"], "up", "0")]).status == 200)
            #expect(await engine.write([record(["job": "a"], "up", "-0.0")]).status == 419)
            #expect(await engine.write([record(["job": "a"], "up", "-0", version: 2)]).status == 200)
            #expect(
                await engine.query(#"SELECT "measure_value::double" FROM "prom"."metrics""#).rows == [["-0.0"]]
            )
        }
    }

    @Test("what cannot be stored is listed by its place, the rest of the request is stored")
    func partial() async throws {
        try await withEngine { engine in
            #expect(
                await engine.write([record(["job": "a"], "up", "1"), record(["job": "c"], "up", "1")]).status == 200
            )
            let answer = await engine.write([
                record(["job": "b"], "up", "1"), record(["job": "a"], "up", "2"), record(["job": "a"], "up", "1"),
                record(["job": "c"], "up", "7", version: 3), record(["job": "d"], "other", "x", type: "VARCHAR"),
                record(["job": "c"], "up", "8"),
            ])
            #expect(answer.status == 419)
            #expect(answer.json["RecordsIngested"] == nil)
            let reports = answer.json["RejectedRecords"] as? [[String: Any]] ?? []
            #expect(reports.map { $0["RecordIndex"] as? Int } == [1, 5])
            #expect(reports.map { $0["ExistingVersion"] as? Int } == [1, 3])
            let rows = await engine.query(
                #"SELECT "job", "measure_value::double", "measure_value::varchar" FROM "prom"."metrics" ORDER BY "job""#
            )
            #expect(rows.rows == [["a", "1.0", nil], ["b", "1.0", nil], ["c", "7.0", nil], ["d", nil, "x"]])
        }
    }

    @Test("of two records of one identity in one request the second meets the first")
    func duplicatesInOneRequest() async throws {
        try await withEngine { engine in
            let same = await engine.write([record(["job": "a"], "up", "1"), record(["job": "a"], "up", "1")])
            #expect(same.text == #"{"RecordsIngested":{"Total":2,"MemoryStore":2,"MagneticStore":0}}"#)
            let other = await engine.write([record(["job": "b"], "up", "1"), record(["job": "b"], "up", "2")])
            #expect(other.status == 419)
            #expect((other.json["RejectedRecords"] as? [[String: Any]])?.map { $0["RecordIndex"] as? Int } == [1])
            let raised = await engine.write([
                record(["job": "c"], "up", "1"), record(["job": "c"], "up", "2", version: 2),
            ])
            #expect(raised.status == 200)
            let rows = await engine.query(
                #"SELECT "job", "measure_value::double" FROM "prom"."metrics" ORDER BY "job""#
            )
            #expect(rows.rows == [["a", "1.0"], ["b", "1.0"], ["c", "2.0"]])
        }
    }

    @Test("one measure name has one type in a table")
    func oneTypePerName() async throws {
        try await withEngine { engine in
            #expect(await engine.write([record(["job": "a"], "m", "1")]).status == 200)
            let others = [
                record(["job": "a"], "m", "1", time: 5, type: "BIGINT"),
                record(["job": "new"], "m", "x", type: "VARCHAR"),
                [
                    "Dimensions": [["Name": "job", "Value": "a"]], "MeasureName": "m", "Time": "9",
                    "MeasureValueType": "MULTI", "MeasureValues": [["Name": "x", "Value": "1", "Type": "DOUBLE"]],
                ],
            ]
            let answer = await engine.write(others + [record(["job": "a"], "n", "1", type: "BIGINT")])
            #expect(answer.status == 419)
            let reports = answer.json["RejectedRecords"] as? [[String: Any]] ?? []
            #expect(reports.map { $0["RecordIndex"] as? Int } == [0, 1, 2])
            #expect(reports.allSatisfy { ($0["Reason"] as? String)?.contains("type DOUBLE in this table") == true })
            #expect(await engine.query(#"SELECT count(*) FROM "prom"."metrics""#).rows == [["2"]])
            // A rejected record leaves no column behind.
            let columns = await engine.query(#"DESCRIBE "prom"."metrics""#).rows.map(\.first)
            #expect(columns == ["job", "measure_name", "time", "measure_value::double", "measure_value::bigint"])
        }
    }
}

extension VersionTests {
    @Test("a MULTI record is one point: equal in any order of its measures, replaced as a whole by a higher version")
    func multi() async throws {
        try await withEngine { engine in
            func send(_ values: [(String, String, String)], version: Int? = nil) async -> EngineHarness.Answer {
                var body: [String: Any] = [
                    "Dimensions": [["Name": "job", "Value": "a"]], "MeasureName": "m", "Time": "1",
                    "MeasureValueType": "MULTI",
                    "MeasureValues": values.map { ["Name": $0.0, "Value": $0.1, "Type": $0.2] },
                ]
                if let version { body["Version"] = version }
                return await engine.write([body])
            }
            let select = #"SELECT * FROM "prom"."metrics""#
            #expect(await send([("load", "1", "DOUBLE"), ("n", "2", "BIGINT")]).status == 200)
            #expect(await send([("n", "2", "BIGINT"), ("load", "1", "DOUBLE")]).status == 200)
            #expect(await send([("load", "1", "DOUBLE")]).status == 419)
            // Neither a loser's new measures nor those of another type become columns.
            #expect(await send([("load", "1", "DOUBLE"), ("late", "2", "BIGINT")]).status == 419)
            #expect(await send([("load", "1", "BIGINT")], version: 2).status == 419)
            #expect(await engine.query(select).columns == ["job", "measure_name", "time", "load", "n"])
            let time = "1970-01-01 00:00:00.001000000"
            #expect(await engine.query(select).rows == [["a", "m", time, "1.0", "2"]])

            #expect(await send([("state", "ok", "VARCHAR"), ("load", "3", "DOUBLE")], version: 2).status == 200)
            let replaced = await engine.query(select)
            #expect(replaced.columns == ["job", "measure_name", "time", "load", "n", "state"])
            #expect(replaced.rows == [["a", "m", time, "3.0", nil, "ok"]])
        }
    }

    @Test("a name is a dimension or a measure of MULTI records, never both")
    func columnsAreUnique() async throws {
        try await withEngine { engine in
            func multi(_ dimension: String, _ measure: String, _ name: String) -> [String: Any] {
                [
                    "Dimensions": [["Name": dimension, "Value": "a"]], "MeasureName": name, "Time": "1",
                    "MeasureValueType": "MULTI", "MeasureValues": [["Name": measure, "Value": "1", "Type": "DOUBLE"]],
                ]
            }
            #expect(await engine.write([multi("host", "load", "m")]).status == 200)
            let answer = await engine.write([
                record(["load": "x"]), multi("zone", "host", "m"), multi("load", "other", "m2"), record(["host": "b"]),
            ])
            let reports = answer.json["RejectedRecords"] as? [[String: Any]] ?? []
            #expect(reports.map { $0["RecordIndex"] as? Int } == [0, 1, 2])
            #expect(
                reports.map { $0["Reason"] as? String } == [
                    "'load' is a measure of the table.", "'host' is a dimension of the table.",
                    "'load' is a measure of the table.",
                ]
            )
            let columns = await engine.query(#"DESCRIBE "prom"."metrics""#).rows.map(\.first)
            #expect(columns == ["host", "measure_name", "time", "measure_value::double", "load"])
        }
    }
}
