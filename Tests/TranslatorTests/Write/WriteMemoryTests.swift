import Common
import Testing
import TimestreamModel

@testable import Translator

private func makeOptions(maxLabels: Int = 64, dropsLongNames: Bool = false) -> WriteOptions {
    WriteOptions(
        table: TableName(database: "d", table: "t"),
        dropsSpecialValues: false,
        dropsLongNames: dropsLongNames,
        maxLabelsPerSeries: maxLabels
    )
}

/// Whether a request can be read with so much memory.
private func isReadable(_ bytes: [UInt8], within limitBytes: Int) -> Bool {
    do throws(ProtocolError) {
        _ = try WritePlan.plan(bytes, options: makeOptions(), memoryLimitBytes: limitBytes)
        return true
    } catch {
        #expect(error == .overMemory(limitBytes: limitBytes))
        return false
    }
}

/// One series of samples of two bytes each: value and time are zero, and left out.
private func smallestSamples(_ count: Int) -> [UInt8] {
    var series = ProtobufBuilder()
    var label = ProtobufBuilder()
    label.field(1, "__name__")
    label.field(2, "m")
    series.field(1, label.bytes)
    for _ in 0..<count { series.field(2, []) }
    var request = ProtobufBuilder()
    request.field(1, series.bytes)
    return request.bytes
}

@Suite("What a request costs is bounded by the memory it is given")
struct WriteMemoryTests {
    @Test("an ordinary request is read within three times its size and 64 KiB")
    func ordinary() throws {
        for count in [0, 1, 100, 2_000] {
            var request = WriteRequestBuilder()
            for index in 0..<count {
                var labels = [
                    ("__name__", "metric_\(index % 50)_total"), ("instance", "host-\(index % 20).example:9100"),
                ]
                labels += (0..<8).map { ("label_\($0)", "value-\($0)-\(index % ($0 + 3))") }
                request.series(labels, [(Double(index) * 1.5, 1_700_000_000_000)])
            }
            let limit = request.bytes.count * 3 + (64 << 10)
            let plan = try WritePlan.plan(request.bytes, options: makeOptions(), memoryLimitBytes: limit)
            #expect(plan.recordCount == count)
        }
    }

    @Test("samples of two bytes need forty times their size, and are refused with less")
    func smallSamples() throws {
        let bytes = smallestSamples(20_000)
        #expect(!isReadable(bytes, within: bytes.count * 3 + (64 << 10)))
        #expect(!isReadable(bytes, within: 20_000 * 24 * 3))
        #expect(isReadable(bytes, within: bytes.count * 45))
        let plan = try WritePlan.plan(bytes, options: makeOptions())
        #expect(plan.recordCount == 1)
        #expect(plan.counts.repeatedSamples == 19_999)
    }

    @Test("a limit stops in the middle of a series, not after it")
    func insideOneSeries() {
        // What is malformed comes after the limit is reached, and is never seen.
        let bytes = Array(smallestSamples(20_000).dropLast()) + [0x00]
        #expect(!isReadable(bytes, within: 100_000))
    }

    @Test("half a million empty series cost no memory", .timeLimit(.minutes(1)))
    func emptySeries() throws {
        var bytes: [UInt8] = []
        for _ in 0..<500_000 { bytes += [0x0A, 0x00] }
        let plan = try WritePlan.plan(bytes, options: makeOptions(), memoryLimitBytes: 1_000)
        #expect(plan.counts.series == 500_000)
        #expect(plan.recordCount == 0 && plan.refusals.isEmpty)
        #expect(plan.memoryBytes < bytes.count)
    }

    @Test("distinct labels are charged as they come, series without samples included")
    func distinctLabels() {
        var request = WriteRequestBuilder()
        for index in 0..<20_000 { request.series([("__name__", "m"), ("l\(index)", "v")], []) }
        #expect(!isReadable(request.bytes, within: 1_000_000))
        #expect(isReadable(request.bytes, within: 20_000 * 600))
    }

    @Test("values of control characters, which JSON writes six times as long, are charged as they are written")
    func escapedValues() {
        var request = WriteRequestBuilder()
        for index in 0..<500 {
            request.series([("__name__", "m"), ("l", "\(index)" + String(repeating: "\u{1}", count: 1_500))], [(1, 1)])
        }
        #expect(!isReadable(request.bytes, within: request.bytes.count * 3 + (64 << 10)))
        #expect(isReadable(request.bytes, within: request.bytes.count * 20))
    }

    @Test("a label that is longer than any record is refused without a copy", arguments: [false, true])
    func longLabels(isName: Bool) throws {
        let long = String(repeating: "\u{1}", count: 1 << 20)
        var request = WriteRequestBuilder()
        request.series(isName ? [("__name__", "m"), (long, "v")] : [("__name__", "m"), ("l", long)], [(1, 1)])
        request.series([("__name__", long), ("l", "v")], [(1, 1)])
        request.series([("__name__", "m"), ("l", "v")], [(1, 1)])
        let plan = try WritePlan.plan(request.bytes, options: makeOptions(), memoryLimitBytes: 100_000)
        #expect(plan.recordCount == 1)
        let expected: [RefusalSummary.Reason: Int] = isName ? [.nameTooLong: 2] : [.recordTooLarge: 1, .nameTooLong: 1]
        #expect(plan.refusals.samplesByReason == expected)
        #expect(plan.refusals.details.allSatisfy { $0.utf8.count <= 160 })
    }

    @Test("what a plan keeps covers the bodies under way, and is little for an ordinary request")
    func planMemory() throws {
        var request = WriteRequestBuilder()
        for index in 0..<2_000 { request.series([("__name__", "m\(index)"), ("l", "v")], [(1, 1)]) }
        let plan = try WritePlan.plan(request.bytes, options: makeOptions())
        let largest = (0..<plan.batchCount).map { plan.body(ofBatch: $0).count }.max() ?? 0
        #expect(plan.memoryBytes >= largest * 16)
        #expect(plan.memoryBytes <= request.bytes.count * 40)
    }

    @Test("no more labels than a table has dimensions, whatever is configured", arguments: [(128, 1), (129, 0)])
    func mostLabels(count: Int, records: Int) throws {
        var request = WriteRequestBuilder()
        request.series([("__name__", "m")] + (1..<count).map { ("l\($0)", "v") }, [(1, 1), (.nan, 2)])
        let plan = try WritePlan.plan(request.bytes, options: makeOptions(maxLabels: .max))
        #expect(plan.recordCount == records * 2)
        #expect(plan.refusals.samplesByReason == (records == 0 ? [.tooManyLabels: 2] : [:]))
        if records == 0 { #expect(plan.refusals.details.first?.contains("more than 128 labels") == true) }
    }

    @Test("a hundred thousand labels of one series are looked at and not kept")
    func manyLabels() throws {
        var request = WriteRequestBuilder()
        request.series((0..<100_000).map { ("l\($0)", "v") }, [(1, 1)])
        let plan = try WritePlan.plan(request.bytes, options: makeOptions(), memoryLimitBytes: 100_000)
        #expect(plan.refusals.samplesByReason == [.tooManyLabels: 1])
    }
}
