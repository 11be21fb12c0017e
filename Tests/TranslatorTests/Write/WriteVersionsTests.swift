import Common
import TestSupport
import Testing
import TimestreamModel

@testable import Translator

/// A remote write 2.0 request, as a sender would make it.
private struct Version2Builder {
    enum Form: CaseIterable { case packed, unpacked, mixed }

    private var symbols: [String] = [""]
    private var series = ProtobufBuilder()

    var bytes: [UInt8] {
        var request = ProtobufBuilder()
        for symbol in self.symbols { request.field(4, symbol) }
        return request.bytes + self.series.bytes
    }

    private mutating func reference(_ text: String) -> UInt64 {
        if let known = self.symbols.firstIndex(of: text) { return UInt64(known) }
        self.symbols.append(text)
        return UInt64(self.symbols.count - 1)
    }

    mutating func add(_ labels: [(String, String)], _ samples: [(Double, Int64)], _ form: Form) {
        var message = ProtobufBuilder()
        var packed = ProtobufBuilder()
        for (index, text) in labels.flatMap({ [$0.0, $0.1] }).enumerated() {
            let reference = self.reference(text)
            if form == .unpacked || form == .mixed && index % 3 == 0 {
                if !packed.bytes.isEmpty { message.field(1, packed.bytes) }
                packed = ProtobufBuilder()
                message.field(1, integer: Int64(reference))
            } else {
                packed.varint(reference)
            }
        }
        if !packed.bytes.isEmpty { message.field(1, packed.bytes) }
        for (value, time) in samples {
            var sample = ProtobufBuilder()
            sample.field(1, bits: value.bitPattern)
            sample.field(2, integer: time)
            message.field(2, sample.bytes)
        }
        self.series.field(5, message.bytes)
    }
}

private let options = WriteOptions(
    table: TableName(database: "d", table: "t"),
    dropsSpecialValues: false,
    dropsLongNames: false,
    maxLabelsPerSeries: 64
)

@Suite("Both versions of remote write")
struct WriteVersionsTests {
    /// Series that differ from their neighbours by a label more, a label less, another value, another order.
    @Test("the same series in either version, with references of any form, become the same calls", arguments: 1...60)
    func sameCalls(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var version1 = WriteRequestBuilder()
        var version2 = Version2Builder()
        var labels: [(String, String)] = [("__name__", "m"), ("b", "1"), ("d", "1"), ("f", "1"), ("h", "1")]
        for _ in 0..<120 {
            let place = Int.random(in: 0..<labels.count, using: &generator)
            switch Int.random(in: 0...9, using: &generator) {
            case 0:
                labels.insert(("\(["a", "c", "e", "g"].randomElement(using: &generator) ?? "a")", "1"), at: place)
            case 1 where labels.count > 2: labels.remove(at: place)
            case 2: labels.shuffle(using: &generator)
            case 3: labels.sort { $0.0 < $1.0 }
            case 4: labels[place].1 = ""
            case 5: labels[place].0 = "x\(Int.random(in: 0...3, using: &generator))"
            default: labels[place].1 = "value \(Int.random(in: 0...5, using: &generator))"
            }
            let value = Double(Int.random(in: 0...3, using: &generator)) / 8
            let samples = [(value, Int64.random(in: 1...3, using: &generator))]
            version1.series(labels, samples)
            version2.add(labels, samples, Version2Builder.Form.allCases.randomElement(using: &generator) ?? .packed)
        }
        let first = try WritePlan.plan(version1.bytes, version: .version1, options: options)
        let second = try WritePlan.plan(version2.bytes, version: .version2, options: options)
        #expect(first.counts == second.counts)
        #expect(first.refusals == second.refusals)
        #expect(first.batchCount == second.batchCount)
        for batch in 0..<first.batchCount {
            #expect(first.body(ofBatch: batch).array == second.body(ofBatch: batch).array)
        }
    }

    @Test("a table of many strings that no series uses is charged like everything else")
    func unusedSymbols() {
        var request = ProtobufBuilder()
        for _ in 0..<100_000 { request.field(4, "") }
        #expect(throws: ProtocolError.overMemory(limitBytes: 100_000)) {
            try WritePlan.plan(request.bytes, version: .version2, options: options, memoryLimitBytes: 100_000)
        }
    }

    @Test("a string of megabytes in a hundred thousand labels costs no more than one", .timeLimit(.minutes(1)))
    func hugeSymbols() throws {
        let huge = [UInt8](repeating: UInt8(ascii: "x"), count: 8 << 20)
        for kind in 0..<3 {
            var request = ProtobufBuilder()
            for text in ["", "__name__", "m", "job"] { request.field(4, text) }
            request.field(4, huge)
            request.field(4, Array(huge.reversed()) + [UInt8(ascii: "y")])
            for number in 0..<30_000 {
                // As a value, as a name, as a metric's name; two strings in turn, so that no neighbour repeats.
                let symbol = UInt8(4 + number % 2)
                let references: [[UInt8]] = [[1, 2, 3, symbol], [1, 2, symbol, 2], [1, symbol, 3, 2]]
                var series = ProtobufBuilder()
                series.field(1, references[kind])
                series.field(2, [])
                request.field(5, series.bytes)
            }
            let plan = try WritePlan.plan(request.bytes, version: .version2, options: options)
            #expect(plan.recordCount == 0)
            let reason: RefusalSummary.Reason = kind == 0 ? .recordTooLarge : .nameTooLong
            #expect(plan.refusals.samplesByReason == [reason: 30_000])
            #expect(plan.refusals.description.utf8.count < 1_000)
        }
    }

    @Test("a request of the other version is not taken for an empty one")
    func otherVersion() {
        var version1 = WriteRequestBuilder()
        version1.series([("__name__", "m")], [(1, 1)])
        var version2 = Version2Builder()
        version2.add([("__name__", "m")], [(1, 1)], .packed)
        #expect(throws: ProtocolError.otherWriteVersion(isVersion2: false)) {
            try WritePlan.plan(version1.bytes, version: .version2, options: options)
        }
        #expect(throws: ProtocolError.otherWriteVersion(isVersion2: true)) {
            try WritePlan.plan(version2.bytes, version: .version1, options: options)
        }
    }
}

@Suite("Numbers with few decimals")
struct FewDecimalsTests {
    @Test("read back to the same bits and are never longer than the shortest text", arguments: 1...20)
    func shortest(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let digits = Int64.random(in: 0..<1_000_000_000_000_000, using: &generator)
            let shift = Int64.random(in: 0...14, using: &generator)
            let scale: Double =
                [1.0, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10].randomElement(using: &generator) ?? 1
            var value = Double(digits >> (shift * 3)) / scale
            switch Int.random(in: 0...4, using: &generator) {
            case 0: value = value.nextUp
            case 1: value = -value
            default: break
            }
            var output = OutputBuffer(capacity: 64)
            DecimalText.append(value, to: &output)
            let text = String(decoding: output.freeze().array, as: UTF8.self)
            #expect(Double(text)?.bitPattern == value.bitPattern, "\(value) became \(text)")
            // Swift's own text is the shortest; it adds `.0` to whole numbers and writes some with an exponent.
            let significant = { (text: String) in
                let mantissa = text.prefix { $0 != "e" && $0 != "E" }.filter(\.isNumber)
                let trimmed = mantissa.drop { $0 == "0" }
                return trimmed.reversed().drop { $0 == "0" }.count
            }
            #expect(significant(text) == significant(value.description), "\(value) became \(text)")
        }
    }
}
