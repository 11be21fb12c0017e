import Common
import TimestreamModel

@testable import TimestreamLocal
@testable import Translator

/// A remote write request: planned, every call's body written, and every body read again by the local engine.
///
/// First byte: the tenant's options, the version, and whether what follows is a snappy block or the message itself.
enum WriteTarget {
    private static let table = TableName(database: "Database", table: "Table \"quoted\"")

    private struct Options: OptionSet {
        var rawValue: UInt8
        static let dropsSpecialValues = Self(rawValue: 1)
        static let dropsLongNames = Self(rawValue: 2)
        static let fewLabels = Self(rawValue: 4)
        static let compressed = Self(rawValue: 8)
        static let littleMemory = Self(rawValue: 16)
        static let version2 = Self(rawValue: 32)
    }

    static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let options = Options(rawValue: first)
        var message = Array(input.dropFirst())
        if options.contains(.compressed) {
            guard let decoded = try? SnappyBlock.decode(message, limitBytes: 1 << 20) else { return }
            require((try? SnappyBlock.decode(SnappyBlock.encode(decoded), limitBytes: 1 << 20)) == decoded, "snappy")
            message = decoded
        }
        let plan = try? WritePlan.plan(
            message,
            version: options.contains(.version2) ? .version2 : .version1,
            options: WriteOptions(
                table: self.table,
                dropsSpecialValues: options.contains(.dropsSpecialValues),
                dropsLongNames: options.contains(.dropsLongNames),
                maxLabelsPerSeries: options.contains(.fewLabels) ? 3 : 64
            ),
            memoryLimitBytes: options.contains(.littleMemory) ? 2048 : 1 << 28
        )
        guard let plan else { return }
        // Of version 2.0 there is no second decoder here: its calls are read by the engine all the same.
        let request = options.contains(.version2) ? nil : try? ReferenceWriteRequest(message)
        require(options.contains(.version2) || request != nil, "planned, but not readable")
        self.checkCounts(plan, request)
        for batch in 0..<plan.batchCount {
            let records = plan.records(ofBatch: batch)
            self.check(plan.body(ofBatch: batch).array, plan, records, request)
            // As after a refusal: the call is cut in two.
            let half = records.lowerBound..<(records.lowerBound + (records.count + 1) / 2)
            self.check(plan.body(of: half, ofBatch: batch).array, plan, half, request)
        }
    }

    private static func checkCounts(_ plan: WritePlan, _ request: ReferenceWriteRequest?) {
        let counts = plan.counts
        if let request {
            require(counts.series == request.series.count, "\(counts.series) series")
            require(counts.samples == request.series.reduce(0) { $0 + $1.samples.count }, "\(counts.samples) samples")
        }
        let ranges = (0..<plan.batchCount).map(plan.records(ofBatch:))
        let accounted =
            ranges.reduce(0) { $0 + plan.samples(in: $1) } + plan.refusals.samples + counts.droppedSpecialValues
            + counts.droppedLongNames + counts.repeatedSamples
        let samples = counts.samples + counts.histograms
        require(accounted == samples, "\(accounted) of \(samples) samples accounted for")
        require(ranges.reduce(0) { $0 + $1.count } == plan.recordCount, "batches do not cover the records")
        require(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }, "batches leave gaps")
        // Full calls, but for the last one of each form; a histogram's records stay together.
        let histogramRecords = plan.records.count { $0.isHistogram }
        let limit = (plan.recordCount - histogramRecords) / 100 + 2 + (histogramRecords + 84) / 85
        require(plan.batchCount <= limit, "\(plan.batchCount) calls")
        require(plan.refusals.details.count <= RefusalSummary.maximumDetails, "too many details")
        require(!plan.refusals.description.contains { $0.isNewline }, "a message of several lines")
    }

    private static func check(
        _ body: [UInt8],
        _ plan: WritePlan,
        _ range: Range<Int>,
        _ request: ReferenceWriteRequest?
    ) {
        let text = String(decoding: body, as: UTF8.self)
        guard let document = JSONDocument.object(body) else { return require(false, "no JSON: \(text)") }
        require((document["Records"] as? [Any])?.count == range.count, "other records than planned")
        require(range.count <= 100, "\(range.count) records in a call")
        let stored: RecordBatch
        do throws(ServiceError) {
            let request = try WriteRecordsRequest(body)
            require(request.database == self.table.database && request.table == self.table.table, "another table")
            stored = try RecordCheck.batch(of: request, table: self.table)
        } catch {
            fatalError("refused: \(error.message)\n\(text)")
        }
        require(stored.records.count == range.count, "\(stored.records.count) records arrive")
        for (number, record) in zip(range, stored.records) {
            let planned = plan.records[number]
            require(record.timeNanoseconds == planned.timestamp * 1_000_000, "another time")
            guard let request else { continue }
            let series = request.series[Int(plan.series[Int(planned.series)].position)]
            require(self.labels(of: stored.keys[record.key]) == series.labels, "other labels")
            if planned.isHistogram { continue }
            require(record.value == .word(Int64(bitPattern: planned.bits)), "another value")
            let sample = ReferenceWriteRequest.Sample(timestamp: planned.timestamp, bits: planned.bits)
            require(series.samples.contains(sample), "a sample of another series")
        }
    }

    /// The labels that a reader of these dimensions would answer with, sorted.
    private static func labels(of key: ArraySlice<UInt8>) -> [ReferenceWriteRequest.Label] {
        let texts = StreamKey.texts(of: key).map(Array.init)
        var measure = texts[0]
        var labels: [ReferenceWriteRequest.Label] = []
        for index in stride(from: 1, to: texts.count, by: 2) {
            if texts[index] == Array(ColumnName.specialMetricDimension.utf8) {
                measure = texts[index + 1]
            } else if texts[index] != Array(ColumnName.noLabelsDimension.utf8) {
                labels.append(.init(name: ColumnName.label(ofDimension: texts[index]), value: texts[index + 1]))
            }
        }
        labels.append(.init(name: Array("__name__".utf8), value: ColumnName.metric(ofMeasure: measure)))
        return labels.sorted()
    }
}
