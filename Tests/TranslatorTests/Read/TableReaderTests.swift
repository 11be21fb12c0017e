import Synchronization
import Testing
import TimestreamModel

@testable import Translator

private let stale: UInt64 = 0x7FF0_0000_0000_0002
private let table = TableName(database: "db", table: "tbl")
private let unlimited = ReadLimits(maxSamples: .max, maxSeries: .max)

private func read(
    _ store: MemoryTable,
    _ request: ReadRequestBuilder,
    reader: TableReader = TableReader(table: table),
    limits: ReadLimits = unlimited,
    deadline: ContinuousClock.Instant = .now + .seconds(60)
) async throws(ReadError) -> (results: [[DecodedResponse.Series]], sampleCount: Int) {
    let answer = try await reader.read(request.block, from: store, limits: limits, deadline: deadline)
    do {
        return (try DecodedResponse(block: answer.body).results, answer.sampleCount)
    } catch {
        preconditionFailure("the answer is no snappy block: \(error)")
    }
}

private func request(
    _ matchers: [ReadRequestBuilder.Matcher],
    _ range: ClosedRange<Int64> = 0...1_000_000
) -> ReadRequestBuilder {
    var builder = ReadRequestBuilder()
    builder.query(range, matchers)
    return builder
}

@Suite("Rows of a table become series")
struct TableReaderTests {
    private let up = ReadRequestBuilder.Matcher("__name__", .equal, "up")

    @Test("a series is found across pages, with its labels and samples in order", arguments: [1, 2, 3, 1_000])
    func pages(rowsPerPage: Int) async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = rowsPerPage
        behaviour.startsWithEmptyPage = true
        let rows = (0..<20).flatMap { time in
            [
                MemoryTable.Row("up", ["job": "b", "zone": "z"], Int64(time), Double(time)),
                MemoryTable.Row("up", ["job": "a", "Zed": "y"], Int64(time), Double(-time)),
                MemoryTable.Row("down", ["job": "a"], Int64(time), 0),
            ]
        }
        let answer = try await read(MemoryTable(rows, behaviour: behaviour), request([self.up]))
        #expect(answer.sampleCount == 40)
        let falling: [(Int64, Double)] = (0..<20).map { (Int64($0), Double(-$0)) }
        let rising: [(Int64, Double)] = (0..<20).map { (Int64($0), Double($0)) }
        let expected: [DecodedResponse.Series] = [
            .init(["Zed": "y", "__name__": "up", "job": "a"], falling),
            .init(["__name__": "up", "job": "b", "zone": "z"], rising),
        ]
        #expect(answer.results == [expected])
    }

    @Test("special values join their series, and a number wins at the same time")
    func specials() async throws {
        let store = MemoryTable([
            .init("up", ["job": "a"], 1, 1),
            .init(special: "up", ["job": "a"], 2, bits: stale),
            .init(special: "up", ["job": "a"], 1, bits: stale),
            .init(special: "up", ["job": "b"], 3, bits: 0x7FF8_0000_0000_0001),
            .init(special: "down", ["job": "a"], 4, bits: stale),
            .init(special: "up", [:], 5, bits: Double.infinity.bitPattern),
            .init("up", ["promx_empty": "1"], 6, 6),
        ])
        let results = try await read(store, request([self.up])).results[0]
        let series = results.map { $0.samples.map { "\($0.time):\(String($0.bits, radix: 16))" } }
        #expect(
            series == [
                ["5:7ff0000000000000", "6:4018000000000000"],
                ["1:3ff0000000000000", "2:7ff0000000000002"],
                ["3:7ff8000000000001"],
            ]
        )
        #expect(
            results[0]
                == .init(
                    labels: [.init(name: Array("__name__".utf8), value: Array("up".utf8))],
                    samples: results[0].samples
                )
        )
    }

    @Test("names come back from their escapes, and series without a name have none")
    func escapes() async throws {
        let store = MemoryTable([
            .init("promx_a_20b", ["promx_http_2Eroute": "/", "promx_time": "noon", "promx_odd": "kept"], 1, 1),
            .init("promx_unnamed", ["job": "a"], 1, 2),
            .init(special: "promx_unnamed", ["job": "a"], 2, bits: stale),
        ])
        let named = try await read(store, request([.init("__name__", .equal, "a b")])).results[0]
        // An escape that our writer would not have made is somebody else's plain name.
        #expect(
            named == [.init(["__name__": "a b", "http.route": "/", "promx_odd": "kept", "time": "noon"], [(1, 1)])]
        )
        let unnamed = try await read(store, request([.init("__name__", .equal, "")])).results[0]
        #expect(unnamed.count == 1)
        #expect(unnamed[0].labels == [.init(name: Array("job".utf8), value: Array("a".utf8))])
        #expect(unnamed[0].samples.map(\.bits) == [(2.0).bitPattern, stale])
    }

    @Test("rows of other writers: empty values, other types, a column named as a label of ours")
    func foreignRows() async throws {
        var empty = MemoryTable.Row("up", ["job": "", "zone": "z"], 1, 1)
        empty.timeText = "1970-01-01 00:00:00.001999999"
        var text = MemoryTable.Row("up", ["job": "a"], 2, 0)
        text.values = ["measure_value::varchar": "text"]
        let integer = MemoryTable.Row(
            dimensions: [Array("job".utf8): Array("a".utf8)],
            measure: Array("up".utf8),
            timeMilliseconds: 3,
            values: ["measure_value::bigint": "7"]
        )
        let raw = MemoryTable.Row("up", ["http.route": "/", "zone": "q"], 4, 4)
        let ours = MemoryTable.Row("up", ["promx_http_2Eroute": "/", "zone": "q"], 5, 5)
        let both = MemoryTable.Row("up", ["promx_http_2Eroute": "/", "http.route": "?", "zone": "q"], 6, 6)
        let named = MemoryTable.Row("up", ["__name__": "down", "promx_": "x", "zone": "w"], 7, 7)
        let store = MemoryTable([empty, text, integer, raw, ours, both, named])
        let reader = TableReader(table: table)
        let series = try await read(store, request([self.up]), reader: reader).results[0]
        #expect(
            series == [
                .init(["__name__": "up", "http.route": "/", "zone": "q"], [(4, 4), (5, 5), (6, 6)]),
                .init(["__name__": "up", "zone": "w"], [(7, 7)]),
                .init(["__name__": "up", "zone": "z"], [(1, 1)]),
            ]
        )
        let route = request([self.up, .init("http.route", .equal, "/")])
        #expect(try await read(store, route, reader: reader).results[0] == Array(series.prefix(1)))
        // A reader that knows no column yet asks for ours alone, sees the other one in the answer, and asks again; before
        // that, it learns that there are no special values.
        let other = MemoryTable(store.rows)
        #expect(try await read(other, route).results[0] == Array(series.prefix(1)))
        #expect(other.statements.count == 3)
    }

    @Test("a table that never had a special value is asked again without its column, once")
    func noSpecials() async throws {
        let store = MemoryTable([.init("up", ["job": "a"], 1, 1)])
        let reader = TableReader(table: table)
        for _ in 0..<3 {
            let results = try await read(store, request([self.up]), reader: reader).results
            #expect(results == [[.init(["__name__": "up", "job": "a"], [(1, 1)])]])
        }
        #expect(store.statements.count == 4)
        #expect(store.statements.filter { $0.contains("promx_metric") }.count == 1)
        // The first special value ever: seen at once, although its column was not known.
        store.add([.init(special: "up", ["job": "a"], 2, bits: stale)])
        let results = try await read(store, request([self.up]), reader: reader).results[0]
        #expect(results[0].samples.map(\.bits) == [(1.0).bitPattern, stale])
    }

    @Test("a label that no record has decides by its matcher, and appears as soon as a record has it")
    func missingLabel() async throws {
        let store = MemoryTable([.init("up", ["job": "a"], 1, 1)])
        let reader = TableReader(table: table)
        let wanted = request([self.up, .init("zone", .equal, "z")])
        #expect(try await read(store, wanted, reader: reader).results == [[]])
        for matcher in [ReadRequestBuilder.Matcher("zone", .notEqual, "z"), .init("zone", .equal, "")] {
            #expect(try await read(store, request([self.up, matcher]), reader: reader).results[0].count == 1)
        }
        #expect(try await read(store, wanted, reader: reader).results == [[]])
        store.add([.init("up", ["job": "a", "zone": "z"], 2, 2)])
        #expect(
            try await read(store, wanted, reader: reader).results
                == [[.init(["__name__": "up", "job": "a", "zone": "z"], [(2, 2)])]]
        )
    }

    @Test("a column that was known and is gone is not asked for again")
    func columnGone() async throws {
        let reader = TableReader(table: table)
        let old = MemoryTable([.init("up", ["job": "a", "zone": "z"], 1, 1)])
        let matchers = request([self.up, .init("zone", .notEqual, "q")])
        _ = try await read(old, matchers, reader: reader)
        let new = MemoryTable([.init("up", ["job": "a"], 1, 1)])
        #expect(try await read(new, matchers, reader: reader).results[0].count == 1)
        #expect(new.statements.count == 2)
    }

    @Test("a table without any record answers nothing")
    func emptyTable() async throws {
        #expect(try await read(MemoryTable(), request([self.up])).results == [[]])
        #expect(try await read(MemoryTable(), request([])).results == [[]])
        #expect(try await read(MemoryTable(), request([.init("job", .equal, "a")])).results == [[]])
    }

    @Test("several queries are answered in order, empty ones too; one that cannot match costs no call")
    func severalQueries() async throws {
        let store = MemoryTable([.init("up", ["job": "a"], 1, 1), .init("up", ["job": "b"], 900, 2)])
        var builder = ReadRequestBuilder()
        builder.query(500...1_000, [self.up])
        builder.query(from: 5, to: 4, [self.up])
        builder.query(0...1_000, [self.up], hints: 2_000...3_000)
        builder.query(0...1_000, [self.up, .init("job", .equal, "a")])
        builder.query(0...1_000, [self.up], hints: 0...1)
        builder.query(0...1_000, [self.up, .init(String(repeating: "x", count: 61), .equal, "a")])
        let answer = try await read(store, builder)
        #expect(answer.results.map(\.count) == [1, 0, 0, 1, 1, 0])
        #expect(answer.sampleCount == 3)
        #expect(store.statements.count == 4)
        #expect(try await read(store, ReadRequestBuilder()).results.isEmpty)
    }

    @Test("both ends of the range belong to it, to the millisecond")
    func range() async throws {
        let store = MemoryTable((0..<10).map { .init("up", ["job": "a"], Int64($0), Double($0)) })
        let series = try await read(store, request([self.up], 3...6)).results[0]
        #expect(series == [.init(["__name__": "up", "job": "a"], (3...6).map { (Int64($0), Double($0)) })])
    }

    @Test("duplicates are removed, and which value stays does not depend on the order of the rows")
    func duplicates() async throws {
        let rows: [MemoryTable.Row] = [
            .init("up", ["job": "a"], 1, 5), .init("up", ["job": "a"], 1, 5), .init("up", ["job": "a"], 1, 4),
            .init(special: "up", ["job": "a"], 1, bits: stale), .init("up", ["job": "a"], 0, 3),
        ]
        for rows in [rows, rows.reversed()] {
            let series = try await read(MemoryTable(rows), request([self.up])).results[0]
            #expect(series == [.init(["__name__": "up", "job": "a"], [(0, 3), (1, 4)])])
        }
    }
}

@Suite("Reads end at their limits, and faults of the store are told apart")
struct TableReaderFaultTests {
    private let up = ReadRequestBuilder.Matcher("__name__", .equal, "up")

    private func failure(
        _ store: MemoryTable,
        _ request: ReadRequestBuilder,
        limits: ReadLimits = unlimited,
        deadline: ContinuousClock.Instant = .now + .seconds(60)
    ) async -> ReadError? {
        do throws(ReadError) {
            _ = try await read(store, request, limits: limits, deadline: deadline)
            return nil
        } catch {
            return error
        }
    }

    @Test("limits on samples and series hold over all queries, name themselves, and stop the query upstream")
    func limits() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = 5
        let rows = (0..<30).map { MemoryTable.Row("up", ["job": "\($0 % 6)"], Int64($0), 1) }
        let store = MemoryTable(rows, behaviour: behaviour)
        #expect(await self.failure(store, request([self.up]), limits: .init(maxSamples: 30, maxSeries: 6)) == nil)
        let samples = await self.failure(store, request([self.up]), limits: .init(maxSamples: 24, maxSeries: 6))
        guard case .tooManySamples(24) = samples else {
            Issue.record("another outcome: \(samples?.description ?? "none")")
            return
        }
        #expect(samples?.description.contains("max_samples_per_read") == true)
        #expect(await store.firstCancellation() != nil)
        let series = await self.failure(store, request([self.up]), limits: .init(maxSamples: 30, maxSeries: 5))
        guard case .tooManySeries(5) = series else {
            Issue.record("another outcome: \(series?.description ?? "none")")
            return
        }
        #expect(series?.description.contains("max_series_per_read") == true)
        var twice = ReadRequestBuilder()
        twice.query(0...100, [self.up])
        twice.query(0...100, [self.up])
        guard case .tooManySamples = await self.failure(store, twice, limits: .init(maxSamples: 59, maxSeries: 99))
        else {
            Issue.record("the limit holds for each query alone")
            return
        }
    }

    @Test("rows that no matcher wants are not charged, however many they are")
    func unwantedRows() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.ignoresConditions = true
        let rows = (0..<5_000).map { MemoryTable.Row($0 % 1_000 == 0 ? "up" : "m\($0)", ["n": "\($0)"], 1, 1) }
        let answer = try await read(
            MemoryTable(rows, behaviour: behaviour),
            request([self.up]),
            limits: .init(maxSamples: 5, maxSeries: 5)
        )
        #expect(answer.results[0].count == 5)
    }

    @Test(
        "a statement that is refused for its patterns is sent once more without them",
        arguments: [TimestreamError.Code.validation, .queryExecution]
    )
    func refusedPattern(code: TimestreamError.Code) async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.refuse = { statement, _ in
            statement.contains("LIKE") ? TimestreamError(code, message: "line 1:9: bad pattern", status: 400) : nil
        }
        let store = MemoryTable(
            [.init("up", ["job": "node1"], 1, 1), .init("up", ["job": "other"], 1, 1)],
            behaviour: behaviour
        )
        let results = try await read(store, request([self.up, .init("job", .regex, "node.*")])).results
        #expect(results == [[.init(["__name__": "up", "job": "node1"], [(1, 1)])]])
        #expect(store.statements.filter { $0.contains("LIKE") }.count == 1)
    }

    @Test("a failure in the middle of the pages starts over, and no sample is counted twice")
    func restart() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = 4
        behaviour.extraColumns = ["promx_metric"]
        behaviour.refuse = { statement, call in
            statement.contains("LIKE") && call >= 3 ? TimestreamError(.queryExecution, message: "resources") : nil
        }
        let rows = (0..<10).map { MemoryTable.Row("up", ["job": "node"], Int64($0), 1) }
        let store = MemoryTable(rows, behaviour: behaviour)
        let answer = try await read(
            store,
            request([self.up, .init("job", .regex, "node.*")]),
            limits: .init(maxSamples: 10, maxSeries: 1)
        )
        #expect(answer.sampleCount == 10)
        #expect(store.statements.count == 2)
    }

    @Test("faults that are not about the statement are passed on, each tried once")
    func faults() async throws {
        for code in TimestreamError.Code.allCases where code != .validation && code != .queryExecution {
            var behaviour = MemoryTable.Behaviour()
            behaviour.refuse = { _, _ in TimestreamError(code, message: "secret words") }
            let store = MemoryTable(behaviour: behaviour)
            let error = await self.failure(store, request([self.up, .init("job", .regex, "a.*")]))
            guard case .store(let failure) = error else {
                Issue.record("another outcome: \(error?.description ?? "none")")
                continue
            }
            #expect(failure.code == code)
            #expect(error?.description.contains("secret") == false)
            #expect(store.statements.count == 1)
        }
    }

    @Test("a statement that is refused without patterns is a fault of the store")
    func refusedStatement() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.refuse = { _, _ in TimestreamError(.validation, message: "line 1:1: no", status: 400) }
        let store = MemoryTable(behaviour: behaviour)
        guard case .store(let failure) = await self.failure(store, request([self.up])) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.code == .validation)
        #expect(store.statements.count == 1)
    }

    @Test(
        "a missing table or database is an operator's fault",
        arguments: [
            "The table 'tbl' does not exist in database 'db' at line 1:1",
            "Requested database 'db' not found for identifier 'db.tbl' at line 1:36",
        ]
    )
    func missingTable(message: String) async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.refuse = { _, _ in TimestreamError(.validation, message: message, status: 400) }
        let error = await self.failure(MemoryTable(behaviour: behaviour), request([self.up]))
        guard case .store(let failure) = error else {
            Issue.record("another outcome: \(error?.description ?? "none")")
            return
        }
        #expect(failure.isOperatorFault)
    }

    @Test("a store that calls every column missing, or names none of ours, does not keep the reader busy")
    func contradiction() async throws {
        for column in ["job", "JOB", "nonsense", "promx_metric"] {
            var behaviour = MemoryTable.Behaviour()
            behaviour.refuse = { _, _ in
                TimestreamError(.validation, message: "line 1:7: Column '\(column)' does not exist", status: 400)
            }
            let store = MemoryTable(behaviour: behaviour)
            _ = await self.failure(store, request([self.up, .init("job", .equal, "a")]))
            #expect(store.statements.count <= 3)
        }
    }

    @Test("past the deadline nothing more is asked for")
    func deadline() async throws {
        let store = MemoryTable([.init("up", ["job": "a"], 1, 1)])
        let error = await self.failure(store, request([self.up]), deadline: .now - .seconds(1))
        guard case .store(let failure) = error else {
            Issue.record("another outcome: \(error?.description ?? "none")")
            return
        }
        #expect(failure.code == .timedOut)
        #expect(store.statements.isEmpty)
    }

    @Test("a reader that is gone stops the query upstream")
    func cancellation() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = 1
        behaviour.extraColumns = ["promx_metric"]
        // The reader goes after the first page.
        behaviour.refuse = { _, call in
            if call == 2 { withUnsafeCurrentTask { unsafe $0?.cancel() } }
            return call == 2 ? TimestreamError(.cancelled, message: "cancelled") : nil
        }
        let store = MemoryTable((0..<5).map { .init("up", ["job": "a"], $0, 1) }, behaviour: behaviour)
        let matcher = self.up
        let task = Task {
            do throws(ReadError) {
                _ = try await read(store, request([matcher]))
                return TimestreamError.Code?.none
            } catch {
                guard case .store(let failure) = error else { return nil }
                return failure.code
            }
        }
        #expect(await task.value == .cancelled)
        #expect(await store.firstCancellation() == "Q1")
    }

    @Test(
        "bodies that are no requests are refused before any call",
        arguments: [
            [], [0], [0xFF], [0x05, 0x00, 0x61], [0xFF, 0x06, 0x00, 0x00, 0x73, 0x4E, 0x61, 0x50, 0x70, 0x59],
        ]
            as [[UInt8]]
    )
    func badBodies(body: [UInt8]) async throws {
        let store = MemoryTable()
        let reader = TableReader(table: table)
        do throws(ReadError) {
            let answer = try await reader.read(body, from: store, limits: unlimited, deadline: .now + .seconds(60))
            // One zero byte is an empty message in snappy: a request without queries.
            #expect(body == [0])
            #expect(answer.sampleCount == 0)
        } catch {
            guard case .malformedBody = error else {
                Issue.record("another error: \(error)")
                return
            }
            #expect(body != [0])
        }
        #expect(store.statements.isEmpty)
    }

    @Test("a body that declares more than a request can need is refused before it is decoded")
    func largeBody() async throws {
        var builder = ReadRequestBuilder()
        builder.query(0...1, [.init("job", .equal, String(repeating: "x", count: 1 << 20))])
        guard case .malformedBody(.decodedTooLarge) = await self.failure(MemoryTable(), builder) else {
            Issue.record("not refused")
            return
        }
    }

    @Test("a client that takes streamed chunks alone is refused")
    func responseTypes() async throws {
        var builder = ReadRequestBuilder()
        builder.accept(packed: [1])
        guard case .unsupportedResponseTypes = await self.failure(MemoryTable(), builder) else {
            Issue.record("not refused")
            return
        }
        builder.accept(0)
        #expect(await self.failure(MemoryTable(), builder) == nil)
    }
}

@Suite("Pages that are no answer to a statement are refused, not believed")
struct MalformedPageTests {
    private let columns = [
        QueryPage.Column(name: "time", scalarType: "TIMESTAMP"),
        QueryPage.Column(name: "measure_name", scalarType: "VARCHAR"),
        QueryPage.Column(name: "measure_value::double", scalarType: "DOUBLE"),
    ]

    private func collect(_ page: QueryPage) throws(ReadError) -> Int {
        var collector = SeriesCollector(matchers: [], limits: unlimited)
        var budget = ReadBudget(limits: unlimited)
        try collector.add(page, budget: &budget)
        return collector.finish().sampleCount
    }

    @Test("a page without rows may lack every column")
    func empty() throws {
        let page = QueryPage(queryID: "Q", columns: [], cells: [], arena: [], nextToken: nil)
        #expect(try self.collect(page) == 0)
    }

    @Test("rows need a time and a measure name, and cells must lie within the page")
    func malformed() throws {
        let good = makePage([.init("up", [:], 5, 1)], columns: self.columns)
        #expect(try self.collect(good) == 1)
        var pages: [QueryPage] = []
        for missing in ["time", "measure_name"] {
            pages.append(makePage([.init("up", [:], 5, 1)], columns: self.columns.filter { $0.name != missing }))
        }
        var odd = good
        odd.cells.removeLast()
        pages.append(odd)
        for index in good.cells.indices {
            for cell in [
                QueryPage.Cell(offset: -1, count: 2), .init(offset: .max, count: .max), .init(offset: 0, count: 1_000),
            ] {
                var page = good
                page.cells[index] = cell
                pages.append(page)
            }
        }
        var noTime = good
        noTime.cells[0] = .null
        pages.append(noTime)
        var wrongTime = good
        wrongTime.arena[0] = UInt8(ascii: "x")
        pages.append(wrongTime)
        for page in pages {
            let error = #expect(throws: ReadError.self) { try self.collect(page) }
            guard case .store(let failure) = error else { continue }
            #expect(failure.code == .malformedResponse)
        }
    }
}
