import TestSupport
import Testing

@testable import Translator

@Suite("A histogram message becomes canonical")
struct HistogramMessageTests {
    @Test("however it was sent, every known field is kept, bit for bit", arguments: 0..<300 as Range<UInt64>)
    func canonical(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let histogram = TestHistogram.random(&random)
        for message in [histogram.message, histogram.messyMessage(&random)] {
            let result = try Self.read(message)
            #expect(result.reader.fault == nil)
            #expect(result.reader.isFloat == histogram.isFloat)
            #expect(result.reader.isStale == (histogram.sum == TestHistogram.stale))
            #expect(result.reader.timestampMilliseconds == histogram.timestamp)
            #expect(result.stored == histogram.storedMessage)
            #expect(result.reader.messageBytes == result.stored.count)
            var parsed = TestHistogram(parsing: result.stored)
            parsed.timestamp = histogram.timestamp
            #expect(parsed == histogram)
        }
    }

    @Test("members of a oneof are kept when they are zero, and missing when they were missing")
    func presence() throws {
        for count in [nil, .integer(0), .float(0)] as [TestHistogram.Count?] {
            for zeroCount in [nil, .integer(0), .float(0)] as [TestHistogram.Count?] {
                var histogram = TestHistogram()
                histogram.count = count
                histogram.zeroCount = zeroCount
                let result = try Self.read(histogram.message)
                #expect(result.stored == histogram.message)
                #expect(result.reader.fault == nil)
            }
        }
        #expect(try Self.read([]).stored.isEmpty)
    }

    @Test("fields of the other kind are kept, and count for nothing")
    func otherKind() throws {
        var histogram = TestHistogram()
        histogram.count = .integer(5)
        histogram.zeroCount = .float((9.0).bitPattern)
        histogram.positive.spans = [.init(offset: 0, length: 2)]
        histogram.positive.deltas = [2, 1]
        histogram.positive.counts = [(-7.0).bitPattern]
        let result = try Self.read(histogram.message)
        #expect(result.reader.fault == nil)
        #expect(result.stored == histogram.message)
    }

    @Test("reset hints of every number survive", arguments: [1, 2, 3, 4, -1, Int32.max, .min])
    func hints(hint: Int32) throws {
        var histogram = TestHistogram()
        histogram.resetHint = hint
        #expect(try Self.read(histogram.message).stored == histogram.message)
    }

    @Test("a message cut off anywhere is malformed, or one that ended there", arguments: 0..<40 as Range<UInt64>)
    func truncated(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let message = TestHistogram.random(buckets: 6, &random).messyMessage(&random)
        for count in 0..<message.count {
            guard let result = try? Self.read(Array(message.prefix(count))) else { continue }
            #expect(result.reader.messageBytes == result.stored.count)
        }
    }

    @Test("bytes changed at random never trap", arguments: 0..<200 as Range<UInt64>)
    func mutated(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var message = TestHistogram.random(buckets: 10, &random).message
        for _ in 0..<4 where !message.isEmpty {
            message[Int.random(in: 0..<message.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        guard let result = try? Self.read(message) else { return }
        _ = result.reader.fault
        #expect(result.reader.messageBytes == result.stored.count)
        // Canonical means: read again, nothing changes.
        #expect((try? Self.read(result.stored))?.stored == result.stored)
    }

    @Test(
        "known fields of a wrong wire type are malformed",
        arguments: [
            Wire.field(1, bits: 1), Wire.field(2, varint: 1), Wire.field(3, []), Wire.field(4, bits: 1),
            Wire.field(8, varint: 1), Wire.field(9, bits: 1), Wire.field(10, varint: 1), Wire.field(14, bits: 1),
            Wire.field(16, varint: 1), Wire.field(17, bits: 1), Wire.field(10, [1, 2, 3]), Wire.field(9, [0x80]),
            Wire.field(8, Wire.field(1, bits: 1)), Wire.field(11, Wire.field(2, [])),
        ]
    )
    func wrongType(message: [UInt8]) {
        #expect(throws: ProtocolError.self) { try Self.read(message) }
    }

    static func read(_ message: [UInt8]) throws -> (reader: HistogramReader, stored: [UInt8]) {
        // In the middle of other bytes, as in a request.
        let whole = [0xFF, 0xFF] + message + [0xFF]
        let bytes = unsafe whole.span.bytes
        let range = 2..<2 + message.count
        let reader = try HistogramReader(bytes, range: range)
        var stored: [UInt8] = [7]
        try reader.appendMessage(of: bytes, range: range, to: &stored)
        return (reader, Array(stored.dropFirst()))
    }
}

@Suite("A histogram is refused for the reasons that Prometheus has")
struct HistogramFaultTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var fault: HistogramFault?
        var change: @Sendable (inout TestHistogram) -> Void

        init(_ name: String, _ fault: HistogramFault?, _ change: @escaping @Sendable (inout TestHistogram) -> Void) {
            self.testDescription = name
            self.fault = fault
            self.change = change
        }
    }

    /// 3, 4 and 5, 6 in two spans, and two below zero: 21 with the zero bucket.
    private static var integer: TestHistogram {
        var histogram = TestHistogram()
        histogram.count = .integer(21)
        histogram.zeroCount = .integer(1)
        histogram.sum = (4.5).bitPattern
        histogram.schema = 3
        histogram.positive.spans = [.init(offset: -2, length: 2), .init(offset: 1, length: 2)]
        histogram.positive.deltas = [3, 1, 1, 1]
        histogram.negative.spans = [.init(offset: 0, length: 1)]
        histogram.negative.deltas = [2]
        return histogram
    }

    private static var float: TestHistogram {
        var histogram = self.integer
        histogram.count = .float((21.0).bitPattern)
        histogram.zeroCount = .float((1.0).bitPattern)
        histogram.positive.deltas = []
        histogram.positive.counts = [3.0, 4, 5, 6].map(\.bitPattern)
        histogram.negative.deltas = []
        histogram.negative.counts = [(2.0).bitPattern]
        return histogram
    }

    private static var custom: TestHistogram {
        var histogram = TestHistogram()
        histogram.count = .integer(18)
        histogram.schema = -53
        histogram.positive.spans = [.init(offset: 0, length: 2), .init(offset: 1, length: 2)]
        histogram.positive.deltas = [3, 1, 1, 1]
        histogram.bounds = [1.0, 2, 3, 4].map(\.bitPattern)
        return histogram
    }

    @Test(
        "of integer histograms",
        arguments: [
            Case("valid", nil) { _ in },
            Case("schema -4", nil) { $0.schema = -4 },
            Case("schema 52", nil) { $0.schema = 52 },
            Case("schema -5", .unknownSchema) { $0.schema = -5 },
            Case("schema 53", .unknownSchema) { $0.schema = 53 },
            Case("schema -54", .unknownSchema) { $0.schema = -54 },
            Case("bucket missing", .bucketsMismatch) { $0.positive.deltas.removeLast() },
            Case("negative bucket missing", .bucketsMismatch) { $0.negative.deltas = [] },
            Case("spans of four thousand million", .bucketsMismatch) { $0.positive.spans[1].length = .max },
            Case("gap below zero", .negativeSpanOffset) { $0.positive.spans[1].offset = -1 },
            Case("overlapping far", .negativeSpanOffset) { $0.positive.spans[1].offset = .min },
            Case("far offsets", nil) {
                $0.positive.spans[0].offset = .min; $0.positive.spans[1].offset = .max
            },
            Case("bucket below zero", .negativeBucket) { $0.positive.deltas = [3, -4, 1, 1] },
            Case("first bucket below zero", .negativeBucket) { $0.negative.deltas = [-2] },
            Case("count too high", .countMismatch) { $0.count = .integer(22) },
            Case("count too low", .countMismatch) { $0.count = .integer(20) },
            Case("count missing", .bucketsMismatch) { $0.count = .float((21.0).bitPattern) },
            Case("no count", .countMismatch) { $0.count = nil },
            Case("NaN observed", nil) {
                $0.sum = Double.nan.bitPattern; $0.count = .integer(22)
            },
            Case("NaN observed, too few", .countTooSmall) {
                $0.sum = Double.nan.bitPattern; $0.count = .integer(20)
            },
            Case("stale", nil) { $0.sum = TestHistogram.stale },
            Case("stale, too few", .countTooSmall) {
                $0.sum = TestHistogram.stale; $0.count = .integer(20)
            },
            Case("bucket of more than 63 bits", .countOverflow) { $0.positive.deltas = [.max, 1, 0, 0] },
            Case("sum of more than 64 bits", .countOverflow) { $0.positive.deltas = [.max, 0, 0, 0] },
            Case("with a zero bucket that overflows", .countOverflow) { $0.zeroCount = .integer(.max) },
            Case("bounds", .exponentialWithBounds) { $0.bounds = [(1.0).bitPattern] },
        ]
    )
    func integers(_ one: Case) throws { try Self.check(Self.integer, one) }

    @Test(
        "of float histograms",
        arguments: [
            Case("valid", nil) { _ in },
            Case("count need not be the sum", nil) { $0.count = .float((1.0).bitPattern) },
            Case("infinite count", nil) { $0.count = .float(Double.infinity.bitPattern) },
            Case("bucket of NaN", nil) { $0.positive.counts[0] = Double.nan.bitPattern },
            Case("bucket of minus zero", nil) { $0.positive.counts[0] = (-0.0).bitPattern },
            Case("bucket below zero", .negativeBucket) { $0.positive.counts[0] = (-0.5).bitPattern },
            Case("negative bucket below zero", .negativeBucket) { $0.negative.counts[0] = (-0.5).bitPattern },
            Case("count below zero", .negativeCount) { $0.count = .float((-1.0).bitPattern) },
            Case("zero count below zero", .negativeCount) { $0.zeroCount = .float((-1.0).bitPattern) },
            Case("bucket missing", .bucketsMismatch) { $0.positive.counts.removeLast() },
            Case("deltas instead", .bucketsMismatch) {
                $0.positive.deltas = [1, 0, 0, 0]; $0.positive.counts = []
            },
            Case("gap below zero", .negativeSpanOffset) { $0.negative.spans.append(.init(offset: -1, length: 0)) },
        ]
    )
    func floats(_ one: Case) throws { try Self.check(Self.float, one) }

    @Test(
        "of custom buckets",
        arguments: [
            Case("valid", nil) { _ in },
            Case("one more bound than needed", nil) { $0.bounds.append((5.0).bitPattern) },
            Case("too few bounds", .customBoundsTooFew) { $0.bounds.removeLast() },
            Case("offset far away", .customBoundsTooFew) { $0.positive.spans[1].offset = .max },
            Case("bound twice", .customBoundsOrder) { $0.bounds[1] = (1.0).bitPattern },
            Case("bounds fall", .customBoundsOrder) { $0.bounds[1] = (0.5).bitPattern },
            Case("bound NaN", .customBoundsNaN) { $0.bounds[1] = Double.nan.bitPattern },
            Case("infinity is implied", .customBoundsInfinite) { $0.bounds[3] = Double.infinity.bitPattern },
            Case("infinity in the middle", .customBoundsOrder) { $0.bounds[1] = Double.infinity.bitPattern },
            Case("first offset below zero", .negativeSpanOffset) { $0.positive.spans[0].offset = -1 },
            Case("zero bucket", .customZeroBucket) {
                $0.zeroCount = .integer(1); $0.count = .integer(19)
            },
            Case("zero threshold", .customZeroBucket) { $0.zeroThreshold = (0.5).bitPattern },
            Case("negative spans", .customNegativeBuckets) { $0.negative.spans = [.init(offset: 0, length: 0)] },
            Case("negative buckets", .customNegativeBuckets) { $0.negative.deltas = [1] },
            Case("count mismatch", .countMismatch) { $0.count = .integer(17) },
        ]
    )
    func customs(_ one: Case) throws { try Self.check(Self.custom, one) }

    private static func check(_ base: TestHistogram, _ one: Case) throws {
        var histogram = base
        one.change(&histogram)
        let reader = try HistogramMessageTests.read(histogram.message).reader
        #expect(reader.fault == one.fault)
        #expect(reader.fault?.description.isEmpty != true)
    }

    @Test("millions of buckets and spans are read without memory for each")
    func hostile() throws {
        let deltas = [UInt8](repeating: 0, count: 1_000_000)
        let spans = [[UInt8]](repeating: [8 << 3 | 2, 0], count: 200_000).joined()
        let message = Wire.field(12, deltas) + Array(spans) + Wire.field(11, Wire.field(2, varint: 1_000_000))
        let reader = try HistogramMessageTests.read(message).reader
        #expect(reader.fault == nil)
        #expect(reader.positive.deltas == 1_000_000)
        #expect(reader.negative.spans == 200_000)
        // Of fixed size: whatever the message holds, nothing of it is kept.
        #expect(MemoryLayout<HistogramReader>.size < 600)
        let message2 =
            message + Array(repeatElement(Wire.field(8, Wire.field(2, varint: 0xFFFF_FFFF)), count: 100_000).joined())
        #expect(try HistogramMessageTests.read(message2).reader.fault == .bucketsMismatch)
    }
}
