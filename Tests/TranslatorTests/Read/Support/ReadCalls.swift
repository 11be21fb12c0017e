import TimestreamModel

@testable import Translator

let staleBits: UInt64 = 0x7FF0_0000_0000_0002
let readTable = TableName(database: "db", table: "tbl")
let unlimitedRead = ReadLimits(maxSamples: .max, maxSeries: .max)

/// Takes all the memory it wants.
let unlimitedMemory: MemoryReservation = { _ in }
let unlimitedBudget = ReadBudget(ReadAccount(limits: unlimitedRead, reserve: unlimitedMemory), query: 0)

/// A matcher that every series passes, since a query must have one.
let everySeries = ReadRequestBuilder.Matcher("__name__", .regex, ".*")

extension TableReader {
    /// A request that is answered with SAMPLES.
    func readSamples(
        _ body: [UInt8],
        from store: any TimestreamStore,
        limits: ReadLimits = unlimitedRead,
        deadline: ContinuousClock.Instant = .now + .seconds(60),
        reserve: @escaping MemoryReservation = unlimitedMemory
    ) async throws(ReadError) -> (body: [UInt8], sampleCount: Int, counts: ReadCounts) {
        let answer = try await self.read(body, from: store, limits: limits, deadline: deadline, reserve: reserve)
        guard case .samples(let body, let counts) = answer else {
            preconditionFailure("a request that names no response type is answered with SAMPLES")
        }
        return (body, counts.samples, counts)
    }
}

func read(
    _ store: MemoryTable,
    _ request: ReadRequestBuilder,
    reader: TableReader = TableReader(table: readTable),
    limits: ReadLimits = unlimitedRead,
    deadline: ContinuousClock.Instant = .now + .seconds(60)
) async throws(ReadError) -> (results: [[DecodedResponse.Series]], sampleCount: Int) {
    let answer = try await reader.readSamples(request.block, from: store, limits: limits, deadline: deadline)
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
