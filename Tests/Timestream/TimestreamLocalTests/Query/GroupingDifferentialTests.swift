import TestSupport
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("Grouping, aggregates, order and limits mean what the dialect says")
struct GroupingDifferentialTests {
    private typealias Row = ReferenceExpression.Row

    /// A key of ORDER BY; nulls come last unless they are called first, in either direction.
    private struct SortKey {
        var column: Int
        var isDescending: Bool
        var nulls: String

        var sql: String {
            "\(self.column + 1) \(self.isDescending ? "DESC" : "ASC")\(self.nulls.isEmpty ? "" : " NULLS \(self.nulls)")"
        }

        func precedes(_ left: ReferenceValue, _ right: ReferenceValue) -> Bool? {
            switch (left.isNull, right.isNull) {
            case (true, true): return nil
            case (true, false): return self.nulls == "FIRST"
            case (false, true): return self.nulls != "FIRST"
            case (false, false):
                guard let order = left.compared(to: right), order != 0 else { return nil }
                return (order < 0) != self.isDescending
            }
        }
    }

    private static func sortKeys(_ columns: Int, _ generator: inout ExpressionGenerator) -> [SortKey] {
        (0..<columns).shuffled(using: &generator.random).map {
            SortKey(column: $0, isDescending: generator.chance(2), nulls: generator.pick(["", "FIRST", "LAST"]))
        }
    }

    private static func sorted(_ rows: [[ReferenceValue]], by keys: [SortKey]) -> [[ReferenceValue]] {
        rows.sorted { left, right in
            for key in keys {
                if let answer = key.precedes(left[key.column], right[key.column]) { return answer }
            }
            return false
        }
    }

    /// An aggregate, as text and as what it means over the rows of a group.
    private struct Aggregate {
        var sql: String
        var value: ([Row]) throws -> ReferenceValue
    }

    private static func aggregate(_ generator: inout ExpressionGenerator) -> Aggregate {
        let name = generator.pick(["count", "count", "min", "max", "sum", "avg"])
        if name == "count", generator.chance(3) {
            return Aggregate(sql: generator.pick(["count(*)", "count()"])) { .int(Int64($0.count)) }
        }
        let numeric = name == "sum" || name == "avg"
        let type = generator.pick(
            (numeric ? [.bigint, .double] : [.bigint, .double, .varchar, .timestamp, .boolean]) as [ReferenceType]
        )
        // Sums of plain columns are exact in any order; of expressions they might not be.
        let argument = numeric && type == .double ? .column("x", .double) : generator.expression(type, 2)
        let isDistinct = generator.chance(3)
        let call = "\(name)(\(isDistinct ? "DISTINCT " : "")\(argument.sql))"
        let isTime = argument.type == .timestamp && name != "count"
        return Aggregate(sql: isTime ? "to_nanoseconds(\(call))" : call) { rows in
            var values = try rows.map { try argument.value(in: $0) }.filter { !$0.isNull }
            if isDistinct { values = Array(Set(values)) }
            switch name {
            case "count": return .int(Int64(values.count))
            case "min": return values.min { ($0.compared(to: $1) ?? 0) < 0 } ?? .null
            case "max": return values.max { ($0.compared(to: $1) ?? 0) < 0 } ?? .null
            default: return try Self.sum(values, isMean: name == "avg")
            }
        }
    }

    private static func sum(_ values: [ReferenceValue], isMean: Bool) throws -> ReferenceValue {
        guard !values.isEmpty else { return .null }
        var whole: Int64 = 0
        var double = 0.0
        var isDouble = isMean
        for value in values {
            switch value {
            case .int(let value):
                let (sum, overflow) = whole.addingReportingOverflow(value)
                // Beyond 2^53 the mean depends on how it is summed up.
                guard !overflow, value.magnitude < 1 << 52 else { throw ReferenceFailure() }
                whole = sum
                double += Double(value)
            case .double(let value):
                isDouble = true
                double += value
            default: preconditionFailure("no sum of \(value)")
            }
        }
        return isDouble ? .double(isMean ? double / Double(values.count) : double) : .int(whole)
    }

    private func expect(
        _ statement: String,
        _ expected: [[ReferenceValue]],
        _ engine: EngineHarness
    ) async {
        let answer = await engine.query(statement)
        guard answer.message == nil, answer.rows.count == expected.count else {
            Issue.record("\(answer.message ?? "\(answer.rows.count) rows, not \(expected.count)"): \(statement)")
            return
        }
        for (row, values) in zip(answer.rows, expected)
        where !zip(row, values).allSatisfy({ isCell($0, $1, bits: false) }) {
            Issue.record("\(row) is not \(values): \(statement)")
            return
        }
    }

    @Test("random groups with aggregates, HAVING, order and limit", arguments: [true, false])
    func groups(mixed: Bool) async throws {
        try await withEngine { engine in
            let table = await ReferenceTable.make(.sample, in: engine, mixed: mixed, seed: mixed ? 21 : 22)
            var generator = ExpressionGenerator(random: SeededGenerator(seed: mixed ? 23 : 24), columns: table.columns)
            var statements = 0
            while statements < 120 {
                let condition = generator.expression(.boolean, 2)
                // Grouped by dimensions alone, streams are read and not points.
                let onStreams = generator.chance(2)
                let groups: [ReferenceExpression] = (0..<Int.random(in: 0...2, using: &generator.random)).map { _ in
                    onStreams
                        ? .column(generator.pick(["a", "b", "c", "measure_name"]), .varchar)
                        : generator.expression(generator.pick([.boolean, .varchar, .double, .bigint]), 2)
                }
                let aggregates = (0..<Int.random(in: groups.isEmpty ? 1...3 : 0...2, using: &generator.random)).map {
                    _ in
                    Self.aggregate(&generator)
                }
                let having = generator.chance(3) ? Self.aggregate(&generator) : nil
                guard
                    let rows = try? Self.grouped(table.rows, condition, groups, aggregates, having)
                else { continue }
                statements += 1
                let keys = Self.sortKeys(groups.count + aggregates.count, &generator)
                let limit = generator.chance(3) ? Int.random(in: 0...5, using: &generator.random) : nil
                var statement = "SELECT \((groups.map(\.sql) + aggregates.map(\.sql)).joined(separator: ", "))"
                statement += " FROM \(table.sql) WHERE \(condition.sql)"
                if !groups.isEmpty {
                    // A number there would be a position.
                    let isPlaced =
                        generator.chance(2) || groups.contains { if case .literal = $0 { true } else { false } }
                    let keys = isPlaced ? (1...groups.count).map(String.init) : groups.map(\.sql)
                    statement += " GROUP BY \(keys.joined(separator: ", "))"
                }
                if let having { statement += " HAVING \(having.sql) IS NOT NULL" }
                statement += " ORDER BY \(keys.map(\.sql).joined(separator: ", "))"
                if let limit { statement += " LIMIT \(limit)" }
                let sorted = Self.sorted(rows, by: keys)
                await self.expect(statement, Array(sorted.prefix(limit ?? .max)), engine)
            }
        }
    }

    private static func grouped(
        _ rows: [Row],
        _ condition: ReferenceExpression,
        _ groups: [ReferenceExpression],
        _ aggregates: [Aggregate],
        _ having: Aggregate?
    ) throws -> [[ReferenceValue]] {
        let kept = try rows.filter { try condition.value(in: $0).truth == true }
        var members: [[ReferenceValue]: [Row]] = groups.isEmpty ? [[]: []] : [:]
        for row in kept { members[try groups.map { try $0.value(in: row) }, default: []].append(row) }
        // Expressions must be computable for all rows, kept or not: the engine may compute them first.
        for row in rows { for group in groups { _ = try group.value(in: row) } }
        for aggregate in aggregates + [having].compactMap(\.self) { _ = try aggregate.value(rows) }
        return try members.compactMap { key, rows in
            if let having, try having.value(rows).isNull { return nil }
            return try key + aggregates.map { try $0.value(rows) }
        }
    }

    @Test("SELECT DISTINCT, UNION ALL, order with nulls and limits", arguments: [true, false])
    func selections(mixed: Bool) async throws {
        try await withEngine { engine in
            let table = await ReferenceTable.make(.sample, in: engine, mixed: mixed, seed: mixed ? 31 : 32)
            var generator = ExpressionGenerator(random: SeededGenerator(seed: mixed ? 33 : 34), columns: table.columns)
            var statements = 0
            while statements < 120 {
                let types = (0..<Int.random(in: 1...3, using: &generator.random)).map { _ in
                    generator.pick([.boolean, .varchar, .double, .bigint] as [ReferenceType])
                }
                var parts: [String] = []
                var rows: [[ReferenceValue]] = []
                do {
                    for _ in 0..<(generator.chance(2) ? 1 : Int.random(in: 2...3, using: &generator.random)) {
                        let onStreams = generator.chance(3)
                        let items: [ReferenceExpression] = types.map {
                            $0 == .varchar && onStreams
                                ? .column(generator.pick(["a", "b"]), .varchar) : generator.expression($0, 2)
                        }
                        let condition = generator.expression(.boolean, 2)
                        let isDistinct = generator.chance(2)
                        var selected: [[ReferenceValue]] = []
                        for row in table.rows {
                            let values = try items.map { try $0.value(in: row) }
                            if try condition.value(in: row).truth == true { selected.append(values) }
                        }
                        rows += isDistinct ? Array(Set(selected)) : selected
                        parts.append(
                            "SELECT \(isDistinct ? "DISTINCT " : "")\(items.map(\.sql).joined(separator: ", "))"
                                + " FROM \(table.sql) WHERE \(condition.sql)"
                        )
                    }
                } catch { continue }
                statements += 1
                let keys = Self.sortKeys(types.count, &generator)
                let limit = generator.chance(3) ? Int.random(in: 0...20, using: &generator.random) : nil
                let statement =
                    parts.joined(separator: " UNION ALL ") + " ORDER BY \(keys.map(\.sql).joined(separator: ", "))"
                    + (limit.map { " LIMIT \($0)" } ?? "")
                await self.expect(
                    statement,
                    Array(Self.sorted(rows, by: keys).prefix(limit ?? .max)),
                    engine
                )
            }
        }
    }
}
