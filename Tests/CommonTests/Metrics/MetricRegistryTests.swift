import Testing

@testable import Common

@Suite("Metrics in the text format")
struct MetricRegistryTests {
    @Test("a series exists at zero as soon as its handle does")
    func zero() {
        let registry = MetricRegistry()
        _ = registry.counter("a_total", help: "A.")
        _ = registry.gauge("b", help: "B.", labels: [("x", "1")])
        #expect(
            registry.exposition() == """
                # HELP a_total A.
                # TYPE a_total counter
                a_total 0
                # HELP b B.
                # TYPE b gauge
                b{x="1"} 0

                """
        )
    }

    @Test("the same name and labels are the same series; other labels are another")
    func identity() {
        let registry = MetricRegistry()
        let one = registry.counter("a_total", help: "A.", labels: [("t", "1")])
        #expect(one === registry.counter("a_total", help: "A.", labels: [("t", "1")]))
        #expect(one !== registry.counter("a_total", help: "A.", labels: [("t", "2")]))
        one.increment()
        one.increment(by: 4)
        #expect(registry.exposition().contains("a_total{t=\"1\"} 5\na_total{t=\"2\"} 0\n"))
    }

    @Test("the series of one label value can be forgotten, and no other is")
    func removal() {
        let registry = MetricRegistry()
        for tenant in ["a", "ab", "b"] {
            registry.counter("x_total", help: "X.", labels: [("tenant", tenant)]).increment(by: 2)
            registry.counter("y_total", help: "Y.", labels: [("k", "v"), ("tenant", tenant), ("z", "1")]).increment()
        }
        _ = registry.gauge("z", help: "Z.", labels: [("k", ",tenant=\"a\",")])
        registry.removeSeries(label: "tenant", values: ["a"])
        let text = registry.exposition()
        #expect(!text.contains("tenant=\"a\"}") && !text.contains("tenant=\"a\",z"))
        #expect(text.contains("x_total{tenant=\"ab\"} 2") && text.contains("x_total{tenant=\"b\"} 2"))
        #expect(text.contains("\nz{k=\",tenant="))
        // It begins anew.
        #expect(registry.counter("x_total", help: "X.", labels: [("tenant", "a")]).value == 0)
    }

    @Test(
        "label values are escaped as the format says",
        arguments: [
            ("plain", "plain"), ("quo\"te", "quo\\\"te"), ("back\\slash", "back\\\\slash"),
            ("line\nfeed", "line\\nfeed"),
            ("\"} forged 1\n# ", "\\\"} forged 1\\n# "), ("\"\u{301}", "\\\"\u{301}"), ("ü{,}=", "ü{,}="), ("", ""),
        ]
    )
    func escaping(value: String, expected: String) {
        let registry = MetricRegistry()
        _ = registry.gauge("g", help: "G.", labels: [("l", value)])
        let bytes = Array(registry.exposition().utf8)
        #expect(bytes == Array("# HELP g G.\n# TYPE g gauge\ng{l=\"\(expected)\"} 0\n".utf8))
    }

    @Test("a histogram's buckets are cumulative, bounds inclusive, the last one +Inf")
    func histogram() {
        let registry = MetricRegistry()
        let histogram = registry.histogram("h_seconds", help: "H.", labels: [("r", "w")], bounds: [0.5, 1, 2.5])
        for seconds in [0.25, 0.5, 0.75, 1, 2, 64] { histogram.observe(seconds) }
        histogram.observe(.milliseconds(500))
        #expect(
            registry.exposition() == """
                # HELP h_seconds H.
                # TYPE h_seconds histogram
                h_seconds_bucket{r="w",le="0.5"} 3
                h_seconds_bucket{r="w",le="1.0"} 5
                h_seconds_bucket{r="w",le="2.5"} 6
                h_seconds_bucket{r="w",le="+Inf"} 7
                h_seconds_sum{r="w"} 69.0
                h_seconds_count{r="w"} 7

                """
        )
    }

    @Test("without labels a histogram's buckets carry the bound alone")
    func bareHistogram() {
        let registry = MetricRegistry()
        registry.histogram("h", help: "H.", bounds: [1]).observe(3.0)
        let lines = registry.exposition().split(separator: "\n").suffix(4)
        #expect(lines == ["h_bucket{le=\"1.0\"} 0", "h_bucket{le=\"+Inf\"} 1", "h_sum 3.0", "h_count 1"])
    }

    @Test("families and their series are sorted by name, whatever the order they came in")
    func order() {
        let registry = MetricRegistry()
        _ = registry.gauge("b", help: "B.", labels: [("t", "z")])
        _ = registry.gauge("a", help: "A.")
        _ = registry.gauge("b", help: "B.", labels: [("t", "a")])
        let names = registry.exposition().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(names == ["a 0", "b{t=\"a\"} 0", "b{t=\"z\"} 0"])
    }

    @Test("a gauge goes up and down and can be set")
    func gauge() {
        let gauge = MetricRegistry().gauge("g", help: "G.")
        gauge.increment(by: 5)
        gauge.increment(by: -7)
        #expect(gauge.value == -2)
        gauge.set(9)
        #expect(gauge.value == 9)
    }

    @Test("counting from many tasks, and reading meanwhile, loses nothing")
    func concurrency() async {
        let registry = MetricRegistry()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for round in 0..<500 {
                        registry.counter("c_total", help: "C.").increment()
                        registry.histogram("h", help: "H.", bounds: [1]).observe(0.5)
                        registry.gauge("g", help: "G.", labels: [("n", "\(task)-\(round % 3)")]).increment()
                        if round % 100 == 0 { _ = registry.exposition() }
                    }
                }
            }
        }
        #expect(registry.counter("c_total", help: "C.").value == 4_000)
        #expect(registry.histogram("h", help: "H.").count == 4_000)
        let gauges = registry.exposition().split(separator: "\n").filter { $0.hasPrefix("g{") }
        #expect(gauges.count == 24)
        #expect(gauges.reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) } == 4_000)
    }
}
