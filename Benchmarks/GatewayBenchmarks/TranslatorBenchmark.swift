import Common
import Glibc
import TimestreamModel
import Translator

/// CPU time of the write translator beside the floor that no translator can pass: snappy, the SHA-256 that the signature
/// needs, and one copy of the body.
enum TranslatorBenchmark {
    private static let options = WriteOptions(
        table: TableName(database: "metrics", table: "prometheus"),
        dropsSpecialValues: false,
        dropsLongNames: false,
        maxLabelsPerSeries: 64
    )

    /// Translates one message again and again, and nothing else.
    static func translate(samples: Int, rounds: Int) throws {
        let message = ScrapeWorkload(samples: samples).message()
        for _ in 0..<rounds {
            let plan = try WritePlan.plan(message, options: self.options)
            for batch in 0..<plan.batchCount { _ = plan.body(ofBatch: batch) }
        }
    }

    static func run() throws {
        print("samples/request    floor  translate      whole   ns CPU a sample; median of 9 rounds")
        for samples in [100, 500, 2_000, 10_000] {
            let message = ScrapeWorkload(samples: samples).message()
            let block = SnappyBlock.encode(message)
            let plan = try WritePlan.plan(message, options: self.options)
            let bodies = (0..<plan.batchCount).map { plan.body(ofBatch: $0).array }
            let rounds = max(1, 100_000 / samples)

            var sink = 0
            let floor = try Self.nanoseconds(rounds * samples) {
                for _ in 0..<rounds {
                    sink &+= try SnappyBlock.decode(block, limitBytes: 1 << 26).count
                    for body in bodies {
                        let copy = FrozenBytes(body)
                        sink &+= copy.count &+ Int(sha256(body)[0])
                    }
                }
            }
            let translate = try Self.nanoseconds(rounds * samples) {
                for _ in 0..<rounds {
                    let plan = try WritePlan.plan(message, options: self.options)
                    for batch in 0..<plan.batchCount { sink &+= plan.body(ofBatch: batch).count }
                }
            }
            let whole = try Self.nanoseconds(rounds * samples) {
                for _ in 0..<rounds {
                    let decoded = try SnappyBlock.decode(block, limitBytes: 1 << 26)
                    let plan = try WritePlan.plan(decoded, options: self.options)
                    for batch in 0..<plan.batchCount { sink &+= Int(sha256(plan.body(ofBatch: batch).array)[0]) }
                }
            }
            precondition(sink != 0)
            let size = bodies.reduce(0) { $0 + $1.count } / samples
            print(
                Self.right("\(samples)", 15),
                Self.right("\(floor)", 8),
                Self.right("\(translate)", 10),
                Self.right("\(whole)", 10),
                "  \(message.count / samples) bytes in, \(size) bytes out a sample"
            )
        }
    }

    /// CPU nanoseconds of this thread per unit of work: the median of nine rounds after one to warm up.
    private static func nanoseconds(_ units: Int, _ work: () throws -> Void) rethrows -> Int {
        try work()
        var times: [Int] = []
        for _ in 0..<9 {
            let start = Self.cpuTime()
            try work()
            times.append(Self.cpuTime() - start)
        }
        return times.sorted()[4] / units
    }

    private static func cpuTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
