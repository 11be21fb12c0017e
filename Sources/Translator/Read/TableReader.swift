import Common
package import TimestreamModel

/// Answers remote read requests from one table.
///
/// Statements ask for the rows that a query wants or more; the matchers are applied again to every series.
package final class TableReader: Sendable {
    private let table: TableName
    private let knownColumns = TableQuery.KnownColumns()
    private let samplesPerRun: Int

    private static let responseTypes: [ReadRequest.ResponseType] = [.samples, .streamedXORChunks]

    package convenience init(table: TableName) {
        self.init(table: table, samplesPerRun: ReadLimits.samplesPerRun)
    }

    /// - Parameter samplesPerRun: what a streamed answer reads in one piece, and holds.
    init(table: TableName, samplesPerRun: Int) {
        self.table = table
        self.samplesPerRun = samplesPerRun
    }

    /// Answers a request, in the first of the client's response types that is supported.
    ///
    /// Runs apart from the caller's executor: a large result is work.
    ///
    /// - Parameters:
    ///   - body: a snappy block of a `prometheus.ReadRequest`.
    ///   - limits: for all queries of the request together.
    ///   - deadline: no call to the store outlives it; past it, `.store` with the code `.timedOut`.
    ///   - reserve: asked for memory before results take it; what it gave is needed until the answer is complete.
    /// - Returns: one result for each query, in order, empty ones too. Of a streamed answer, the beginning has been read.
    /// - Throws: `ReadError`. If the task is cancelled, `.store` with the code `.cancelled`; the query that runs is then
    ///   cancelled upstream as well, as it is after every other failure.
    @concurrent
    package func read(
        _ body: [UInt8],
        from store: any TimestreamStore,
        limits: ReadLimits,
        deadline: ContinuousClock.Instant,
        reserve: @escaping MemoryReservation
    ) async throws(ReadError) -> ReadAnswer {
        let request = try Self.decode(body)
        guard let type = request.responseType(supported: Self.responseTypes) else { throw .unsupportedResponseTypes }
        let queries = request.queries.map { query in
            query.range.map {
                TableQuery(
                    query,
                    range: $0,
                    table: self.table,
                    store: store,
                    deadline: deadline,
                    knownColumns: self.knownColumns
                )
            }
        }
        var budget = ReadBudget(limits: limits, memory: ReadMemory(reserve: reserve))
        switch type {
        case .samples:
            var results: [SeriesSet] = []
            for (request, query) in zip(request.queries, queries) {
                results.append(try await Self.series(query, request.hints, &budget))
                budget.heldBytes = results.reduce(0) { $0 + $1.memoryBytes }
            }
            return try Self.answer(&results, &budget)
        case .streamedXORChunks:
            let runs = SeriesRuns(
                queries,
                listsOnly: request.queries.map(\.hints.wantsSeriesOnly),
                budget: budget,
                samplesPerRun: self.samplesPerRun
            )
            return .stream(try await StreamedRead(beginning: runs))
        }
    }

    private static func decode(_ body: [UInt8]) throws(ReadError) -> ReadRequest {
        let decoded: [UInt8]
        do {
            decoded = try SnappyBlock.decode(body, limitBytes: ReadLimits.maximumDecodedBytes)
        } catch {
            throw .malformedBody(error)
        }
        return try ReadRequest.decode(decoded)
    }

    // MARK: SAMPLES

    private static func series(
        _ query: TableQuery?,
        _ hints: ReadRequest.Hints,
        _ budget: inout ReadBudget
    ) async throws(ReadError) -> SeriesSet {
        guard var query else { return SeriesSet() }
        if hints.wantsSeriesOnly {
            guard let (list, after) = try await query.list(budget) else { return SeriesSet() }
            budget = after
            return list.set
        }
        let before = budget
        let found = try await query.run { [matchers = query.matchers] in
            SeriesCollector(matchers: matchers, budget: before)
        }
        guard let found else { return SeriesSet() }
        budget = found.budget
        return found.finish()
    }

    /// Encodes the results, and lets go of each form as soon as the next one is there.
    private static func answer(_ results: inout [SeriesSet], _ budget: inout ReadBudget) throws(ReadError) -> ReadAnswer
    {
        var counts = ReadCounts()
        for set in results { counts.add(set) }
        let byteCount = ReadResponse.size(of: results)
        try budget.require(byteCount)
        let message = ReadResponse.encode(results)
        results = []
        budget.heldBytes = byteCount
        try budget.require(SnappyBlock.maximumEncodedSize(of: byteCount))
        return .samples(body: SnappyBlock.encode(message), counts: counts)
    }
}
