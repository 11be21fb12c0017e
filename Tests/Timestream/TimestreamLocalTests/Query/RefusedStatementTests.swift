import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("What is wrong or not supported is named, with its place")
struct RefusedStatementTests {
    private static let table = #"FROM "prom"."metrics""#

    @Test("what the engine leaves out of the dialect is refused by name")
    func unsupported() async throws {
        let table = Self.table
        let cases = [
            ("WITH a AS (SELECT 1) SELECT 1", "WITH"), ("VALUES 1", "VALUES"),
            ("UNLOAD (SELECT 1) TO 's3://x'", "UNLOAD"),
            ("EXPLAIN SELECT 1", "EXPLAIN"), ("(SELECT 1)", "a statement in parentheses"),
            ("SHOW TABLES", "SHOW TABLES without FROM"),
            ("SELECT (SELECT 1)", "a sub-query"), ("SELECT 1 IN (SELECT 1)", "a sub-query"),
            ("SELECT 1 FROM (SELECT 1)", "a sub-query"),
            ("SELECT EXISTS (SELECT 1)", "EXISTS"), ("SELECT (1, 2)", "a row value"),
            ("SELECT 1 = ALL (SELECT 1)", "a quantified comparison"),
            ("SELECT 1 UNION SELECT 1", "UNION without ALL"), ("SELECT 1 INTERSECT SELECT 1", "INTERSECT"),
            ("SELECT 1 EXCEPT SELECT 1", "EXCEPT"), ("SELECT 1 UNION ALL (SELECT 1)", "a SELECT in parentheses"),
            ("SELECT 1 \(table) JOIN \"prom\".\"metrics\" ON TRUE", "a join"),
            ("SELECT 1 \(table), \"prom\".\"metrics\"", "a join"),
            ("SELECT 1 \(table) CROSS JOIN UNNEST(x)", "a join"), ("SELECT 1 FROM UNNEST(x)", "UNNEST"),
            ("SELECT 1 \(table) AS m", "a table alias"), ("SELECT 1 \(table) m", "a table alias"),
            ("SELECT 1 \(table) \"m\"", "a table alias"),
            ("SELECT \"m\".\"a\" \(table)", "a qualified column name"),
            ("SELECT 1 FROM \"a\".\"b\".\"c\"", "a table name of three parts"),
            ("SELECT 1 \(table) TABLESAMPLE BERNOULLI (1)", "TABLESAMPLE"),
            ("SELECT 1 \(table) GROUP BY ROLLUP (\"a\")", "ROLLUP"),
            ("SELECT 1 OFFSET 1", "OFFSET"), ("SELECT 1 FETCH FIRST 1 ROWS ONLY", "FETCH"),
            ("SELECT row_number() OVER () \(table)", "OVER"),
            ("SELECT count(*) FILTER (WHERE TRUE) \(table)", "FILTER"),
            ("SELECT 1 IS DISTINCT FROM 2", "IS DISTINCT FROM"),
            ("SELECT EXTRACT(YEAR FROM time) \(table)", "EXTRACT"), ("SELECT CURRENT_DATE", "CURRENT_DATE"),
            ("SELECT DATE '2024-01-01'", "a DATE"),
            ("SELECT ARRAY[1]", "ARRAY"), ("SELECT ROW(1)", "ROW"),
            ("SELECT CAST(1 AS VARCHAR(3))", "a type with a length"),
            ("SELECT CAST(1 AS DATE)", "the type 'DATE'"),
            ("SELECT approx_distinct(\"a\") \(table)", "the function 'approx_distinct'"),
            ("SELECT lower('A')", "the function 'lower'"), ("SELECT INTERVAL '1' MONTH", "this interval"),
            ("SELECT 1y", "the interval '1y'"),
            ("SELECT -1.5 / 0", "infinite or not a number"), ("SELECT 1e308 * 10", "infinite or not a number"),
            ("SELECT nullif(1, 1.5)", "NULLIF of values of different types"),
            ("SELECT 1 UNION ALL SELECT 'a'", "UNION ALL of a column of type integer"),
            ("SELECT 1 UNION ALL SELECT 1 ORDER BY 1 + 1", "ORDER BY of an expression after UNION ALL"),
            ("SELECT 1 HAVING TRUE", "HAVING without GROUP BY"),
            (
                "SELECT \"a\" AS b, 1 AS \"a\" \(table) ORDER BY \"a\" || 'x'",
                "the alias 'a' inside an expression of ORDER BY"
            ),
            ("SELECT 'a' LIKE 'b' ESCAPE 'é'", "An escape character outside ASCII"),
            ("SELECT array_agg(\"a\" ORDER BY time) \(table)", "ORDER BY in an aggregate"),
        ]
        try await withEngine { engine in
            #expect(await engine.write([record(["a": "x"])]).status == 200)
            for (statement, name) in cases {
                let answer = await engine.query(statement)
                #expect(answer.error == "ValidationException", "\(statement)")
                #expect(
                    answer.message?.contains("\(name) is not supported by the local engine") == true
                        || answer.message?.contains(name) == true
                            && answer.message?.contains("is not supported") == true,
                    "\(statement): \(answer.message ?? "")"
                )
                #expect(answer.message?.hasPrefix("line 1:") == true, "\(answer.message ?? "")")
            }
        }
    }

    @Test("errors in names, types and grammar are told in the service's form")
    func errors() async throws {
        let table = Self.table
        let cases = [
            ("SELECT \"b\" \(table)", "line 1:8: Column 'b' does not exist"),
            ("SELECT\n  A\n\(table)", "line 2:3: Column 'A' does not exist"),
            ("SELECT 1 FROM \"prom\".\"nope\"", "The table 'nope' does not exist in database 'prom' at line 1:22"),
            (
                "SELECT 1 FROM \"nope\".\"x\"",
                "Requested database 'nope' not found for identifier 'nope.x' at line 1:15"
            ),
            ("SELECT 1 FROM \"metrics\"", "line 1:15: the table 'metrics' must be named with its database"),
            ("", "length between 1"),
            ("SELEC 1", "line 1:1: mismatched input 'SELEC'. Expecting: 'SELECT', 'SHOW', 'DESCRIBE'"),
            ("SELECT", "line 1:7: mismatched input '<EOF>'. Expecting: <expression>"),
            ("SELECT 1 1", "line 1:10: mismatched input '1'"),
            ("SELECT 1; SELECT 2", "line 1:11: mismatched input 'SELECT'. Expecting: <EOF>"),
            ("SELECT FROM", "mismatched input 'FROM'"),
            ("SELECT 'x", "line 1:8: the string does not end"), ("SELECT \"x", "line 1:8: the name does not end"),
            ("SELECT \"\"", "Zero-length delimited identifier"), ("SELECT /* x", "line 1:8: the comment does not end"),
            ("SELECT #", "mismatched input '#'"),
            ("SELECT 1 = 'a'", "line 1:10: '=' cannot be applied to integer, varchar"),
            ("SELECT 1 + 'a'", "'+' cannot be applied to integer, varchar"),
            ("SELECT TRUE + 1", "'+' cannot be applied to boolean, integer"),
            ("SELECT -'a'", "'-' cannot be applied to varchar"),
            ("SELECT 1 = 2 = 3", "comparisons cannot be chained"),
            ("SELECT NOT 1", "must evaluate to a boolean: actual type integer"),
            ("SELECT 1 WHERE 1", "WHERE clause must evaluate to a boolean"),
            ("SELECT 1 AND TRUE", "must evaluate to a boolean"),
            ("SELECT 'a' || 1", "'||' cannot be applied to varchar, integer"),
            ("SELECT 1 LIKE 'a'", "LIKE cannot be applied to integer"),
            ("SELECT CASE WHEN TRUE THEN 1 ELSE 'a' END", "'CASE' cannot be applied to integer, varchar"),
            ("SELECT CASE END", "mismatched input 'END'"),
            ("SELECT length(1)", "Unexpected parameters (integer) for function length"), ("SELECT length()", "found 0"),
            ("SELECT count(*) \(table) WHERE count(*) > 1", "the aggregate function 'count' cannot stand here"),
            ("SELECT sum(count(*)) \(table)", "Cannot nest aggregations"),
            ("SELECT sum(\"a\") \(table)", "Unexpected parameters (varchar) for function sum"),
            ("SELECT \"a\", count(*) \(table)", "'\"a\"' must be an aggregate expression or appear in GROUP BY clause"),
            ("SELECT * \(table) GROUP BY \"a\"", "must be an aggregate expression"),
            ("SELECT *", "SELECT * not allowed in queries without FROM"),
            ("SELECT count(*) \(table) GROUP BY 2", "GROUP BY position 2 is not in select list"),
            ("SELECT \"a\" \(table) ORDER BY 2", "ORDER BY position 2 is not in select list"),
            (
                "SELECT DISTINCT \"a\" \(table) ORDER BY time",
                "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
            ),
            ("SELECT 1 AS x, 2 AS x ORDER BY x", "Column 'x' is ambiguous"),
            ("SELECT 1 LIMIT -1", "Expecting: 'ALL', <integer>"),
            ("SELECT 1 UNION ALL SELECT 1, 2", "UNION query has different number of fields"),
            ("SELECT TIMESTAMP '2023-02-29'", "'2023-02-29' is not a valid timestamp literal"),
            ("SELECT time = 'x' \(table)", "Cannot cast 'x' to TIMESTAMP"), ("SELECT 1 / 0", "Division by zero"),
            ("SELECT 2147483647 + 1", "out of the range"),
            ("SELECT CAST('x' AS BIGINT)", "Cannot cast 'x' to a whole number"),
            ("SELECT 'a' LIKE 'a!' ESCAPE '!'", "Escape character must be followed by"),
            ("SELECT 'a' LIKE 'a' ESCAPE ''", "Escape string must be a single character"),
            ("SHOW VIEWS", "mismatched input 'VIEWS'"),
            ("SHOW DATABASES LIKE 'x!' ESCAPE '!'", "Escape character must be followed by"),
            ("SELECT bin(now(), 0s)", "The interval of bin() must be positive"),
            ("SELECT from_milliseconds(9223372036855)", "outside the range 1677-09-21 to 2262-04-11"),
            ("DELETE FROM \"prom\".\"metrics\"", "mismatched input 'DELETE'"),
            ("SELECT CAST(TRUE AS TIMESTAMP)", "Cannot cast boolean to timestamp"),
            ("SELECT lower(DISTINCT 'a')", "'lower' is not an aggregate function"),
        ]
        try await withEngine { engine in
            #expect(await engine.write([record(["a": "x"])]).status == 200)
            for (statement, message) in cases {
                let answer = await engine.query(statement)
                #expect(answer.error == "ValidationException", "\(statement)")
                #expect(answer.message?.contains(message) == true, "\(statement): \(answer.message ?? "no message")")
            }
            // While it runs it is another error, and its text is told as well.
            for (statement, message) in [
                ("SELECT 1 / CAST(measure_value::double - 1 AS BIGINT) \(table)", "Division by zero"),
                ("SELECT CAST(\"a\" AS DOUBLE) \(table)", "Cannot cast 'x' to DOUBLE"),
                (
                    "SELECT sum(9223372036854775807 * CAST(measure_value::double * 1 AS BIGINT) + 0) + sum(9223372036854775807) \(table)",
                    "out of the range"
                ),
            ] {
                let answer = await engine.query(statement)
                #expect(answer.error == "QueryExecutionException", "\(statement): \(answer.rows)")
                #expect(answer.message?.contains(message) == true, "\(answer.message ?? "")")
            }
        }
    }
}
