import Common
import Foundation
import TestSupport
import Testing
import TimestreamModel

@testable import Translator

private let options = WriteOptions(
    table: TableName(database: "d", table: "t"),
    dropsSpecialValues: false,
    dropsLongNames: false,
    maxLabelsPerSeries: 64
)

@Suite("Native histograms in write requests")
struct HistogramWriteTests {
    /// A histogram's part as the service sees it.
    private struct Part {
        var key: String
        var text: [UInt8]
        var call: Int
    }

    private static func parts(_ plan: WritePlan) throws -> [Part] {
        var parts: [Part] = []
        for batch in 0..<plan.batchCount where plan.batches[batch].form == .histogram {
            let json = try JSONSerialization.jsonObject(with: Data(plan.body(ofBatch: batch).array)) as? [String: Any]
            let common = try #require(json?["CommonAttributes"] as? [String: Any])
            #expect(common["MeasureValueType"] as? String == "MULTI")
            let records = try #require(json?["Records"] as? [[String: Any]])
            #expect(records.count <= 100)
            for record in records {
                var labels: [String: String] = [:]
                for dimension in (common["Dimensions"] as? [[String: String]] ?? [])
                    + (record["Dimensions"] as? [[String: String]] ?? [])
                {
                    labels[try #require(dimension["Name"])] = dimension["Value"]
                }
                let name = try #require(record["MeasureName"] as? String)
                #expect(HistogramRecord.measureNames.contains(name))
                let time = try #require((record["Time"] ?? common["Time"]) as? String)
                let values = try #require(record["MeasureValues"] as? [[String: String]])
                let text = try #require(values.first { $0["Name"] == "promx_data" }?["Value"])
                let size = labels.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
                #expect(size + name.utf8.count + 8 + values.reduce(0) { $0 + ($1["Value"]?.utf8.count ?? 0) } <= 2_048)
                let key = labels.sorted { $0.key < $1.key }.description + " at \(time)"
                parts.append(Part(key: key, text: Array(text.utf8), call: batch))
            }
        }
        return parts
    }

    @Test(
        "every histogram of a random request is in the calls once, whole, and in one call",
        arguments: 1...10 as ClosedRange<UInt64>
    )
    func everyOne(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var request = WriteRequestBuilder()
        var expected: [String: [UInt8]] = [:]
        for series in 0..<Int.random(in: 1...40, using: &generator) {
            let labels = [("__name__", "h\(series % 3)"), ("i", "\(series)"), ("job", "x")]
            var histograms: [(Int, [UInt8])] = []
            for time in 1...Int64.random(in: 1...4, using: &generator) {
                var histogram = TestHistogram.random(buckets: 400, &generator)
                histogram.timestamp = time
                histograms.append((4, histogram.message))
                let key = [
                    (key: "i", value: "\(series)"), (key: "job", value: "x"),
                    (key: "promx_metric", value: "h\(series % 3)"),
                ]
                expected["\(key) at \(time)"] = histogram.message
            }
            let samples = Bool.random(using: &generator) ? [(Double(1).bitPattern, Int64(9))] : []
            request.series(
                labels: labels.map { (Array($0.0.utf8), Array($0.1.utf8)) },
                samples: samples,
                extra: histograms
            )
        }
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.refusals.isEmpty)
        #expect(plan.counts.histograms == expected.count)
        var samples = 0
        for batch in 0..<plan.batchCount { samples += plan.samples(in: plan.records(ofBatch: batch)) }
        #expect(samples == plan.counts.samples + plan.counts.histograms)

        let parts = try Self.parts(plan)
        for (key, group) in Dictionary(grouping: parts, by: \.key) {
            #expect(Set(group.map(\.call)).count == 1)
            var assembler = HistogramAssembler()
            let time = try #require(key.split(separator: " ").last.flatMap { Int64($0) })
            for part in group { assembler.add(part.text.span, series: 0, timestampMilliseconds: time) }
            let set = assembler.finish()
            #expect(set.incomplete == 0)
            var message: [UInt8] = []
            set.appendMessage(of: try #require(set.series.first?.first), to: &message)
            #expect(message == expected[key])
            expected[key] = nil
        }
        #expect(expected.isEmpty)
    }

    @Test("an invalid histogram and one without room cost only themselves")
    func refusals() throws {
        var generator = SeededGenerator(seed: 3)
        var good = TestHistogram.random(&generator)
        good.timestamp = 5
        var huge = ProtobufBuilder()
        huge.field(2, bits: Double(1).bitPattern)
        var spans = ProtobufBuilder()
        spans.field(2, integer: 20_000)
        huge.field(11, spans.bytes)
        var counts: [UInt8] = []
        for index in 0..<20_000 {
            for shift in 0..<8 {
                counts.append(UInt8(truncatingIfNeeded: Double(index).bitPattern >> UInt64(shift * 8)))
            }
        }
        huge.field(13, counts)
        huge.field(15, integer: 6)
        var invalid = ProtobufBuilder()
        invalid.field(1, integer: 7)
        var request = WriteRequestBuilder()
        let labels = [("__name__", "h")].map { (Array($0.0.utf8), Array($0.1.utf8)) }
        request.series(
            labels: labels,
            samples: [(0, 1)],
            extra: [(4, huge.bytes), (4, invalid.bytes), (4, good.message), (4, good.message)]
        )
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.refusals.samplesByReason == [.recordTooLarge: 1, .invalidHistogram: 1])
        #expect(plan.counts.histograms == 4)
        #expect(plan.counts.repeatedHistograms == 1)
        #expect(plan.batchCount == 2)
        #expect(plan.samples(in: plan.records(ofBatch: 1)) == 1)
    }

    @Test("what histograms take is charged")
    func memory() throws {
        var generator = SeededGenerator(seed: 4)
        var request = WriteRequestBuilder()
        for index in 0..<200 {
            let histogram = TestHistogram.random(buckets: 300, &generator)
            let labels = [("__name__", "h\(index)")].map { (Array($0.0.utf8), Array($0.1.utf8)) }
            request.series(labels: labels, samples: [], extra: [(4, histogram.message)])
        }
        let limit = request.bytes.count
        #expect(throws: ProtocolError.overMemory(limitBytes: limit)) {
            try WritePlan.plan(request.bytes, options: options, memoryLimitBytes: limit)
        }
        let plan = try WritePlan.plan(request.bytes, options: options, memoryLimitBytes: limit * 4 + (64 << 10))
        #expect(plan.memoryBytes > 0)
    }
}
