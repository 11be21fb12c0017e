/// Builds protobuf messages for tests, field by field.
struct ProtobufBuilder {
    private(set) var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(rest))
    }

    mutating func key(_ number: Int, _ wireType: Int) {
        self.varint(UInt64(number << 3 | wireType))
    }

    mutating func field(_ number: Int, _ message: [UInt8]) {
        self.key(number, 2)
        self.varint(UInt64(message.count))
        self.bytes += message
    }

    mutating func field(_ number: Int, _ text: String) {
        self.field(number, Array(text.utf8))
    }

    mutating func field(_ number: Int, integer value: Int64) {
        self.key(number, 0)
        self.varint(UInt64(bitPattern: value))
    }

    mutating func field(_ number: Int, bits: UInt64) {
        self.key(number, 1)
        for shift in 0..<8 { self.bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift * 8))) }
    }
}

/// A remote write 1.0 request, as a sender would make it.
struct WriteRequestBuilder {
    private var builder = ProtobufBuilder()
    var bytes: [UInt8] { self.builder.bytes }

    mutating func series(_ labels: [(String, String)], _ samples: [(Double, Int64)]) {
        self.series(
            labels: labels.map { (Array($0.0.utf8), Array($0.1.utf8)) },
            samples: samples.map { ($0.0.bitPattern, $0.1) }
        )
    }

    mutating func series(labels: [([UInt8], [UInt8])], samples: [(UInt64, Int64)], extra: [(Int, [UInt8])] = []) {
        var series = ProtobufBuilder()
        for (name, value) in labels {
            var label = ProtobufBuilder()
            label.field(1, name)
            label.field(2, value)
            series.field(1, label.bytes)
        }
        for (bits, time) in samples {
            var sample = ProtobufBuilder()
            if bits != 0 { sample.field(1, bits: bits) }
            sample.field(2, integer: time)
            series.field(2, sample.bytes)
        }
        for (number, message) in extra { series.field(number, message) }
        self.builder.field(1, series.bytes)
    }

    mutating func metadata(_ name: String) {
        var metadata = ProtobufBuilder()
        metadata.field(1, integer: 1)
        metadata.field(2, name)
        self.builder.field(3, metadata.bytes)
    }

    mutating func raw(_ bytes: [UInt8]) {
        var copy = ProtobufBuilder()
        for byte in bytes { copy.varint(UInt64(byte)) }
        precondition(bytes.allSatisfy { $0 < 0x80 })
        self.builder = Self.joined(self.builder, copy)
    }

    private static func joined(_ left: ProtobufBuilder, _ right: ProtobufBuilder) -> ProtobufBuilder {
        var result = left
        for byte in right.bytes { result.varint(UInt64(byte)) }
        return result
    }
}
