import TestSupport
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("Expressions mean what three-valued logic says")
struct ExpressionDifferentialTests {
    private static let types: [ReferenceType] = [
        .boolean, .boolean, .double, .bigint, .varchar, .timestamp, .interval,
    ]

    /// Selected so that the cell is a number: times and intervals have texts of their own, tested elsewhere.
    private func selected(_ expression: ReferenceExpression) -> (sql: String, (ReferenceValue) -> ReferenceValue) {
        switch expression.type {
        case .timestamp: ("to_nanoseconds(\(expression.sql))", { $0 })
        case .interval:
            (
                "to_milliseconds(\(expression.sql))",
                {
                    guard case .interval(let length) = $0 else { return $0 }
                    return .int(length / 1_000_000 - (length % 1_000_000 < 0 ? 1 : 0))
                }
            )
        default: (expression.sql, { $0 })
        }
    }

    @Test("thousands of random expressions over rows with nulls", arguments: [true, false])
    func expressions(mixed: Bool) async throws {
        try await withEngine { engine in
            let table = await ReferenceTable.make(.sample, in: engine, mixed: mixed, seed: mixed ? 1 : 2)
            var generator = ExpressionGenerator(random: SeededGenerator(seed: mixed ? 3 : 4), columns: table.columns)
            var compared = 0
            var failing = 0
            var batch: [(expression: ReferenceExpression, values: [ReferenceValue])] = []
            for _ in 0..<800 {
                let expression = generator.expression(generator.pick(Self.types), 4)
                guard let values = try? table.rows.map({ try expression.value(in: $0) }) else {
                    failing += 1
                    if failing % 8 == 0 { await self.refusal(of: expression, table, engine) }
                    continue
                }
                batch.append((expression, values))
                if batch.count == 12 {
                    await self.compare(batch, table, engine)
                    compared += batch.count
                    batch = []
                }
            }
            #expect(compared > 400)
            #expect(failing > 30)
        }
    }

    private func compare(
        _ batch: [(expression: ReferenceExpression, values: [ReferenceValue])],
        _ table: ReferenceTable,
        _ engine: EngineHarness
    ) async {
        let columns = batch.map { self.selected($0.expression) }
        let statement = "SELECT \(columns.map(\.sql).joined(separator: ", ")) FROM \(table.sql) ORDER BY \"k\""
        let answer = await engine.query(statement)
        guard answer.rows.count == table.rows.count else {
            // One by one, to name the one at fault.
            if batch.count > 1 {
                for one in batch { await self.compare([one], table, engine) }
            } else {
                Issue.record("\(answer.message ?? "no rows"): \(statement)")
            }
            return
        }
        for (column, (expression, values)) in batch.enumerated() {
            for (row, value) in values.enumerated() {
                let expected = columns[column].1(value)
                guard !isCell(answer.rows[row][column], expected) else { continue }
                Issue.record(
                    "\(expression.sql) is \(answer.rows[row][column] ?? "null"), not \(expected) for \(table.rows[row])"
                )
                break
            }
        }
    }

    /// What some part cannot be computed of: refused, unless that part is not needed.
    private func refusal(of expression: ReferenceExpression, _ table: ReferenceTable, _ engine: EngineHarness) async {
        let answer = await engine.query("SELECT \(self.selected(expression).sql) FROM \(table.sql)")
        guard let error = answer.error else { return }
        #expect(["ValidationException", "QueryExecutionException"].contains(error), "\(expression.sql)")
        let message = answer.message ?? ""
        let known = [
            "Division by zero", "out of the range", "outside the range", "Cannot cast", "infinite", "must be positive",
        ]
        #expect(known.contains(where: message.contains), "\(message): \(expression.sql)")
    }

    @Test(
        "WHERE keeps the rows for which the condition is true, in every shape of condition",
        arguments: [true, false]
    )
    func conditions(mixed: Bool) async throws {
        try await withEngine { engine in
            let table = await ReferenceTable.make(.sample, in: engine, mixed: mixed, seed: mixed ? 5 : 6)
            var generator = ExpressionGenerator(random: SeededGenerator(seed: mixed ? 7 : 8), columns: table.columns)
            var kept = 0
            var statements = 0
            while statements < 200 {
                // Terms that must all be true are taken apart: on streams, on points, on both.
                let terms = (0..<Int.random(in: 1...3, using: &generator.random)).map { _ in
                    generator.expression(.boolean, 3)
                }
                let condition = terms.count == 1 ? terms[0] : ReferenceExpression.all(terms)
                guard let values = try? table.rows.map({ try condition.value(in: $0) }) else { continue }
                statements += 1
                let expected = zip(table.rows, values).filter { $0.1.truth == true }.map { $0.0["k"]?.cell }
                kept += expected.count
                let answer = await engine.query("SELECT \"k\" FROM \(table.sql) WHERE \(condition.sql) ORDER BY 1")
                #expect(answer.rows.map(\.first) == expected, "\(answer.message ?? ""): \(condition.sql)")
            }
            #expect(kept > 300)
        }
    }
}
