import Testing

@testable import Translator

@Suite("Names of Prometheus as names of Timestream, and back")
struct ColumnNameTests {
    /// Names that stress the escape: its own letters, its prefix, underscores, hexadecimal digits.
    private static let fragments: [[UInt8]] =
        [
            "promx_", "promx", "_", "__", "_5F", "5F", "time", "ts_", "measure_name", "measure_value", "a", "Z", "9",
            ":", ".",
        ]
        .map { Array($0.utf8) } + [
            [0x00], [0xFF], [0x7F], [0x80], [0xC3, 0xA9], [0xF0, 0x9F, 0xA6, 0x8A], [0x20], [0x22],
        ]

    private static func names(_ count: Int) -> [[UInt8]] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { index in
            if index % 2 == 0 {
                return (0..<Int.random(in: 0...6, using: &generator)).flatMap { _ in
                    Self.fragments.randomElement(using: &generator) ?? []
                }
            }
            return (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
        }
    }

    /// The form that the service surely takes: letters, digits, underscores; a letter first, no underscore last.
    private func isSafeDimension(_ name: [UInt8]) -> Bool {
        let isWord = { (byte: UInt8) in
            (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
        }
        guard let first = name.first, let last = name.last else { return false }
        return name.allSatisfy(isWord) && !(0x30...0x39).contains(first) && first != 0x5F && last != 0x5F
    }

    @Test("any bytes come back, and only ordinary names are left as they are")
    func roundTrip() {
        for name in Self.names(20_000) where !name.isEmpty {
            let dimension = ColumnName.dimension(forLabel: name)
            #expect(ColumnName.label(ofDimension: dimension) == name, "\(name)")
            #expect(self.isSafeDimension(dimension), "\(name) became \(dimension)")
            #expect((dimension == name) == ColumnName.isPlainDimension(name))
            let measure = ColumnName.measure(forMetric: name)
            #expect(ColumnName.metric(ofMeasure: measure) == name, "\(name)")
            let escaped = ColumnName.measure(forMetric: name, escapesColons: true)
            #expect(ColumnName.metric(ofMeasure: escaped) == name, "\(name)")
            #expect(!escaped.contains(UInt8(ascii: ":")))
            #expect((measure == name) == ColumnName.isPlainMeasure(name))
        }
    }

    @Test("two names never become one")
    func injection() {
        let names = Set(Self.names(20_000).filter { !$0.isEmpty })
        #expect(Set(names.map { ColumnName.dimension(forLabel: $0) }).count == names.count)
        #expect(Set(names.map { ColumnName.measure(forMetric: $0) }).count == names.count)
    }

    @Test("no name ever becomes a reserved one or a column of ours")
    func reserved() {
        let own = [
            ColumnName.specialMetricDimension, ColumnName.noLabelsDimension, ColumnName.specialMeasure,
            ColumnName.noNameMeasure, "time", "measure_name", "measure_value", "measure_value::double",
            "ts_non_existent_col",
        ]
        for text in own {
            let name = Array(text.utf8)
            #expect(ColumnName.dimension(forLabel: name) != name)
            #expect(ColumnName.measure(forMetric: name) != name)
            #expect(ColumnName.label(ofDimension: name) == name)
        }
        for name in Self.names(20_000) {
            let dimension = ColumnName.dimension(forLabel: name)
            let measure = ColumnName.measure(forMetric: name)
            for column in [dimension, measure] {
                #expect(!own.contains { Array($0.utf8) == column })
                for prefix in ["ts_", "measure_name", "measure_value"] { #expect(!column.starts(with: prefix.utf8)) }
            }
        }
    }

    @Test(
        "the examples of the documentation",
        arguments: [
            ("instance", "instance"), ("time", "promx_time"), ("__replica__", "promx_____replica___5F"),
            ("http.route", "promx_http_2Eroute"), ("promx_a", "promx_promx__a"), ("_", "promx__5F"),
            ("a_", "promx_a_5F"),
            ("9", "promx_9"), ("Time", "Time"), ("timer", "timer"), ("ts", "ts"), ("é", "promx__C3_A9"), ("", "promx_"),
        ]
    )
    func dimensions(label: String, dimension: String) {
        #expect(String(decoding: ColumnName.dimension(forLabel: Array(label.utf8)), as: UTF8.self) == dimension)
    }

    @Test(
        "measures keep colons, dots and dashes, and may start with anything of these",
        arguments: [
            ("up", "up"), ("job:rate:5m", "job:rate:5m"), (":", ":"), ("9a", "9a"), ("a-b.c", "a-b.c"),
            ("__x_", "__x_"),
            ("time", "promx_time"), ("a b", "promx_a_20b"), ("promx_special", "promx_promx__special"),
        ]
    )
    func measures(metric: String, measure: String) {
        #expect(String(decoding: ColumnName.measure(forMetric: Array(metric.utf8)), as: UTF8.self) == measure)
    }

    @Test(
        "what only looks like an escape is a name of its own",
        arguments: [
            "promx_", "promx__", "promx__5", "promx__5f", "promx__GG", "promx_a", "promx_a__", "promx_job", "promx__41",
        ]
    )
    func lookalikes(column: String) {
        let column = Array(column.utf8)
        // Nothing that `dimension(forLabel:)` makes: read back as it stands.
        let label = ColumnName.label(ofDimension: column)
        #expect(label == column || ColumnName.dimension(forLabel: label) == column)
        #expect(ColumnName.label(ofDimension: ColumnName.dimension(forLabel: column)) == column)
    }
}
