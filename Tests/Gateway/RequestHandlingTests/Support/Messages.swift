import Translator

/// Builds protobuf messages, field by field.
struct Message {
    private(set) var bytes: [UInt8] = []

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(rest))
    }

    mutating func field(_ number: UInt64, _ message: [UInt8]) {
        self.varint(number << 3 | 2)
        self.varint(UInt64(message.count))
        self.bytes += message
    }

    mutating func field(_ number: UInt64, integer value: Int64) {
        self.varint(number << 3)
        self.varint(UInt64(bitPattern: value))
    }

    mutating func field(_ number: UInt64, double value: Double) {
        self.varint(number << 3 | 1)
        for shift in 0..<8 { self.bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt64(shift * 8))) }
    }

    static func label(_ name: String, _ value: String) -> [UInt8] {
        var label = Message()
        label.field(1, Array(name.utf8))
        label.field(2, Array(value.utf8))
        return label.bytes
    }
}

/// Bodies of remote write 1.0 and remote read, as snappy blocks.
enum RequestBody {
    struct Series {
        var labels: [(String, String)]
        var samples: [(Double, Int64)]
        /// Fields beside labels and samples.
        var extra: [(UInt64, [UInt8])] = []
    }

    static func message(_ series: [Series], metadata: Int = 0) -> [UInt8] {
        var request = Message()
        for one in series {
            var message = Message()
            for (name, value) in one.labels { message.field(1, Message.label(name, value)) }
            for (value, time) in one.samples {
                var sample = Message()
                sample.field(1, double: value)
                sample.field(2, integer: time)
                message.field(2, sample.bytes)
            }
            for (number, bytes) in one.extra { message.field(number, bytes) }
            request.field(1, message.bytes)
        }
        for _ in 0..<metadata { request.field(3, []) }
        return request.bytes
    }

    /// A `prometheus.MetricMetadata`.
    static func metadata(_ metric: String, type: Int64, help: String) -> [UInt8] {
        var message = Message()
        message.field(1, integer: type)
        message.field(2, Array(metric.utf8))
        message.field(4, Array(help.utf8))
        return message.bytes
    }

    static func write(_ series: [Series], metadata: Int = 0) -> [UInt8] {
        SnappyBlock.encode(self.message(series, metadata: metadata))
    }

    /// `count` series of one sample each, whose values are their numbers.
    static func write(samples count: Int) -> [UInt8] {
        self.write((0..<count).map { self.series("metric", $0) })
    }

    static func series(_ metric: String, _ number: Int) -> Series {
        Series(
            labels: [("__name__", metric), ("number", "\(number)")],
            samples: [(Double(number), 1_700_000_000_000)]
        )
    }

    /// A query of one metric; `matchers` are type, name and value.
    /// - Parameters:
    ///   - accepting: the response types that the client takes, in its order.
    ///   - queries: how many times the same query.
    static func read(_ matchers: [(Int64, String, String)], accepting: [Int64] = [], queries: Int = 1) -> [UInt8] {
        var query = Message()
        query.field(1, integer: 1_700_000_000_000)
        query.field(2, integer: 1_700_000_060_000)
        for (type, name, value) in matchers {
            var matcher = Message()
            matcher.field(1, integer: type)
            matcher.field(2, Array(name.utf8))
            matcher.field(3, Array(value.utf8))
            query.field(3, matcher.bytes)
        }
        var request = Message()
        for _ in 0..<queries { request.field(1, query.bytes) }
        for type in accepting { request.field(2, integer: type) }
        return SnappyBlock.encode(request.bytes)
    }
}
