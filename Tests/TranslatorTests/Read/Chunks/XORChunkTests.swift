import TestSupport
import Testing

@testable import Translator

private let t0: Int64 = 1_700_000_000_000

private func encode(_ samples: [(time: Int64, bits: UInt64)]) -> [UInt8] {
    var encoder = XORChunkEncoder()
    var output: [UInt8] = []
    for sample in samples { encoder.append(timestamp: sample.time, bits: sample.bits) }
    encoder.finish(into: &output)
    return output
}

@Suite("XOR chunks are those of Prometheus, bit for bit")
struct XORChunkTests {
    /// Bytes that Prometheus' own encoder (2.42) made.
    private static let vectors: [(name: String, samples: [(Int64, UInt64)], chunk: String)] = {
        func numbers(_ values: [(Int64, Double)]) -> [(Int64, UInt64)] { values.map { (t0 + $0.0, $0.1.bitPattern) } }
        var edges: [(Int64, UInt64)] = [(t0, 0), (t0 + 2_000_000, 0)]
        var delta: Int64 = 2_000_000
        for change in [
            0, 8_192, -8_191, -8_192, 8_193, 65_536, -65_535, -65_536, 65_537, 524_288, -524_287, -524_288, 524_289,
        ] as [Int64] {
            delta += change
            edges.append((edges[edges.count - 1].0 + delta, 0))
        }
        let odd: [(Int64, UInt64)] = [
            (0, (1.0).bitPattern), (15_000, (1.0).bitPattern), (30_000, (2.0).bitPattern), (45_001, (2.5).bitPattern),
            (60_000, (-0.0).bitPattern), (68_193, Double.infinity.bitPattern), (138_193, 0x7FF8_0000_0000_0001),
            (300_000, staleBits), (300_001, (1e300).bitPattern), (300_002, (3.0).bitPattern),
            (300_003, (3.0).bitPattern), (310_003, (3.0).bitPattern),
        ].map { (t0 + $0.0, $0.1) }
        return [
            ("one sample", numbers([(0, 42)]), "000180a0abfef9624045000000000000"),
            (
                "a steady interval", numbers([(0, 1), (15_000, 1), (30_000, 2)]),
                "000380a0abfef9623ff000000000000098753097ffc0"
            ),
            (
                "odd intervals and values", odd,
                "000c80a0abfef9623ff000000000000098753097ffe0007683bffec0760034ad57ff99e2dfb348000000000001e1669fa000"
                    + "000000000fb61fcb3f1c7e43c8800759ec5e7c7fc8791000eb3984e1e0"
            ),
            (
                "both ends of each class of intervals", edges,
                "000f80a0abfef962000000000000000080897a14000a0016f000308005a0000d00017780003840005d00000e800017ffffff"
                    + "fffffc00003c0000000000200004"
            ),
        ]
    }()

    @Test("vectors", arguments: Self.vectors)
    func vector(_ vector: (name: String, samples: [(Int64, UInt64)], chunk: String)) throws {
        #expect(encode(vector.samples.map { ($0.0, $0.1) }) == bytes(hexadecimal: vector.chunk))
        let decoded = try XORChunkDecoder.decode(bytes(hexadecimal: vector.chunk))
        #expect(decoded.map(\.time) == vector.samples.map(\.0))
        #expect(decoded.map(\.bits) == vector.samples.map(\.1))
    }

    private static let values: [UInt64] = [
        0, (-0.0).bitPattern, 1, .max, 1 << 63, 0x7FF0_0000_0000_0001, 0x7FF8_0000_0000_0001, staleBits,
        Double.infinity.bitPattern, (-Double.infinity).bitPattern, (1.0).bitPattern, (0.1).bitPattern,
        (1e300).bitPattern,
    ]
    /// Around the edges of each class, by which an interval differs from the one before.
    private static let changes: [Int64] = ([8_191, 65_535, 524_287, 1 << 32] as [Int64]).flatMap { edge in
        ((-2 as Int64)...2).flatMap { near in [near - edge, near + edge] }
    }

    @Test(
        "random samples are read back, by a reader made from the format's description",
        arguments: 1...60 as ClosedRange<UInt64>
    )
    func property(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var encoder = XORChunkEncoder()
        // One encoder for several chunks: nothing of one may be left in the next.
        for count in [1, 2, 3, Int.random(in: 4...119, using: &generator), 120] {
            var samples: [(time: Int64, bits: UInt64)] = []
            var time = Int64.random(in: -(1 << 40)...1 << 41, using: &generator)
            var delta: Int64 = Int64.random(in: 1...60_000, using: &generator)
            var bits = UInt64.random(in: .min ... .max, using: &generator)
            for _ in 0..<count {
                samples.append((time, bits))
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: break
                case 1: delta = max(1, delta + Int64.random(in: -20...20, using: &generator))
                case 2: delta = max(1, delta + (Self.changes.randomElement(using: &generator) ?? 0))
                default: delta = Int64.random(in: 1...1 << 35, using: &generator)
                }
                time += delta
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: break
                case 1: bits = UInt64.random(in: .min ... .max, using: &generator)
                case 2: bits = Self.values.randomElement(using: &generator) ?? 0
                case 3: bits ^= 1 << UInt64.random(in: 0..<64, using: &generator)
                default: bits = (Double(bitPattern: bits) + 1).bitPattern
                }
            }
            var output: [UInt8] = [0xAB]
            for sample in samples {
                encoder.append(timestamp: sample.time, bits: sample.bits)
            }
            let isFull = encoder.isFull
            #expect(isFull == (count == 120))
            let times = [encoder.firstTimestamp, encoder.lastTimestamp]
            #expect(times == [samples[0].time, samples[count - 1].time])
            let byteCount = encoder.byteCount
            encoder.finish(into: &output)
            #expect(output.count == 1 + byteCount && output[0] == 0xAB)
            let decoded = try XORChunkDecoder.decode(Array(output.dropFirst()))
            #expect(decoded.map(\.time) == samples.map(\.time))
            #expect(decoded.map(\.bits) == samples.map(\.bits))
        }
    }

    @Test("the longest chunk there can be has room: every interval and every value of the longest kind")
    func longest() throws {
        var samples: [(time: Int64, bits: UInt64)] = []
        var time = Int64.min / 2
        for number in 0..<120 {
            samples.append((time, number % 2 == 0 ? 1 << 63 | 1 : 0))
            time += number % 2 == 0 ? 1 : 1 << 40
        }
        let decoded = try XORChunkDecoder.decode(encode(samples))
        #expect(decoded.map(\.time) == samples.map(\.time))
        #expect(decoded.map(\.bits) == samples.map(\.bits))
    }
}
