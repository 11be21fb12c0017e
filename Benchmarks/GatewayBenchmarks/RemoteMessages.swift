import Translator

/// The protobuf messages that a Prometheus sends, before snappy.
enum RemoteMessages {
    static func write(_ series: [Series], _ version: WriteProtocol) -> [UInt8] {
        switch version {
        case .version1: self.writeVersion1(series)
        case .version2: self.writeVersion2(series)
        }
    }

    /// `prometheus.WriteRequest`.
    private static func writeVersion1(_ series: [Series]) -> [UInt8] {
        var request: [UInt8] = []
        for one in series {
            var message: [UInt8] = []
            for (name, value) in one.labels {
                var label: [UInt8] = []
                Self.append(1, Array(name.utf8), to: &label)
                Self.append(2, Array(value.utf8), to: &label)
                Self.append(1, label, to: &message)
            }
            for sample in one.samples { Self.append(2, Self.message(sample), to: &message) }
            Self.append(1, message, to: &request)
        }
        return request
    }

    /// `io.prometheus.write.v2.Request`: strings once in a table, labels as pairs of its numbers, each series with the
    /// metadata that a sender adds.
    private static func writeVersion2(_ series: [Series]) -> [UInt8] {
        var numbers = ["": 0]
        var symbols = [""]
        func number(_ text: String) -> UInt64 {
            if let known = numbers[text] { return UInt64(known) }
            numbers[text] = symbols.count
            symbols.append(text)
            return UInt64(symbols.count - 1)
        }
        var messages: [UInt8] = []
        for one in series {
            var references: [UInt8] = []
            for (name, value) in one.labels {
                Self.appendVarint(number(name), to: &references)
                Self.appendVarint(number(value), to: &references)
            }
            var message: [UInt8] = []
            Self.append(1, references, to: &message)
            for sample in one.samples { Self.append(2, Self.message(sample), to: &message) }
            // A gauge with a text of help.
            var metadata: [UInt8] = []
            Self.append(1, varint: 2, to: &metadata)
            Self.append(3, varint: number("Information about the node."), to: &metadata)
            Self.append(5, metadata, to: &message)
            Self.append(5, message, to: &messages)
        }
        var request: [UInt8] = []
        for symbol in symbols { Self.append(4, Array(symbol.utf8), to: &request) }
        return request + messages
    }

    /// `prometheus.ReadRequest` for one metric.
    ///
    /// - Parameter isStreamed: whether the answer may be `STREAMED_XOR_CHUNKS`; else it is `SAMPLES`.
    static func read(metric: String, milliseconds: ClosedRange<Int64>, isStreamed: Bool) -> [UInt8] {
        var matcher: [UInt8] = []
        Self.append(2, Array("__name__".utf8), to: &matcher)
        Self.append(3, Array(metric.utf8), to: &matcher)
        var query: [UInt8] = []
        Self.append(1, varint: UInt64(milliseconds.lowerBound), to: &query)
        Self.append(2, varint: UInt64(milliseconds.upperBound), to: &query)
        Self.append(3, matcher, to: &query)
        var request: [UInt8] = []
        Self.append(1, query, to: &request)
        if isStreamed { Self.append(2, varint: 1, to: &request) }
        return request
    }

    private static func message(_ sample: (milliseconds: Int64, value: Double)) -> [UInt8] {
        var message: [UInt8] = [0x09]
        for shift in 0..<8 { message.append(UInt8(truncatingIfNeeded: sample.value.bitPattern >> UInt64(shift * 8))) }
        Self.append(2, varint: UInt64(bitPattern: sample.milliseconds), to: &message)
        return message
    }

    private static func append(_ number: UInt64, _ bytes: [UInt8], to output: inout [UInt8]) {
        self.appendVarint(number << 3 | 2, to: &output)
        self.appendVarint(UInt64(bytes.count), to: &output)
        output += bytes
    }

    private static func append(_ number: UInt64, varint value: UInt64, to output: inout [UInt8]) {
        self.appendVarint(number << 3, to: &output)
        self.appendVarint(value, to: &output)
    }

    private static func appendVarint(_ value: UInt64, to output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(rest))
    }
}
