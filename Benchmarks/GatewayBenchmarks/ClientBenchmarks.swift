import Common
import Glibc
import Translator

/// What a client sees and waits for.
enum ClientBenchmarks {
    private static let protobuf = [
        (name: "content-type", value: "application/x-protobuf"), ("content-encoding", "snappy"),
    ]

    /// How long a request takes, one after the other on one connection.
    static func latency(port: Int, samples: Int, count: Int) throws {
        let client = try LoopbackClient(port: port)
        let series = ScrapeWorkload(samples: samples).series
        // The first ones meet connections that are not there yet.
        for _ in 0..<5 { try client.write(series) }
        let times = try (0..<count).map { _ in try client.write(series) }.sorted()
        print(
            "\(samples) samples a request, \(count) requests: median \(decimal(times[count / 2], 1)) ms,",
            "99 of 100 within \(decimal(times[count * 99 / 100], 1)) ms"
        )
    }

    /// Writes a history, and tells how long that took.
    static func fill(port: Int, _ workload: HistoryWorkload) throws {
        let client = try LoopbackClient(port: port)
        let start = ContinuousClock.now
        for first in stride(from: 0, to: workload.seriesCount, by: 20) {
            try client.write((first..<min(first + 20, workload.seriesCount)).map(workload.series))
        }
        let samples = workload.seriesCount * workload.samplesPerSeries
        print("\(samples) samples written in \(decimal((ContinuousClock.now - start) / .seconds(1), 1)) s")
    }

    /// Reads a history back: `firstMilliseconds lastMilliseconds bytes`, for scripts.
    static func read(port: Int, _ workload: HistoryWorkload, isStreamed: Bool) throws {
        let message = RemoteMessages.read(
            metric: HistoryWorkload.metric,
            milliseconds: workload.startMilliseconds...workload.endMilliseconds,
            isStreamed: isStreamed
        )
        let client = try LoopbackClient(port: port)
        let path = "/t/tenant-0/api/v1/read"
        let answer = try client.exchange("POST", path, Self.protobuf, SnappyBlock.encode(message))
        guard answer.status == 200 else { throw LoopbackClient.Failure(text: "read: answered \(answer.status)") }
        print(decimal(answer.firstMilliseconds, 0), decimal(answer.lastMilliseconds, 0), answer.bodyBytes)
    }

    /// Makes the table at a local engine that asks for no signatures.
    static func makeTable(port: Int) throws {
        let client = try LoopbackClient(port: port)
        for (operation, body) in [
            ("CreateDatabase", #"{"DatabaseName":"metrics"}"#),
            ("CreateTable", #"{"DatabaseName":"metrics","TableName":"prometheus"}"#),
        ] {
            let answer = try client.call(operation, body)
            guard answer.status == 200 else {
                throw LoopbackClient.Failure(text: String(decoding: answer.body, as: UTF8.self))
            }
        }
    }

    /// The floor of reading: all rows fetched from the store itself, each byte looked at once and copied once.
    /// `cpuMilliseconds milliseconds bytes`, for scripts.
    static func fetchPages(port: Int) throws {
        let client = try LoopbackClient(port: port)
        let statement =
            "SELECT * FROM \\\"metrics\\\".\\\"prometheus\\\" WHERE measure_name = '\(HistoryWorkload.metric)'"
        let start = ContinuousClock.now
        let startCPU = CPUClock.thread.nanoseconds
        var token: String?
        var bytes = 0
        repeat {
            let next = token.map { #","NextToken":"\#($0)""# } ?? ""
            let answer = try client.call("Query", #"{"QueryString":"\#(statement)"\#(next)}"#)
            guard answer.status == 200 else {
                throw LoopbackClient.Failure(text: String(decoding: answer.body, as: UTF8.self))
            }
            bytes += answer.body.count
            token = try Self.nextToken(of: answer.body)
        } while token != nil
        let cpu = Double(CPUClock.thread.nanoseconds - startCPU) / 1e6
        print(decimal(cpu, 0), decimal((ContinuousClock.now - start) / .milliseconds(1), 0), bytes)
    }

    private static func nextToken(of page: [UInt8]) throws -> String? {
        _ = try UTF8Span(validating: page.span)
        // The member stands at one of the ends of the document.
        for part in [page.prefix(512), page.suffix(512)] {
            let text = String(decoding: part, as: UTF8.self)
            guard let member = text.firstRange(of: #""NextToken":""#) else { continue }
            return String(text[member.upperBound...].prefix { $0 != "\"" })
        }
        return nil
    }
}

extension LoopbackClient {
    /// Sends a remote write request, and tells how many milliseconds it took.
    @discardableResult
    func write(_ series: [Series]) throws -> Double {
        let headers = [(name: "content-type", value: "application/x-protobuf"), ("content-encoding", "snappy")]
        let body = SnappyBlock.encode(RemoteMessages.write(series, .version1))
        let answer = try self.exchange("POST", "/t/tenant-0/api/v1/write", headers, body, keepsBody: true)
        guard answer.status == 204 else {
            throw Failure(text: "write: answered \(answer.status) \(String(decoding: answer.body, as: UTF8.self))")
        }
        return answer.lastMilliseconds
    }

    /// One of Timestream's operations.
    func call(_ operation: String, _ body: String) throws -> Answer {
        let headers = [
            (name: "content-type", value: "application/x-amz-json-1.0"),
            ("x-amz-target", "Timestream_20181101.\(operation)"),
        ]
        return try self.exchange("POST", "/", headers, Array(body.utf8), keepsBody: true)
    }
}
