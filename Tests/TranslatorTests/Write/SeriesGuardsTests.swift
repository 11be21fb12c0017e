import Testing
import TimestreamModel

@testable import Translator

private func makeOptions(maxLabels: Int = 64, _ change: (inout SeriesGuards) -> Void) -> WriteOptions {
    var options = WriteOptions(
        table: TableName(database: "metrics", table: "prometheus"),
        dropsSpecialValues: false,
        dropsLongNames: false,
        maxLabelsPerSeries: maxLabels
    )
    change(&options.guards)
    return options
}

private func series(_ labels: [(String, String)], times: [Int64] = [1_000]) -> [UInt8] {
    var message: [UInt8] = []
    for (name, value) in labels { message += field(1, field(1, Array(name.utf8)) + field(2, Array(value.utf8))) }
    for time in times {
        // The number 1, then the time.
        let value: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x10]
        message += field(2, value + varint(UInt64(bitPattern: time)))
    }
    return field(1, message)
}

private func varint(_ value: UInt64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
    }
    return bytes + [UInt8(rest)]
}

private func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + varint(UInt64(bytes.count)) + bytes
}

private func text(_ count: Int) -> String { String(repeating: "x", count: count) }

@Suite("Guards against series that no table should have")
struct SeriesGuardsTests {
    /// One of each: two good series between bad ones.
    private static let message: [UInt8] = {
        var message: [UInt8] = []
        message += series([("__name__", "m"), ("a", text(11))])
        message += series([("__name__", "m"), ("a", text(10))])
        message += series([("__name__", "m"), ("long_name", "1")])
        message += series([("__name__", "m"), ("a", "1"), ("b", "1"), ("c", "1")])
        message += series([("__name__", text(11))])
        message += series([("__name__", "m"), ("old_n", "2")])
        message += series([("__name__", "m"), ("a", "3")])
        return message
    }()

    private static func guards(_ guards: inout SeriesGuards) {
        guards.maxLabelNameBytes = 5
        guards.maxLabelValueBytes = 10
        guards.maxSeriesPerRequest = 6
    }

    @Test("what violates a guard costs itself, and is told with the guard's name; at the limit all is well")
    func refused() throws {
        let plan = try WritePlan.plan(Self.message, options: makeOptions(maxLabels: 3, Self.guards))
        #expect(
            plan.refusals.samplesByReason == [
                .labelValueOverLimit: 2, .labelNameOverLimit: 1, .tooManyLabels: 1, .tooManySeries: 1,
            ]
        )
        #expect(plan.counts.samples == 7 && plan.counts.dropped == 0)
        #expect(plan.refusals.description.contains("more than 10 bytes (max_label_value_bytes): \"a\""))
        #expect(plan.refusals.description.contains("more than 5 bytes (max_label_name_bytes): \"long_name\""))
    }

    @Test("a guard that drops leaves out and counts; the others still refuse")
    func dropped() throws {
        let options = makeOptions(maxLabels: 3) {
            Self.guards(&$0)
            $0.dropped = [.labelValueOverLimit, .tooManyLabels, .tooManySeries]
        }
        let plan = try WritePlan.plan(Self.message, options: options)
        #expect(plan.refusals.samplesByReason == [.labelNameOverLimit: 1])
        #expect(
            plan.counts.droppedByGuards == [.labelValueOverLimit: 2, .tooManyLabels: 1, .tooManySeries: 1]
        )
        #expect(plan.counts.dropped == 4)
    }

    @Test("without guards the same request is stored as a whole")
    func off() throws {
        let plan = try WritePlan.plan(Self.message, options: makeOptions { _ in })
        #expect(plan.refusals.isEmpty && plan.counts.dropped == 0)
        #expect(plan.recordCount == 7)
    }

    @Test("samples outside the bounds go, those on them stay; a series without any left is no series")
    func times() throws {
        let message =
            series([("__name__", "a")], times: [999, 1_000, 2_000, 2_001, .min, .max])
            + series([("__name__", "b")], times: [5]) + series([("__name__", "c")], times: [1_500])
        let refusing = try WritePlan.plan(message, options: makeOptions { $0.timestampsMilliseconds = 1_000...2_000 })
        #expect(refusing.recordCount == 3)
        #expect(refusing.refusals.samplesByReason == [.sampleTooOld: 3, .sampleTooNew: 2])
        #expect(refusing.refusals.description.contains("timeseries[0]: a sample at 999 is beyond max_sample_age"))
        let dropping = try WritePlan.plan(
            message,
            options: makeOptions {
                $0.timestampsMilliseconds = 1_000...2_000
                $0.dropped = [.sampleTooOld]
            }
        )
        #expect(dropping.refusals.samplesByReason == [.sampleTooNew: 2])
        #expect(dropping.counts.droppedByGuards == [.sampleTooOld: 3] && dropping.recordCount == 3)
        let nothing = try WritePlan.plan(message, options: makeOptions { $0.timestampsMilliseconds = 9_000...9_001 })
        #expect(nothing.batchCount == 0 && nothing.refusals.samples == 8)
    }

    @Test("many labels far over every limit are found by the guard, not by Timestream's limit, to the last one")
    func farOver() throws {
        var message: [UInt8] = []
        for number in 0..<200 {
            message += series([("__name__", "m\(number)"), ("a", text(3_000 + number))])
            message += series([("__name__", text(300 + number))])
            message += series([("__name__", "m"), (text(100 + number), "1")])
        }
        let options = makeOptions {
            Self.guards(&$0)
            $0.maxSeriesPerRequest = nil
            $0.dropped = [.labelValueOverLimit]
        }
        let plan = try WritePlan.plan(message, options: options)
        #expect(plan.refusals.samplesByReason == [.labelNameOverLimit: 200])
        #expect(plan.counts.droppedByGuards == [.labelValueOverLimit: 400])
    }

    @Test("looser guards than Timestream's own limits change nothing")
    func loose() throws {
        let message = series([("__name__", "m"), ("a", text(3_000))]) + series([("__name__", "m"), (text(61), "1")])
        let options = makeOptions {
            $0.maxLabelNameBytes = 100
            $0.maxLabelValueBytes = 5_000
        }
        let plan = try WritePlan.plan(message, options: options)
        #expect(plan.refusals.samplesByReason == [.recordTooLarge: 1, .nameTooLong: 1])
    }
}
