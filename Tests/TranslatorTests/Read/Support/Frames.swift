import Common
import TimestreamModel

@testable import Translator

/// Decoded frames of a streamed answer; decoded by readers of their own, not by the product's writers.
struct DecodedFrames {
    struct Frame: Equatable {
        struct Chunk: Equatable {
            var first: Int64
            var last: Int64
            var type: UInt64
            var data: [UInt8]
            var samples: [DecodedResponse.Point] = []
            var histograms: [ChunkDecoder.Sample] = []
        }

        var labels: [DecodedResponse.Pair] = []
        var chunks: [Chunk] = []
        var queryIndex = 0
        /// Of the message, without length and checksum.
        var byteCount = 0
    }

    struct Malformed: Error {
        var what: String
    }

    var frames: [Frame] = []
    var sampleCount = 0
    var counts = ReadCounts()

    init(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int(try Self.varint(&rest))
            guard rest.count >= 4 + count else { throw Malformed(what: "a frame that is cut off") }
            let checksum = rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let message = Array(rest.dropFirst(4).prefix(count))
            guard Self.checksum(message) == checksum else { throw Malformed(what: "a wrong checksum") }
            self.frames.append(try Self.frame(message))
            rest = rest.dropFirst(4 + count)
        }
    }

    /// The series of all frames; those of neighbouring frames of one series are joined.
    func results(queries: Int) -> [[DecodedResponse.Series]] {
        var results = [[DecodedResponse.Series]](repeating: [], count: queries)
        for frame in self.frames {
            let samples = frame.chunks.flatMap(\.samples)
            let histograms = frame.chunks.flatMap(\.histograms).map { sample in
                // What the hint says depends on the histograms before.
                var histogram = sample.histogram
                histogram.timestamp = sample.time
                histogram.resetHint = 0
                return histogram
            }
            if let last = results[frame.queryIndex].last, last.labels == frame.labels {
                results[frame.queryIndex][results[frame.queryIndex].count - 1].samples += samples
                results[frame.queryIndex][results[frame.queryIndex].count - 1].histograms += histograms
            } else {
                var series = DecodedResponse.Series(labels: frame.labels, samples: samples)
                series.histograms = histograms
                results[frame.queryIndex].append(series)
            }
        }
        return results
    }

    // MARK: Frames

    /// CRC-32C, a bit at a time, straight from its polynomial.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var state = UInt32.max
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
        return ~state
    }

    private static func varint(_ bytes: inout ArraySlice<UInt8>) throws -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = bytes.popFirst() {
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw Malformed(what: "a varint that is cut off")
    }

    private static func frame(_ message: [UInt8]) throws -> Frame {
        var frame = Frame()
        frame.byteCount = message.count
        var seriesCount = 0
        for field in DecodedResponse.fields(message) {
            switch field.number {
            case 1:
                seriesCount += 1
                for part in DecodedResponse.fields(DecodedResponse.bytes(field.value)) {
                    let inner = DecodedResponse.fields(DecodedResponse.bytes(part.value))
                    func bytes(_ number: UInt64) -> [UInt8] {
                        inner.first { $0.number == number }.map { DecodedResponse.bytes($0.value) } ?? []
                    }
                    func number(_ number: UInt64) -> UInt64 {
                        inner.first { $0.number == number }.map { DecodedResponse.number($0.value) } ?? 0
                    }
                    if part.number == 1 {
                        frame.labels.append(.init(name: bytes(1), value: bytes(2)))
                    } else {
                        var chunk = Frame.Chunk(
                            first: Int64(bitPattern: number(1)),
                            last: Int64(bitPattern: number(2)),
                            type: number(3),
                            data: bytes(4)
                        )
                        switch chunk.type {
                        case 1: chunk.samples = try XORChunkDecoder.decode(chunk.data)
                        case 2, 3:
                            chunk.histograms = try ChunkDecoder.decode(chunk.data, isFloat: chunk.type == 3).samples
                        default: throw Malformed(what: "a chunk of an unknown type")
                        }
                        let times = chunk.samples.map(\.time) + chunk.histograms.map(\.time)
                        guard times.first == chunk.first, times.last == chunk.last, times.count <= 120 else {
                            throw Malformed(what: "a chunk that is not what it says")
                        }
                        if let last = frame.chunks.last, last.last >= chunk.first {
                            throw Malformed(what: "chunks that are not in order of time")
                        }
                        frame.chunks.append(chunk)
                    }
                }
            case 2: frame.queryIndex = Int(DecodedResponse.number(field.value))
            default: throw Malformed(what: "a field of no meaning")
            }
        }
        guard seriesCount == 1 else { throw Malformed(what: "a frame of \(seriesCount) series") }
        return frame
    }
}

/// Reads XOR chunks, bit by bit, from the description of the format.
struct XORChunkDecoder {
    private let bytes: [UInt8]
    private var position = 0

    static func decode(_ bytes: [UInt8]) throws -> [DecodedResponse.Point] {
        var decoder = XORChunkDecoder(bytes: bytes)
        let count = Int(try decoder.bits(16))
        var samples: [DecodedResponse.Point] = []
        var delta: Int64 = 0
        var window = (leading: 0, significant: 0)
        for number in 0..<count {
            guard let last = samples.last else {
                let zigzag = try decoder.varint()
                let time = Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
                samples.append(.init(time: time, bits: try decoder.bits(64)))
                continue
            }
            if number == 1 {
                delta = Int64(bitPattern: try decoder.varint())
            } else {
                delta &+= try decoder.change()
            }
            let time = last.time &+ delta
            var value = last.bits
            if try decoder.bits(1) == 1 {
                if try decoder.bits(1) == 1 {
                    window.leading = Int(try decoder.bits(5))
                    window.significant = Int(try decoder.bits(6))
                    if window.significant == 0 { window.significant = 64 }
                }
                let trailing = 64 - window.leading - window.significant
                value ^= try decoder.bits(window.significant) << UInt64(trailing)
            }
            samples.append(.init(time: time, bits: value))
        }
        guard (decoder.position + 7) / 8 == bytes.count else {
            throw DecodedFrames.Malformed(what: "bytes after a chunk")
        }
        while decoder.position < bytes.count * 8 {
            guard try decoder.bits(1) == 0 else { throw DecodedFrames.Malformed(what: "bits after a chunk") }
        }
        return samples
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func bits(_ count: Int) throws -> UInt64 {
        var value: UInt64 = 0
        for _ in 0..<count {
            guard self.position < self.bytes.count * 8 else {
                throw DecodedFrames.Malformed(what: "a chunk that is cut off")
            }
            let byte = self.bytes[self.position / 8]
            value = value << 1 | UInt64(byte >> UInt8(7 - self.position % 8) & 1)
            self.position += 1
        }
        return value
    }

    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try self.bits(8)
            value |= (byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    private mutating func change() throws -> Int64 {
        for size in [0, 14, 17, 20] where try self.bits(1) == 0 {
            guard size > 0 else { return 0 }
            let code = Int64(try self.bits(size))
            return code > 1 << (size - 1) ? code - 1 << size : code
        }
        return Int64(bitPattern: try self.bits(64))
    }
}

/// Keeps what is sent, and may fail or do something before it takes a piece.
final class FakeSink: Sendable {
    private let state = Locked<[[UInt8]]>([])
    private let beforeEach: @Sendable (_ piece: Int) async throws -> Void

    init(beforeEach: @escaping @Sendable (_ piece: Int) async throws -> Void = { _ in }) {
        self.beforeEach = beforeEach
    }

    var pieces: [[UInt8]] { self.state.withLock(\.self) }
    var bytes: [UInt8] { Array(self.pieces.joined()) }

    func send(_ bytes: [UInt8]) async throws {
        try await self.beforeEach(self.pieces.count)
        self.state.withLock { $0.append(bytes) }
    }
}

/// Reads by frames; the request must accept them.
func readStream(
    _ store: any TimestreamStore,
    _ request: ReadRequestBuilder,
    reader: TableReader = TableReader(table: readTable),
    limits: ReadLimits = unlimitedRead,
    deadline: ContinuousClock.Instant = .now + .seconds(60),
    sink: FakeSink = FakeSink(),
    reserve: @escaping MemoryReservation = unlimitedMemory
) async throws -> DecodedFrames {
    let answer = try await reader.read(
        request.block,
        from: store,
        limits: limits,
        deadline: deadline,
        reserve: reserve
    )
    guard case .stream(let stream) = answer else { throw DecodedFrames.Malformed(what: "no stream") }
    let counts = try await stream.write { try await sink.send($0) }
    var frames = try DecodedFrames(sink.bytes)
    frames.sampleCount = counts.samples
    frames.counts = counts
    return frames
}

extension Locked<Int> {
    /// Keeps account of reserved memory.
    func addBytes(_ byteCount: Int) {
        self.withLock { $0 += byteCount }
    }
}
