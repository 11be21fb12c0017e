import Common
import Foundation
import TestSupport
import TimestreamModel

/// A table in memory that takes `WriteRecords` bodies and understands the statements of a reader.
///
/// It knows Timestream's habits: columns in any order, nulls, pages that may be empty, and an error for a column that no
/// record ever had.
final class MemoryTable: TimestreamStore {
    struct Row: Sendable {
        var dimensions: [[UInt8]: [UInt8]]
        var measure: [UInt8]
        /// As the service shows it, such as `2023-11-14 22:13:20.000000000`.
        var timeText: String
        var timeMilliseconds: Int64
        /// Whether it is later than that by less than a millisecond.
        var hasFraction = false
        /// The columns of its values and their texts.
        var values: [String: String]
    }

    struct Behaviour: Sendable {
        var rowsPerPage = 1_000
        var startsWithEmptyPage = false
        /// Answers with all rows, whatever the statement asks.
        var ignoresConditions = false
        /// Columns that no row has, as after records that are gone.
        var extraColumns: [String] = []
        /// Asked before each call; an error is thrown instead of an answer.
        var refuse: (@Sendable (_ statement: String, _ call: Int) -> TimestreamError?)?
    }

    private struct State {
        var rows: [Row] = []
        var statements: [String] = []
        var rowsRead = 0
        var calls = 0
        /// The one that is answered now.
        var call = 0
        var statement = ""
        var cancelled: [String] = []
        var pages: [String: (statement: String, page: QueryPage)] = [:]
        var generator = SeededGenerator(seed: 7)
    }

    private let behaviour: Behaviour
    private let state: Locked<State>
    private let cancellations = AsyncStream<String>.makeStream()

    init(_ rows: [Row] = [], behaviour: Behaviour = Behaviour()) {
        self.behaviour = behaviour
        self.state = Locked(State(rows: rows))
    }

    /// Statements in the order of their first call.
    var statements: [String] { self.state.withLock { $0.statements } }
    var rows: [Row] { self.state.withLock { $0.rows } }
    /// How many rows met the conditions of all statements.
    var rowsRead: Int { self.state.withLock { $0.rowsRead } }

    func add(_ rows: [Row]) {
        self.state.withLock { $0.rows += rows }
    }

    /// The id of the first query that was cancelled; waits for it.
    func firstCancellation() async -> String? {
        for await id in self.cancellations.stream { return id }
        return nil
    }

    // MARK: TimestreamStore

    func writeRecords(body: FrozenBytes, deadline: ContinuousClock.Instant) async throws(TimestreamError) {
        guard let json = try? JSONSerialization.jsonObject(with: Data(body.array)) as? [String: Any],
            let common = json["CommonAttributes"] as? [String: Any], let records = json["Records"] as? [[String: Any]]
        else { throw TimestreamError(.validation, message: "no WriteRecords body", status: 400) }
        var rows: [Row] = []
        for record in records {
            var dimensions: [[UInt8]: [UInt8]] = [:]
            for source in [common, record] {
                for dimension in source["Dimensions"] as? [[String: String]] ?? [] {
                    dimensions[Array((dimension["Name"] ?? "").utf8)] = Array((dimension["Value"] ?? "").utf8)
                }
            }
            func member(_ name: String) -> String? { record[name] as? String ?? common[name] as? String }
            let type = (member("MeasureValueType") ?? "DOUBLE").lowercased()
            let value = member("MeasureValue") ?? ""
            var values = ["measure_value::\(type)": type == "double" ? javaText(Double(value) ?? .nan) : value]
            if type == "multi" {
                values = [:]
                for value in record["MeasureValues"] as? [[String: String]] ?? [] {
                    values[value["Name"] ?? ""] = value["Value"]
                }
            }
            rows.append(
                Row(
                    dimensions: dimensions,
                    measure: Array((member("MeasureName") ?? "").utf8),
                    timeMilliseconds: Int64(member("Time") ?? "") ?? -1,
                    values: values
                )
            )
        }
        self.add(rows)
    }

    func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        if Task.isCancelled { throw TimestreamError(.cancelled, message: "cancelled") }
        let call = self.state.withLock { state in
            state.calls += 1
            if nextToken == nil { state.statements.append(statement) }
            return state.calls
        }
        if let error = self.behaviour.refuse?(statement, call) { throw error }
        return try self.state.withLock { state throws(TimestreamError) in
            // Calls that come at once are counted first and answered later.
            (state.call, state.statement) = (call, statement)
            if let nextToken {
                guard let next = state.pages.removeValue(forKey: nextToken), next.statement == statement else {
                    throw TimestreamError(.validation, message: "Invalid pagination token", status: 400)
                }
                return next.page
            }
            return try self.firstPage(of: statement, &state)
        }
    }

    func cancelQuery(id: String) async {
        self.cancellations.continuation.yield(id)
    }

    // MARK: Answers

    private func firstPage(of statement: String, _ state: inout State) throws(TimestreamError) -> QueryPage {
        let parsed = try SQLParser.parse(statement)
        guard parsed.database == Array("db".utf8), parsed.table == Array("tbl".utf8) else {
            throw TimestreamError(
                .validation,
                message: "The table 'tbl' does not exist in database 'db' at line 1:1",
                status: 400
            )
        }
        var dimensions: Set<[UInt8]> = []
        var values = Set(self.behaviour.extraColumns.filter { $0.hasPrefix("measure_value::") })
        for row in state.rows {
            dimensions.formUnion(row.dimensions.keys)
            values.formUnion(row.values.keys)
        }
        dimensions.formUnion(self.behaviour.extraColumns.filter { !values.contains($0) }.map { Array($0.utf8) })
        // A row as every column knows it; columns that do not exist are an error even if there is no row at all.
        func value(_ row: Row, _ column: [UInt8]) throws(TimestreamError) -> [UInt8]? {
            if column == Array("measure_name".utf8), !state.rows.isEmpty { return row.measure }
            let name = String(decoding: column, as: UTF8.self)
            if values.contains(name) { return row.values[name].map { Array($0.utf8) } }
            guard dimensions.contains(column) else {
                throw TimestreamError(.validation, message: "line 1:50: Column '\(name)' does not exist", status: 400)
            }
            return row.dimensions[column]
        }
        let blank = Row(dimensions: [:], measure: [], timeText: "", timeMilliseconds: 0, values: [:])
        _ = try parsed.condition.evaluate(time: 0) { column throws(TimestreamError) in try value(blank, column) }
        var rows: [Row] = []
        for row in state.rows {
            let isWanted = try parsed.condition.evaluate(time: row.timeMilliseconds, hasFraction: row.hasFraction) {
                column throws(TimestreamError) in try value(row, column)
            }
            // Even then, a store does not count rows that have no value of ours.
            let isCounted = parsed.groups == nil || row.hasOwnValue
            if self.behaviour.ignoresConditions && isCounted || isWanted == true { rows.append(row) }
        }
        state.rowsRead += rows.count
        if let groups = parsed.groups {
            for column in groups { _ = try value(blank, column) }
            return self.paginate(try Self.counted(rows, groups, parsed, value), &state)
        }
        if let limit = parsed.limit { rows = Array(rows.prefix(limit)) }
        rows.shuffle(using: &state.generator)
        var columns = dimensions.map {
            QueryPage.Column(name: String(decoding: $0, as: UTF8.self), scalarType: "VARCHAR")
        }
        columns += values.map { name in
            let type = name == "promx_data" ? "varchar" : name.split(separator: ":").dropFirst().first ?? "double"
            return QueryPage.Column(name: name, scalarType: type.uppercased())
        }
        columns.append(QueryPage.Column(name: "measure_name", scalarType: "VARCHAR"))
        columns.append(QueryPage.Column(name: "time", scalarType: "TIMESTAMP"))
        columns.shuffle(using: &state.generator)
        return self.paginate(rows, columns, statement, &state)
    }

    /// Rows by groups, as pages of one column for each group, one for their number and one for the length of texts.
    private static func counted(
        _ rows: [Row],
        _ groups: [[UInt8]],
        _ parsed: SQLCondition.Statement,
        _ value: (Row, [UInt8]) throws(TimestreamError) -> [UInt8]?
    ) throws(TimestreamError) -> (columns: [QueryPage.Column], rows: [[[UInt8]?]]) {
        var counts: [[[UInt8]?]: (rows: Int, bytes: Int?)] = [:]
        for row in rows {
            var key: [[UInt8]?] = []
            for column in groups { key.append(try value(row, column)) }
            var count = counts[key] ?? (0, nil)
            count.rows += 1
            if let column = parsed.lengthColumn, let text = try value(row, column) {
                count.bytes = (count.bytes ?? 0) + text.count
            }
            counts[key] = count
        }
        let names = groups.map { QueryPage.Column(name: String(decoding: $0, as: UTF8.self), scalarType: "VARCHAR") }
        func number(_ name: [UInt8]) -> QueryPage.Column {
            .init(name: String(decoding: name, as: UTF8.self), scalarType: "BIGINT")
        }
        return (
            names + [number(parsed.countName)] + (parsed.lengthColumn == nil ? [] : [number(parsed.lengthName)]),
            counts.map { key, count in
                let bytes: [[UInt8]?] = [count.bytes.map { Array("\($0)".utf8) }]
                return key + [Array("\(count.rows)".utf8)] + (parsed.lengthColumn == nil ? [] : bytes)
            }
        )
    }

    private func paginate(
        _ answer: (columns: [QueryPage.Column], rows: [[[UInt8]?]]),
        _ state: inout State
    ) -> QueryPage {
        var page: QueryPage?
        let queryID = "Q\(state.call)"
        let parts = stride(from: 0, to: max(answer.rows.count, 1), by: self.behaviour.rowsPerPage).map {
            answer.rows[$0..<min($0 + self.behaviour.rowsPerPage, answer.rows.count)]
        }
        for (number, part) in parts.enumerated().reversed() {
            var token: String?
            if let following = page {
                token = "\(queryID)-\(number + 1)"
                state.pages["\(queryID)-\(number + 1)"] = (state.statement, following)
            }
            page = QueryPage(queryID: queryID, columns: answer.columns, cells: [], arena: [], nextToken: token)
            for value in part.joined() { page?.append(value) }
        }
        return page ?? QueryPage(queryID: queryID, columns: answer.columns, cells: [], arena: [], nextToken: nil)
    }

    private func paginate(
        _ rows: [Row],
        _ columns: [QueryPage.Column],
        _ statement: String,
        _ state: inout State
    ) -> QueryPage {
        let queryID = "Q\(state.call)"
        var parts = stride(from: 0, to: rows.count, by: self.behaviour.rowsPerPage).map {
            Array(rows[$0..<min($0 + self.behaviour.rowsPerPage, rows.count)])
        }
        if self.behaviour.startsWithEmptyPage || parts.isEmpty { parts.insert([], at: 0) }
        var page: QueryPage?
        for (number, part) in parts.enumerated().reversed() {
            var token: String?
            if let following = page {
                token = "\(queryID)-\(number + 1)"
                state.pages["\(queryID)-\(number + 1)"] = (statement, following)
            }
            page = makePage(part, columns: columns, queryID: queryID, nextToken: token)
        }
        return page ?? QueryPage(queryID: queryID, columns: columns, cells: [], arena: [], nextToken: nil)
    }
}

extension MemoryTable.Row {
    var hasOwnValue: Bool {
        self.values["measure_value::double"] != nil
            || self.measure.elementsEqual("promx_special".utf8) && self.values["measure_value::bigint"] != nil
            || self.measure.starts(with: "promx_histogram".utf8) && self.values["promx_data"] != nil
    }

    init(dimensions: [[UInt8]: [UInt8]], measure: [UInt8], timeMilliseconds: Int64, values: [String: String]) {
        self.dimensions = dimensions
        self.measure = measure
        self.timeMilliseconds = timeMilliseconds
        self.timeText = timestampText(timeMilliseconds)
        self.values = values
    }

    /// An ordinary sample.
    init(_ measure: String, _ dimensions: [String: String], _ timeMilliseconds: Int64, _ value: Double) {
        let dimensions = dimensions.map { (Array($0.key.utf8), Array($0.value.utf8)) }
        self.init(
            dimensions: Dictionary(uniqueKeysWithValues: dimensions),
            measure: Array(measure.utf8),
            timeMilliseconds: timeMilliseconds,
            values: ["measure_value::double": javaText(value)]
        )
    }

    /// A special value.
    init(special metric: String, _ dimensions: [String: String], _ timeMilliseconds: Int64, bits: UInt64) {
        self.init("promx_special", dimensions.merging(["promx_metric": metric]) { $1 }, timeMilliseconds, 0)
        self.values = ["measure_value::bigint": "\(Int64(bitPattern: bits))"]
    }
}

/// A page as the service's JSON would be decoded.
func makePage(
    _ rows: [MemoryTable.Row],
    columns: [QueryPage.Column],
    queryID: String = "Q",
    nextToken: String? = nil
) -> QueryPage {
    var page = QueryPage(queryID: queryID, columns: columns, cells: [], arena: [], nextToken: nextToken)
    for row in rows {
        for column in columns {
            let value: [UInt8]?
            switch column.name {
            case "time": value = Array(row.timeText.utf8)
            case "measure_name": value = row.measure
            default: value = row.values[column.name].map { Array($0.utf8) } ?? row.dimensions[Array(column.name.utf8)]
            }
            page.append(value)
        }
    }
    return page
}

extension QueryPage {
    /// Adds a cell.
    mutating func append(_ value: [UInt8]?) {
        guard let value else { return self.cells.append(.null) }
        self.cells.append(Cell(offset: Int32(self.arena.count), count: Int32(value.count)))
        self.arena += value
    }
}

/// As Java's `Double.toString`, which the service uses.
func javaText(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
    let magnitude = abs(value)
    if magnitude == 0 || (magnitude >= 1e-3 && magnitude < 1e7) {
        let text = "\(value)"
        return text.contains(".") ? text : text + ".0"
    }
    // Swift's shortest digits, with the point after the first one.
    let text = "\(magnitude)".lowercased()
    let parts = text.split(separator: "e")
    let pieces = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = String(pieces[0])
    let fraction = pieces.count > 1 ? String(pieces[1]) : ""
    var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.count - 1
    var digits = whole + fraction
    while digits.first == "0" && digits.count > 1 {
        digits.removeFirst()
        exponent -= 1
    }
    while digits.last == "0" && digits.count > 1 { digits.removeLast() }
    let rest = digits.count > 1 ? String(digits.dropFirst()) : "0"
    return "\(value < 0 ? "-" : "")\(digits.prefix(1)).\(rest)E\(exponent)"
}

/// As the service shows a time, by Foundation's calendar.
func timestampText(_ milliseconds: Int64) -> String {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .current
    let seconds = milliseconds >= 0 ? milliseconds / 1_000 : -((999 - milliseconds) / 1_000)
    let date = Date(timeIntervalSince1970: TimeInterval(seconds))
    let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
    func padded(_ value: Int?, _ width: Int) -> String {
        let text = "\(value ?? 0)"
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    return "\(padded(parts.year, 4))-\(padded(parts.month, 2))-\(padded(parts.day, 2)) "
        + "\(padded(parts.hour, 2)):\(padded(parts.minute, 2)):\(padded(parts.second, 2))."
        + padded(Int(milliseconds - seconds * 1_000), 3) + "000000"
}
