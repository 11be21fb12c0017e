import Foundation
import TestSupport
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("Common attributes")
struct CommonAttributesTests {
    @Test("any member may be common; the record's own wins, dimensions are joined")
    func merge() async throws {
        try await withEngine { engine in
            let answer = await engine.call(
                "WriteRecords",
                """
                {"DatabaseName":"prom","TableName":"metrics",
                 "CommonAttributes":{"Dimensions":[{"Name":"zone","Value":"z"}],"MeasureName":"m","MeasureValue":"7",
                   "MeasureValueType":"BIGINT","Time":"5","TimeUnit":"SECONDS","Version":3},
                 "Records":[
                   {},
                   {"Dimensions":[{"Name":"a","Value":"1"}],"MeasureName":"n"},
                   {"Dimensions":[],"Time":"6"},
                   {"Time":"7","TimeUnit":"NANOSECONDS"},
                   {"MeasureName":"d","MeasureValueType":"DOUBLE"},
                   {"MeasureName":null,"Time":"8","MeasureValue":"9","Version":null}]}
                """
            )
            #expect(answer.status == 200, "\(answer.text)")
            let rows = await engine.query(
                #"""
                SELECT "a", "zone", measure_name, to_nanoseconds(time), measure_value::bigint, measure_value::double
                FROM "prom"."metrics" ORDER BY 4, measure_name
                """#
            )
            #expect(
                rows.rows == [
                    [nil, "z", "m", "7", "7", nil], [nil, "z", "d", "5000000000", nil, "7.0"],
                    [nil, "z", "m", "5000000000", "7", nil], ["1", "z", "n", "5000000000", "7", nil],
                    [nil, "z", "m", "6000000000", "7", nil], [nil, "z", "m", "8000000000", "9", nil],
                ]
            )
            // The common version was theirs too.
            let lower = await engine.write([record(["zone": "z"], "m", "0", time: 5000, type: "BIGINT", version: 2)])
            #expect((lower.json["RejectedRecords"] as? [[String: Any]])?.first?["ExistingVersion"] as? Int == 3)
        }
    }

    @Test("the measures of MULTI records may be common")
    func multi() async throws {
        try await withEngine { engine in
            let answer = await engine.call(
                "WriteRecords",
                """
                {"DatabaseName":"prom","TableName":"metrics",
                 "CommonAttributes":{"MeasureName":"m","MeasureValueType":"MULTI","Time":"1",
                   "MeasureValues":[{"Name":"x","Value":"1","Type":"BIGINT"}]},
                 "Records":[{"Dimensions":[{"Name":"a","Value":"1"}]},
                   {"Dimensions":[{"Name":"a","Value":"2"}],"MeasureValues":[{"Name":"x","Value":"2","Type":"BIGINT"}]}]}
                """
            )
            #expect(answer.status == 200, "\(answer.text)")
            #expect(
                await engine.query(#"SELECT "a", "x" FROM "prom"."metrics" ORDER BY "a""#).rows == [
                    ["1", "1"], ["2", "2"],
                ]
            )
        }
    }
}

@Suite("Measure values and times")
struct MeasureValueTests {
    @Test("every type is read back as the query service writes it")
    func types() async throws {
        let doubles = [
            ("1", "1.0"), ("-1.50", "-1.5"), ("+3", "3.0"), ("1e3", "1000.0"), ("1E-7", "1.0E-7"), (".5", "0.5"),
            ("5.", "5.0"),
            ("9999999.999999999", "9999999.999999998"), ("10000000", "1.0E7"), ("0.001", "0.001"),
            ("0.0009999", "9.999E-4"),
            ("4.9E-324", "4.9E-324"), ("1.7976931348623157e308", "1.7976931348623157E308"), ("2e-323", "2.0E-323"),
            ("2.2250738585072014E-308", "2.2250738585072014E-308"), ("1e23", "1.0E23"),
            ("9007199254740993", "9.007199254740992E15"),
            ("123456.789", "123456.789"), ("1e-400", "0.0"), ("-0", "-0.0"), ("0.1", "0.1"), ("1.0e21", "1.0E21"),
            (String(repeating: "0", count: 2000) + "1", "1.0"),
            ("0." + String(repeating: "3", count: 2000), "0.3333333333333333"),
        ]
        let bigints = [
            ("0", "0"), ("-0", "0"), ("+5", "5"), ("007", "7"), ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
        ]
        let texts = [
            "x", "ü😀", "a\"b\\c/\u{8}\u{c}\n\r\t\u{1}\u{7f}", "\u{0}", "'", "e\u{301}", "\u{FFFD}\u{FEFF}", " ",
        ]
        try await withEngine { engine in
            var records: [[String: Any]] = []
            var expected: [[String?]] = []
            for (text, read) in doubles {
                records.append(record(["n": String(format: "%03d", records.count)], "d", text))
                expected.append(["d", read, nil, nil, nil])
            }
            for (text, read) in bigints {
                records.append(record(["n": String(format: "%03d", records.count)], "i", text, type: "BIGINT"))
                expected.append(["i", nil, read, nil, nil])
            }
            for text in texts {
                records.append(record(["n": String(format: "%03d", records.count)], "s", text, type: "VARCHAR"))
                expected.append(["s", nil, nil, text, nil])
            }
            for text in ["true", "false"] {
                records.append(record(["n": String(format: "%03d", records.count)], "b", text, type: "BOOLEAN"))
                expected.append(["b", nil, nil, nil, text])
            }
            let answer = await engine.write(records)
            #expect(answer.status == 200, "\(answer.text)")
            let rows = await engine.query(
                """
                SELECT measure_name, measure_value::double, measure_value::bigint, measure_value::varchar,
                    measure_value::boolean FROM "prom"."metrics" ORDER BY "n"
                """
            )
            #expect(rows.types == ["VARCHAR", "DOUBLE", "BIGINT", "VARCHAR", "BOOLEAN"])
            #expect(rows.rows.count == expected.count)
            for (row, expected) in zip(rows.rows, expected) {
                // As bytes: Swift would find composed and decomposed characters equal.
                #expect(row.map { $0.map { Array($0.utf8) } } == expected.map { $0.map { Array($0.utf8) } })
            }
        }
    }

    @Test("doubles of random bits come back with the same bits")
    func randomDoubles() async throws {
        try await withEngine { engine in
            var generator = SeededGenerator(seed: 11)
            var values: [Double] = []
            while values.count < 1000 {
                let value = Double(bitPattern: generator.next())
                if value.isFinite { values.append(value) }
            }
            for start in stride(from: 0, to: values.count, by: 100) {
                let batch = values[start..<start + 100].enumerated().map {
                    record(["job": "a"], "d", "\($1)", time: start + $0)
                }
                #expect(await engine.write(batch).status == 200)
            }
            let rows = await engine.query(#"SELECT measure_value::double FROM "prom"."metrics" ORDER BY time"#)
            let read = rows.rows.map { $0[0].flatMap(Double.init)?.bitPattern }
            #expect(read == values.map(\.bitPattern))
        }
    }

    @Test("a MULTI record has a column of its own type for each measure")
    func multi() async throws {
        try await withEngine { engine in
            let values = [
                ("load", "0.42", "DOUBLE"), ("procs", "-231", "BIGINT"), ("state", "ok\u{0}", "VARCHAR"),
                ("on", "true", "BOOLEAN"), ("since", "1700000000", "TIMESTAMP"),
            ]
            let multi: [String: Any] = [
                "Dimensions": [["Name": "job", "Value": "a"]], "MeasureName": "node", "Time": "1700000001",
                "TimeUnit": "SECONDS", "MeasureValueType": "MULTI",
                "MeasureValues": values.map { ["Name": $0.0, "Value": $0.1, "Type": $0.2] },
            ]
            #expect(await engine.write([multi, record(["job": "a"], "up", "1", time: 1)]).status == 200)
            let rows = await engine.query(#"SELECT * FROM "prom"."metrics" ORDER BY time"#)
            #expect(
                rows.columns == [
                    "job", "measure_name", "time", "measure_value::double", "load", "on", "procs", "since", "state",
                ]
            )
            #expect(
                rows.types == [
                    "VARCHAR", "VARCHAR", "TIMESTAMP", "DOUBLE", "DOUBLE", "BOOLEAN", "BIGINT", "TIMESTAMP", "VARCHAR",
                ]
            )
            #expect(
                rows.rows == [
                    ["a", "up", "1970-01-01 00:00:00.001000000", "1.0", nil, nil, nil, nil, nil],
                    [
                        "a", "node", "2023-11-14 22:13:21.000000000", nil, "0.42", "true", "-231",
                        "2023-11-14 22:13:20.000000000", "ok\u{0}",
                    ],
                ]
            )
            let measures = await engine.call("Query", ["QueryString": #"SHOW MEASURES FROM "prom"."metrics""#])
            #expect(measures.text.contains(#"{"ScalarValue":"node"},{"ScalarValue":"multi"}"#))
            let described = await engine.query(#"DESCRIBE "prom"."metrics""#)
            #expect(described.rows.last == ["state", "varchar", "MULTI"])
        }
    }

    @Test(
        "times are kept to the nanosecond in every unit, from 1970 to 2262",
        arguments: [
            ("0", "NANOSECONDS", "1970-01-01 00:00:00.000000000"),
            ("9223372036854775807", "NANOSECONDS", "2262-04-11 23:47:16.854775807"),
            ("1700000000123456", "MICROSECONDS", "2023-11-14 22:13:20.123456000"),
            ("+1700000000123", "MILLISECONDS", "2023-11-14 22:13:20.123000000"),
            ("9223372036", "SECONDS", "2262-04-11 23:47:16.000000000"),
            ("00951782400", "SECONDS", "2000-02-29 00:00:00.000000000"),
        ]
    )
    func times(text: String, unit: String, read: String) async throws {
        try await withEngine { engine in
            var body = record(["job": "a"])
            body["Time"] = text
            body["TimeUnit"] = unit
            #expect(await engine.write([body]).status == 200)
            #expect(await engine.query(#"SELECT time FROM "prom"."metrics""#).rows == [[read]])
            #expect(
                await engine.query(#"SELECT count(*) FROM "prom"."metrics" WHERE time = '\#(read)'"#).rows == [["1"]]
            )
        }
    }
}
