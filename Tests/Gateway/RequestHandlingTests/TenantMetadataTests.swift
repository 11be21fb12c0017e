import Common
import Testing
import TimestreamModel

@testable import RequestHandling
@testable import Translator

/// Metadata as a request of remote write 1.0 brings it.
private func metadata(_ metrics: [(String, type: Int64, help: String)]) throws -> RequestMetadata {
    var request = Message()
    for metric in metrics { request.field(3, RequestBody.metadata(metric.0, type: metric.type, help: metric.help)) }
    let options = WriteOptions(
        table: TableName(database: "d", table: "t"),
        dropsSpecialValues: false,
        dropsLongNames: false,
        maxLabelsPerSeries: 64
    )
    return try WritePlan.plan(request.bytes, options: options).metadata
}

@Suite("What is kept of a tenant's metric metadata")
struct TenantMetadataTests {
    private let registry = MetricRegistry()

    private func make(metrics: Int = 4, textBytes: Int = 1_000) -> TenantMetadata {
        TenantMetadata(tenant: "a", registry: self.registry, maximumMetrics: metrics, maximumTextBytes: textBytes)
    }

    private func names(_ kept: TenantMetadata) -> [String] {
        kept.entries().map { String(decoding: $0.metric, as: UTF8.self) }
    }

    private func keep(_ metrics: String..., in kept: TenantMetadata, help: String = "") throws {
        kept.keep(try metadata(metrics.map { ($0, 1, help) }))
    }

    private func value(_ series: String) -> String? {
        self.registry.exposition().split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .map { String($0.dropFirst(series.utf8.count + 1)) }
    }

    @Test("the latest of each metric, by the order of names")
    func latest() throws {
        let kept = self.make()
        kept.keep(try metadata([("b", 1, "first"), ("a", 2, "gauge"), ("b", 3, "second")]))
        #expect(self.names(kept) == ["a", "b"])
        #expect(kept.entries(of: Array("b".utf8)).map(\.help) == ["second"])
        #expect(kept.entries(of: Array("b".utf8)).map(\.kind) == [.histogram])
        #expect(kept.entries(of: Array("c".utf8)).isEmpty)
        #expect(self.value(#"gateway_metadata_entries{tenant="a"}"#) == "2")
    }

    @Test("names that only look alike are two metrics")
    func bytes() throws {
        let kept = self.make()
        try self.keep("caf\u{E9}", "cafe\u{301}", in: kept)
        #expect(kept.entries().count == 2)
    }

    @Test("of too many, those go first that were not written for longest; writing again counts")
    func displaced() throws {
        let kept = self.make()
        try self.keep("a", "b", "c", "d", in: kept)
        try self.keep("a", "c", in: kept)
        try self.keep("e", "f", in: kept)
        #expect(self.names(kept) == ["a", "c", "e", "f"])
        try self.keep("g", "h", "i", "j", "k", in: kept)
        #expect(self.names(kept) == ["h", "i", "j", "k"])
        #expect(self.value(#"gateway_metadata_entries{tenant="a"}"#) == "4")
        #expect(self.value(#"gateway_metadata_dropped_total{tenant="a",reason="displaced"}"#) == "7")
    }

    @Test("texts are bounded as a whole; a shorter one makes room again")
    func text() throws {
        let kept = self.make(metrics: 100, textBytes: 100)
        let long = String(repeating: "x", count: 39)
        try self.keep("a", "b", in: kept, help: long)
        try self.keep("c", in: kept, help: long)
        #expect(self.names(kept) == ["b", "c"])
        try self.keep("b", "c", in: kept)
        try self.keep("d", "e", in: kept, help: long)
        #expect(self.names(kept) == ["b", "c", "d", "e"])
    }

    @Test("after any writes it is what a list of the latest would hold", arguments: 1...40)
    func model(seed: Int) throws {
        let kept = self.make(metrics: 6, textBytes: 60)
        var model: [(name: String, help: String)] = []
        var state = UInt64(seed)
        func random(_ bound: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % bound)
        }
        for _ in 0..<200 {
            let written = (name: "m\(random(12))", help: String(repeating: "h", count: random(25)))
            kept.keep(try metadata([(written.name, 1, written.help)]))
            model.removeAll { $0.name == written.name }
            model.append(written)
            while model.count > 6 || model.reduce(0, { $0 + $1.name.utf8.count + $1.help.utf8.count }) > 60 {
                model.removeFirst()
            }
            let expected = model.sorted { $0.name < $1.name }
            #expect(self.names(kept) == expected.map(\.name))
            #expect(kept.entries().map(\.help) == expected.map(\.help))
        }
    }

    @Test("what is dropped is counted by reason, and a request without metadata moves nothing")
    func drops() throws {
        let kept = self.make()
        kept.keep(try metadata([]))
        kept.keep(try metadata([("", 1, "nameless"), ("long", 1, String(repeating: "x", count: 5_000)), ("a", 1, "")]))
        #expect(self.names(kept) == ["a"])
        #expect(self.value(#"gateway_metadata_dropped_total{tenant="a",reason="no_name"}"#) == "1")
        #expect(self.value(#"gateway_metadata_dropped_total{tenant="a",reason="too_long"}"#) == "1")
        for reason in ["invalid_utf8", "too_many", "displaced"] {
            #expect(self.value("gateway_metadata_dropped_total{tenant=\"a\",reason=\"\(reason)\"}") == "0")
        }
    }

    @Test("a write request's metadata is kept for its tenant alone, also if its samples cannot be stored")
    func requests() async throws {
        let gateway = try GatewayUnderTest()
        var request = Message()
        request.field(3, RequestBody.metadata("up", type: 2, help: "Whether it is."))
        let answer = await gateway.send(FakeBody(SnappyBlock.encode(request.bytes)))
        #expect(answer.status == 204 && gateway.store.calls.isEmpty)
        let kept = try #require(gateway.services["a"]).metadata.entries()
        #expect(
            kept == [MetricMetadata(metric: Array("up".utf8), kind: .gauge, help: "Whether it is.", unit: "")]
        )
        #expect(gateway.services["locked"]?.metadata.entries().isEmpty == true)

        let nameless = RequestBody.message([RequestBody.Series(labels: [("a", "b")], samples: [(1, 1)])])
        request = Message()
        request.field(3, RequestBody.metadata("down", type: 1, help: ""))
        #expect(await gateway.send(FakeBody(SnappyBlock.encode(nameless + request.bytes))).status == 400)
        #expect(gateway.services["a"]?.metadata.entries().count == 2)

        var refused = Message()
        refused.field(3, RequestBody.metadata("never", type: 2, help: ""))
        #expect(await gateway.send(FakeBody(SnappyBlock.encode(refused.bytes)), tenant: "locked").status == 401)
        #expect(await gateway.send(FakeBody(SnappyBlock.encode(refused.bytes + [0]))).status == 400)
        for service in gateway.services.values {
            #expect(service.metadata.entries(of: Array("never".utf8)).isEmpty)
        }
    }
}
