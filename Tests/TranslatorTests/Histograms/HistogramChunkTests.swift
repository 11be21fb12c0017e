import Foundation
import TestSupport
import Testing

@testable import Translator

@Suite("Histograms become chunks that say the same")
struct HistogramChunkTests {
    static func native(_ histogram: TestHistogram) throws -> NativeHistogram {
        let message = histogram.message
        var native = NativeHistogram()
        try native.read(unsafe message.span.bytes, range: 0..<message.count)
        return native
    }

    static func encode(_ histograms: [(time: Int64, histogram: TestHistogram)]) throws -> [HistogramChunk] {
        var encoder = HistogramChunkEncoder()
        var chunks: [HistogramChunk] = []
        for (time, histogram) in histograms {
            if let chunk = encoder.append(try Self.native(histogram), timestampMilliseconds: time) {
                chunks.append(chunk)
            }
        }
        if let chunk = encoder.finish() { chunks.append(chunk) }
        return chunks
    }

    /// What a reader of chunks can know of a histogram, hint aside.
    static func readable(_ histogram: TestHistogram) -> TestHistogram {
        var readable = histogram
        readable.timestamp = 0
        readable.startTimestamp = 0
        readable.resetHint = 0
        let zero: TestHistogram.Count = histogram.isFloat ? .float(0) : .integer(0)
        readable.count = histogram.count ?? zero
        readable.zeroCount = histogram.zeroCount ?? zero
        guard histogram.sum == TestHistogram.stale else { return readable }
        readable = TestHistogram()
        readable.sum = TestHistogram.stale
        readable.count = zero
        return readable
    }

    @Test(
        "every histogram is read back with its own spans, whatever comes after what",
        arguments: 0..<120 as Range<UInt64>
    )
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var histograms: [(time: Int64, histogram: TestHistogram)] = []
        var time: Int64 = Bool.random(using: &random) ? 1_700_000_000_000 : -3
        var current = TestHistogram.random(buckets: 12, &random)
        for _ in 0..<40 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: current = TestHistogram.random(buckets: 12, &random)
            case 1: current.sum = UInt64.random(in: 0...UInt64.max, using: &random)
            case 2: current.resetHint = Int32.random(in: 0...3, using: &random)
            case 3 where !current.positive.spans.isEmpty:
                // The next layout: one bucket more.
                current.positive.spans[current.positive.spans.count - 1].length += 1
                if current.isFloat {
                    current.positive.counts.append((1.0).bitPattern)
                } else {
                    current.positive.deltas.append(0)
                }
            case 4 where !current.positive.deltas.isEmpty:
                current.positive.deltas[0] += Int64.random(in: 0...1 << 40, using: &random)
            default: break
            }
            time += [1, 15_000, 15_001, 1 << 40].randomElement(using: &random) ?? 1
            histograms.append((time, current))
        }
        var samples: [ChunkDecoder.Sample] = []
        var hints: [(isFirst: Bool, flags: UInt8)] = []
        for chunk in try Self.encode(histograms) {
            let decoded = try ChunkDecoder.decode(chunk.data, isFloat: chunk.isFloat)
            #expect(decoded.samples.first?.time == chunk.minimumTimeMilliseconds)
            #expect(decoded.samples.last?.time == chunk.maximumTimeMilliseconds)
            samples += decoded.samples
            hints += decoded.samples.indices.map { ($0 == 0, decoded.flags) }
        }
        #expect(samples.map(\.time) == histograms.map(\.time))
        for (index, sample) in samples.enumerated() {
            let sent = histograms[index].histogram
            var found = sample.histogram
            found.resetHint = 0
            #expect(found == Self.readable(sent))
            // A gauge stays one, and a reset that was told is told.
            #expect((hints[index].flags == 3) == (sent.resetHint == 3))
            if sent.resetHint == 1 { #expect(hints[index].isFirst && hints[index].flags == 2) }
        }
    }

    @Test("what was put together from texts makes the same chunks as what was sent")
    func fromTexts() throws {
        var random = SeededGenerator(seed: 21)
        let histograms = (0..<50).map { (time: Int64($0), histogram: TestHistogram.random(buckets: 9, &random)) }
        var assembler = HistogramAssembler()
        for (time, histogram) in histograms.reversed() {
            for text in try HistogramTextTests.texts(histogram.storedMessage, availableBytes: 60).reversed() {
                assembler.add(text.span, series: 0, timestampMilliseconds: time)
            }
        }
        let set = assembler.finish()
        var encoder = HistogramChunkEncoder()
        var native = NativeHistogram()
        var chunks: [HistogramChunk] = []
        for entry in set.series[0] {
            try set.read(entry, into: &native)
            if let chunk = encoder.append(native, timestampMilliseconds: entry.timestampMilliseconds) {
                chunks.append(chunk)
            }
        }
        if let chunk = encoder.finish() { chunks.append(chunk) }
        #expect(chunks == (try Self.encode(histograms)))
    }

    @Test("within a chunk of a counter nothing falls")
    func noResetInside() throws {
        var random = SeededGenerator(seed: 11)
        var histogram = TestHistogram()
        histogram.positive.spans = [.init(offset: 0, length: 2), .init(offset: 3, length: 1)]
        var histograms: [(time: Int64, histogram: TestHistogram)] = []
        for time in 0..<400 as Range<Int64> {
            let buckets = (0..<3).map { _ in Int64.random(in: 0...3, using: &random) }
            histogram.positive.deltas = [buckets[0], buckets[1] - buckets[0], buckets[2] - buckets[1]]
            histogram.count = .integer(UInt64(buckets.reduce(0, +)))
            histograms.append((time, histogram))
        }
        for chunk in try Self.encode(histograms) {
            let samples = try ChunkDecoder.decode(chunk.data, isFloat: false).samples.map(\.histogram)
            for (before, after) in zip(samples, samples.dropFirst()) {
                func buckets(_ histogram: TestHistogram) -> [Int64] {
                    var bucket: Int64 = 0
                    return histogram.positive.deltas.map { delta in
                        bucket += delta
                        return bucket
                    }
                }
                #expect(zip(buckets(before), buckets(after)).allSatisfy { $0 <= $1 })
            }
        }
    }

    @Test("a chunk has at most 120 histograms, and the next one says that the counter went on")
    func limit() throws {
        var histogram = TestHistogram()
        histogram.count = .integer(0)
        let chunks = try Self.encode((0..<250).map { ($0, histogram) })
        #expect(chunks.map(\.minimumTimeMilliseconds) == [0, 120, 240])
        #expect(chunks.map(\.maximumTimeMilliseconds) == [119, 239, 249])
        #expect(chunks.map { $0.data[2] >> 6 } == [0, 1, 1])
        #expect(chunks.map(\.encoding) == [2, 2, 2])
    }

    @Test("large histograms make smaller chunks")
    func large() throws {
        var random = SeededGenerator(seed: 3)
        var histogram = TestHistogram()
        histogram.count = .float(0)
        histogram.positive.spans = [.init(offset: 0, length: 2_000)]
        let histograms = (0..<40).map { time in
            histogram.resetHint = 3
            histogram.positive.counts = (0..<2_000).map { _ in Double.random(in: 0...1, using: &random).bitPattern }
            return (time: Int64(time), histogram: histogram)
        }
        let chunks = try Self.encode(histograms)
        #expect(chunks.count > 2)
        #expect(chunks.allSatisfy { $0.data.count < HistogramChunkEncoder.fullBytes + 20_000 && $0.encoding == 3 })
    }

    @Test("a reset that was told is told, behind a gauge too", arguments: [false, true])
    func resetBehindGauge(isFloat: Bool) throws {
        var histogram = TestHistogram()
        histogram.count = isFloat ? .float(0) : .integer(0)
        let histograms = ([3, 1, 1, 3] as [Int32]).enumerated().map { time, hint in
            histogram.resetHint = hint
            return (time: Int64(time), histogram: histogram)
        }
        #expect(try Self.encode(histograms).map { $0.data[2] >> 6 } == [3, 2, 2, 3])
    }

    @Test("another series knows nothing of the one before")
    func finish() throws {
        var encoder = HistogramChunkEncoder()
        var histogram = TestHistogram()
        histogram.count = .integer(0)
        let native = try Self.native(histogram)
        var results = [encoder.finish()]
        for _ in 0..<2 {
            results.append(encoder.append(native, timestampMilliseconds: 1))
            results.append(encoder.finish())
            results.append(encoder.finish())
        }
        #expect(results.map { $0 == nil } == [true, true, false, true, true, false, true])
        #expect(results[2] == results[5])
        #expect(results[2]?.data[2] == 0)
    }
}

@Suite("Chunks are those of Prometheus, bit for bit")
struct HistogramChunkVectorTests {
    /// `Vectors/prometheus-3.5/ORIGIN.md` says what these are.
    private struct File: Decodable {
        var prometheus: String
        var series: [Series]
    }

    struct Series: Decodable, CustomTestStringConvertible, Sendable {
        struct Chunk: Decodable, Sendable {
            var min: Int64
            var max: Int64
            var type: UInt64
            var data: String
        }

        enum Cell: Decodable, Sendable {
            case time(Int64)
            case message(String)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let time = try? container.decode(Int64.self) {
                    self = .time(time)
                } else {
                    self = .message(try container.decode(String.self))
                }
            }
        }

        var name: String
        var histograms: [[Cell]]
        var chunks: [Chunk]

        var testDescription: String { self.name }

        /// Prometheus has put empty buckets into these.
        var isRecoded: Bool { self.name.hasPrefix("layout_") }

        var sent: [(time: Int64, message: [UInt8])] {
            self.histograms.compactMap { row in
                guard row.count == 2, case .time(let time) = row[0], case .message(let text) = row[1] else {
                    return nil
                }
                return (time, bytes(hexadecimal: text))
            }
        }
    }

    private static func load() throws -> [Series] {
        let url = try #require(
            Bundle.module.url(forResource: "chunks", withExtension: "json", subdirectory: "Vectors/prometheus-3.5")
        )
        return try JSONDecoder().decode(File.self, from: Data(contentsOf: url)).series
    }

    @Test("the same histograms give the same chunks")
    func vectors() throws {
        let all = try Self.load()
        #expect(all.count > 60)
        for series in all where !series.isRecoded { try Self.compare(series) }
    }

    /// Ends our chunks where those of Prometheus end, since it also ends them by size and by the hour.
    private static func compare(_ series: Series) throws {
        var encoder = HistogramChunkEncoder()
        var native = NativeHistogram()
        var rest = series.sent[...]
        for (place, expected) in series.chunks.enumerated() {
            var extra: [HistogramChunk] = []
            while let row = rest.first, row.time <= expected.max {
                rest = rest.dropFirst()
                // As it is stored, without its timestamp.
                let stored = try HistogramMessageTests.read(row.message).stored
                try native.read(unsafe stored.span.bytes, range: 0..<stored.count)
                if let chunk = encoder.append(native, timestampMilliseconds: row.time) { extra.append(chunk) }
            }
            let flushed = encoder.flush()
            let chunk = try #require(flushed)
            #expect(extra.isEmpty, "\(series.name): a chunk more before number \(place)")
            #expect(chunk.minimumTimeMilliseconds == expected.min, "\(series.name)")
            #expect(chunk.maximumTimeMilliseconds == expected.max, "\(series.name)")
            #expect(chunk.encoding == expected.type, "\(series.name)")
            var data = bytes(hexadecimal: expected.data)
            // Of the chunk that is still open Prometheus serves a copy, whose head says only whether it is a gauge's.
            if place == series.chunks.count - 1, data[2] == 0 { data[2] = chunk.data[2] }
            #expect(
                chunk.data == data,
                "\(series.name), chunk \(place) of \(series.chunks.count): heads \(chunk.data[2]) and \(data[2])"
            )
        }
        #expect(rest.isEmpty)
    }

    @Test("where Prometheus adds empty buckets, ours hold the same histograms without them")
    func recoded() throws {
        let some = try Self.load().filter(\.isRecoded)
        #expect(some.count == 4)
        for series in some {
            let sent = series.sent.map { row in (time: row.time, histogram: TestHistogram(parsing: row.message)) }
            let ours = try HistogramChunkTests.encode(sent)
                .flatMap { try ChunkDecoder.decode($0.data, isFloat: $0.isFloat).samples }
            let theirs = try series.chunks
                .flatMap { try ChunkDecoder.decode(bytes(hexadecimal: $0.data), isFloat: $0.type == 3).samples }
            #expect(ours.map(\.time) == theirs.map(\.time))
            for (our, their) in zip(ours, theirs) {
                #expect(our.histogram.count == their.histogram.count)
                #expect(our.histogram.sum == their.histogram.sum)
                #expect(Self.filledBuckets(our.histogram) == Self.filledBuckets(their.histogram))
            }
            #expect(zip(ours, sent).allSatisfy { $0.histogram.positive == $1.histogram.positive })
        }
    }

    private static func filledBuckets(_ histogram: TestHistogram) -> [Int: Double] {
        var buckets: [Int: Double] = [:]
        var index = 0
        var place = 0
        var count: Int64 = 0
        for span in histogram.positive.spans {
            index += Int(span.offset)
            for _ in 0..<span.length {
                if histogram.isFloat {
                    buckets[index] = Double(bitPattern: histogram.positive.counts[place])
                } else {
                    count += histogram.positive.deltas[place]
                    buckets[index] = Double(count)
                }
                index += 1
                place += 1
            }
        }
        return buckets.filter { $0.value != 0 }
    }
}
