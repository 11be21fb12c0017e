import Common
import TestSupport
import Testing
import TimestreamModel

@testable import Translator

private let latency = ReadRequestBuilder.Matcher("__name__", .equal, "latency")
private let firstMeasure = Array("promx_histogram".utf8)

@Suite("Native histograms are read back whole or not at all")
struct HistogramReadTests {
    /// A float histogram with so many buckets: eight bytes each.
    private static func histogram(_ buckets: Int, time: Int64, value: Double = 1.25) -> TestHistogram {
        var histogram = TestHistogram()
        histogram.count = .float(Double(buckets).bitPattern)
        histogram.sum = value.bitPattern
        histogram.positive.spans = [.init(offset: 1, length: UInt32(buckets))]
        histogram.positive.counts = (0..<buckets).map { (value + Double($0)).bitPattern }
        histogram.timestamp = time
        return histogram
    }

    private typealias Written = (labels: [String: String], samples: [(Double, Int64)], histograms: [TestHistogram])

    /// The rows that the product writes for these series.
    private static func rows(_ series: [Written]) async throws -> [MemoryTable.Row] {
        var request = WriteRequestBuilder()
        for (labels, samples, histograms) in series {
            request.series(
                labels: labels.map { (Array($0.key.utf8), Array($0.value.utf8)) },
                samples: samples.map { ($0.0.bitPattern, $0.1) },
                extra: histograms.map { (4, $0.message) }
            )
        }
        let options = WriteOptions(
            table: readTable,
            dropsSpecialValues: false,
            dropsLongNames: false,
            maxLabelsPerSeries: 64
        )
        let store = MemoryTable()
        let plan = try WritePlan.plan(request.bytes, options: options)
        let outcome = await RecordWriter(store: store).write(plan, deadline: .now + .seconds(60))
        try #require(outcome.refusals.isEmpty && outcome.failure == nil)
        return store.rows
    }

    private static func streamRequest(_ matchers: [ReadRequestBuilder.Matcher]) -> ReadRequestBuilder {
        var request = readRequest(matchers, 0...60)
        request.accept(packed: [1, 0])
        return request
    }

    @Test("field for field by SAMPLES, in order of time, among floats; by frames in chunks of each kind")
    func bothForms() async throws {
        let histograms = [
            Self.histogram(900, time: 9), Self.histogram(3, time: 2), Self.histogram(0, time: 5),
            Self.histogram(40, time: 3),
        ]
        let rows = try await Self.rows([
            (["__name__": "latency", "job": "a"], [(1, 1), (2, 4), (3, 7), (4, 8)], histograms),
            (["__name__": "latency", "job": "b"], [], [Self.histogram(1, time: 1)]),
            (["__name__": "other", "job": "a"], [], [Self.histogram(2, time: 1)]),
        ])
        #expect(rows.count { $0.measure.starts(with: firstMeasure) } == 10, "one of them has five parts")
        let store = MemoryTable(rows)
        let found = try await read(store, readRequest([latency], 0...60))
        #expect(found.sampleCount == 9)
        #expect(found.results[0].map { $0.samples.map(\.time) } == [[1, 4, 7, 8], []])
        #expect(found.results[0][0].histograms == histograms.sorted { $0.timestamp < $1.timestamp })
        #expect(found.results[0][1].histograms == [Self.histogram(1, time: 1)])

        for samplesPerRun in [1, 100, 100_000] {
            let reader = TableReader(table: readTable, samplesPerRun: samplesPerRun)
            let stream = try await readStream(store, Self.streamRequest([latency]), reader: reader)
            #expect(stream.frames.map { $0.chunks.map(\.type) } == [[1, 3, 3, 1, 3, 1, 3], [3]])
            // A chunk has one layout of buckets.
            #expect(stream.frames[0].chunks.map(\.first) == [1, 2, 3, 4, 5, 7, 9])
            #expect(stream.sampleCount == 9)
        }
    }

    @Test("a part that is missing costs its histogram, which is counted, and nothing else")
    func missingParts() async throws {
        let rows = try await Self.rows([
            (
                ["__name__": "latency", "job": "a"], [(1, 1)],
                [Self.histogram(900, time: 2), Self.histogram(3, time: 3)]
            ),
            (["__name__": "latency", "job": "b"], [], [Self.histogram(900, time: 2)]),
        ])
        let parts = Set(rows.map(\.measure)).filter { $0.starts(with: firstMeasure) }
        #expect(parts.count > 3)
        for part in parts {
            let store = MemoryTable(rows.filter { $0.measure != part || $0.timeMilliseconds == 3 })
            let request = readRequest([latency], 0...60)
            let answer = try await TableReader(table: readTable).readSamples(request.block, from: store)
            let results = try DecodedResponse(block: answer.body).results
            #expect(results[0].map { $0.histograms.map(\.timestamp) } == [[3]], "and no series without samples")
            #expect(answer.counts == ReadCounts(samples: 2, incompleteHistograms: 2, malformedHistograms: 0))
            for samplesPerRun in [1, 1_000] {
                let reader = TableReader(table: readTable, samplesPerRun: samplesPerRun)
                let stream = try await readStream(store, Self.streamRequest([latency]), reader: reader)
                #expect(stream.frames.count == 1)
                #expect(stream.counts == answer.counts)
            }
        }
        let alone = MemoryTable(rows.filter { $0.dimensions[Array("job".utf8)] == [UInt8(ascii: "b")] }.dropLast())
        let stream = try await readStream(alone, Self.streamRequest([latency]))
        #expect(stream.frames.isEmpty && stream.counts.incompleteHistograms == 1)
    }

    @Test("texts of somebody else are counted and left out")
    func malformed() async throws {
        var rows = try await Self.rows([(["__name__": "latency"], [(1, 1)], [Self.histogram(3, time: 2)])])
        var foreign = try #require(rows.last { $0.measure == firstMeasure })
        foreign.timeMilliseconds = 3
        foreign.timeText = timestampText(3)
        foreign.values["promx_data"] = "hello"
        rows.append(foreign)
        // A record of ours by its name, without the text or without the metric.
        foreign.values["promx_data"] = nil
        rows.append(foreign)
        foreign.values["promx_data"] = "hello"
        foreign.dimensions[Array("promx_metric".utf8)] = nil
        rows.append(foreign)
        let store = MemoryTable(rows)
        let answer = try await TableReader(table: readTable).readSamples(readRequest([everySeries]).block, from: store)
        #expect(answer.counts == ReadCounts(samples: 2, incompleteHistograms: 0, malformedHistograms: 1))
        #expect(try DecodedResponse(block: answer.body).results[0].count == 1)
    }

    @Test("at one time the float wins, also where two names of one label become one series")
    func floatWins() async throws {
        let rows = try await Self.rows([
            (
                ["__name__": "latency", "http.route": "/"], [(1, 1), (.nan, 2)],
                [1, 2, 3].map { Self.histogram(2, time: $0) }
            )
        ])
        var other = try await Self.rows([
            (["__name__": "latency", "route": "/"], [(5, 3)], [3, 4, 5].map { Self.histogram(2, time: $0, value: 9) })
        ])
        for index in other.indices {
            // As another writer names the dimension.
            other[index].dimensions = Dictionary(
                uniqueKeysWithValues: other[index].dimensions.map { key, value in
                    (key == Array("route".utf8) ? Array("http.route".utf8) : key, value)
                }
            )
        }
        let store = MemoryTable(rows + other)
        let found = try await read(store, readRequest([latency], 0...60)).results[0]
        #expect(found.count == 1)
        #expect(found[0].samples.map(\.time) == [1, 2, 3])
        #expect(found[0].histograms == [4, 5].map { Self.histogram(2, time: $0, value: 9) })
    }

    @Test("the first histogram of a table is found, although its columns were known before")
    func firstOfTable() async throws {
        let rows = try await Self.rows([
            (["__name__": "latency"], [(1, 1), (.nan, 2)], [Self.histogram(3, time: 5)])
        ])
        let store = MemoryTable(rows.filter { !$0.measure.starts(with: firstMeasure) })
        let reader = TableReader(table: readTable)
        #expect(try await read(store, readRequest([latency], 0...60), reader: reader).sampleCount == 2)
        #expect(try await read(store, readRequest([latency], 0...60), reader: reader).sampleCount == 2)
        // A table without histograms is not asked for their measures.
        #expect(store.statements.last?.contains("promx_histogram") == false)
        store.add(rows.filter { $0.measure.starts(with: firstMeasure) })
        #expect(try await read(store, readRequest([latency], 0...60), reader: reader).sampleCount == 3)
        #expect(store.statements.last?.contains("promx_histogram_16") == true)
        #expect(try await read(store, readRequest([latency], 0...60), reader: reader).sampleCount == 3)
        #expect(store.statements.count == 5)
    }

    @Test("series are listed with their histograms, whose columns are no labels")
    func listed() async throws {
        let rows = try await Self.rows([
            (["__name__": "latency", "job": "a"], [], [Self.histogram(900, time: 2)]),
            (["__name__": "latency", "job": "b"], [(1, 1)], [Self.histogram(3, time: 2)]),
        ])
        var request = ReadRequestBuilder()
        request.query(0...9, [everySeries], function: "series")
        let labels = try await read(MemoryTable(rows), request).results[0].map(\.labels)
        let values = labels.map { $0.map { String(decoding: $0.value, as: UTF8.self) } }
        #expect(values == [["latency", "a"], ["latency", "b"]])
    }

    @Test("a histogram is one sample of the limit, however many parts it has")
    func limit() async throws {
        let rows = try await Self.rows([
            (["__name__": "latency"], [(1, 1)], (2...10).map { Self.histogram($0 == 5 ? 900 : 3, time: $0) })
        ])
        let store = MemoryTable(rows)
        for limit in [9, 10] {
            let limits = ReadLimits(maxSamples: limit, maxSeries: 1)
            let isEnough = limit == 10
            for samplesPerRun in [5, 1_000] {
                let reader = TableReader(table: readTable, samplesPerRun: samplesPerRun)
                let request = Self.streamRequest([latency])
                if isEnough {
                    #expect(try await readStream(store, request, reader: reader, limits: limits).sampleCount == 10)
                } else {
                    await #expect(throws: ReadError.self) {
                        try await readStream(store, request, reader: reader, limits: limits)
                    }
                }
            }
            if isEnough {
                #expect(try await read(store, readRequest([latency], 0...60), limits: limits).sampleCount == 10)
            } else {
                await #expect(throws: ReadError.self) {
                    try await read(store, readRequest([latency], 0...60), limits: limits)
                }
            }
        }
    }

    @Test("what histograms take is charged, and a streamed answer's memory does not grow with the result")
    func memory() async throws {
        var peaks: [Int] = []
        for seriesCount in [10, 30] {
            let rows = try await Self.rows(
                (0..<seriesCount).map { number in
                    let histograms = (1...10 as ClosedRange<Int64>).map {
                        Self.histogram(100, time: $0, value: Double(number))
                    }
                    return (["__name__": "latency", "n": "\(number)"], [], histograms)
                }
            )
            var behaviour = MemoryTable.Behaviour()
            behaviour.rowsPerPage = 10
            let store = MemoryTable(rows, behaviour: behaviour)
            let bytes = seriesCount * 10 * Self.histogram(100, time: 1).storedMessage.count
            let whole = Locked(0)
            let answer = try await TableReader(table: readTable).readSamples(
                readRequest([latency], 0...60).block,
                from: store,
                reserve: { whole.addBytes($0) }
            )
            #expect(answer.sampleCount == seriesCount * 10)
            #expect(whole.withLock(\.self) > bytes)

            let streamed = Locked(0)
            // Of five series at once: 10 histograms of 800 bytes and more.
            let reader = TableReader(table: readTable, samplesPerRun: 5 * 10 * 1_400 / SeriesSet.sampleBytes)
            let stream = try await readStream(store, Self.streamRequest([latency]), reader: reader) {
                streamed.addBytes($0)
            }
            #expect(stream.sampleCount == seriesCount * 10)
            #expect(stream.frames.count == seriesCount)
            peaks.append(streamed.withLock(\.self))
            #expect(store.statements.filter { $0.contains("SUM(LENGTH(\"promx_data\"))") }.count == 1)
            #expect(store.statements.count >= seriesCount / 5)
        }
        #expect(peaks[1] < peaks[0] + (64 << 10))
    }
}
