import Common
import TimestreamModel

/// A table whose rows are made when a page is asked for, so that it may be larger than memory: series of `instance` and
/// `path`, each with a sample a second.
///
/// Pages mix the series, as the service does.
final class GeneratedTable: TimestreamStore {
    struct Shape: Sendable {
        var instances = 10
        var paths = 10
        /// Of the series of a place, in the order of their labels; from 0 seconds on.
        var samples: @Sendable (_ place: Int) -> Int = { _ in 100 }
        var rowsPerPage = 1_000

        var seriesCount: Int { self.instances * self.paths }
        var sampleCount: Int { (0..<self.seriesCount).reduce(0) { $0 + self.samples($1) } }
    }

    /// The rows that a statement wants: of these series, at these seconds.
    private struct Selection: Sendable {
        var parsed: SQLCondition.Statement
        var series: [(place: Int, seconds: Range<Int>)]
    }

    private struct State {
        var selections: [String: Selection] = [:]
        var calls = 0
        var rowsSent = 0
        var statements: [String] = []
        var inFlight = 0
        var mostInFlight = 0
    }

    let shape: Shape
    private let state = Locked(State())

    init(_ shape: Shape) {
        self.shape = shape
        self.labels = (0..<shape.seriesCount).map { place in
            (Self.digits(place / shape.paths, 6), Self.digits(place % shape.paths, 6))
        }
    }

    var rowsSent: Int { self.state.withLock { $0.rowsSent } }
    var statements: [String] { self.state.withLock { $0.statements } }
    /// How many pages were asked for at once.
    var mostInFlight: Int { self.state.withLock { $0.mostInFlight } }

    /// The value of a sample.
    static func value(place: Int, second: Int) -> Double { Double(place * 31 + second % 97) }

    /// Of each place.
    private let labels: [(instance: [UInt8], path: [UInt8])]

    private static func digits(_ number: Int, _ width: Int) -> [UInt8] {
        var rest = number
        var digits = [UInt8](repeating: 0, count: width)
        for index in digits.indices.reversed() {
            digits[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        return digits
    }

    /// As the service shows a time; made by hand, since Foundation's calendar would take most of a test's time.
    private static func time(_ second: Int) -> [UInt8] {
        let day = second / 86_400
        precondition(day < 31, "the table knows January 1970")
        func two(_ number: Int) -> [UInt8] { Self.digits(number, 2) }
        let colon = UInt8(ascii: ":")
        return Array("1970-01-".utf8) + two(day + 1) + Array(" ".utf8) + two(second / 3_600 % 24) + [colon]
            + two(second / 60 % 60) + [colon] + two(second % 60) + Array(".000000000".utf8)
    }

    func writeRecords(body: FrozenBytes, deadline: ContinuousClock.Instant) async throws(TimestreamError) {}
    func cancelQuery(id: String) async {}

    func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        self.state.withLock { state in
            state.calls += 1
            state.inFlight += 1
            state.mostInFlight = max(state.mostInFlight, state.inFlight)
            if nextToken == nil { state.statements.append(statement) }
        }
        defer { self.state.withLock { $0.inFlight -= 1 } }
        let selection: Selection
        if let known = self.state.withLock({ $0.selections[statement] }) {
            selection = known
        } else {
            selection = try self.select(statement)
            self.state.withLock { $0.selections[statement] = selection }
        }
        return selection.parsed.groups == nil
            ? self.samplePage(selection, start: nextToken.flatMap { Int($0) } ?? 0)
            : self.countPage(selection, start: nextToken.flatMap { Int($0) } ?? 0)
    }

    private func select(_ statement: String) throws(TimestreamError) -> Selection {
        let parsed = try SQLParser.parse(statement)
        // The only range there is.
        let bounds = statement.split(separator: "from_milliseconds(").dropFirst().compactMap { part in
            Int(part.prefix { $0 != ")" })
        }
        let start = max(0, (bounds[0] + 999) / 1_000)
        var selection = Selection(parsed: parsed, series: [])
        for place in 0..<self.shape.seriesCount {
            let end = min(self.shape.samples(place), bounds[1] / 1_000 + 1)
            guard start < end else { continue }
            let labels = self.labels[place]
            let isWanted = try parsed.condition.evaluate(time: Int64(bounds[0])) {
                column throws(TimestreamError) -> [UInt8]? in
                switch String(decoding: column, as: UTF8.self) {
                case "measure_name": return Array("requests".utf8)
                case "instance": return labels.instance
                case "path": return labels.path
                case "measure_value::double": return Array("0".utf8)
                default:
                    let name = String(decoding: column, as: UTF8.self)
                    throw TimestreamError(.validation, message: "line 1:1: Column '\(name)' does not exist")
                }
            }
            if isWanted == true { selection.series.append((place, start..<end)) }
        }
        return selection
    }

    private func samplePage(_ selection: Selection, start: Int) -> QueryPage {
        let columns = [
            QueryPage.Column(name: "path", scalarType: "VARCHAR"), .init(name: "measure_name", scalarType: "VARCHAR"),
            .init(name: "measure_value::double", scalarType: "DOUBLE"), .init(name: "time", scalarType: "TIMESTAMP"),
            .init(name: "instance", scalarType: "VARCHAR"),
        ]
        var page = QueryPage(queryID: "Q", columns: columns, cells: [], arena: [], nextToken: nil)
        func append(_ text: [UInt8]) -> QueryPage.Cell {
            let offset = page.arena.count
            page.arena += text
            return .init(offset: Int32(offset), count: Int32(page.arena.count - offset))
        }
        // Row numbers go through the seconds first, and through the series at each of them.
        let longest = selection.series.map(\.seconds.count).max() ?? 0
        let width = selection.series.count
        var row = start
        var sent = 0
        let metric = append(Array("requests".utf8))
        var second = -1
        var time = QueryPage.Cell.null
        while row < longest * width, sent < self.shape.rowsPerPage {
            let (offset, index) = row.quotientAndRemainder(dividingBy: width)
            row += 1
            let series = selection.series[index]
            guard offset < series.seconds.count else { continue }
            let now = series.seconds.lowerBound + offset
            if now != second {
                second = now
                time = append(Self.time(now))
            }
            let labels = self.labels[series.place]
            page.cells += [
                append(labels.path), metric, append(Array("\(Self.value(place: series.place, second: now))".utf8)),
                time,
                append(labels.instance),
            ]
            sent += 1
        }
        if row < longest * width { page.nextToken = "\(row)" }
        self.state.withLock { $0.rowsSent += sent }
        return page
    }

    private func countPage(_ selection: Selection, start: Int) -> QueryPage {
        let columns = [
            QueryPage.Column(name: "measure_name", scalarType: "VARCHAR"),
            .init(name: "instance", scalarType: "VARCHAR"), .init(name: "path", scalarType: "VARCHAR"),
            .init(name: "promx_rows", scalarType: "BIGINT"),
        ]
        var page = QueryPage(queryID: "Q", columns: columns, cells: [], arena: [], nextToken: nil)
        let end = min(start + self.shape.rowsPerPage, selection.series.count)
        for series in selection.series[start..<end].reversed() {
            let labels = self.labels[series.place]
            for text in [Array("requests".utf8), labels.instance, labels.path, Array("\(series.seconds.count)".utf8)] {
                page.append(text)
            }
        }
        if end < selection.series.count { page.nextToken = "\(end)" }
        return page
    }
}
