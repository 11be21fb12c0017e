import Common
import Foundation
import Testing
import TimestreamModel

@testable import Translator

private let options = WriteOptions(
    table: TableName(database: "payments", table: "prometheus"),
    dropsSpecialValues: false,
    dropsLongNames: false,
    maxLabelsPerSeries: 64
)

/// A record as the service sees it after merging the common attributes; names and values by their UTF-8 bytes.
private struct StoredRecord: Hashable {
    var dimensions: [[UInt8]: [UInt8]]
    var measure: String
    var value: String
    var type: String
    var time: String
}

/// Decodes bodies with an independent JSON parser and merges as the service does.
private func stored(_ plan: WritePlan) throws -> [StoredRecord] {
    var result: [StoredRecord] = []
    for batch in 0..<plan.batchCount {
        let body = Data(plan.body(ofBatch: batch).array)
        let json = try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any])
        #expect(json["DatabaseName"] as? String == "payments")
        #expect(json["TableName"] as? String == "prometheus")
        let common = try #require(json["CommonAttributes"] as? [String: Any])
        let records = try #require(json["Records"] as? [[String: Any]])
        #expect((1...100).contains(records.count))
        for record in records {
            #expect(Set(common.keys).isDisjoint(with: Set(record.keys).subtracting(["Dimensions"])))
            var dimensions: [[UInt8]: [UInt8]] = [:]
            for source in [common, record] {
                for dimension in source["Dimensions"] as? [[String: String]] ?? [] {
                    let name = Array(try #require(dimension["Name"]).utf8)
                    #expect(dimensions[name] == nil, "a dimension stands in both places")
                    dimensions[name] = Array(try #require(dimension["Value"]).utf8)
                }
            }
            #expect(!dimensions.isEmpty)
            func member(_ name: String, default value: String? = nil) throws -> String {
                try #require(record[name] as? String ?? common[name] as? String ?? value)
            }
            result.append(
                StoredRecord(
                    dimensions: dimensions,
                    measure: try member("MeasureName"),
                    value: try member("MeasureValue"),
                    type: try member("MeasureValueType", default: "DOUBLE"),
                    time: try member("Time")
                )
            )
        }
    }
    return result
}

private func bytes(_ labels: [String: String]) -> [[UInt8]: [UInt8]] {
    Dictionary(uniqueKeysWithValues: labels.map { (Array($0.key.utf8), Array($0.value.utf8)) })
}

@Suite("A remote write request becomes WriteRecords calls")
struct WritePlanTests {
    @Test("the reference's test vector becomes one record")
    func vector() throws {
        let text = "0a2c0a0e0a085f5f6e616d655f5f120275700a080a036a6f62120161121009000000000000f03f1080d095ffbc31"
        let bytes = stride(from: 0, to: text.count, by: 2).compactMap { offset in
            UInt8(text.dropFirst(offset).prefix(2), radix: 16)
        }
        let plan = try WritePlan.plan(bytes, options: options)
        let body = String(decoding: plan.body(ofBatch: 0).array, as: UTF8.self)
        #expect(
            body == #"{"DatabaseName":"payments","TableName":"prometheus","CommonAttributes":{"Dimensions":"#
                + #"[{"Name":"job","Value":"a"}],"MeasureName":"up","Time":"1700000000000"},"#
                + #""Records":[{"MeasureValue":"1"}]}"#
        )
    }

    @Test("every sample arrives once, whatever its neighbours share", arguments: [1, 99, 100, 101, 250, 2000])
    func completeness(count: Int) throws {
        var generator = SystemRandomNumberGenerator()
        var request = WriteRequestBuilder()
        var expected: Set<StoredRecord> = []
        for index in 0..<count {
            var labels = [("__name__", "metric_\(index % 7)"), ("instance", "host-\(index % 13)"), ("n", "\(index)")]
            if index % 3 == 0 { labels.append(("cpu", "\(index % 4)")) }
            if index % 5 == 0 { labels.append(("mode", "idle")) }
            labels.shuffle(using: &generator)
            let time = Int64(1_700_000_000_000 + index % 2)
            request.series(labels, [(Double(index), time)])
            expected.insert(
                StoredRecord(
                    dimensions: bytes(Dictionary(uniqueKeysWithValues: labels.filter { $0.0 != "__name__" })),
                    measure: "metric_\(index % 7)",
                    value: "\(index)",
                    type: "DOUBLE",
                    time: "\(time)"
                )
            )
        }
        let plan = try WritePlan.plan(request.bytes, options: options)
        let records = try stored(plan)
        #expect(plan.batchCount == (count + 99) / 100)
        #expect(records.count == count)
        #expect(Set(records) == expected)
    }

    @Test("label values keep every byte: quotes, controls, NUL, emoji, NFC and NFD")
    func bytesSurvive() throws {
        let values = ["a\"b\\c", "line\nfeed\ttab", "nul\u{0}", "🦊", "\u{e9}", "e\u{301}", "\u{7f}\u{1}", "</script>"]
        var request = WriteRequestBuilder()
        for value in values { request.series([("__name__", "m"), ("l", value)], [(1, 5)]) }
        let records = try stored(try WritePlan.plan(request.bytes, options: options))
        #expect(Set(records.compactMap { $0.dimensions[Array("l".utf8)] }) == Set(values.map { Array($0.utf8) }))
    }

    @Test("NaN, stale markers and infinities become records of their bit pattern, in calls of their own")
    func specials() throws {
        let patterns: [UInt64] = [
            0x7FF0_0000_0000_0002, 0x7FF8_0000_0000_0001, 0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000,
        ]
        var request = WriteRequestBuilder()
        request.series([("__name__", "up"), ("job", "a")], [(1, 1)])
        for (index, bits) in patterns.enumerated() {
            request.series(
                labels: [(Array("__name__".utf8), Array("up".utf8)), (Array("job".utf8), Array("a".utf8))],
                samples: [(bits, Int64(index + 2))]
            )
        }
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.batchCount == 2)
        let specials = try stored(plan).filter { $0.type == "BIGINT" }
        #expect(Set(specials.map(\.value)) == Set(patterns.map { "\(Int64(bitPattern: $0))" }))
        for record in specials {
            #expect(record.measure == "promx_special")
            #expect(record.dimensions == bytes(["promx_metric": "up", "job": "a"]))
        }

        var dropping = options
        dropping.dropsSpecialValues = true
        let dropped = try WritePlan.plan(request.bytes, options: dropping)
        #expect(dropped.recordCount == 1)
        #expect(dropped.counts.droppedSpecialValues == 4)
        #expect(dropped.refusals.isEmpty)

        // Refusing wins, so that what a sender is to hear of is not left out in silence.
        dropping.refusesSpecialValues = true
        let refused = try WritePlan.plan(request.bytes, options: dropping)
        #expect(refused.recordCount == 1)
        #expect(refused.counts.droppedSpecialValues == 0)
        #expect(refused.refusals.samplesByReason == [.specialValue: 4])
        #expect(refused.refusals.details.allSatisfy { $0.hasSuffix("is not finite") })
    }

    @Test(
        "a series that cannot be stored costs only itself",
        arguments: [
            ([("job", "a")], RefusalSummary.Reason.missingMetricName),
            ([], .missingMetricName),
            ([("__name__", "")], .missingMetricName),
            ([("__name__", "m"), ("", "x")], .emptyLabelName),
            ([("__name__", "m"), ("a", "1"), ("b", "2"), ("a", "1")], .duplicateLabelName),
            ([("__name__", "m"), ("__name__", "n")], .duplicateLabelName),
            ([("__name__", "m"), (String(repeating: "l", count: 61), "x")], .nameTooLong),
            ([("__name__", String(repeating: "m", count: 257))], .nameTooLong),
            ([("__name__", "m"), ("a", String(repeating: "v", count: 2000))], .recordTooLarge),
            ([("__name__", "m")] + (0..<64).map { ("l\($0)", "x") }, .tooManyLabels),
        ] as [([(String, String)], RefusalSummary.Reason)]
    )
    func refusals(labels: [(String, String)], reason: RefusalSummary.Reason) throws {
        var request = WriteRequestBuilder()
        request.series([("__name__", "good"), ("a", "1")], [(1, 1)])
        request.series(labels, [(1, 1), (2, 2)])
        request.series([("__name__", "good"), ("a", "2")], [(1, 1)])
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.recordCount == 2)
        #expect(plan.refusals.samplesByReason == [reason: 2])
        #expect(plan.refusals.details.count == 1)
        #expect(plan.refusals.details.first?.hasPrefix("timeseries[1]: ") == true)
        #expect(try stored(plan).allSatisfy { $0.measure == "good" })
    }

    @Test(
        "invalid UTF-8 in a name or a value refuses the series",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80]]
    )
    func invalidUTF8(bad: [UInt8]) throws {
        var request = WriteRequestBuilder()
        request.series(labels: [(Array("__name__".utf8), Array("m".utf8)), (Array("a".utf8), bad)], samples: [(0, 1)])
        request.series(labels: [(Array("__name__".utf8), Array("m".utf8)), (bad, [0x61])], samples: [(0, 1)])
        request.series(labels: [(Array("__name__".utf8), bad)], samples: [(0, 1)])
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.recordCount == 0)
        #expect(plan.refusals.samplesByReason == [.invalidUTF8: 3])
    }

    @Test("an empty value is the same as no label, and a series without labels gets the reserved dimension")
    func emptyValues() throws {
        var request = WriteRequestBuilder()
        request.series([("__name__", "m"), ("a", "")], [(1, 1)])
        request.series([("__name__", "n")], [(2, 1)])
        let records = try stored(try WritePlan.plan(request.bytes, options: options))
        #expect(records.count == 2)
        #expect(records.allSatisfy { $0.dimensions == bytes(["promx_empty": "1"]) })
    }

    @Test("the same sample twice is sent once; another value for its time is refused")
    func repeats() throws {
        var request = WriteRequestBuilder()
        request.series([("__name__", "m"), ("a", "1")], [(1, 1)])
        request.series([("a", "1"), ("__name__", "m")], [(1, 1), (7, 1)])
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(try stored(plan).map(\.value) == ["1"])
        #expect(plan.counts.repeatedSamples == 1)
        #expect(plan.refusals.samplesByReason == [.conflictingSample: 1])
    }

    @Test("times before 1970 or after 2262 are refused", arguments: [-1, Int64.min, 9_223_372_036_855, Int64.max])
    func times(time: Int64) throws {
        var request = WriteRequestBuilder()
        request.series([("__name__", "m"), ("a", "1")], [(1, time), (1, 9_223_372_036_854), (1, 0)])
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.recordCount == 2)
        #expect(plan.refusals.samplesByReason == [.timestampOutOfRange: 1])
    }

    @Test("metadata, exemplars and histograms are counted; only invalid histograms are refused")
    func otherKinds() throws {
        var request = WriteRequestBuilder()
        request.metadata("up")
        request.series(
            labels: [(Array("__name__".utf8), Array("m".utf8)), (Array("a".utf8), Array("b".utf8))],
            samples: [(0, 1)],
            extra: [(3, []), (4, []), (4, [8, 1])]
        )
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.counts.metadata == 1)
        #expect(plan.counts.exemplars == 1)
        #expect(plan.counts.histograms == 2)
        #expect(plan.recordCount == 2)
        #expect(plan.refusals.samplesByReason == [.invalidHistogram: 1])
    }

    @Test("names that Timestream refuses are escaped and come back")
    func escapes() throws {
        for name in ["__replica__", "time", "ts_x", "measure_name", "promx_a", "a.b", "ü", "a_", "_", "9"] {
            let dimension = ColumnName.dimension(forLabel: Array(name.utf8))
            #expect(ColumnName.isPlainDimension(dimension) || dimension.starts(with: ColumnName.prefix))
            #expect(dimension.last != UInt8(ascii: "_"))
            #expect(ColumnName.label(ofDimension: dimension) == Array(name.utf8))
        }
        for own in [ColumnName.specialMetricDimension, ColumnName.noLabelsDimension] {
            #expect(ColumnName.label(ofDimension: Array(own.utf8)) == Array(own.utf8))
        }
        #expect(ColumnName.measure(forMetric: Array("job:rate:5m".utf8)) == Array("job:rate:5m".utf8))
    }
}

@Suite("A damaged request is refused whole")
struct DamagedWriteRequestTests {
    private static func sample() -> [UInt8] {
        var request = WriteRequestBuilder()
        request.metadata("up")
        request.series([("__name__", "m"), ("a", "b")], [(1.5, 1_700_000_000_000), (2.5, 1_700_000_000_001)])
        return request.bytes
    }

    @Test("a request cut at any byte either is malformed or holds whole series")
    func truncation() throws {
        let bytes = Self.sample()
        let whole = try WritePlan.plan(bytes, options: options)
        #expect(whole.recordCount == 2)
        var malformed = 0
        for length in 0..<bytes.count {
            do {
                let plan = try WritePlan.plan(Array(bytes.prefix(length)), options: options)
                #expect(plan.recordCount == 0)
            } catch {
                malformed += 1
            }
        }
        #expect(malformed == bytes.count - 2)  // The empty request and the one with only its metadata are whole.
    }

    @Test("no change of one byte can stop the process")
    func mutation() {
        let bytes = Self.sample()
        var read = 0
        for index in bytes.indices {
            for value in stride(from: 0, through: 255, by: 5) {
                var changed = bytes
                changed[index] = UInt8(value)
                if (try? WritePlan.plan(changed, options: options)) != nil { read += 1 }
            }
        }
        #expect(read > 0)
    }

    @Test(
        "malformed fields are told with their place",
        arguments: [
            ([0x0A, 0x05, 0x01], ProtocolError.Fault.truncated),
            ([0x00], .fieldNumber),
            ([0x0E], .wireType),
            ([0x0F], .wireType),
            ([0x0C], .wireType),
            ([0x08, 0x01], .fieldType),
            ([0x28] + [UInt8](repeating: 0xFF, count: 10) + [0x01], .varint),
            ([UInt8](repeating: 0x2B, count: 100), .nesting),
            ([0x2B, 0x34], .wireType),
        ] as [([UInt8], ProtocolError.Fault)]
    )
    func faults(bytes: [UInt8], fault: ProtocolError.Fault) {
        do {
            _ = try WritePlan.plan(bytes, options: options)
            Issue.record("read a malformed message")
        } catch {
            guard case .malformedProtobuf(_, let found) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(found == fault)
        }
    }

    @Test("unknown fields and groups are skipped")
    func unknownFields() throws {
        var request = ProtobufBuilder()
        request.field(2, integer: 3)
        request.field(200, "unknown")
        request.key(7, 3)
        request.field(1, "inside")
        request.key(8, 3)
        request.key(8, 4)
        request.key(7, 4)
        request.field(1, Array(Self.sample().dropFirst(Self.sample().count)))
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.counts.series == 1)
    }
}

@Suite("Values are the shortest text with the same bits")
struct DecimalTextTests {
    private func text(_ value: Double) -> String {
        var output = OutputBuffer(capacity: 8)
        DecimalText.append(value, to: &output)
        return String(decoding: output.freeze().array, as: UTF8.self)
    }

    @Test(
        "known values",
        arguments: [
            (0, "0"), (-0.0, "-0"), (1, "1"), (-17, "-17"), (0.1, "0.1"), (1e-7, "0.0000001"), (9.9e-8, "9.9E-8"),
            (.leastNonzeroMagnitude, "5E-324"), (1.7976931348623157e308, "1.7976931348623157E308"), (1e21, "1E21"),
            (1.2345678901234568e20, "123456789012345680000"), (9007199254740992, "9007199254740992"),
            (1.5, "1.5"), (100, "100"), (1234.5678, "1234.5678"), (9007199254740991, "9007199254740991"),
            (1e15 + 0.5, "1000000000000000.5"), (2.2250738585072014e-308, "2.2250738585072014E-308"),
        ] as [(Double, String)]
    )
    func known(value: Double, expected: String) {
        #expect(self.text(value) == expected)
        #expect(Double(expected)?.bitPattern == value.bitPattern)
    }

    @Test("plain digits from 1e-7 to below 1e21, an exponent outside, at every border", arguments: [1.0, -1.0])
    func borders(sign: Double) {
        for (value, isPlain) in [
            (1e-7, true), (1e-7.nextDown, false), (1e-7.nextUp, true), (1e21, false), (1e21.nextDown, true),
            (1e21.nextUp, false), (9_007_199_254_740_992.0.nextUp, true), (9_007_199_254_740_992.0.nextDown, true),
            (.greatestFiniteMagnitude, false), (.leastNonzeroMagnitude, false), (.leastNormalMagnitude, false),
            (123_456_789.125, true),
        ] {
            let text = self.text(value * sign)
            #expect(text.contains("E") != isPlain, "\(text)")
            #expect(Double(text)?.bitPattern == (value * sign).bitPattern, "\(text)")
            #expect(text.utf8.count <= 26)
        }
        for exponent in -330...308 {
            guard let value = Double("1e\(exponent)") else { continue }
            let text = self.text(value * sign)
            #expect(Double(text)?.bitPattern == (value * sign).bitPattern)
            #expect(text.contains("E") == (value != 0 && (exponent < -7 || exponent > 20)))
        }
    }

    @Test("whole numbers to the ends of 64 bits", arguments: [0, 1, -1, 9, 10, -10, .max, .min, .max - 1, .min + 1])
    func integers(value: Int64) {
        var output = OutputBuffer(capacity: 1)
        DecimalText.append(value, to: &output)
        #expect(String(decoding: output.freeze().array, as: UTF8.self) == "\(value)")
    }

    @Test("random bit patterns read back to the same bits")
    func roundTrip() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            let text = self.text(value)
            #expect(Double(text)?.bitPattern == value.bitPattern, "\(value) became \(text)")
        }
    }
}
