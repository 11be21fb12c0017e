@testable import Translator

/// Reads histogram chunks, written after `tsdb/docs/format/chunks.md` of Prometheus: bit by bit, with nothing of the
/// encoder's.
struct ChunkDecoder {
    struct Sample: Equatable {
        var time: Int64
        var histogram: TestHistogram
    }

    struct Malformed: Error {}

    private var bits: [Bool] = []
    private var position = 0

    static func decode(_ data: [UInt8], isFloat: Bool) throws -> (flags: UInt8, samples: [Sample]) {
        guard data.count >= 3 else { throw Malformed() }
        var decoder = ChunkDecoder()
        for byte in data.dropFirst(3) {
            for place in (0..<8).reversed() { decoder.bits.append(byte >> UInt8(place) & 1 == 1) }
        }
        let count = Int(data[0]) << 8 | Int(data[1])
        let samples = try decoder.samples(count, isFloat, flags: data[2] >> 6)
        // Nothing but padding is left.
        guard decoder.bits.count - decoder.position < 8, !decoder.bits[decoder.position...].contains(true) else {
            throw Malformed()
        }
        return (data[2] >> 6, samples)
    }

    private mutating func take(_ count: Int) throws -> UInt64 {
        guard self.position + count <= self.bits.count else { throw Malformed() }
        defer { self.position += count }
        return self.bits[self.position..<self.position + count].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
    }

    private mutating func width() throws -> Int {
        var ones = 0
        while ones < 8, try self.take(1) == 1 { ones += 1 }
        return [0, 3, 6, 9, 12, 18, 25, 56, 64][ones]
    }

    private mutating func unsignedVarbit() throws -> UInt64 {
        try self.take(self.width())
    }

    private mutating func varbit() throws -> Int64 {
        let width = try self.width()
        let value = try self.take(width)
        if width == 0 { return 0 }
        if width == 64 { return Int64(bitPattern: value) }
        return value > 1 << UInt64(width - 1) ? Int64(value) - 1 << Int64(width) : Int64(value)
    }

    private struct XOR {
        var value: UInt64
        var leading = 0
        var trailing = 0
    }

    private mutating func xor(_ state: inout XOR) throws {
        guard try self.take(1) == 1 else { return }
        if try self.take(1) == 1 {
            state.leading = Int(try self.take(5))
            var count = Int(try self.take(6))
            if count == 0 { count = 64 }
            guard state.leading + count <= 64 else { throw Malformed() }
            state.trailing = 64 - state.leading - count
        }
        state.value ^= try self.take(64 - state.leading - state.trailing) << UInt64(state.trailing)
    }

    private mutating func spans() throws -> [TestHistogram.Span] {
        try (0..<self.unsignedVarbit()).map { _ in
            let length = try self.unsignedVarbit()
            return TestHistogram.Span(offset: Int32(try self.varbit()), length: UInt32(length))
        }
    }

    private mutating func bound() throws -> UInt64 {
        let value = try self.unsignedVarbit()
        return value == 0 ? try self.take(64) : (Double(value - 1) / 1000).bitPattern
    }

    private mutating func samples(_ count: Int, _ isFloat: Bool, flags: UInt8) throws -> [Sample] {
        var layout = TestHistogram()
        switch try self.take(8) {
        case 0: layout.zeroThreshold = 0
        case 255: layout.zeroThreshold = try self.take(64)
        case let byte: layout.zeroThreshold = Double(sign: .plus, exponent: Int(byte) - 244, significand: 1).bitPattern
        }
        layout.schema = Int32(try self.varbit())
        layout.positive.spans = try self.spans()
        layout.negative.spans = try self.spans()
        if layout.schema == -53 { layout.bounds = try (0..<self.unsignedVarbit()).map { _ in try self.bound() } }
        let positive = layout.positive.spans.reduce(0) { $0 + Int($1.length) }
        let negative = layout.negative.spans.reduce(0) { $0 + Int($1.length) }

        // Time, count, zero count and buckets, each with its last difference; of floats the last XOR instead.
        var time: (value: Int64, delta: Int64) = (try self.varbit(), 0)
        var numbers: [(value: Int64, delta: Int64)] = []
        var doubles: [XOR] = []
        var sum: XOR
        if isFloat {
            for _ in 0..<2 { doubles.append(XOR(value: try self.take(64))) }
            sum = XOR(value: try self.take(64))
            for _ in 0..<positive + negative { doubles.append(XOR(value: try self.take(64))) }
        } else {
            for _ in 0..<2 { numbers.append((Int64(bitPattern: try self.unsignedVarbit()), 0)) }
            sum = XOR(value: try self.take(64))
            for _ in 0..<positive + negative { numbers.append((try self.varbit(), 0)) }
        }

        var samples: [Sample] = []
        for place in 0..<count {
            if place > 0 {
                time.delta &+= try self.varbit()
                time.value &+= time.delta
                for index in 0..<2 {
                    if isFloat {
                        try self.xor(&doubles[index])
                    } else {
                        numbers[index].delta &+= try self.varbit()
                        numbers[index].value &+= numbers[index].delta
                    }
                }
                try self.xor(&sum)
                if sum.value != TestHistogram.stale {
                    for index in 2..<2 + positive + negative {
                        if isFloat {
                            try self.xor(&doubles[index])
                        } else {
                            numbers[index].delta &+= try self.varbit()
                            numbers[index].value &+= numbers[index].delta
                        }
                    }
                }
            }
            var histogram = layout
            if sum.value == TestHistogram.stale {
                histogram = TestHistogram()
                histogram.count = isFloat ? .float(0) : .integer(0)
            } else {
                if isFloat {
                    histogram.count = .float(doubles[0].value)
                    histogram.zeroCount = .float(doubles[1].value)
                    histogram.positive.counts = doubles[2..<2 + positive].map(\.value)
                    histogram.negative.counts = doubles[(2 + positive)...].map(\.value)
                } else {
                    histogram.count = .integer(UInt64(bitPattern: numbers[0].value))
                    histogram.zeroCount = .integer(UInt64(bitPattern: numbers[1].value))
                    histogram.positive.deltas = numbers[2..<2 + positive].map(\.value)
                    histogram.negative.deltas = numbers[(2 + positive)...].map(\.value)
                }
                // As readers understand the flags: 11 gauge, 10 reset before the chunk; inside a chunk there is none.
                histogram.resetHint = flags == 3 ? 3 : place > 0 ? 2 : flags == 2 ? 1 : 0
            }
            histogram.sum = sum.value
            samples.append(Sample(time: time.value, histogram: histogram))
        }
        return samples
    }
}
