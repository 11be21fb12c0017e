@testable import Translator

/// A `prometheus.ReadRequest`, as a client would make it.
struct ReadRequestBuilder {
    enum MatcherType: Int64 {
        case equal, notEqual, regex, notRegex
    }

    struct Matcher {
        var type: MatcherType
        var name: [UInt8]
        var value: [UInt8]

        init(_ name: String, _ type: MatcherType, _ value: String) {
            self.init(name: Array(name.utf8), type, value: Array(value.utf8))
        }

        init(name: [UInt8], _ type: MatcherType, value: [UInt8]) {
            self.type = type
            self.name = name
            self.value = value
        }
    }

    private var builder = ProtobufBuilder()
    var bytes: [UInt8] { self.builder.bytes }
    var block: [UInt8] { SnappyBlock.encode(self.bytes) }

    static func matcher(type: Int64, name: [UInt8], value: [UInt8]) -> [UInt8] {
        var message = ProtobufBuilder()
        // proto3 leaves the zero out.
        if type != 0 { message.field(1, integer: type) }
        message.field(2, name)
        message.field(3, value)
        return message.bytes
    }

    mutating func query(
        _ range: ClosedRange<Int64>,
        _ matchers: [Matcher],
        hints: ClosedRange<Int64>? = nil,
        function: String? = nil
    ) {
        self.query(from: range.lowerBound, to: range.upperBound, matchers, hints: hints, function: function)
    }

    /// A query whose end may be before its start.
    mutating func query(
        from start: Int64,
        to end: Int64,
        _ matchers: [Matcher],
        hints: ClosedRange<Int64>? = nil,
        function: String? = nil
    ) {
        var query = ProtobufBuilder()
        query.field(1, integer: start)
        query.field(2, integer: end)
        for matcher in matchers {
            query.field(3, Self.matcher(type: matcher.type.rawValue, name: matcher.name, value: matcher.value))
        }
        if hints != nil || function != nil {
            var message = ProtobufBuilder()
            message.field(1, integer: 15_000)
            if let function { message.field(2, function) }
            if let hints {
                message.field(3, integer: hints.lowerBound)
                message.field(4, integer: hints.upperBound)
            }
            message.field(5, "instance")
            query.field(4, message.bytes)
        }
        self.builder.field(1, query.bytes)
    }

    mutating func accept(packed types: [UInt64]) {
        var list = ProtobufBuilder()
        for type in types { list.varint(type) }
        self.builder.field(2, list.bytes)
    }

    mutating func accept(_ type: Int64) {
        self.builder.field(2, integer: type)
    }

    /// A field of no meaning, to be skipped.
    mutating func unknown() {
        self.builder.field(99, "unknown")
    }
}

/// A decoded `prometheus.ReadResponse`; decoded by a reader of its own, not by the product's.
struct DecodedResponse: Equatable {
    struct Pair: Hashable {
        var name: [UInt8]
        var value: [UInt8]
    }

    struct Point: Hashable {
        var time: Int64
        var bits: UInt64
    }

    struct Series: Equatable {
        var labels: [Pair]
        var samples: [Point]
        var histograms: [TestHistogram] = []

        init(labels: [Pair], samples: [Point]) {
            self.labels = labels
            self.samples = samples
        }

        init(_ labels: KeyValuePairs<String, String>, _ samples: [(Int64, Double)]) {
            self.labels = labels.map { Pair(name: Array($0.key.utf8), value: Array($0.value.utf8)) }
            self.samples = samples.map { Point(time: $0.0, bits: $0.1.bitPattern) }
        }
    }

    var results: [[Series]] = []

    enum Field {
        case number(UInt64)
        case bytes([UInt8])
    }

    init(block: [UInt8]) throws {
        self.init(message: try SnappyBlock.decode(block, limitBytes: 1 << 30))
    }

    init(message: [UInt8]) {
        self.results = Self.fields(message).map { Self.result(Self.bytes($0.value)) }
    }

    private static func result(_ message: [UInt8]) -> [Series] {
        self.fields(message).map { field in
            var series = Series(labels: [], samples: [])
            for part in self.fields(self.bytes(field.value)) {
                if part.number == 4 {
                    series.histograms.append(TestHistogram(parsing: self.bytes(part.value)))
                    continue
                }
                let inner = self.fields(self.bytes(part.value))
                if part.number == 1 {
                    let name = inner.first { $0.number == 1 }.map { self.bytes($0.value) } ?? []
                    let value = inner.first { $0.number == 2 }.map { self.bytes($0.value) } ?? []
                    series.labels.append(Pair(name: name, value: value))
                } else {
                    let bits = inner.first { $0.number == 1 }.map { self.number($0.value) } ?? 0
                    let time = inner.first { $0.number == 2 }.map { self.number($0.value) } ?? 0
                    series.samples.append(Point(time: Int64(bitPattern: time), bits: bits))
                }
            }
            return series
        }
    }

    static func bytes(_ field: Field) -> [UInt8] {
        if case .bytes(let bytes) = field { bytes } else { preconditionFailure("expected a message") }
    }

    static func number(_ field: Field) -> UInt64 {
        if case .number(let number) = field { number } else { preconditionFailure("expected a number") }
    }

    static func fields(_ message: [UInt8]) -> [(number: UInt64, value: Field)] {
        var index = 0
        func varint() -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                let byte = message[index]
                index += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
        }
        var fields: [(number: UInt64, value: Field)] = []
        while index < message.count {
            let key = varint()
            switch key & 7 {
            case 0: fields.append((key >> 3, .number(varint())))
            case 1:
                let word = message[index..<index + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                index += 8
                fields.append((key >> 3, .number(word)))
            default:
                let count = Int(varint())
                fields.append((key >> 3, .bytes(Array(message[index..<index + count]))))
                index += count
            }
        }
        return fields
    }
}

func bytes(hexadecimal text: String) -> [UInt8] {
    stride(from: 0, to: text.count, by: 2).compactMap { UInt8(text.dropFirst($0).prefix(2), radix: 16) }
}
