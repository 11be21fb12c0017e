import TestSupport
import Testing

@testable import Translator

@Suite("Frames are those of Prometheus' streamed remote read")
struct FrameTests {
    private let t0: Int64 = 1_700_000_000_000

    private func set(_ labels: KeyValuePairs<String, String>, _ samples: [SeriesSet.Sample] = []) -> SeriesSet {
        var set = SeriesSet()
        for label in labels {
            set.labels.append(
                .init(
                    name: Int32(set.names.count),
                    valueCount: Int32(label.value.utf8.count),
                    valueStart: set.values.count
                )
            )
            set.names.append(Array(label.key.utf8))
            set.values += Array(label.value.utf8)
        }
        set.series = [.init(labels: set.labels.indices, samples: samples)]
        return set
    }

    private func series(_ samples: [SeriesSet.Sample]) -> SeriesSet.Series {
        .init(labels: 0..<0, samples: samples)
    }

    @Test("CRC-32C: the check value, and every length and alignment against a plain one")
    func checksum() {
        var crc = CRC32(.castagnoli)
        #expect(crc.value == 0)
        crc.update(Array("123456789".utf8))
        #expect(crc.value == 0xE306_9283)
        var generator = SeededGenerator(seed: 3)
        let bytes = (0..<100).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        for end in 0...bytes.count {
            var crc = CRC32(.castagnoli)
            let middle = Int.random(in: 0...end, using: &generator)
            crc.update(Array(bytes[..<middle]))
            crc.update([])
            crc.update(Array(bytes[middle..<end]))
            #expect(crc.value == DecodedFrames.checksum(Array(bytes[..<end])))
        }
    }

    @Test("the vector: one series of three samples")
    func vector() throws {
        let samples: [SeriesSet.Sample] = [(0, 1), (15_000, 1), (30_000, 2)].map {
            .init(timestampMilliseconds: self.t0 + $0.0, bits: Double($0.1).bitPattern)
        }
        let set = self.set(["__name__": "up", "job": "a"], samples)
        var writer = FrameWriter()
        writer.begin(set.series[0], in: set, queryIndex: 0)
        try writer.append(set.series[0], in: set)
        try writer.end()
        let expected =
            "466b7d17e50a440a0e0a085f5f6e616d655f5f120275700a080a036a6f6212016112280880d095ffbc3110b0ba97ffbc31180122"
            + "16000380a0abfef9623ff000000000000098753097ffc0"
        let pending = writer.pendingBytes
        #expect(pending == expected.count / 2)
        let frame = Array(writer.take().joined())
        #expect(frame == bytes(hexadecimal: expected))
        let (rest, restBytes) = (writer.take(), writer.pendingBytes)
        #expect(rest.isEmpty && restBytes == 0)
    }

    @Test("chunks end at 120 samples, and say their times; samples come in any portions")
    func chunks() throws {
        let samples = (0..<301).map { SeriesSet.Sample(timestampMilliseconds: Int64($0) - 150, bits: UInt64($0)) }
        let set = self.set(["a": "b"])
        for portion in [1, 7, 120, 121, 301] {
            var writer = FrameWriter()
            writer.begin(set.series[0], in: set, queryIndex: 2)
            for start in stride(from: 0, to: samples.count, by: portion) {
                try writer.append(self.series(Array(samples[start..<min(start + portion, samples.count)])), in: set)
            }
            try writer.end()
            let frames = try DecodedFrames(Array(writer.take().joined())).frames
            #expect(frames.count == 1 && frames[0].queryIndex == 2)
            #expect(frames[0].chunks.map(\.samples.count) == [120, 120, 61])
            #expect(frames[0].chunks.map(\.first) == [-150, -30, 90])
            #expect(frames[0].chunks.flatMap(\.samples).map(\.bits) == Array(0..<301))
        }
    }

    @Test(
        "a series that is too long for one frame is refused, wherever it becomes so",
        arguments: [1, 300, 2_000, 20_000]
    )
    func longSeries(limit: Int) throws {
        var generator = SeededGenerator(seed: 5)
        let samples = (0..<6_000).map {
            SeriesSet.Sample(
                timestampMilliseconds: Int64($0) * 1_000,
                bits: .random(in: .min ... .max, using: &generator)
            )
        }
        let set = self.set(["__name__": "up", "job": "a"])
        func frame(_ count: Int, limit: Int) throws -> DecodedFrames.Frame? {
            var writer = FrameWriter(maximumSeriesBytes: limit)
            writer.begin(set.series[0], in: set, queryIndex: 0)
            try writer.append(self.series(Array(samples.prefix(count))), in: set)
            try writer.end()
            return try DecodedFrames(Array(writer.take().joined())).frames.first
        }
        let error = #expect(throws: ReadError.self) { _ = try frame(6_000, limit: limit) }
        guard case .seriesTooLong(limit) = error else {
            Issue.record("another outcome")
            return
        }
        // What fits is one frame, up to the last byte: the head of the message is not counted.
        let whole = try #require(try frame(1_000, limit: 1 << 20))
        #expect(whole.chunks.flatMap(\.samples).map(\.bits) == samples.prefix(1_000).map(\.bits))
        let head = 1 + ProtobufBytes.varintSize(UInt64(whole.byteCount))
        #expect(try frame(1_000, limit: whole.byteCount - head) == whole)
        #expect(throws: ReadError.self) { _ = try frame(1_000, limit: whole.byteCount - head - 1) }
    }

    @Test("long frames are not copied together, and their bytes are the same")
    func longFrames() throws {
        var generator = SeededGenerator(seed: 6)
        let samples = (0..<30_000).map {
            SeriesSet.Sample(timestampMilliseconds: Int64($0), bits: .random(in: .min ... .max, using: &generator))
        }
        let set = self.set(["__name__": "up"])
        var writer = FrameWriter()
        for queryIndex in 0...1 {
            writer.begin(set.series[0], in: set, queryIndex: queryIndex)
            try writer.append(self.series(queryIndex == 0 ? Array(samples.prefix(3)) : samples), in: set)
            try writer.end()
        }
        let pending = writer.pendingBytes
        let pieces = writer.take()
        #expect(pieces.count == 3)
        #expect(pieces.reduce(0) { $0 + $1.count } == pending)
        let frames = try DecodedFrames(Array(pieces.joined())).frames
        #expect(frames.map(\.queryIndex) == [0, 1])
        #expect(frames[1].chunks.flatMap(\.samples).map(\.bits) == samples.map(\.bits))
    }

    @Test("a series without samples is a frame only where series are listed, also one without labels")
    func empty() throws {
        for labels in [["a": "b"], [:]] as [KeyValuePairs<String, String>] {
            let set = self.set(labels)
            var writer = FrameWriter()
            writer.begin(set.series[0], in: set, queryIndex: 0)
            try writer.end()
            let none = writer.take()
            #expect(none.isEmpty)
            writer.begin(set.series[0], in: set, queryIndex: 0)
            try writer.end(isListed: true)
            let frames = try DecodedFrames(Array(writer.take().joined())).frames
            #expect(frames.count == 1 && frames[0].labels.count == labels.count && frames[0].chunks.isEmpty)
        }
    }
}
