import Common
import Testing
import TimestreamModel

@testable import Translator

private let requests = ReadRequestBuilder.Matcher("__name__", .equal, "requests")
private let up = ReadRequestBuilder.Matcher("__name__", .equal, "up")

private func streamRequest(
    _ matchers: [ReadRequestBuilder.Matcher],
    _ range: ClosedRange<Int64> = 0...2_000_000_000,
    function: String? = nil
) -> ReadRequestBuilder {
    var builder = ReadRequestBuilder()
    builder.query(range, matchers, function: function)
    builder.accept(packed: [1, 0])
    return builder
}

@Suite("A streamed answer is read by runs, in the order of labels")
struct StreamedReadTests {
    /// Checks the answer against what the table was made of, and returns the largest memory that was asked for.
    private func check(_ store: GeneratedTable, samplesPerRun: Int) async throws -> Int {
        let asked = Locked(0)
        let reader = TableReader(table: readTable, samplesPerRun: samplesPerRun)
        let frames = try await readStream(store, streamRequest([requests]), reader: reader) { asked.addBytes($0) }
        let shape = store.shape
        #expect(frames.sampleCount == shape.sampleCount)
        let expected = (0..<shape.seriesCount).filter { shape.samples($0) > 0 }
        #expect(frames.frames.count == expected.count, "one frame for each series")
        for (frame, place) in zip(frames.frames, expected) {
            let samples = frame.chunks.flatMap(\.samples)
            let isRight =
                samples.count == shape.samples(place)
                && samples.enumerated().allSatisfy { second, sample in
                    sample.time == Int64(second) * 1_000
                        && sample.bits == GeneratedTable.value(place: place, second: second).bitPattern
                }
            #expect(isRight, "the series of place \(place)")
        }
        #expect(store.mostInFlight <= 2, "one page ahead, no more")
        return asked.withLock(\.self)
    }

    @Test("a result that fits into one run costs one statement")
    func small() async throws {
        let store = GeneratedTable(.init())
        _ = try await self.check(store, samplesPerRun: 10_000)
        // The first one names a column for special values, which this table has not.
        #expect(store.statements.count == 2)
        #expect(store.rowsSent == 10_000)
    }

    @Test("a larger one is listed, and each of its rows is read about once")
    func runs() async throws {
        for samplesPerRun in [150, 1_000, 4_321, 9_999] {
            let store = GeneratedTable(.init())
            _ = try await self.check(store, samplesPerRun: samplesPerRun)
            #expect(store.statements.filter { $0.contains("GROUP BY") }.count == 1)
            let runs = store.statements.filter { $0.contains("\"instance\" ") && !$0.contains("GROUP BY") }
            #expect(runs.count >= 10_000 / samplesPerRun)
            // What was read before it was seen to be too much, the rows, and at most two runs' worth of neighbours a run.
            #expect(store.rowsSent <= samplesPerRun + 1_000 + 10_000 + runs.count * 2_000)
        }
    }

    @Test("a series that is longer than a run is read by slices of time, and stays one frame")
    func slices() async throws {
        var shape = GeneratedTable.Shape(instances: 1, paths: 4)
        // All samples of the second are in the first tenth of the range that is asked for.
        shape.samples = { [50, 5_000, 0, 120][$0] }
        let store = GeneratedTable(shape)
        _ = try await self.check(store, samplesPerRun: 300)
        #expect(store.statements.count > 20)
    }

    @Test("times between milliseconds are not lost between slices")
    func betweenMilliseconds() async throws {
        var rows: [MemoryTable.Row] = []
        for time in 0..<40 {
            var row = MemoryTable.Row("up", ["job": "a"], Int64(time), Double(time))
            row.timeText = timestampText(Int64(time)).dropLast(6) + "999999"
            row.hasFraction = true
            rows.append(row)
        }
        let reader = TableReader(table: readTable, samplesPerRun: 3)
        let frames = try await readStream(MemoryTable(rows), streamRequest([up], 0...60), reader: reader)
        #expect(frames.results(queries: 1)[0].map(\.samples.count) == [40])
    }

    /// Five million samples at most where there is an optimizer; else as many as a test may take, with smaller runs.
    #if DEBUG
        private static let scale = 1
    #else
        private static let scale = 100
    #endif

    @Test("memory does not grow with the result, but for the frame of its longest series")
    func boundedMemory() async throws {
        let scale = Self.scale
        let run = 500 * scale
        var peaks: [Int] = []
        for factor in [1, 4] {
            var shape = GeneratedTable.Shape(instances: 20, paths: 25)
            // One series is longer than a run by itself.
            shape.samples = { ($0 == 123 ? 2_520 : 20) * scale * factor }
            shape.rowsPerPage = 100 * scale
            #expect(shape.sampleCount == 12_500 * scale * factor)
            peaks.append(try await self.check(GeneratedTable(shape), samplesPerRun: run))
        }
        // A slice may hold two runs' samples, of 24 bytes; a page's row has less than 100, and there are two pages.
        let runBytes = 2 * run * 24 + 2 * 100 * scale * 100
        let listBytes = 500 * 1_000
        // Less than 4 bytes a sample, in an array that has grown by doubling.
        func frameBytes(_ factor: Int) -> Int { 2 * 2_520 * scale * factor * 4 }
        #expect(peaks[0] < runBytes + listBytes + frameBytes(1))
        #expect(peaks[1] < runBytes + listBytes + frameBytes(4))
        #expect(peaks[1] - peaks[0] < frameBytes(4))
    }

    @Test("several queries are answered in order, each frame with its query's index")
    func severalQueries() async throws {
        let rows = (0..<100).map { MemoryTable.Row($0 % 2 == 0 ? "up" : "down", ["job": "\($0 % 5)"], Int64($0), 1) }
        let store = MemoryTable(rows)
        var builder = ReadRequestBuilder()
        builder.query(0...99, [.init("__name__", .equal, "nothing")])
        builder.query(0...99, [up])
        builder.query(from: 5, to: 4, [up])
        builder.query(0...49, [everySeries])
        builder.query(0...9, [.init("job", .equal, "3")], function: "series")
        builder.accept(1)
        for samplesPerRun in [1, 7, 1_000] {
            let reader = TableReader(table: readTable, samplesPerRun: samplesPerRun)
            let results = try await readStream(store, builder, reader: reader).results(queries: 5)
            #expect(results.map(\.count) == [0, 5, 0, 10, 2])
            #expect(results.map { $0.reduce(0) { $0 + $1.samples.count } } == [0, 50, 0, 50, 0])
        }
    }

    @Test("an empty result is an empty body")
    func empty() async throws {
        for request in [
            streamRequest([up]), streamRequest([up], function: "series"), streamRequest([everySeries], 5...6),
        ] {
            for store in [MemoryTable(), MemoryTable([.init("down", ["job": "a"], 1, 1)])] {
                let sink = FakeSink()
                #expect(try await readStream(store, request, sink: sink).frames.isEmpty)
                #expect(sink.bytes.isEmpty)
            }
        }
    }

    @Test("special values, escapes and rows of other writers: the same series as in SAMPLES", arguments: [1, 2, 1_000])
    func oddRows(samplesPerRun: Int) async throws {
        var text = MemoryTable.Row("up", ["job": "t"], 2, 0)
        text.values = ["measure_value::varchar": "text"]
        let integer = MemoryTable.Row(
            dimensions: [Array("job".utf8): Array("i".utf8)],
            measure: Array("up".utf8),
            timeMilliseconds: 3,
            values: ["measure_value::bigint": "7"]
        )
        let store = MemoryTable([
            .init("up", ["job": "a"], 1, 1), .init(special: "up", ["job": "a"], 2, bits: staleBits),
            .init(special: "up", ["job": "a"], 1, bits: staleBits), .init("up", ["job": "a", "zone": ""], 4, -0.0),
            .init(special: "up", ["job": "b"], 3, bits: 0x7FF8_0000_0000_0001), text, integer,
            .init("up", ["promx_http_2Eroute": "/"], 5, 5), .init("up", ["http.route": "/"], 6, 6),
            .init("up", ["promx_http_2Eroute": "/", "http.route": "?"], 7, 7), .init("up", ["promx_empty": "1"], 8, 8),
            .init("up", ["promx_rows": "x", "promx_bytes": "y"], 9, 9), .init("promx_unnamed", ["job": "a"], 10, 10),
        ])
        for matchers in [[up], [everySeries], [.init("http.route", .equal, "/")], [.init("job", .notEqual, "")]] {
            let expected = try await read(store, readRequest(matchers)).results
            let reader = TableReader(table: readTable, samplesPerRun: samplesPerRun)
            let frames = try await readStream(store, streamRequest(matchers, 0...1_000_000), reader: reader)
            #expect(frames.results(queries: 1) == expected)
            // Series alone: the same ones, by both response types.
            var request = ReadRequestBuilder()
            request.query(0...1_000_000, matchers, function: "series")
            let listed = try await read(store, request).results
            #expect(listed[0].map(\.labels) == expected[0].map(\.labels))
            #expect(listed[0].allSatisfy { $0.samples.isEmpty })
            request.accept(1)
            #expect(try await readStream(store, request, reader: reader).results(queries: 1) == listed)
        }
    }

    @Test("series are listed without reading their samples, by columns that are looked up each time")
    func seriesOnly() async throws {
        let rows = (0..<1_000).map { MemoryTable.Row("up", ["job": "\($0 % 3)"], Int64($0), 1) }
        let store = MemoryTable(rows)
        let reader = TableReader(table: readTable)
        let request = streamRequest([up], function: "series")
        #expect(try await readStream(store, request, reader: reader).frames.count == 3)
        #expect(store.statements.allSatisfy { $0.hasSuffix("LIMIT 1") || $0.contains("GROUP BY") })
        store.add([.init("up", ["job": "0", "zone": "z"], 5, 5)])
        let frames = try await readStream(store, request, reader: reader).frames
        #expect(frames.map(\.labels.count) == [2, 3, 2, 2])
        #expect(frames.allSatisfy { $0.chunks.isEmpty })
    }
}
