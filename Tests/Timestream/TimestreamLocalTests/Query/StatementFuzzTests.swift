import Foundation
import TestSupport
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("No statement crashes, hangs or shows what is inside", .timeLimit(.minutes(1)))
struct StatementFuzzTests {
    /// Words of the SQL that statements become, and of SQLite's own complaints.
    private static let inside = [
        "ts_", "streams_", "points_", "p.value", "p.time", "s.d", "m.name", "m.type", "CROSS JOIN", "near \"",
        "syntax error",
        "no such", "sqlite", "SQLite", "internal error",
    ]

    private static let statements = [
        #"SELECT "a", measure_name, time, measure_value::double FROM "prom"."metrics" WHERE "a" = 'x' AND time BETWEEN from_milliseconds(1) AND now() ORDER BY time DESC LIMIT 10"#,
        #"SELECT count(*), min("measure_value::double"), "a" FROM "prom"."metrics" WHERE NOT ("a" IS NULL OR "b" NOT LIKE '%!%' ESCAPE '!') GROUP BY "a" HAVING count(*) > 1 ORDER BY 1 DESC NULLS FIRST"#,
        #"SELECT DISTINCT "a", CASE WHEN "b" IN ('x', NULL, 'y') THEN 1 ELSE -2.5e3 END AS c FROM "prom"."metrics" UNION ALL SELECT "b", CAST('1' AS DOUBLE) FROM "prom"."metrics" ORDER BY c"#,
        #"SELECT bin(time, 15m), COALESCE("a", ''), if("x" > 0, "x" % 2, -"x") FROM "prom"."metrics" WHERE regexp_like("a", '^(?:x|y)$') AND time > ago(interval '2' day)"#,
        #"SHOW MEASURES FROM "prom"."metrics" LIKE 'm_%' ESCAPE '_'; -- comment"#, #"DESCRIBE "prom"."metrics""#,
        "SELECT 1 /* nothing */, 'it''s', TIMESTAMP '2024-04-05 09:31:12.000000000' - 1d, NULL || 'x', nullif(1, 2)",
    ]
    private static let words = [
        "SELECT", "FROM", "WHERE", "(", ")", ",", ".", "*", "'", "\"", "--", "/*", "*/", "::", "NOT", "NULL", "AND",
        "OR", "IN",
        "LIKE", "ESCAPE", "BETWEEN", "CASE", "WHEN", "THEN", "END", "CAST", "AS", "||", "-", "+", "%", "/", "<", "=",
        ";", "1", "0", "-1",
        "9223372036854775807", "9223372036854775808", "1e308", "1e309", ".5", "5.", "15m", "'x'", "\"a\"", "\"x\"",
        "time", "GROUP",
        "BY", "ORDER", "LIMIT", "HAVING", "UNION", "ALL", "DISTINCT", "count", "sum(", "regexp_like(", "interval", "é",
        "\u{0}", "😀",
    ]

    private func withRows(_ body: (EngineHarness) async throws -> Void) async throws {
        try await withEngine { engine in
            let multi: [String: Any] = [
                "Dimensions": [["Name": "b", "Value": "y"]], "MeasureName": "multi", "Time": "5",
                "MeasureValueType": "MULTI",
                "MeasureValues": [["Name": "x", "Value": "9223372036854775807", "Type": "BIGINT"]],
            ]
            #expect(await engine.write([record(["a": "x"]), record(["a": "y", "b": "x%"]), multi]).status == 200)
            try await body(engine)
        }
    }

    @discardableResult
    private func check(_ statement: String, _ engine: EngineHarness) async -> EngineHarness.Rows {
        let answer = await engine.query(statement)
        guard let error = answer.error else { return answer }
        let start = statement.prefix(200)
        #expect(["ValidationException", "QueryExecutionException"].contains(error), "\(error): \(start)")
        let message = answer.message ?? ""
        #expect((1...2000).contains(message.count), "\(start)")
        // What stands in the statement may stand in the message.
        for word in Self.inside where message.contains(word) && !statement.contains(word) {
            Issue.record("\(message): \(start)")
        }
        return answer
    }

    @Test("random bytes")
    func bytes() async throws {
        try await self.withRows { engine in
            var random = SeededGenerator(seed: 51)
            for _ in 0..<600 {
                let bytes = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                let answer = await self.check(String(decoding: bytes, as: UTF8.self), engine)
                #expect(answer.error == "ValidationException")
            }
        }
    }

    @Test("statements with words and bytes added, taken away and swapped")
    func mutations() async throws {
        try await self.withRows { engine in
            var random = SeededGenerator(seed: 52)
            var accepted = 0
            for statement in Self.statements {
                #expect(await self.check(statement, engine).error == nil, "\(statement)")
            }
            for _ in 0..<1500 {
                var scalars = Array((Self.statements.randomElement(using: &random) ?? "").unicodeScalars)
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let index = Int.random(in: 0..<scalars.count, using: &random)
                    let end = min(scalars.count, index + Int.random(in: 1...12, using: &random))
                    let word = Array((Self.words.randomElement(using: &random) ?? "").unicodeScalars)
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: scalars.insert(contentsOf: word, at: index)
                    case 1: scalars.insert(contentsOf: [" "] + word + [" "], at: index)
                    case 2 where end - index < scalars.count: scalars.removeSubrange(index..<end)
                    default: scalars.replaceSubrange(index..<end, with: word)
                    }
                    if scalars.isEmpty { scalars = ["x"] }
                }
                if await self.check(String(String.UnicodeScalarView(scalars)), engine).error == nil { accepted += 1 }
            }
            #expect(accepted > 15)
        }
    }

    @Test("random words in a row")
    func wordSalad() async throws {
        try await self.withRows { engine in
            var random = SeededGenerator(seed: 53)
            for _ in 0..<600 {
                let words = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                    Self.words.randomElement(using: &random) ?? ""
                }
                await self.check("SELECT " + words.joined(separator: " "), engine)
            }
        }
    }

    @Test("nested as deep as a statement's length allows: refused, not followed")
    func nesting() async throws {
        try await self.withRows { engine in
            let forms = [
                ("(", "1", ")"), ("NOT ", "TRUE", ""), ("- ", "1", ""), ("+", "1", ""), ("coalesce(1,", "1", ")"),
                ("1+", "1", ""),
                ("1-(", "1", ")"), ("CASE WHEN TRUE THEN ", "1", " END"), ("CAST(", "1", " AS BIGINT)"),
                ("1 IN (", "1", ")"),
                ("'a'||", "'b'", ""), ("count(", "1", ")"), ("((", "1", ""), ("1 = (", "1", ")"), ("", "1", " IS NULL"),
                ("1 BETWEEN (", "1", ") AND 2"), ("if(TRUE,", "1", ")"), ("TRUE AND (FALSE OR (", "TRUE", "))"),
                ("", "1", "*1"),
            ]
            for (open, inner, close) in forms {
                for depth in [2, 10, 90, 99, 101, 140, 1000, 12_000 / (open.utf8.count + close.utf8.count)] {
                    let expression =
                        String(repeating: open, count: depth) + inner + String(repeating: close, count: depth)
                    let answer = await self.check("SELECT \(expression)", engine)
                    if depth <= 10, open != "((", open != "count(" {
                        // What is no type error works.
                        #expect(
                            answer.error == nil || answer.message?.contains("boolean") == true,
                            "\(open) \(depth) \(answer.message ?? "")"
                        )
                    } else if depth > 300 {
                        #expect(answer.error == "ValidationException", "\(open)")
                    }
                    await self.check("SELECT count(*) FROM \"prom\".\"metrics\" WHERE \"a\" = (\(expression))", engine)
                }
            }
        }
    }

    @Test("as long as a statement may be, in every part")
    func long() async throws {
        try await self.withRows { engine in
            let table = #"FROM "prom"."metrics""#
            func many(_ text: String, _ bytes: Int = 12_000) -> String {
                String(repeating: text, count: bytes / text.utf8.count)
            }
            let accepted = [
                "SELECT '\(many("x", 262_100))'", "SELECT 1 -- \(many("x"))", "SELECT \(many(" "))1",
                "SELECT /*\(many("*"))*/ 1",
                "SELECT 1 AS \"\(many("y"))\"",
                "SELECT count(*) \(table) WHERE \(many("\"a\" = 'x' OR ", 20_000))\"a\" = 'y'",
                "SELECT count(*) \(table) WHERE \(many("\"a\" <> 'x' AND ", 20_000))\"a\" = 'y'",
                "SELECT count(*) \(table) WHERE \"a\" IN (\(many("'x',"))'y')", "SELECT 1 IN (\(many("2,"))1)",
                "SELECT \(many("'a' || ", 1000))'b'", "SELECT \(many("1, ", 4000))1", "SELECT 0\(many("0"))",
                "SELECT 0.\(many("1"))",
                "SELECT count(*) \(table) WHERE \"a\" LIKE '\(many("%a"))'",
                "SELECT count(*) \(table) WHERE \(many("\"x\"=1 OR "))TRUE",
            ]
            for statement in accepted {
                let answer = await self.check(statement, engine)
                #expect(answer.error == nil, "\(statement.prefix(60)): \(answer.message ?? "")")
            }
            let refused = [
                ("SELECT \(many("1,"))1", "more than 2000 columns"),
                ("SELECT \(many("*,", 100_000))* \(table)", "more than 2000 columns"),
                ("SELECT 1 ORDER BY \(many("1,"))1", "more than 2000 columns"),
                ("SELECT 1 AS a ORDER BY \(many("a,"))a", "more than 2000 columns"),
                ("SELECT \(many("1 a,", 20_000))1 ORDER BY \(many("a,", 20_000))a", "more than 2000 columns"),
                ("SELECT 1 \(table) GROUP BY \(many("\"a\","))\"a\"", "more than 2000 columns"),
                (many("SELECT 1 UNION ALL ") + "SELECT 1", "UNION ALL of more than 100"),
                ("SELECT \(many("9"))", "Invalid numeric literal"),
                ("SELECT 1\(many("d"))", "Invalid interval or number"),
                ("SELECT \"\(many("z"))\" \(table)", "does not exist"), ("SELECT \(many("z"))(1)", "is not supported"),
                ("SELECT '\(many("a", 100_000))' LIKE '%\(many("a", 50_000))b%'", "LIKE of texts as long"),
                ("SELECT '\(many("''"))", "does not end"), ("\(many("("))", "is not supported"),
                ("SELECT regexp_like('a', '\(many("(a"))')", "The pattern is not supported"),
                (
                    "SELECT count(*) \(table) WHERE \"a\" IN (\((0..<33_000).map { "'\(String($0, radix: 36))'," }.joined())'')",
                    "different texts"
                ),
                (many("SELECT"), "mismatched input"), (many("\u{1}"), "mismatched input"),
            ]
            for (statement, message) in refused {
                let answer = await self.check(statement, engine)
                #expect(answer.error == "ValidationException", "\(statement.prefix(60))")
                #expect(answer.message?.contains(message) == true, "\(statement.prefix(60)): \(answer.message ?? "")")
            }
            let tooLong = await engine.query("SELECT 1 --" + String(repeating: "x", count: 262_144))
            #expect(tooLong.message?.contains("length between 1 and 262144") == true)
            #expect(await engine.query("").message?.contains("length between 1 and 262144") == true)
            // All that together took no memory to speak of.
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?.split(separator: " ").dropLast()
                .last
            #expect(Int(peak ?? "") ?? .max < 2 << 20, "\(peak ?? "") KiB")
        }
    }
}
