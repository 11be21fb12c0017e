import Testing

@testable import Translator

@Suite("Every Prometheus name has one stored form, and back")
struct ColumnNameTests {
    @Test(
        "labels as the storage page shows them",
        arguments: [
            ("instance", "instance"), ("time", "promx_time"), ("__replica__", "promx_____replica___5F"),
            ("http.route", "promx_http_2Eroute"), ("promx_a", "promx_promx__a"), ("Time", "Time"), ("x_", "promx_x_5F"),
            ("ts_a", "promx_ts__a"), ("measure_name", "promx_measure__name"),
            ("measure_values", "promx_measure__values"),
            ("9a", "promx_9a"), ("_", "promx__5F"), ("\u{e9}", "promx__C3_A9"), ("a\"b", "promx_a_22b"), ("", "promx_"),
        ]
    )
    func labels(label: String, dimension: String) {
        #expect(ColumnName.dimension(forLabel: Array(label.utf8)) == Array(dimension.utf8))
        #expect(ColumnName.label(ofDimension: Array(dimension.utf8)) == Array(label.utf8))
    }

    @Test(
        "metric names keep colons, dots and dashes",
        arguments: [
            ("up", "up"), ("job:up:sum", "job:up:sum"), ("a.b-c", "a.b-c"), ("_x_", "_x_"), ("9a", "9a"),
            ("time", "promx_time"), ("a b", "promx_a_20b"), ("promx_special", "promx_promx__special"),
        ]
    )
    func metrics(metric: String, measure: String) {
        #expect(ColumnName.measure(forMetric: Array(metric.utf8)) == Array(measure.utf8))
        #expect(ColumnName.metric(ofMeasure: Array(measure.utf8)) == Array(metric.utf8))
    }

    @Test("names of other writers that only look like escapes stay as they are")
    func foreign() {
        for name in [
            "promx_odd_", "promx_a_2", "promx_a_zz", "promx_job", "promx_special", "promx_empty", "other_", "a.b",
        ] {
            #expect(ColumnName.label(ofDimension: Array(name.utf8)) == Array(name.utf8), "\(name)")
        }
    }

    @Test("no two names share a stored form, and each comes back: all short ones, and many long ones")
    func bijection() {
        var seen: [[UInt8]: [UInt8]] = [:]
        var seenMeasures: [[UInt8]: [UInt8]] = [:]
        func check(_ name: [UInt8]) {
            let dimension = ColumnName.dimension(forLabel: name)
            #expect(ColumnName.label(ofDimension: dimension) == name)
            if let other = seen.updateValue(name, forKey: dimension) { #expect(other == name) }
            let measure = ColumnName.measure(forMetric: name)
            #expect(ColumnName.metric(ofMeasure: measure) == name)
            if let other = seenMeasures.updateValue(name, forKey: measure) { #expect(other == name) }
            #expect(dimension.isEmpty || dimension.last != UInt8(ascii: "_") || name.isEmpty)
        }
        let alphabet: [UInt8] = Array("a_5F.pt".utf8) + [0, 0xC3]
        var names: [[UInt8]] = [[]]
        for _ in 0..<4 {
            names += names.flatMap { name in alphabet.map { name + [$0] } }
            names = Array(Set(names))
        }
        for name in names { check(name) }
        var generator = SeededGenerator(seed: 11)
        let parts = ["promx_", "_", "__", "time", "measure_name", "5F", "_5F", "a", ".", "\u{1F98A}", "special", "ts_"]
        for _ in 0..<5_000 {
            let count = Int.random(in: 1...6, using: &generator)
            let name = (0..<count).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
            check(Array(name.utf8))
        }
    }
}
