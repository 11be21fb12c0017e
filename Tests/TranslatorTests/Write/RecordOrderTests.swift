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

/// One record as the service sees it, by an independent JSON parser. The metric of a special value starts with "special ".
private struct Point: Hashable, CustomStringConvertible {
    var labels: [String: String]
    var metric: String
    var time: Int64
    var description: String { "\(self.metric)\(self.labels.sorted { $0.key < $1.key }) at \(self.time)" }
}

/// The value's bits of each point, and the points of each call in order.
private func points(_ plan: WritePlan) throws -> (values: [Point: UInt64], calls: [[Point]]) {
    var values: [Point: UInt64] = [:]
    var calls: [[Point]] = []
    for batch in 0..<plan.batchCount {
        let json = try JSONSerialization.jsonObject(with: Data(plan.body(ofBatch: batch).array)) as? [String: Any]
        let common = try #require(json?["CommonAttributes"] as? [String: Any])
        var call: [Point] = []
        for record in try #require(json?["Records"] as? [[String: Any]]) {
            var labels: [String: String] = [:]
            for part in [common, record] {
                for dimension in part["Dimensions"] as? [[String: String]] ?? [] {
                    labels[try #require(dimension["Name"])] = dimension["Value"]
                }
            }
            labels["promx_empty"] = nil
            var metric = try #require((record["MeasureName"] ?? common["MeasureName"]) as? String)
            let text = try #require(record["MeasureValue"] as? String)
            var bits = try #require(Double(text)).bitPattern
            if metric == "promx_special" {
                let name = labels.removeValue(forKey: "promx_metric")
                metric = "special " + (try #require(name))
                bits = UInt64(bitPattern: try #require(Int64(text)))
            }
            let time = ((record["Time"] ?? common["Time"]) as? String).flatMap { Int64($0) } ?? -1
            let point = Point(labels: labels, metric: metric, time: time)
            #expect(values[point] == nil, "\(point) is sent twice")
            values[point] = bits
            call.append(point)
        }
        calls.append(call)
    }
    return (values, calls)
}

@Suite("The order and the packing of records")
struct RecordOrderTests {
    @Test("a random request: every point once with its first value, in as few calls as there can be", arguments: 1...40)
    func model(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let names = (0..<Int.random(in: 1...70, using: &generator)).map { "label\($0)" }
        let specials: [Double] = [.nan, .infinity, -.infinity, Double(bitPattern: 0x7FF0_0000_0000_0002)]
        var request = WriteRequestBuilder()
        var expected: [Point: UInt64] = [:]
        var specialPoints = 0
        var samples = 0
        for _ in 0..<Int.random(in: 1...300, using: &generator) {
            var labels = names.shuffled(using: &generator).prefix(
                Int.random(in: 0...min(names.count, 12), using: &generator)
            )
            .map { ($0, "v\(Int.random(in: 0...(seed < 20 ? 3 : 10_000), using: &generator))") }
            let set = Dictionary(uniqueKeysWithValues: labels)
            let metric = "m\(Int.random(in: 0...3, using: &generator))"
            labels.insert(("__name__", metric), at: Int.random(in: 0...labels.count, using: &generator))
            if Bool.random(using: &generator) { labels.append(("empty", "")) }
            var values: [(Double, Int64)] = []
            for _ in 0..<Int.random(in: 0...8, using: &generator) {
                let value =
                    Int.random(in: 0...5, using: &generator) == 0
                    ? specials[Int.random(in: 0..<4, using: &generator)]
                    : Double(Int.random(in: 0...2, using: &generator)) / 4
                let time = Int64.random(in: 1...6, using: &generator)
                values.append((value, time))
                let point = Point(labels: set, metric: metric, time: time)
                // Ordinary and special values of one point go to different measures.
                let key = value.isFinite ? point : Point(labels: set, metric: "special " + metric, time: time)
                if expected[key] == nil {
                    expected[key] = value.bitPattern
                    if !value.isFinite { specialPoints += 1 }
                }
            }
            samples += values.count
            request.series(labels, values)
        }
        let plan = try WritePlan.plan(request.bytes, options: options)
        let ordinary = expected.count - specialPoints
        #expect(plan.recordCount == expected.count)
        #expect(plan.batchCount == (ordinary + 99) / 100 + (specialPoints + 99) / 100)
        #expect(plan.counts.samples == samples)
        #expect(plan.counts.repeatedSamples + plan.refusals.samples + plan.recordCount == samples)
        for batch in 0..<plan.batchCount {
            for number in plan.records(ofBatch: batch) {
                let record = plan.records[number]
                #expect(record.form == plan.batches[batch].form)
            }
        }
        #expect(try points(plan).values == expected)
    }

    @Test("samples of one series are sent in the order of their times, whatever order they came in")
    func times() throws {
        var request = WriteRequestBuilder()
        let times = (1...250).map { Int64($0) }
        request.series([("__name__", "m"), ("a", "b")], times.reversed().map { (Double($0), $0) })
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.records.map(\.timestamp) == times)
        #expect(plan.batchCount == 3)
    }

    @Test("of several values for one time the first one that came stays, even out of order and in another series")
    func firstStays() throws {
        var request = WriteRequestBuilder()
        request.series([("__name__", "m"), ("a", "b"), ("c", "d")], [(5, 9), (1, 3), (2, 3), (1, 3)])
        request.series([("c", "d"), ("__name__", "m"), ("a", "b")], [(7, 9), (5, 9), (4, 1)])
        let plan = try WritePlan.plan(request.bytes, options: options)
        #expect(plan.records.map { Double(bitPattern: $0.bits) } == [4, 1, 5])
        #expect(plan.counts.repeatedSamples == 2)
        #expect(plan.refusals.samplesByReason == [.conflictingSample: 2])
        #expect(plan.refusals.details.contains("timeseries[1]: another value for time 9"))
    }

    @Test("what all records of a call share is sent once: a scrape of one target repeats no label")
    func sharing() throws {
        var request = WriteRequestBuilder()
        for index in 0..<100 {
            request.series(
                [("__name__", "metric_\(index)"), ("instance", "a:9100"), ("job", "node"), ("cluster", "eu")],
                [(Double(index), 1_700_000_000_000)]
            )
        }
        let plan = try WritePlan.plan(request.bytes, options: options)
        let body = String(decoding: plan.body(ofBatch: 0).array, as: UTF8.self)
        for text in ["a:9100", "node", "cluster", "1700000000000"] {
            #expect(body.components(separatedBy: text).count == 2)
        }
    }

    @Test("series of two targets are not mixed in a call where they need not be")
    func grouping() throws {
        var request = WriteRequestBuilder()
        for index in 0..<200 {
            request.series([("__name__", "m\(index / 2)"), ("instance", index % 2 == 0 ? "a" : "b")], [(1, 1)])
        }
        let calls = try points(try WritePlan.plan(request.bytes, options: options)).calls
        #expect(calls.count == 2)
        #expect(calls.allSatisfy { call in Set(call.map { $0.labels["instance"] }).count == 1 })
    }

    @Test("more label values than fit into one sort key change nothing")
    func inexactKeys() throws {
        var request = WriteRequestBuilder()
        for index in 0..<300 {
            let labels = (0..<30).map { ("l\($0)", "v\((index * ($0 + 1)) % 97)") }
            request.series([("__name__", "m")] + labels, [(Double(index), 1)])
            request.series(labels.reversed() + [("__name__", "m")], [(Double(index), 1), (Double(index), 2)])
        }
        let plan = try WritePlan.plan(request.bytes, options: options)
        let distinct = Set((0..<300).map { index in (0..<30).map { (index * ($0 + 1)) % 97 } }).count
        #expect(plan.recordCount == distinct * 2)
        #expect(try points(plan).values.count == distinct * 2)
    }
}
