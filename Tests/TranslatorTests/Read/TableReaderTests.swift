import Testing
import TimestreamModel

@testable import Translator

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
        let answer = try await read(MemoryTable(rows, behaviour: behaviour), readRequest([self.up]))
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
            .init(special: "up", ["job": "a"], 2, bits: staleBits),
            .init(special: "up", ["job": "a"], 1, bits: staleBits),
            .init(special: "up", ["job": "b"], 3, bits: 0x7FF8_0000_0000_0001),
            .init(special: "down", ["job": "a"], 4, bits: staleBits),
            .init(special: "up", [:], 5, bits: Double.infinity.bitPattern),
            .init("up", ["promx_empty": "1"], 6, 6),
        ])
        let results = try await read(store, readRequest([self.up])).results[0]
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
            .init(special: "promx_unnamed", ["job": "a"], 2, bits: staleBits),
        ])
        let named = try await read(store, readRequest([.init("__name__", .equal, "a b")])).results[0]
        // An escape that our writer would not have made is somebody else's plain name.
        #expect(
            named == [.init(["__name__": "a b", "http.route": "/", "promx_odd": "kept", "time": "noon"], [(1, 1)])]
        )
        let unnamed = try await read(store, readRequest([.init("__name__", .equal, "")])).results[0]
        #expect(unnamed.count == 1)
        #expect(unnamed[0].labels == [.init(name: Array("job".utf8), value: Array("a".utf8))])
        #expect(unnamed[0].samples.map(\.bits) == [(2.0).bitPattern, staleBits])
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
        let reader = TableReader(table: readTable)
        let series = try await read(store, readRequest([self.up]), reader: reader).results[0]
        #expect(
            series == [
                .init(["__name__": "up", "http.route": "/", "zone": "q"], [(4, 4), (5, 5), (6, 6)]),
                .init(["__name__": "up", "zone": "w"], [(7, 7)]),
                .init(["__name__": "up", "zone": "z"], [(1, 1)]),
            ]
        )
        let route = readRequest([self.up, .init("http.route", .equal, "/")])
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
        let reader = TableReader(table: readTable)
        for _ in 0..<3 {
            let results = try await read(store, readRequest([self.up]), reader: reader).results
            #expect(results == [[.init(["__name__": "up", "job": "a"], [(1, 1)])]])
        }
        #expect(store.statements.count == 4)
        #expect(store.statements.filter { $0.contains("promx_metric") }.count == 1)
        // The first special value ever: seen at once, although its column was not known.
        store.add([.init(special: "up", ["job": "a"], 2, bits: staleBits)])
        let results = try await read(store, readRequest([self.up]), reader: reader).results[0]
        #expect(results[0].samples.map(\.bits) == [(1.0).bitPattern, staleBits])
    }

    @Test("a label that no record has decides by its matcher, and appears as soon as a record has it")
    func missingLabel() async throws {
        let store = MemoryTable([.init("up", ["job": "a"], 1, 1)])
        let reader = TableReader(table: readTable)
        let wanted = readRequest([self.up, .init("zone", .equal, "z")])
        #expect(try await read(store, wanted, reader: reader).results == [[]])
        for matcher in [ReadRequestBuilder.Matcher("zone", .notEqual, "z"), .init("zone", .equal, "")] {
            #expect(try await read(store, readRequest([self.up, matcher]), reader: reader).results[0].count == 1)
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
        let reader = TableReader(table: readTable)
        let old = MemoryTable([.init("up", ["job": "a", "zone": "z"], 1, 1)])
        let matchers = readRequest([self.up, .init("zone", .notEqual, "q")])
        _ = try await read(old, matchers, reader: reader)
        let new = MemoryTable([.init("up", ["job": "a"], 1, 1)])
        #expect(try await read(new, matchers, reader: reader).results[0].count == 1)
        #expect(new.statements.count == 2)
    }

    @Test("a table without any record answers nothing")
    func emptyTable() async throws {
        #expect(try await read(MemoryTable(), readRequest([self.up])).results == [[]])
        #expect(try await read(MemoryTable(), readRequest([everySeries])).results == [[]])
        #expect(try await read(MemoryTable(), readRequest([.init("job", .equal, "a")])).results == [[]])
    }

    @Test("several queries are answered in order, empty ones too; one that cannot match costs no call")
    func severalQueries() async throws {
        // A column that is missing would be learned by each of those that are read at once.
        var behaviour = MemoryTable.Behaviour()
        behaviour.extraColumns = ["promx_metric"]
        let rows: [MemoryTable.Row] = [.init("up", ["job": "a"], 1, 1), .init("up", ["job": "b"], 900, 2)]
        let store = MemoryTable(rows, behaviour: behaviour)
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
        #expect(store.statements.count == 3)
        #expect(try await read(store, ReadRequestBuilder()).results.isEmpty)
    }

    @Test("both ends of the range belong to it, to the millisecond")
    func range() async throws {
        let store = MemoryTable((0..<10).map { .init("up", ["job": "a"], Int64($0), Double($0)) })
        let series = try await read(store, readRequest([self.up], 3...6)).results[0]
        #expect(series == [.init(["__name__": "up", "job": "a"], (3...6).map { (Int64($0), Double($0)) })])
    }

    @Test("duplicates are removed, and which value stays does not depend on the order of the rows")
    func duplicates() async throws {
        let rows: [MemoryTable.Row] = [
            .init("up", ["job": "a"], 1, 5), .init("up", ["job": "a"], 1, 5), .init("up", ["job": "a"], 1, 4),
            .init(special: "up", ["job": "a"], 1, bits: staleBits), .init("up", ["job": "a"], 0, 3),
        ]
        for rows in [rows, rows.reversed()] {
            let series = try await read(MemoryTable(rows), readRequest([self.up])).results[0]
            #expect(series == [.init(["__name__": "up", "job": "a"], [(0, 3), (1, 4)])])
        }
    }
}
