import Common
import Foundation
import TestSupport
import Testing

@testable import Translator

@Suite("A histogram becomes text and back")
struct HistogramTextTests {
    static func texts(_ message: [UInt8], availableBytes: Int) throws -> [[UInt8]] {
        let planned = HistogramText(message.span, availableBytes: availableBytes)
        let text = try #require(planned)
        return (1...text.partCount).map { part in
            var output = OutputBuffer(capacity: 16)
            text.append(part: part, of: message.span, to: &output)
            let bytes = output.freeze().array
            #expect(bytes.count == text.bytes(ofPart: part))
            return bytes
        }
    }

    /// Made by Python's `base64.b85encode` and `zlib.crc32`.
    @Test(
        "the text has the letters that Python's base64.b85encode writes, behind zlib's CRC-32",
        arguments: [
            ([], "1100000"), ([0x00], "11(gN>|00"), ([0xFF, 0xFE], "11i1;v;|NZ"),
            (Array("hello world".utf8), "114N4J(Xk~0{Zy<MXa%^M"),
            ([0, 0, 0, 0, 255, 255, 255, 255], "11yP5xr00000|NsC0"),
        ] as [([UInt8], String)]
    )
    func letters(message: [UInt8], text: String) throws {
        #expect(try Self.texts(message, availableBytes: 100).map { String(decoding: $0, as: UTF8.self) } == [text])
    }

    @Test("no letter needs an escape in JSON or SQL")
    func alphabet() {
        #expect(Set(Base85.alphabet).count == 85)
        #expect(Base85.alphabet.allSatisfy { $0 > 0x20 && $0 < 0x7F && !Array("\"\\'".utf8).contains($0) })
    }

    @Test("messages of every length fill the texts and come back", arguments: [7, 8, 9, 11, 12, 13, 40, 1000])
    func lengths(availableBytes: Int) throws {
        var random = SeededGenerator(seed: UInt64(availableBytes))
        for count in Array(0...60) + [500, 4_000, 12_000] {
            let message = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            guard HistogramText(message.span, availableBytes: availableBytes) != nil else {
                // Sixteen texts are really not enough.
                let room = (availableBytes - HistogramText.headBytes) / 5 * 4
                #expect(count > room * HistogramText.maximumParts)
                continue
            }
            let texts = try Self.texts(message, availableBytes: availableBytes)
            #expect(texts.allSatisfy { $0.count <= availableBytes })
            // No text that could have been spared.
            #expect(texts.dropLast().allSatisfy { $0.count > availableBytes - 5 })
            var decoded: [UInt8] = []
            for (index, text) in texts.enumerated() {
                let found = HistogramText.Head(text.span)
                let head = try #require(found)
                #expect(head.part == index + 1 && head.partCount == texts.count)
                let isText = HistogramText.decodeBody(text.span, to: &decoded)
                #expect(isText)
            }
            #expect(decoded == message)
        }
    }

    @Test("no room, no text")
    func noRoom() {
        func fits(_ count: Int, _ room: Int) -> Bool {
            HistogramText([UInt8](repeating: 1, count: count).span, availableBytes: room) != nil
        }
        for room in [Int.min, -1, 0, 6] { #expect(!fits(0, room)) }
        #expect(!fits(20_000, 1_500))
    }

    @Test(
        "texts of others are told apart",
        arguments: [
            "", "1", "110000", "0100000", "1000000", "2300000", "H100000", "11\"0000", "11~~~~~", "1100000\u{e9}",
            "hello world",
        ]
    )
    func garbage(text: String) {
        let bytes = Array(text.utf8)
        guard HistogramText.Head(bytes.span) != nil else { return }
        var output: [UInt8] = []
        let isText = HistogramText.decodeBody(bytes.span, to: &output)
        #expect(!isText)
    }

    @Test(
        "letters that stand for no byte are refused",
        arguments: ["0", "000000", "~~~~~", "0000\u{7f}", "\"\"\"\"\"", "0 000"]
    )
    func badLetters(text: String) {
        var output: [UInt8] = []
        let bytes = Array(text.utf8)
        let isText = Base85.decode(bytes.span, to: &output)
        #expect(!isText)
    }
}

@Suite("A histogram's records are small enough for Timestream")
struct HistogramRecordTests {
    @Test("count and sum are scalars where they can be", arguments: 0..<60 as Range<UInt64>)
    func members(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let histogram = TestHistogram.random(buckets: 300, &random)
        let message = histogram.storedMessage
        let reader = try HistogramMessageTests.read(message).reader
        let dimensionBytes = Int.random(in: 0...1200, using: &random)
        let made = HistogramRecord(message.span, reader, dimensionBytes: dimensionBytes)
        let record = try #require(made)
        let count = HistogramRecord.count(messageBytes: reader.messageBytes, dimensionBytes: dimensionBytes)
        #expect(count == record.text.partCount)
        var names: [String] = []
        for part in 1...record.text.partCount {
            var output = OutputBuffer(capacity: 16)
            output.append("{")
            record.appendMembers(part: part, of: message.span, to: &output)
            output.append("}")
            let json = try JSONSerialization.jsonObject(with: Data(output.freeze().array))
            let object = try #require(json as? [String: Any])
            let name = try #require(object["MeasureName"] as? String)
            names.append(name)
            #expect(Self.isOurs(name))
            let values = try #require(object["MeasureValues"] as? [[String: String]])
            var size = dimensionBytes + 8 + name.utf8.count
            var scalars: [String: Double] = [:]
            for value in values {
                let text = try #require(value["Value"])
                size += (value["Name"] ?? "").utf8.count + (value["Type"] == "DOUBLE" ? 8 : text.utf8.count)
                if value["Type"] == "DOUBLE" { scalars[value["Name"] ?? ""] = Double(text) }
            }
            #expect(size <= 2048)
            #expect(size == dimensionBytes + 8 + record.billedBytes(ofPart: part))
            #expect(values.first?["Name"] == "promx_data" && values.first?["Type"] == "VARCHAR")
            let sum = Double(bitPattern: histogram.sum)
            #expect(scalars["promx_sum"] == (part == 1 && sum.isFinite ? sum : nil))
            let observations: Double
            switch histogram.count {
            case nil: observations = 0
            case .integer(let value): observations = Double(value)
            case .float(let bits): observations = Double(bitPattern: bits)
            }
            #expect(scalars["promx_count"] == (part == 1 ? observations : nil))
        }
        #expect(names == Array(HistogramRecord.measureNames.prefix(names.count)))
    }

    @Test("no measure of ours can be a metric's, and no metric of a sender can be ours")
    func names() {
        for name in HistogramRecord.measureNames {
            #expect(ColumnName.measure(forMetric: Array(name.utf8)) != Array(name.utf8))
        }
        for name in ["promx_histogram_1", "promx_histogram_17", "promx_histogra", "promx_histogram_", "up", ""] {
            #expect(!Self.isOurs(name))
        }
    }

    private static func isOurs(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return HistogramRecord.part(ofMeasure: bytes.span) != nil
    }

    @Test("labels that leave no room, and histograms that are too large, are refused")
    func tooLarge() throws {
        var histogram = TestHistogram()
        histogram.count = .float(0)
        histogram.positive.spans = [.init(offset: 0, length: 3_000)]
        histogram.positive.counts = [UInt64](repeating: 1, count: 3_000)
        let message = histogram.storedMessage
        let reader = try HistogramMessageTests.read(message).reader
        func fits(_ message: [UInt8], _ reader: HistogramReader, _ dimensionBytes: Int) -> Bool {
            let count = HistogramRecord.count(messageBytes: message.count, dimensionBytes: dimensionBytes)
            let record = HistogramRecord(message.span, reader, dimensionBytes: dimensionBytes)
            #expect(count == record?.text.partCount)
            return record != nil
        }
        #expect(!fits(message, reader, 100))
        let empty = try HistogramMessageTests.read([]).reader
        #expect(fits([], empty, 1_900))
        #expect(!fits([], empty, 1_990))
        #expect(!fits([], empty, .max / 2))
    }
}
