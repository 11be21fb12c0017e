import TimestreamModel

@testable import Translator

let staleBits: UInt64 = 0x7FF0_0000_0000_0002
let readTable = TableName(database: "db", table: "tbl")
let unlimitedRead = ReadLimits(maxSamples: .max, maxSeries: .max)

func read(
    _ store: MemoryTable,
    _ request: ReadRequestBuilder,
    reader: TableReader = TableReader(table: readTable),
    limits: ReadLimits = unlimitedRead,
    deadline: ContinuousClock.Instant = .now + .seconds(60)
) async throws(ReadError) -> (results: [[DecodedResponse.Series]], sampleCount: Int) {
    let answer = try await reader.read(request.block, from: store, limits: limits, deadline: deadline)
    do {
        return (try DecodedResponse(block: answer.body).results, answer.sampleCount)
    } catch {
        preconditionFailure("the answer is no snappy block: \(error)")
    }
}

func readRequest(
    _ matchers: [ReadRequestBuilder.Matcher],
    _ range: ClosedRange<Int64> = 0...1_000_000
) -> ReadRequestBuilder {
    var builder = ReadRequestBuilder()
    builder.query(range, matchers)
    return builder
}
