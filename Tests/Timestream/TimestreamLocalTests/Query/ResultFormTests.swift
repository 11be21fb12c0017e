import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("Results have the query service's form")
struct ResultFormTests {
    @Test("types, names and texts of what is selected")
    func forms() async throws {
        let cases: [(expression: String, type: String, text: String?)] = [
            ("1", "INTEGER", "1"), ("2147483648", "BIGINT", "2147483648"), ("-5", "INTEGER", "-5"),
            ("1.5", "DOUBLE", "1.5"), ("1e3", "DOUBLE", "1000.0"),
            ("'x'", "VARCHAR", "x"), ("''", "VARCHAR", ""), ("TRUE", "BOOLEAN", "true"), ("1 > 2", "BOOLEAN", "false"),
            ("NULL", "UNKNOWN", nil),
            ("CAST(NULL AS DOUBLE)", "DOUBLE", nil), ("1 + NULL", "INTEGER", nil),
            ("from_milliseconds(0)", "TIMESTAMP", "1970-01-01 00:00:00.000000000"),
            ("TIMESTAMP '2024-04-05 09:31:12.5'", "TIMESTAMP", "2024-04-05 09:31:12.500000000"),
            ("TIMESTAMP '2024-02-29'", "TIMESTAMP", "2024-02-29 00:00:00.000000000"),
            ("TIMESTAMP '1969-12-31T23:59:59.999999999Z'", "TIMESTAMP", "1969-12-31 23:59:59.999999999"),
            ("from_nanoseconds(9223372036854775807)", "TIMESTAMP", "2262-04-11 23:47:16.854775807"),
            ("TIMESTAMP '1677-09-21 00:12:43.145224193'", "TIMESTAMP", "1677-09-21 00:12:43.145224193"),
            ("1d", "INTERVAL_DAY_TO_SECOND", "1 00:00:00.000000000"),
            ("45h", "INTERVAL_DAY_TO_SECOND", "1 21:00:00.000000000"),
            ("-90m", "INTERVAL_DAY_TO_SECOND", "-0 01:30:00.000000000"),
            ("interval '2' day", "INTERVAL_DAY_TO_SECOND", "2 00:00:00.000000000"),
            ("interval -'1' second", "INTERVAL_DAY_TO_SECOND", "-0 00:00:01.000000000"),
            ("TIMESTAMP '2024-01-02' - TIMESTAMP '2024-01-01'", "INTERVAL_DAY_TO_SECOND", "1 00:00:00.000000000"),
            ("2 * 3ms", "INTERVAL_DAY_TO_SECOND", "0 00:00:00.006000000"),
            ("bin(TIMESTAMP '2024-04-05 09:31:12', 15m)", "TIMESTAMP", "2024-04-05 09:30:00.000000000"),
            ("bin(TIMESTAMP '1969-12-31 23:59:59', 1h)", "TIMESTAMP", "1969-12-31 23:00:00.000000000"),
            ("TIMESTAMP '2024-03-01' - 1d", "TIMESTAMP", "2024-02-29 00:00:00.000000000"),
            ("to_milliseconds(TIMESTAMP '1970-01-01 00:00:01.9999')", "BIGINT", "1999"),
            ("to_milliseconds(TIMESTAMP '1969-12-31 23:59:59.9999')", "BIGINT", "-1"),
            ("to_milliseconds(1m)", "BIGINT", "60000"), ("to_nanoseconds(from_nanoseconds(7))", "BIGINT", "7"),
            ("from_unixtime(1.5)", "TIMESTAMP", "1970-01-01 00:00:01.500000000"),
            ("to_unixtime(from_milliseconds(1500))", "DOUBLE", "1.5"), ("length('é😀')", "BIGINT", "2"),
            ("1 / 2", "INTEGER", "0"), ("-7 / 2", "INTEGER", "-3"), ("-7 % 3", "INTEGER", "-1"),
            ("7.0 / 2", "DOUBLE", "3.5"), ("1 + 2 * 3 - 4", "INTEGER", "3"), ("10 - 2 - 3", "INTEGER", "5"),
            ("2 * (3 + 4)", "INTEGER", "14"), ("- - 5", "INTEGER", "5"), ("-(-2.5)", "DOUBLE", "2.5"),
            ("0.0 * -1", "DOUBLE", "-0.0"), ("'a' || 'b' || 'c'", "VARCHAR", "abc"),
            ("concat('a', 'b', 'c')", "VARCHAR", "abc"),
            ("1e7", "DOUBLE", "1.0E7"), ("9999999.5", "DOUBLE", "9999999.5"), ("0.001", "DOUBLE", "0.001"),
            ("0.00099", "DOUBLE", "9.9E-4"), ("1.7976931348623157E308", "DOUBLE", "1.7976931348623157E308"),
            ("4.9E-324", "DOUBLE", "4.9E-324"), ("123456789012345680.0", "DOUBLE", "1.2345678901234568E17"),
            ("100.0", "DOUBLE", "100.0"), ("0.1 + 0.2", "DOUBLE", "0.30000000000000004"),
            ("CAST(2.5 AS BIGINT)", "BIGINT", "3"), ("CAST(-2.5 AS BIGINT)", "BIGINT", "-3"),
            ("CAST(0.49999999999999994 AS BIGINT)", "BIGINT", "0"),
            ("CAST(4503599627370497.0 AS BIGINT)", "BIGINT", "4503599627370497"),
            ("CAST('12' AS INTEGER)", "INTEGER", "12"), ("CAST('1e3' AS DOUBLE)", "DOUBLE", "1000.0"),
            ("CAST(1.0 AS VARCHAR)", "VARCHAR", "1.0"), ("CAST(TRUE AS VARCHAR)", "VARCHAR", "true"),
            ("CAST('T' AS BOOLEAN)", "BOOLEAN", "true"),
            ("CAST(TIMESTAMP '2024-01-01' AS VARCHAR)", "VARCHAR", "2024-01-01 00:00:00.000000000"),
            ("CAST('2024-01-01 10:00' AS TIMESTAMP)", "TIMESTAMP", "2024-01-01 10:00:00.000000000"),
            ("if(1 = 1, 'y', 'n')", "VARCHAR", "y"), ("coalesce(NULL, 1, 2.5)", "DOUBLE", "1.0"),
            ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "VARCHAR", "b"), ("NULL = NULL", "BOOLEAN", nil),
            ("1 IN (2, NULL)", "BOOLEAN", nil), ("1 NOT IN (1, NULL)", "BOOLEAN", "false"),
            ("NOT NULL", "BOOLEAN", nil), ("'2024-01-01' < TIMESTAMP '2024-01-02'", "BOOLEAN", "true"),
            ("now() = current_timestamp", "BOOLEAN", "true"), ("ago(1h) = now() - 1h", "BOOLEAN", "true"),
            ("'a\nb' LIKE 'a_b'", "BOOLEAN", "true"), ("'it''s'", "VARCHAR", "it's"),
        ]
        try await withEngine { engine in
            for (expression, type, text) in cases {
                let answer = await engine.query("SELECT \(expression)")
                #expect(
                    answer.message == nil && answer.types == [type] && answer.rows == [[text]],
                    "\(expression): \(answer)"
                )
                #expect(answer.columns == ["_col0"])
            }
        }
    }

    @Test("columns have their own names, aliases, or their place")
    func names() async throws {
        try await withEngine { engine in
            #expect(await engine.write([record(["a": "x"])]).status == 200)
            let answer = await engine.query(
                #"SELECT "a", "a" AS "A b", "a" c, 1, time AS "x""y", *, count FROM "prom"."metrics" WHERE 1 = 2"#
                    .replacing(", count", with: "")
            )
            #expect(
                answer.columns == [
                    "a", "A b", "c", "_col3", "x\"y", "a", "measure_name", "time", "measure_value::double",
                ]
            )
            let raw = await engine.call(
                "Query",
                ["QueryString": #"SELECT measure_value::double, NULL FROM "prom"."metrics""#]
            )
            #expect(
                raw.text.contains(
                    #""Rows":[{"Data":[{"ScalarValue":"1.0"},{"NullValue":true}]}],"ColumnInfo":[{"Name":"measure_value::double","Type":{"ScalarType":"DOUBLE"}},{"Name":"_col1","Type":{"ScalarType":"UNKNOWN"}}],"QueryStatus":{"ProgressPercentage":100.0,"#
                )
            )
            let id = raw.json["QueryId"] as? String ?? ""
            #expect((1...64).contains(id.count) && id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        }
    }

    @Test("keywords in any case, blanks, comments and a last semicolon do not matter; names keep their case")
    func spelling() async throws {
        try await withEngine { engine in
            #expect(await engine.write([record(["Ab": "x", "ab": "y", "select": "z", "count": "w"])]).status == 200)
            for statement in [
                #"select "Ab" from "prom"."metrics""#, "sElEcT\t\"Ab\"\r\n\nFROM prom.metrics;",
                "SELECT/**/\"Ab\"/* ; */FROM prom . metrics -- end",
                #"SELECT Ab FROM "prom"."metrics" WHERE MEASURE_VALUE = 1"#.replacing(
                    " WHERE MEASURE_VALUE = 1",
                    with: " LIMIT ALL"
                ),
            ] {
                #expect(await engine.query(statement).rows == [["x"]], "\(statement)")
            }
            #expect(
                await engine.query("SELECT ab, \"select\", count, time IS NULL FROM prom.metrics").rows == [
                    ["y", "z", "w", "false"]
                ]
            )
            #expect(await engine.query("SELECT AB FROM prom.metrics").message == "line 1:8: Column 'AB' does not exist")
        }
    }

    @Test("SHOW and DESCRIBE")
    func catalogue() async throws {
        let other = TableName(database: "search", table: "other.table-1")
        try await withEngine(tables: [.sample, TableName(database: "prom", table: "metrics_2"), other]) { engine in
            #expect(
                await engine.write([record(["a": "x"], "m1"), record(["b": "x"], "m_2", "1", type: "BIGINT")]).status
                    == 200
            )
            #expect(await engine.query("SHOW DATABASES").rows == [["prom"], ["search"]])
            #expect(await engine.query("SHOW DATABASES").columns == ["Database"])
            #expect(await engine.query("SHOW DATABASES LIKE 's%'").rows == [["search"]])
            #expect(await engine.query("SHOW TABLES FROM prom").rows == [["metrics"], ["metrics_2"]])
            #expect(await engine.query("SHOW TABLES FROM \"prom\" LIKE '%!_%' ESCAPE '!'").rows == [["metrics_2"]])
            #expect(await engine.query("SHOW TABLES IN search").rows == [["other.table-1"]])
            #expect(
                await engine.query("SHOW TABLES FROM nope").message?.contains("Requested database 'nope' not found")
                    == true
            )
            #expect(
                await engine.query("DESCRIBE prom.metrics_2").rows == [
                    ["measure_name", "varchar", "MEASURE_NAME"], ["time", "timestamp", "TIMESTAMP"],
                ]
            )
            #expect(
                await engine.query("DESCRIBE prom.metrics").rows == [
                    ["a", "varchar", "DIMENSION"], ["b", "varchar", "DIMENSION"],
                    ["measure_name", "varchar", "MEASURE_NAME"],
                    ["time", "timestamp", "TIMESTAMP"], ["measure_value::double", "double", "MEASURE_VALUE"],
                    ["measure_value::bigint", "bigint", "MEASURE_VALUE"],
                ]
            )
            let measures = await engine.call("Query", ["QueryString": "SHOW MEASURES FROM prom.metrics LIKE 'm_2'"])
            #expect(
                measures.text.contains(
                    #""Rows":[{"Data":[{"ScalarValue":"m_2"},{"ScalarValue":"bigint"},{"ArrayValue":[{"RowValue":{"Data":[{"ScalarValue":"b"},{"ScalarValue":"varchar"}]}}]}]}]"#
                )
            )
            #expect(measures.text.contains(#""CumulativeBytesMetered":0"#))
        }
    }
}
