import Common
import TimestreamModel
import Translator

/// CPU time of the write translator beside the floor that no translator can pass: snappy, the SHA-256 that the signature
/// needs, and one copy of the body.
enum TranslatorBenchmark {
    static let options = WriteOptions(
        table: TableName(database: "metrics", table: "prometheus"),
        dropsSpecialValues: false,
        dropsLongNames: false,
        maxLabelsPerSeries: 64
    )

    /// Translates one message again and again, and nothing else.
    static func translate(samples: Int, rounds: Int, version: WriteProtocol) throws {
        let message = RemoteMessages.write(ScrapeWorkload(samples: samples).series, version)
        for _ in 0..<rounds { _ = try Self.translate(message, version) }
    }

    static func run() throws {
        print("                        ns CPU a sample, median of 9 rounds      bytes a sample")
        print("version  samples/request    floor  translator  all three      protobuf  snappy  bodies")
        for version in WriteProtocol.allCases {
            for samples in [100, 500, 2_000, 10_000] { try Self.measure(samples, version) }
        }
    }

    private static func measure(_ samples: Int, _ version: WriteProtocol) throws {
        let message = RemoteMessages.write(ScrapeWorkload(samples: samples).series, version)
        let block = SnappyBlock.encode(message)
        let plan = try WritePlan.plan(message, version: version, options: Self.options)
        let bodies = (0..<plan.batchCount).map { plan.body(ofBatch: $0).array }
        let rounds = max(1, 100_000 / samples)

        var sink = 0
        let floor = try CPUClock.nanoseconds(per: rounds * samples) {
            for _ in 0..<rounds {
                sink &+= try SnappyBlock.decode(block, limitBytes: 1 << 26).count
                for body in bodies {
                    let copy = FrozenBytes(body)
                    sink &+= copy.count &+ Int(sha256(body)[0])
                }
            }
        }
        let translate = try CPUClock.nanoseconds(per: rounds * samples) {
            for _ in 0..<rounds { sink &+= try Self.translate(message, version) }
        }
        let whole = try CPUClock.nanoseconds(per: rounds * samples) {
            for _ in 0..<rounds {
                let decoded = try SnappyBlock.decode(block, limitBytes: 1 << 26)
                let plan = try WritePlan.plan(decoded, version: version, options: Self.options)
                for batch in 0..<plan.batchCount { sink &+= Int(sha256(plan.body(ofBatch: batch).array)[0]) }
            }
        }
        precondition(sink != 0)
        let bodyBytes = bodies.reduce(0) { $0 + $1.count }
        print(
            right(version == .version1 ? "1.0" : "2.0", 7),
            right("\(samples)", 16),
            right("\(floor)", 8),
            right("\(translate)", 11),
            right("\(whole)", 10),
            right("\(message.count / samples)", 13),
            right("\(block.count / samples)", 7),
            right("\(bodyBytes / samples)", 7)
        )
    }

    private static func translate(_ message: [UInt8], _ version: WriteProtocol) throws -> Int {
        let plan = try WritePlan.plan(message, version: version, options: Self.options)
        return (0..<plan.batchCount).reduce(0) { $0 + plan.body(ofBatch: $1).count }
    }
}

/// A column of a table.
func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}

/// A number with so many decimals.
func decimal(_ value: Double, _ places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let digits = "\(Int((value * scale).rounded()))"
    guard places > 0 else { return digits }
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return "\(padded.dropLast(places)).\(padded.suffix(places))"
}
