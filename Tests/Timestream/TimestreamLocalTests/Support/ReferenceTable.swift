import TestSupport
import Testing
import TimestreamModel

@testable import TimestreamLocal

/// Random rows, in the engine and in memory.
struct ReferenceTable {
    let name: TableName
    let columns: [(name: String, type: ReferenceType)]
    let rows: [ReferenceExpression.Row]

    var sql: String { "\"\(self.name.database)\".\"\(self.name.table)\"" }

    private static let texts = ["a", "b", "ab", "A", "é", "%", "a_b", "12", "aé", "_"]
    private static let multiColumns: [(name: String, type: ReferenceType)] = [
        ("x", .double), ("y", .double), ("i", .bigint), ("j", .bigint), ("s", .varchar), ("u", .varchar),
        ("f", .boolean),
        ("t", .timestamp),
    ]
    private static let singleColumns: [(name: String, type: ReferenceType)] = [
        ("measure_value::double", .double), ("measure_value::bigint", .bigint), ("measure_value::varchar", .varchar),
        ("measure_value::boolean", .boolean),
    ]

    /// Writes rows: of MULTI records only, or mixed with others.
    static func make(_ name: TableName, in engine: EngineHarness, mixed: Bool, seed: UInt64) async -> ReferenceTable {
        var random = SeededGenerator(seed: seed)
        var rows: [ReferenceExpression.Row] = []
        var records: [[String: Any]] = []
        for number in 0..<36 {
            var row: ReferenceExpression.Row = [:]
            // The first ones make sure that every column is there.
            let isSingle = mixed && number % 3 == 2
            let fills = number < 12
            var dimensions = ["k": String(number + 100)]
            row["k"] = .text(Array(String(number + 100).utf8))
            for dimension in ["a", "b", "c"] where fills || Bool.random(using: &random) {
                let value = Self.texts.randomElement(using: &random) ?? ""
                dimensions[dimension] = value
                row[dimension] = .text(Array(value.utf8))
            }
            let time = 1_700_000_000_000 + Int.random(in: 0..<5, using: &random) * 500
            row["time"] = .time(Int64(time) * 1_000_000)
            var values: [[String: Any]] = []
            for (column, type) in isSingle ? [Self.singleColumns[number / 3 % 4]] : Self.multiColumns
            where fills || isSingle || Int.random(in: 0..<3, using: &random) > 0 {
                let (value, text) = Self.value(type, &random)
                row[column] = value
                values.append([
                    "Name": column, "Value": text, "Type": type == .varchar ? "VARCHAR" : type.rawValue.uppercased(),
                ])
            }
            if isSingle {
                let type = Self.singleColumns[number / 3 % 4].type.rawValue
                row["measure_name"] = .text(Array("of_\(type)".utf8))
                records.append(
                    record(
                        dimensions,
                        "of_\(type)",
                        values[0]["Value"] as? String ?? "",
                        time: time,
                        type: type.uppercased()
                    )
                )
            } else {
                let measure = Bool.random(using: &random) ? "multi" : "other"
                row["measure_name"] = .text(Array(measure.utf8))
                values.append(["Name": "one", "Value": "1", "Type": "BIGINT"])
                row["one"] = .int(1)
                records.append([
                    "Dimensions": dimensions.map { ["Name": $0.key, "Value": $0.value] }, "MeasureName": measure,
                    "Time": String(time), "MeasureValueType": "MULTI", "MeasureValues": values,
                ])
            }
            rows.append(row)
        }
        let answer = await engine.write(records, to: name)
        #expect(answer.status == 200, "\(answer.text)")
        var columns: [(name: String, type: ReferenceType)] = ["a", "b", "c", "k", "measure_name"].map { ($0, .varchar) }
        columns.append(("time", .timestamp))
        columns += Self.multiColumns + (mixed ? Self.singleColumns : [])
        return ReferenceTable(name: name, columns: columns, rows: rows)
    }

    private static func value(_ type: ReferenceType, _ random: inout SeededGenerator) -> (ReferenceValue, String) {
        switch type {
        case .double:
            // Sums of these are exact in any order.
            let special: Double = [0.0, -0.0, 1e10, 2.5].randomElement(using: &random) ?? 0
            let value: Double =
                Bool.random(using: &random) ? special : Double(Int.random(in: -6...6, using: &random)) / 2
            return (.double(value), "\(value)")
        case .boolean:
            let value = Bool.random(using: &random)
            return (.bool(value), "\(value)")
        case .varchar:
            let text = Self.texts.randomElement(using: &random) ?? ""
            return (.text(Array(text.utf8)), text)
        case .timestamp:
            let time = 1_700_000_000_000 + Int64.random(in: -3...3, using: &random) * 250
            return (.time(time * 1_000_000), String(time))
        default:
            let value = Int64.random(in: -5...5, using: &random)
            return (.int(value), String(value))
        }
    }
}

/// Whether a cell is the value; doubles by their bits, or only by value where equal ones are one.
func isCell(_ cell: String?, _ value: ReferenceValue, bits: Bool = true) -> Bool {
    guard case .double(let expected) = value else { return cell == value.cell }
    guard let cell, let found = Double(cell), !cell.contains("e") else { return false }
    return bits ? found.bitPattern == expected.bitPattern : found == expected
}
