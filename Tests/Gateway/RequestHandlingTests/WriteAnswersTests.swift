import Common
import Foundation
import HTTPTypes
import Logging
import TenantConfiguration
import Testing
import TimestreamModel
import Translator

@testable import RequestHandling

/// The counters that every admitted write moves.
private func moved(status: Int, received: Int, _ others: [String: Int] = [:]) -> [String: Int] {
    var expected = [
        "timestream_connector_write_requests_total": 1, "timestream_connector_write_duration_seconds_count": 1,
        "gateway_http_requests_total{route=\"write\",code=\"\(status)\"}": 1,
        "gateway_http_request_duration_seconds_count{route=\"write\"}": 1,
    ]
    if received > 0 { expected["timestream_connector_received_samples_total"] = received }
    return expected.merging(others) { $1 }
}

@Suite("What a remote write request is answered")
struct WriteAnswersTests {
    @Test("everything stored: 204 without the headers of remote write 2.0", arguments: [1, 100, 250])
    func stored(samples: Int) async throws {
        let gateway = try GatewayUnderTest()
        let answer = await gateway.send(FakeBody(RequestBody.write(samples: samples)))
        #expect(answer.status == 204)
        #expect(answer.body.isEmpty && answer.fields.isEmpty)
        #expect(gateway.store.calls.flatMap(\.self).count == samples)
        #expect(gateway.moved == moved(status: 204, received: samples, ["gateway_samples_stored_total": samples]))
    }

    @Test("an empty request, and one of metadata alone, is stored without a call")
    func nothing() async throws {
        let gateway = try GatewayUnderTest()
        let answer = await gateway.send(FakeBody(RequestBody.write([], metadata: 3)))
        #expect(answer.status == 204)
        #expect(gateway.store.calls.isEmpty)
        let others = [
            "gateway_metadata_received_total": 3, "gateway_metadata_dropped_total{reason=\"no_name\"}": 3,
        ]
        #expect(gateway.moved == moved(status: 204, received: 0, others))
    }

    @Test("exemplars are counted and cost nothing")
    func exemplars() async throws {
        let gateway = try GatewayUnderTest()
        var series = RequestBody.series("m", 1)
        series.extra = [(3, [])]
        let answer = await gateway.send(FakeBody(RequestBody.write([series])))
        #expect(answer.status == 204)
        let others = [
            "gateway_exemplars_received_total": 1, "gateway_exemplars_dropped_total{reason=\"no_place\"}": 1,
            "gateway_samples_stored_total": 1,
        ]
        #expect(gateway.moved == moved(status: 204, received: 1, others))
    }

    @Test("invalid native histograms: the floats are stored, then 400 with counts")
    func histograms() async throws {
        let gateway = try GatewayUnderTest()
        var series = RequestBody.series("m", 7)
        // A count of one and no bucket.
        series.extra = [(4, [8, 1]), (4, [8, 1])]
        let answer = await gateway.send(FakeBody(RequestBody.write([series])))
        #expect(answer.status == 400)
        #expect(answer.text.hasPrefix("stored 1 of 3 samples; refused: invalid_histogram=2; "))
        #expect(gateway.store.calls == [["7"]])
        let others = [
            "gateway_histograms_received_total": 2, "gateway_samples_stored_total": 1,
            "gateway_samples_rejected_total{reason=\"invalid_histogram\"}": 2,
            "timestream_connector_ignored_samples_total": 2,
        ]
        #expect(gateway.moved == moved(status: 400, received: 3, others))
    }

    @Test("bad labels in some series: the good ones are stored, then 400 with counts and first reasons")
    func badLabels() async throws {
        let gateway = try GatewayUnderTest()
        let bad = (0..<5).map { RequestBody.Series(labels: [("job", "j\($0)")], samples: [(1, 1), (2, 2)]) }
        let body = RequestBody.write([RequestBody.series("m", 1)] + bad + [RequestBody.series("m", 2)])
        let answer = await gateway.send(FakeBody(body))
        #expect(answer.status == 400)
        #expect(answer.text.hasPrefix("stored 2 of 12 samples; refused: missing_metric_name=10; timeseries[1]: "))
        #expect(answer.text.contains("timeseries[3]") && !answer.text.contains("timeseries[4]"))
        #expect(answer.text.contains(" tenant=a request="))
        #expect(gateway.store.calls == [["1", "2"]])
        let others = [
            "gateway_samples_stored_total": 2, "gateway_samples_rejected_total{reason=\"missing_metric_name\"}": 10,
            "timestream_connector_ignored_samples_total": 10,
        ]
        #expect(gateway.moved == moved(status: 400, received: 12, others))
    }

    @Test("what a sender sends cannot break the answer's line or fill it")
    func hostileLabels() async throws {
        let gateway = try GatewayUnderTest()
        let names = ["x\r\nSet-Cookie: a=b", "\u{1B}[2J\u{85}\u{2028}", String(repeating: "é", count: 5_000)]
        let series = names.map { name in
            RequestBody.Series(labels: [("__name__", "m"), (name, "1"), (name, "2")], samples: [(1, 1)])
        }
        let answer = await gateway.send(FakeBody(RequestBody.write(series)))
        #expect(answer.status == 400)
        #expect(!answer.text.contains("\u{85}") && !answer.text.contains("\u{2028}"))
        #expect(answer.text.contains(" tenant=a request="))
    }

    @Test("what the tenant's options leave out is counted, not refused")
    func dropped() async throws {
        let gateway = try GatewayUnderTest(specialValues: .drop, longNames: .drop)
        let series = [
            RequestBody.Series(labels: [("__name__", "m"), ("a", "b")], samples: [(.nan, 1), (.infinity, 2), (3, 3)]),
            RequestBody.Series(labels: [("__name__", String(repeating: "m", count: 257))], samples: [(1, 1)]),
        ]
        let answer = await gateway.send(FakeBody(RequestBody.write(series)))
        #expect(answer.status == 204)
        #expect(gateway.store.calls == [["3"]])
        let others = [
            "gateway_samples_stored_total": 1, "gateway_samples_dropped_total{reason=\"special_value\"}": 2,
            "gateway_samples_dropped_total{reason=\"long_name\"}": 1, "timestream_connector_ignored_samples_total": 3,
        ]
        #expect(gateway.moved == moved(status: 204, received: 4, others))
    }

    @Test("what the tenant's options refuse is told with 400, and the rest is stored")
    func refusedSpecialValues() async throws {
        let gateway = try GatewayUnderTest(specialValues: .refuse)
        let series = [RequestBody.Series(labels: [("__name__", "m"), ("a", "b")], samples: [(.nan, 1), (3, 3)])]
        let answer = await gateway.send(FakeBody(RequestBody.write(series)))
        #expect(answer.status == 400)
        #expect(answer.text.hasPrefix("stored 1 of 2 samples; refused: special_value=1; "))
        #expect(gateway.store.calls == [["3"]])
    }

    @Test("samples that violate a guard: the others are stored; 400 with counts, or 204 where they are dropped")
    func guards() async throws {
        let now = Int64(Date.now.timeIntervalSince1970) * 1000
        let body = RequestBody.write([
            RequestBody.Series(
                labels: [("__name__", "m"), ("a", "b")],
                samples: [(1, now), (2, now - 7_200_000), (3, now + 7_200_000)]
            ),
            RequestBody.Series(labels: [("__name__", "m"), ("a", "far too long")], samples: [(4, now)]),
        ])
        let limits: (inout TenantLimits) -> Void = {
            $0.cardinality.maxLabelValueBytes = 5
            $0.cardinality.maxSampleAge = .seconds(3_600)
            $0.cardinality.maxSampleFuture = .seconds(3_600)
        }
        let refusing = try GatewayUnderTest(limits)
        let refused = await refusing.send(FakeBody(body))
        #expect(refused.status == 400)
        #expect(
            refused.text.hasPrefix(
                "stored 1 of 4 samples; refused: label_value_over_limit=1 sample_too_new=1 sample_too_old=1; "
            )
        )
        #expect(refusing.store.calls == [["1"]])
        #expect(refusing.moved["gateway_samples_rejected_total{reason=\"sample_too_old\"}"] == 1)

        let dropping = try GatewayUnderTest {
            limits(&$0)
            $0.cardinality.dropping = Set(CardinalityLimits.Guard.allCases)
        }
        #expect(await dropping.send(FakeBody(body)).status == 204)
        #expect(dropping.store.calls == [["1"]])
        let others = [
            "gateway_samples_stored_total": 1, "gateway_samples_dropped_total{reason=\"sample_too_old\"}": 1,
            "gateway_samples_dropped_total{reason=\"sample_too_new\"}": 1,
            "gateway_samples_dropped_total{reason=\"label_value_over_limit\"}": 1,
            "timestream_connector_ignored_samples_total": 3,
        ]
        #expect(dropping.moved == moved(status: 204, received: 4, others))
    }

    @Test("records rejected by Timestream: the rest is stored, then 400 with counts and reasons")
    func rejected() async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onWrite { values in
            let indices = values.indices.filter { values[$0] == "3" || values[$0] == "120" }
            let rejected = indices.map { RejectedRecord(index: $0, reason: "outside the time range") }
            return rejected.isEmpty
                ? nil : TimestreamError(.rejectedRecords, message: "", status: 419, rejected: rejected)
        }
        let answer = await gateway.send(FakeBody(RequestBody.write(samples: 150)))
        #expect(answer.status == 400)
        #expect(answer.text.hasPrefix("stored 148 of 150 samples; refused: rejected_by_store=2; "))
        #expect(answer.text.contains("timeseries[3], time 1700000000000: outside the time range"))
        let others = [
            "gateway_samples_stored_total": 148, "gateway_samples_rejected_total{reason=\"rejected_by_store\"}": 2,
            "timestream_connector_ignored_samples_total": 2,
        ]
        #expect(gateway.moved == moved(status: 400, received: 150, others))
    }

    @Test(
        "what may pass by itself, or an operator can mend, is 503 with Retry-After: the sender keeps its data",
        arguments: [
            (.throttling, 5), (.internalServer, 5), (.timedOut, 5), (.network, 5), (.malformedResponse, 5),
            (.invalidEndpoint, 5), (.conflict, 5), (.circuitOpen, 5), (.accessDenied, 30), (.signature, 30),
            (.resourceNotFound, 30),
            (.serviceQuotaExceeded, 30), (.unknownOperation, 30),
        ] as [(TimestreamError.Code, Int)]
    )
    func failures(code: TimestreamError.Code, retryAfter: Int) async throws {
        let gateway = try GatewayUnderTest()
        let words = "SECRET \(GatewayUnderTest.table): arn:aws:iam::1"
        gateway.store.onWrite { values in
            values.contains("7") ? TimestreamError(code, message: words, status: 400) : nil
        }
        let answer = await gateway.send(FakeBody(RequestBody.write(samples: 150)))
        #expect(answer.status == 503)
        #expect(answer.fields[.retryAfter] == "\(retryAfter)")
        #expect(!answer.text.contains("arn:"))
        #expect(answer.text.contains("50 of 150 samples stored, repeat the request"))
        let others = ["gateway_samples_stored_total": 50, "gateway_samples_failed_total": 100]
        #expect(gateway.moved == moved(status: 503, received: 150, others))
        // The operator reads the service's own words in the log.
        let line = try #require(gateway.log.all.first { $0.level > .debug })
        #expect(line.level == (retryAfter == 30 ? .error : .warning))
        #expect(line.metadata["error.message"]?.contains(words) == true)
        #expect(line.metadata["tenant"] == "a" && line.metadata["error.code"] == code.rawValue)
        #expect(answer.text.hasSuffix("request=\(line.metadata["request.id"] ?? "")\n"))
    }

    @Test(
        "a store that knows when to come again is believed, in whole seconds and never less than one",
        arguments: [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (29_500, 30)]
    )
    func knownRetryAfter(milliseconds: Int, seconds: Int) async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onWrite { _ in
            TimestreamError(.circuitOpen, message: "SECRET host", retryAfter: .milliseconds(milliseconds))
        }
        let answer = await gateway.send(FakeBody(RequestBody.write(samples: 1)))
        #expect(answer.status == 503)
        #expect(answer.fields[.retryAfter] == "\(seconds)")
        #expect(answer.text.hasPrefix("Timestream has been failing; it is tried again in a moment; 0 of 1 samples"))
    }

    @Test("while any sample could still be stored by a retry the answer is 5xx, whatever else was refused")
    func mixed() async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onWrite { values in
            if values.contains("0") {
                let rejected = [RejectedRecord(index: 0, reason: "too old")]
                return TimestreamError(.rejectedRecords, message: "", status: 419, rejected: rejected)
            }
            return TimestreamError(.throttling, message: "")
        }
        let bad = RequestBody.Series(labels: [("job", "x")], samples: [(1, 1)])
        let series = [bad] + (0..<150).map { RequestBody.series("m", $0) }
        let answer = await gateway.send(FakeBody(RequestBody.write(series)))
        #expect(answer.status == 503)
        #expect(answer.text.contains("99 of 151 samples stored"))
    }

    @Test("an invalid database or table name is the operator's fault and loses nothing")
    func invalidTable() async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onWrite { _ in
            let message = "1 validation error detected: Value 'x' at 'tableName' failed to satisfy constraint"
            return TimestreamError(.validation, message: message, status: 400)
        }
        let answer = await gateway.send(FakeBody(RequestBody.write(samples: 10)))
        #expect(answer.status == 503)
        #expect(gateway.store.calls.count == 1)
        #expect(gateway.moved["gateway_samples_failed_total"] == 10)
    }

    @Test("a record that Timestream calls invalid is refused alone")
    func invalidRecord() async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onWrite { values in
            values.contains("3") ? TimestreamError(.validation, message: "invalid", status: 400) : nil
        }
        let answer = await gateway.send(FakeBody(RequestBody.write(samples: 10)))
        #expect(answer.status == 400)
        #expect(answer.text.hasPrefix("stored 9 of 10 samples; refused: invalid_for_store=1; timeseries[3], "))
    }

    @Test("the same sample twice is stored once and acknowledged twice")
    func repeated() async throws {
        let gateway = try GatewayUnderTest()
        let series = RequestBody.series("m", 5)
        let answer = await gateway.send(FakeBody(RequestBody.write([series, series])))
        #expect(answer.status == 204)
        #expect(gateway.store.calls == [["5"]])
        #expect(gateway.moved == moved(status: 204, received: 2, ["gateway_samples_stored_total": 2]))
    }
}

@Suite("Bodies that cannot be read")
struct UnreadableBodyTests {
    @Test(
        "bad snappy or protobuf: 400, and nothing is stored",
        arguments: [
            [], [0xFF], [0xFF, 0x06, 0x00, 0x00, 0x73, 0x4E, 0x61, 0x50, 0x70, 0x59], Array("plain text".utf8),
            SnappyBlock.encode([0x0A, 0x7F]), SnappyBlock.encode([0x0B]),
            Array(RequestBody.write(samples: 50).dropLast(5)),
            SnappyBlock.encode(RequestBody.message([RequestBody.series("m", 1)]) + [0x0A]),
        ] as [[UInt8]]
    )
    func malformed(body: [UInt8]) async throws {
        let gateway = try GatewayUnderTest()
        for path in ["/api/v1/write", "/api/v1/read"] {
            let answer = await gateway.send(FakeBody(body), to: path)
            #expect(answer.status == 400)
        }
        #expect(gateway.store.calls.isEmpty && gateway.store.queries.isEmpty)
        #expect(gateway.moved["timestream_connector_received_samples_total"] == nil)
    }

    @Test("over max_body_bytes as declared: 413 before a byte is read, with limit, size and what would fit")
    func declaredTooLarge() async throws {
        let gateway = try GatewayUnderTest { $0.maxBodyBytes = 1_000 }
        let body = FakeBody([], declared: 2_500)
        let answer = await gateway.send(body)
        #expect(answer.status == 413)
        #expect(answer.text.contains("1000 bytes (max_body_bytes), found 2500 bytes"))
        #expect(answer.text.contains("divide max_samples_per_send in the sender's queue_config by 3 (666 if"))
        #expect(body.collections.isEmpty)
    }

    @Test("over max_body_bytes as it turns out: 413")
    func turnsOutTooLarge() async throws {
        let gateway = try GatewayUnderTest { $0.maxBodyBytes = 10 }
        let body = FakeBody(RequestBody.write(samples: 50), declared: .some(nil))
        let answer = await gateway.send(body)
        #expect(answer.status == 413)
        #expect(answer.text.contains("10 bytes (max_body_bytes), found a longer body; lower max_samples_per_send"))
        #expect(body.collections == [10])
    }

    @Test("over max_decoded_bytes: 413 before anything is decoded")
    func decodedTooLarge() async throws {
        let gateway = try GatewayUnderTest { $0.maxDecodedBytes = 1_000 }
        let message = RequestBody.message((0..<100).map { RequestBody.series("m", $0) })
        let answer = await gateway.send(FakeBody(SnappyBlock.encode(message)))
        #expect(answer.status == 413)
        #expect(answer.text.contains("1000 decoded bytes (max_decoded_bytes), it declares \(message.count)"))
        #expect(answer.text.contains("max_samples_per_send"))
        #expect(gateway.store.calls.isEmpty)
    }

    @Test("a read request is small: more than 1 MiB, compressed or decoded, is 413")
    func readTooLarge() async throws {
        let gateway = try GatewayUnderTest { $0.maxBodyBytes = 8 << 20 }
        let compressed = await gateway.send(FakeBody([], declared: (1 << 20) + 1), to: "/read")
        let decoded = await gateway.send(
            FakeBody(SnappyBlock.encode([UInt8](repeating: 0, count: (1 << 20) + 1))),
            to: "/read"
        )
        #expect(compressed.status == 413 && decoded.status == 413)
    }

    @Test("a body that does not come in time, or whose sender goes away, is 408", arguments: [true, false])
    func late(timedOut: Bool) async throws {
        let gateway = try GatewayUnderTest()
        let body = FakeBody(failing: timedOut ? .timedOut : .disconnected, declared: 100)
        let answer = await gateway.send(body)
        #expect(answer.status == 408)
        #expect(gateway.store.calls.isEmpty)
    }
}
