import TestSupport
import Testing
import TimestreamModel

@testable import Translator

/// A series as it was written, and what a client may ask about it; both by rules that know nothing of Timestream.
private struct Oracle {
    /// Regular expressions with their meaning, so that no second engine is needed.
    static let patterns: [(text: String, accepts: @Sendable (String) -> Bool)] = [
        (".*", { _ in true }),
        (".+", { !$0.isEmpty }),
        ("", { $0.isEmpty }),
        ("a|b", { $0 == "a" || $0 == "b" }),
        ("a|", { $0 == "a" || $0.isEmpty }),
        ("a", { $0 == "a" }),
        ("a.*", { $0.hasPrefix("a") }),
        ("a.+", { $0.hasPrefix("a") && $0.utf8.count > 1 }),
        (".*b", { $0.hasSuffix("b") }),
        ("(a.*)?", { $0.isEmpty || $0.hasPrefix("a") }),
        ("http_.*", { $0.hasPrefix("http_") }),
        ("http.*", { $0.hasPrefix("http") }),
        ("promx_.+", { $0.hasPrefix("promx_") && $0.utf8.count > 6 }),
        ("up|promx_special|http.requests", { ["up", "promx_special"].contains($0) || Self.isHTTPRequests($0) }),
        ("a%.*", { $0.hasPrefix("a%") }),
        ("a_.*", { $0.hasPrefix("a_") }),
    ]

    /// `http.requests` as a pattern: one character of any kind in the middle.
    private static func isHTTPRequests(_ value: String) -> Bool {
        value.hasPrefix("http") && value.hasSuffix("requests") && value.unicodeScalars.count == 13
    }

    static func accepts(_ matcher: ReadRequestBuilder.Matcher, _ value: [UInt8]) -> Bool {
        let text = String(decoding: value, as: UTF8.self)
        let pattern = String(decoding: matcher.value, as: UTF8.self)
        func matches() -> Bool { Self.patterns.first { $0.text == pattern }?.accepts(text) ?? false }
        switch matcher.type {
        case .equal: return value == matcher.value
        case .notEqual: return value != matcher.value
        case .regex: return matches()
        case .notRegex: return !matches()
        }
    }
}

@Suite("What was written is read back, whatever is asked")
struct ReadPropertyTests {
    private static let metrics = [
        "up", "down", "http_requests", "http.requests", "http requests", "promx_special", "promx_unnamed", "promx_x",
        "promx_histogram", "promx_histogram_2",
        "job:up:sum", "\u{1F98A}", "e\u{301}", "\u{e9}", "a'b\"c\\d", "time", "a", "b", "a_b", "a%b",
    ]
    private static let names = [
        "job", "Job", "zone", "http.route", "__replica__", "time", "measure_name", "promx_metric", "promx_empty",
        "promx_data", "promx_count", "promx_rows",
        "a'b", "a\"b", "n\u{0}l", "x_", "\u{e9}", "e\u{301}",
    ]
    private static let values = [
        "a", "b", "ab", "a%", "a_b", "a'b", "\"", "\\", "a\nb", "\u{0}", "\u{e9}", "e\u{301}", "%",
    ]
    private static let numbers: [UInt64] = [
        0, (-0.0).bitPattern, (1.0).bitPattern, (0.1).bitPattern, (1e300).bitPattern, 1, 0x7FF0_0000_0000_0002,
        0x7FF8_0000_0000_0001, Double.infinity.bitPattern, (-Double.infinity).bitPattern, (123456.789).bitPattern,
    ]

    private typealias Labels = [[UInt8]: [UInt8]]

    /// What was written of a series, by time.
    private struct Stored {
        var samples: [Int64: UInt64] = [:]
        var histograms: [Int64: TestHistogram] = [:]
    }

    /// Writes random series through the product's own writer.
    private func write(
        into stores: [MemoryTable],
        using generator: inout SeededGenerator
    ) async throws -> [Labels: Stored] {
        var expected: [Labels: Stored] = [:]
        var request = WriteRequestBuilder()
        for _ in 0..<60 {
            var labels: [([UInt8], [UInt8])] = [
                (LabelMatcher.metricName, Array((Self.metrics.randomElement(using: &generator) ?? "").utf8))
            ]
            for name in Self.names.shuffled(using: &generator).prefix(Int.random(in: 0...4, using: &generator)) {
                labels.append((Array(name.utf8), Array((Self.values.randomElement(using: &generator) ?? "").utf8)))
            }
            var samples: [(UInt64, Int64)] = []
            let key = Labels(uniqueKeysWithValues: labels)
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                let time = Int64.random(in: 0...9, using: &generator)
                guard expected[key]?.samples[time] == nil else { continue }
                let bits = Self.numbers.randomElement(using: &generator) ?? 0
                expected[key, default: Stored()].samples[time] = bits
                samples.append((bits, time))
            }
            var histograms: [(Int, [UInt8])] = []
            for _ in 0..<([0, 0, 0, 0, 0, 2].randomElement(using: &generator) ?? 0) {
                let time = Int64.random(in: 0...9, using: &generator)
                guard expected[key]?.histograms[time] == nil else { continue }
                // Of several parts, some of them.
                let buckets = [5, 5, 5, 400].randomElement(using: &generator) ?? 5
                var histogram = TestHistogram.random(buckets: buckets, &generator)
                histogram.timestamp = time
                expected[key, default: Stored()].histograms[time] = histogram
                histograms.append((4, histogram.message))
            }
            request.series(labels: labels, samples: samples, extra: histograms)
        }
        let options = WriteOptions(
            table: TableName(database: "db", table: "tbl"),
            dropsSpecialValues: false,
            dropsLongNames: false,
            maxLabelsPerSeries: 64
        )
        let plan = try WritePlan.plan(request.bytes, options: options)
        for store in stores {
            let outcome = await RecordWriter(store: store).write(plan, deadline: .now + .seconds(60))
            #expect(outcome.refusals.isEmpty && outcome.failure == nil)
        }
        return expected
    }

    private func randomMatcher(using generator: inout SeededGenerator) -> ReadRequestBuilder.Matcher {
        let isMetric = Int.random(in: 0..<3, using: &generator) == 0
        let unknown = Int.random(in: 0..<8, using: &generator) == 0
        let name = isMetric ? "__name__" : unknown ? "absent" : Self.names.randomElement(using: &generator) ?? ""
        let values = isMetric ? Self.metrics + [""] : Self.values + [""]
        let value = values.randomElement(using: &generator) ?? ""
        let pattern = Oracle.patterns.randomElement(using: &generator)?.text ?? ""
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: return .init(name, .equal, value)
        case 1: return .init(name, .notEqual, value)
        case 2: return .init(name, .regex, pattern)
        default: return .init(name, .notRegex, pattern)
        }
    }

    private func expectedResult(
        _ stored: [Labels: Stored],
        _ matchers: [ReadRequestBuilder.Matcher],
        _ range: ClosedRange<Int64>
    ) -> [DecodedResponse.Series] {
        var result: [DecodedResponse.Series] = []
        for (labels, series) in stored {
            guard matchers.allSatisfy({ Oracle.accepts($0, labels[$0.name] ?? []) }) else { continue }
            let wanted = series.samples.filter { range.contains($0.key) }.sorted { $0.key < $1.key }
            let histograms = series.histograms.filter { range.contains($0.key) && series.samples[$0.key] == nil }
            guard !wanted.isEmpty || !histograms.isEmpty else { continue }
            let pairs = labels.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            var found = DecodedResponse.Series(
                labels: pairs.map { .init(name: $0.key, value: $0.value) },
                samples: wanted.map { .init(time: $0.key, bits: $0.value) }
            )
            found.histograms = histograms.sorted { $0.key < $1.key }.map(\.value)
            result.append(found)
        }
        return result.sorted { left, right in
            for (one, other) in zip(left.labels, right.labels) {
                if one.name != other.name { return one.name.lexicographicallyPrecedes(other.name) }
                if one.value != other.value { return one.value.lexicographicallyPrecedes(other.value) }
            }
            return left.labels.count < right.labels.count
        }
    }

    /// What of a series chunks can say.
    private static func streamed(_ series: DecodedResponse.Series) -> DecodedResponse.Series {
        var series = series
        series.histograms = series.histograms.map { histogram in
            var readable = HistogramChunkTests.readable(histogram)
            readable.timestamp = histogram.timestamp
            return readable
        }
        return series
    }

    @Test(
        "random series and matchers: with every condition evaluated, and with none, the answer is that of the matchers",
        arguments: 1...5 as ClosedRange<UInt64>
    )
    func property(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = Int.random(in: 1...50, using: &generator)
        behaviour.startsWithEmptyPage = seed % 2 == 0
        let exact = MemoryTable(behaviour: behaviour)
        behaviour.ignoresConditions = true
        let wide = MemoryTable(behaviour: behaviour)
        let stored = try await self.write(into: [exact, wide], using: &generator)
        let table = TableName(database: "db", table: "tbl")
        let readers = [(exact, TableReader(table: table)), (wide, TableReader(table: table))]
        var found = 0
        var foundHistograms = 0
        for _ in 0..<25 {
            let matchers = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                self.randomMatcher(using: &generator)
            }
            let start = Int64.random(in: 0...9, using: &generator)
            // The store that ignores conditions ignores the range as well.
            let range = start...Int64.random(in: start...9, using: &generator)
            for (store, reader) in readers {
                let range = store === wide ? 0...9 : range
                var request = ReadRequestBuilder()
                request.query(range, matchers)
                let answer = try await reader.readSamples(request.block, from: store)
                let expected = self.expectedResult(stored, matchers, range)
                let results = try DecodedResponse(block: answer.body).results
                #expect(results == [expected], "\(store.statements.last ?? "")")
                #expect(answer.sampleCount == expected.reduce(0) { $0 + $1.samples.count + $1.histograms.count })
                #expect(answer.counts.incompleteHistograms == 0 && answer.counts.malformedHistograms == 0)
                foundHistograms += expected.reduce(0) { $0 + $1.histograms.count }
                found += answer.sampleCount
                // The same by frames, with runs of any size: from one statement down to slices of one series.
                guard Int.random(in: 0..<6, using: &generator) == 0 else { continue }
                request.accept(packed: [1, 0])
                let runSize = [3, 40, 400, 10_000].randomElement(using: &generator) ?? 3
                let streaming = TableReader(table: table, samplesPerRun: runSize)
                let stream = try await readStream(store, request, reader: streaming, deadline: .now + .seconds(300))
                #expect(stream.results(queries: 1) == [expected.map(Self.streamed)])
                #expect(stream.sampleCount == answer.sampleCount)
            }
        }
        #expect(found > 100)
        #expect(foundHistograms > 0)
    }
}
