import TestSupport
import Testing

@testable import Translator

@Suite("Histograms are put together from their texts")
struct HistogramAssemblerTests {
    private struct Row {
        var series: Int32
        var time: Int64
        var text: [UInt8]
    }

    /// The rows of a histogram, as small texts.
    private static func rows(
        _ histogram: TestHistogram,
        series: Int32,
        time: Int64,
        availableBytes: Int
    ) throws -> [Row] {
        try HistogramTextTests.texts(histogram.storedMessage, availableBytes: availableBytes)
            .map { Row(series: series, time: time, text: $0) }
    }

    private static func assemble(_ rows: [Row]) -> HistogramSet {
        var assembler = HistogramAssembler()
        for row in rows { assembler.add(row.text.span, series: row.series, timestampMilliseconds: row.time) }
        return assembler.finish()
    }

    private static func messages(_ set: HistogramSet, _ series: Int) -> [[UInt8]] {
        guard series < set.series.count else { return [] }
        return set.series[series].map { entry in
            var message: [UInt8] = []
            set.appendMessage(of: entry, to: &message)
            #expect(message.count == set.messageBytes(of: entry))
            return message
        }
    }

    @Test(
        "shuffled and repeated parts give the histograms that were stored, field for field",
        arguments: 0..<40 as Range<UInt64>
    )
    func shuffled(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var rows: [Row] = []
        var expected: [[[UInt8]]] = []
        for series in 0..<3 as Range<Int32> {
            var messages: [[UInt8]] = []
            for time in 0..<5 as Range<Int64> {
                var histogram = TestHistogram.random(&random)
                rows += try Self.rows(histogram, series: series, time: time, availableBytes: 80)
                histogram.timestamp = time
                messages.append(histogram.message)
                #expect(TestHistogram(parsing: histogram.message) == histogram)
            }
            expected.append(messages)
        }
        rows += rows.shuffled(using: &random).prefix(10)
        rows.shuffle(using: &random)
        let set = Self.assemble(rows)
        #expect(set.series.indices.map { Self.messages(set, $0) } == expected)
        #expect(set.incomplete == 0)
        #expect(set.malformed == 0)
    }

    private static var large: TestHistogram {
        var histogram = TestHistogram()
        histogram.count = .float(0)
        histogram.positive.spans = [.init(offset: 3, length: 30)]
        histogram.positive.counts = (0..<30).map { Double($0).bitPattern }
        return histogram
    }

    @Test("a histogram with a part missing is not there, and counted")
    func missing() throws {
        let rows = try Self.rows(Self.large, series: 0, time: 5, availableBytes: 100)
        #expect(rows.count > 2)
        for missing in rows.indices {
            var some = rows
            some.remove(at: missing)
            let set = Self.assemble(some + some)
            #expect(set.series.allSatisfy { $0.isEmpty })
            #expect(set.incomplete == 1)
            #expect(set.malformed == 0)
        }
    }

    @Test("parts of different histograms of one time, and of different times and series, are never joined")
    func mixed() throws {
        var other = Self.large
        other.positive.counts[29] = (77.0).bitPattern
        let one = try Self.rows(Self.large, series: 0, time: 5, availableBytes: 100)
        let two = try Self.rows(other, series: 0, time: 5, availableBytes: 100)
        #expect(one.count == two.count)
        // All but the last part of one, the last part of the other: the bytes would make a valid histogram.
        var set = Self.assemble(one.dropLast() + two.suffix(1))
        #expect(set.series.allSatisfy { $0.isEmpty })
        #expect(set.incomplete == 1)

        var elsewhere = one
        elsewhere[1].time = 6
        elsewhere[2].series = 1
        set = Self.assemble(elsewhere)
        #expect(set.series.allSatisfy { $0.isEmpty })
        #expect(set.incomplete == 3)

        // What is left of a histogram that came second does not count beside the first.
        set = Self.assemble(Array(two.dropFirst()) + one)
        #expect(Self.messages(set, 0).count == 1)
        #expect(set.incomplete == 0)
    }

    @Test("of two whole ones at a time the answer does not depend on the order of the rows")
    func twoWholeOnes() throws {
        var other = Self.large
        other.resetHint = 1
        let rows =
            try Self.rows(Self.large, series: 0, time: 5, availableBytes: 100)
            + Self.rows(other, series: 0, time: 5, availableBytes: 90)
        let one = Self.messages(Self.assemble(rows), 0)
        #expect(one == Self.messages(Self.assemble(rows.reversed()), 0))
        var expected = Self.large
        expected.timestamp = 5
        #expect(one == [expected.message])
    }

    @Test("garbage is counted and changes nothing")
    func garbage() throws {
        var rows = try Self.rows(Self.large, series: 0, time: 5, availableBytes: 2_000)
        #expect(rows.count == 1)
        let good = rows[0].text
        var bad: [[UInt8]] = [[], Array("hello".utf8), Array(good.dropLast()), good + [0x30], Array(good.prefix(7))]
        for index in good.indices {
            var changed = good
            changed[index] = changed[index] == UInt8(ascii: "a") ? UInt8(ascii: "b") : UInt8(ascii: "a")
            // Another number of parts or another number may be the head of an honest text.
            if index > 1 { bad.append(changed) }
        }
        // A message that is no histogram, and one that is no protobuf, both with a good checksum.
        bad += try HistogramTextTests.texts(Wire.field(1, varint: 9), availableBytes: 2_000)
        bad += try HistogramTextTests.texts([0xFF], availableBytes: 2_000)
        // The second part of two, without a byte.
        bad.append(Array("22".utf8) + good[2..<7])
        rows = bad.map { Row(series: 0, time: 5, text: $0) } + rows
        let set = Self.assemble(rows)
        #expect(Self.messages(set, 0).count == 1)
        #expect(set.malformed == bad.count)
        #expect(set.incomplete == 0)
    }

    @Test("what somebody else has stored in another form is answered in ours")
    func foreign() throws {
        var random = SeededGenerator(seed: 4)
        var histogram = TestHistogram.random(&random)
        histogram.timestamp = 99
        let texts = try HistogramTextTests.texts(histogram.messyMessage(&random), availableBytes: 1_900)
        histogram.timestamp = 5
        let set = Self.assemble(texts.map { Row(series: 0, time: 5, text: $0) })
        #expect(Self.messages(set, 0) == [histogram.message])
    }

    @Test("random texts never trap", arguments: 0..<50 as Range<UInt64>)
    func randomTexts(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let rows = (0..<100).map { _ in
            let count = Int.random(in: 0...40, using: &random)
            let letters = (0..<count).map { _ in Base85.alphabet.randomElement(using: &random) ?? 0 }
            return Row(series: 0, time: Int64.random(in: 0...3, using: &random), text: Array("2".utf8) + letters)
        }
        let set = Self.assemble(rows)
        #expect(set.malformed + set.incomplete > 0)
    }

    @Test("memory grows with whole histograms and with parts that wait, and less than was foretold")
    func memory() throws {
        for availableBytes in [2_000, 150] {
            let rows = try (1...500 as ClosedRange<Int64>).map { time in
                try Self.rows(Self.large, series: 0, time: time, availableBytes: availableBytes)
            }
            var assembler = HistogramAssembler()
            var taken = 0
            var textBytes = 0
            for row in rows.compactMap(\.first) + rows.flatMap({ $0.dropFirst() }) {
                let before = assembler.memoryBytes
                assembler.add(row.text.span, series: row.series, timestampMilliseconds: row.time)
                taken += 1
                textBytes += row.text.count
                // While a part waits, room is kept for the heads of all.
                if taken <= rows.count, taken > 1 { #expect(assembler.memoryBytes > before) }
                if availableBytes == 2_000 {
                    let most = HistogramAssembler.memoryBytes(rows: taken, textBytes: textBytes * 2)
                    #expect(assembler.memoryBytes <= most)
                }
            }
            #expect(assembler.memoryBytes <= HistogramAssembler.memoryBytes(rows: taken, textBytes: textBytes * 2))
            #expect(assembler.memoryBytes >= 500 * Self.large.storedMessage.count)
            let set = assembler.finish()
            #expect(set.count == 500 && set.series[0].count == 500)
        }
        #expect(HistogramAssembler.memoryBytes(rows: .max, textBytes: .max) == .max)
    }

    @Test("a float wins over the histogram of its time")
    func floatWins() throws {
        var histogram = TestHistogram()
        histogram.count = .integer(0)
        var rows: [Row] = []
        for time in [1, 2, 3, 5, 8] as [Int64] {
            rows += try Self.rows(histogram, series: 0, time: time, availableBytes: 50)
        }
        let set = Self.assemble(rows)
        var entries = set.series[0]
        let samples = [0, 2, 4, 5, 9].map { SeriesSet.Sample(timestampMilliseconds: $0, bits: 0) }
        HistogramSet.remove(from: &entries, atTimesOf: samples)
        #expect(entries.map(\.timestampMilliseconds) == [1, 3, 8])
        HistogramSet.remove(from: &entries, atTimesOf: [])
        #expect(entries.count == 3)
    }

    @Test("the timestamp has its place before the bounds, and is left out when it is zero")
    func timestamps() throws {
        var histogram = TestHistogram()
        histogram.count = .integer(0)
        histogram.schema = -53
        histogram.bounds = [(1.0).bitPattern]
        histogram.startTimestamp = 7
        for time in [0, 1, -1, Int64.max, .min] {
            let set = try Self.assemble(Self.rows(histogram, series: 2, time: time, availableBytes: 100))
            var expected = histogram
            expected.timestamp = time
            #expect(Self.messages(set, 2) == [expected.message])
        }
    }
}
