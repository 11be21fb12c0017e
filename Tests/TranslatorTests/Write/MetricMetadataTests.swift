import Common
import Testing
import TimestreamModel

@testable import Translator

private let options = WriteOptions(
    table: TableName(database: "d", table: "t"),
    dropsSpecialValues: false,
    dropsLongNames: false,
    maxLabelsPerSeries: 64
)

private func entry(_ metric: String, _ kind: MetricMetadata.Kind, _ help: String = "", _ unit: String = "")
    -> MetricMetadata
{
    MetricMetadata(metric: Array(metric.utf8), kind: kind, help: help, unit: unit)
}

/// A `prometheus.MetricMetadata`.
private func message(_ type: Int64, _ metric: [UInt8], _ help: [UInt8] = [], _ unit: [UInt8] = []) -> [UInt8] {
    var message = ProtobufBuilder()
    message.field(1, integer: type)
    message.field(2, metric)
    if !help.isEmpty { message.field(4, help) }
    if !unit.isEmpty { message.field(5, unit) }
    return message.bytes
}

private func message(_ type: Int64, _ metric: String, _ help: String = "", _ unit: String = "") -> [UInt8] {
    message(type, Array(metric.utf8), Array(help.utf8), Array(unit.utf8))
}

private func request(_ messages: [[UInt8]]) -> [UInt8] {
    var request = ProtobufBuilder()
    for message in messages { request.field(3, message) }
    return request.bytes
}

@Suite("Metadata of remote write 1.0")
struct MetricMetadataTests {
    private func plan(_ messages: [[UInt8]]) throws -> WritePlan {
        try WritePlan.plan(request(messages), options: options)
    }

    @Test("type, help and unit are kept, numbers without a meaning as unknown")
    func kinds() throws {
        var messages = (0..<8).map { message($0, "metric_\($0)", "Help \($0).", "seconds") }
        messages += [message(8, "later"), message(-1, "negative", "é \u{1F98A}\n\"\\")]
        let plan = try self.plan(messages)
        let kinds: [MetricMetadata.Kind] = [
            .unknown, .counter, .gauge, .histogram, .gaugehistogram, .summary, .info, .stateset,
        ]
        var expected = kinds.enumerated().map { entry("metric_\($0)", $1, "Help \($0).", "seconds") }
        expected += [entry("later", .unknown), entry("negative", .unknown, "é \u{1F98A}\n\"\\")]
        #expect(plan.metadata.entries() == expected)
        #expect(plan.counts.metadata == 10 && plan.metadata.drops.isEmpty && plan.recordCount == 0)
    }

    @Test("fields in any order, several times, and beside unknown ones")
    func order() throws {
        var message = ProtobufBuilder()
        message.field(5, "bytes")
        message.field(4, "first")
        message.field(99, "unknown")
        message.field(2, "m")
        message.field(4, "second")
        message.field(1, integer: 2)
        #expect(try self.plan([message.bytes]).metadata.entries() == [entry("m", .gauge, "second", "bytes")])
    }

    @Test("what the entry before says in the same words is taken once; other words are another entry")
    func repeats() throws {
        let plan = try self.plan([
            message(1, "a", "x"), message(1, "a", "x"), message(1, "ax", ""), message(1, "a", "x"),
            message(2, "a", "x"),
            message(2, "a", "y"),
        ])
        #expect(
            plan.metadata.entries() == [
                entry("a", .counter, "x"), entry("ax", .counter), entry("a", .counter, "x"), entry("a", .gauge, "x"),
                entry("a", .gauge, "y"),
            ]
        )
        #expect(plan.counts.metadata == 6)
    }

    @Test("what is not UTF-8, too long or without a name is counted, and costs only itself")
    func drops() throws {
        let long = [UInt8](repeating: 0x61, count: RequestMetadata.maximumEntryBytes)
        let plan = try self.plan([
            message(1, "good"),
            [], message(1, "", "nameless"),
            message(1, [0xFF]), message(1, Array("a".utf8), [0x61, 0xC3]),
            message(1, Array("a".utf8), [], [0xED, 0xA0, 0x80]),
            message(1, Array("a".utf8), long), message(1, long + long),
            message(1, Array("fits".utf8), Array(long.dropLast(4))),
        ])
        #expect(plan.metadata.entries().map(\.metric) == [Array("good".utf8), Array("fits".utf8)])
        #expect(plan.metadata.drops == [.noName: 2, .invalidUTF8: 3, .tooLong: 2])
        #expect(plan.counts.metadata == 9 && plan.refusals.isEmpty)
    }

    @Test("no request has more entries than a tenant may keep")
    func tooMany() throws {
        let count = RequestMetadata.maximumEntries
        let plan = try self.plan((0..<count + 5).map { message(1, "m\($0)") })
        #expect(plan.metadata.count == count)
        #expect(plan.metadata.drops == [.tooMany: 5])
    }

    @Test("samples beside metadata are stored, and a request without has none")
    func besideSamples() throws {
        var builder = WriteRequestBuilder()
        builder.series([("__name__", "m"), ("a", "b")], [(1, 1)])
        let alone = try WritePlan.plan(builder.bytes, options: options)
        #expect(alone.metadata.count == 0 && alone.recordCount == 1)
        let both = try WritePlan.plan(builder.bytes + request([message(1, "m")]), options: options)
        #expect(both.metadata.entries() == [entry("m", .counter)])
        #expect(both.body(ofBatch: 0).array == alone.body(ofBatch: 0).array)
    }

    @Test("a field of the wrong type, or one that is cut off, makes the request malformed", arguments: [1, 2, 4, 5])
    func malformed(field: Int) {
        var wrong = ProtobufBuilder()
        if field == 1 { wrong.field(1, "counter") } else { wrong.field(field, integer: 1) }
        var cut = message(1, "metric", "help", "unit")
        cut.removeLast()
        for bytes in [wrong.bytes, cut] {
            #expect(throws: ProtocolError.self) { try self.plan([bytes]) }
        }
    }

    @Test("it is charged as it comes")
    func memory() throws {
        let bytes = request(
            (0..<5_000).map { message(1, "m\($0)", "Some text of ordinary length, as exporters have.") }
        )
        #expect(throws: ProtocolError.overMemory(limitBytes: 100_000)) {
            try WritePlan.plan(bytes, options: options, memoryLimitBytes: 100_000)
        }
        let plan = try WritePlan.plan(bytes, options: options, memoryLimitBytes: bytes.count * 5)
        #expect(plan.metadata.count == 5_000 && plan.memoryBytes > bytes.count)
    }
}

@Suite("Metadata of remote write 2.0")
struct MetricMetadataOfSeriesTests {
    /// A series of the symbols `__name__`, `up`, `down`, `help`, `unit`, from 1 on.
    private func series(name: UInt64?, metadata: (inout ProtobufBuilder) -> Void, isFirst: Bool = false) -> [UInt8] {
        var series = ProtobufBuilder()
        var about = ProtobufBuilder()
        metadata(&about)
        if isFirst { series.field(5, about.bytes) }
        var labels = ProtobufBuilder()
        if let name {
            labels.varint(1)
            labels.varint(name)
        }
        series.field(1, labels.bytes)
        var sample = ProtobufBuilder()
        sample.field(1, bits: 1)
        sample.field(2, integer: 1)
        series.field(2, sample.bytes)
        if !isFirst { series.field(5, about.bytes) }
        return series.bytes
    }

    private func plan(_ series: [[UInt8]], help: String = "Some help.") throws -> WritePlan {
        var request = ProtobufBuilder()
        for symbol in ["", "__name__", "up", "down", help, "seconds"] { request.field(4, symbol) }
        for one in series { request.field(5, one) }
        return try WritePlan.plan(request.bytes, version: .version2, options: options)
    }

    private static func gauge(_ message: inout ProtobufBuilder) {
        message.field(1, integer: 2)
        message.field(3, integer: 4)
        message.field(4, integer: 5)
    }

    @Test("the metric is the series' own, wherever in the series the metadata stands; repeats are taken once")
    func series() throws {
        let plan = try self.plan([
            self.series(name: 2, metadata: Self.gauge), self.series(name: 2, metadata: Self.gauge, isFirst: true),
            self.series(name: 3, metadata: Self.gauge, isFirst: true), self.series(name: 2) { $0.field(1, integer: 1) },
        ])
        #expect(
            plan.metadata.entries() == [
                entry("up", .gauge, "Some help.", "seconds"), entry("down", .gauge, "Some help.", "seconds"),
                entry("up", .counter),
            ]
        )
        #expect(plan.counts.metadata == 4 && plan.refusals.isEmpty)
    }

    @Test("an empty message, which Prometheus sends with every series, tells nothing")
    func empty() throws {
        let plan = try self.plan([self.series(name: 2) { _ in }])
        #expect(plan.counts.metadata == 0 && plan.metadata.count == 0 && plan.metadata.drops.isEmpty)
        #expect(plan.recordCount == 1)
    }

    @Test("of a series without a name there is nothing to tell; a symbol that is not there is refused and empty")
    func bad() throws {
        let nameless = try self.plan([self.series(name: nil, metadata: Self.gauge)])
        #expect(nameless.metadata.count == 0 && nameless.metadata.drops == [.noName: 1])
        let missing = try self.plan([self.series(name: 2) { $0.field(3, integer: 77) }])
        #expect(missing.metadata.entries() == [entry("up", .unknown)])
        #expect(missing.refusals.details == ["timeseries[0]: metadata refers to a symbol that is not there"])
    }

    @Test("a wrong type is malformed", arguments: [1, 3, 4])
    func wrongType(field: Int) {
        #expect(throws: ProtocolError.self) { try self.plan([self.series(name: 2) { $0.field(field, "text") }]) }
    }

    @Test("one long text for many metrics does not become as many copies")
    func sharedText() throws {
        var request = ProtobufBuilder()
        request.field(4, "")
        request.field(4, "__name__")
        request.field(4, String(repeating: "x", count: 4_000))
        for index in 0..<5_000 { request.field(4, "m\(index)") }
        for index in 0..<5_000 {
            request.field(5, self.series(name: UInt64(index + 3)) { $0.field(3, integer: 2) })
        }
        let plan = try WritePlan.plan(request.bytes, version: .version2, options: options)
        #expect(plan.metadata.memoryBytes <= 4 * RequestMetadata.maximumTextBytes)
        #expect(plan.metadata.count > 500)
        #expect(plan.metadata.drops == [.tooMany: 5_000 - plan.metadata.count])
    }
}
