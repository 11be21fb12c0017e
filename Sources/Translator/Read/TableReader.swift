import Common
package import TimestreamModel

/// Answers remote read requests from one table.
///
/// Statements ask for the rows that a query wants or more; the matchers are applied again to every series.
package final class TableReader: Sendable {
    private let table: TableName
    private let knowledge = TableQuery.Knowledge()
    private let samplesPerRun: Int
    private let slots: QuerySlots

    private static let responseTypes: [ReadRequest.ResponseType] = [.samples, .streamedXORChunks]

    /// - Parameter concurrentQueries: how many queries may be read at the same time, of all requests; no bound by default.
    package convenience init(table: TableName, concurrentQueries: Int? = nil) {
        self.init(table: table, samplesPerRun: ReadLimits.samplesPerRun, concurrentQueries: concurrentQueries)
    }

    /// - Parameter samplesPerRun: what a streamed answer reads in one piece, and holds.
    init(table: TableName, samplesPerRun: Int, concurrentQueries: Int? = nil) {
        self.table = table
        self.samplesPerRun = samplesPerRun
        self.slots = QuerySlots(limit: concurrentQueries ?? .max)
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
        let request = try await Self.decode(body)
        guard let type = request.responseType(supported: Self.responseTypes) else { throw .unsupportedResponseTypes }
        let queries = request.queries.map { query in
            query.range.map {
                TableQuery(
                    query,
                    range: $0,
                    table: self.table,
                    store: store,
                    deadline: deadline,
                    knowledge: self.knowledge
                )
            }
        }
        let account = ReadAccount(limits: limits, reserve: reserve)
        switch type {
        case .samples:
            let lease = self.slots.take(min(queries.count, ReadLimits.queriesAtOnce))
            defer { withExtendedLifetime(lease) {} }
            let jobs = queries.indices.map { index in
                Job(
                    place: index,
                    query: queries[index],
                    listsOnly: request.queries[index].hints.wantsSeriesOnly,
                    budget: ReadBudget(account, query: index)
                )
            }
            var results = try await Self.run(jobs, atOnce: lease.count)
            return try Self.answer(&results, account)
        case .streamedXORChunks:
            // One after the other, in the order of their frames.
            let runs = SeriesRuns(
                queries,
                listsOnly: request.queries.map(\.hints.wantsSeriesOnly),
                budget: ReadBudget(account, query: 0),
                samplesPerRun: self.samplesPerRun
            )
            return .stream(try await StreamedRead(beginning: runs, lease: self.slots.take(1)))
        }
    }

    private static func decode(_ body: [UInt8]) async throws(ReadError) -> ReadRequest {
        let decoded: [UInt8]
        do {
            decoded = try SnappyBlock.decode(body, limitBytes: ReadLimits.maximumDecodedBytes)
        } catch {
            throw .malformedBody(error)
        }
        guard decoded.count > ReadLimits.usualDecodedBytes else { return try ReadRequest.decode(decoded) }
        return try await LargeRequests.shared.decode(decoded)
    }

    /// Decodes large requests one after the other, whoever sends them: a megabyte of regular expressions is a second's
    /// work, and a few of them at once would take every thread from everybody else.
    private actor LargeRequests {
        static let shared = LargeRequests()

        func decode(_ decoded: [UInt8]) throws(ReadError) -> ReadRequest {
            try ReadRequest.decode(decoded)
        }
    }

    // MARK: SAMPLES

    /// One query of a request.
    private struct Job: Sendable {
        var place: Int
        /// Nil if it has nothing to read.
        var query: TableQuery?
        var listsOnly: Bool
        var budget: ReadBudget

        func run() async throws(ReadError) -> SeriesSet {
            guard var query = self.query else { return SeriesSet() }
            var budget = self.budget
            let set: SeriesSet
            if self.listsOnly {
                guard let (list, after) = try await query.list(budget) else { return SeriesSet() }
                budget = after
                set = list.set
            } else {
                let found = try await query.run { [matchers = query.matchers] in
                    SeriesCollector(matchers: matchers, budget: self.budget)
                }
                guard let found else { return SeriesSet() }
                budget = found.budget
                set = found.finish()
            }
            try budget.require(set.memoryBytes)
            return set
        }

        func outcome() async -> Outcome {
            do throws(ReadError) {
                return Outcome(place: self.place, set: try await self.run())
            } catch {
                return Outcome(place: self.place, error: error)
            }
        }
    }

    private struct Outcome: Sendable {
        var place: Int
        var set = SeriesSet()
        var error: ReadError?
    }

    /// Runs jobs, some of them at the same time; the first failure ends them all.
    ///
    /// - Returns: their results, in the jobs' order.
    private static func run(_ jobs: [Job], atOnce count: Int) async throws(ReadError) -> [SeriesSet] {
        var outcomes: [Outcome] = []
        await withTaskGroup(of: Outcome.self) { group in
            var rest = jobs.dropFirst(count)
            for job in jobs.prefix(count) { group.addTask { await job.outcome() } }
            while let outcome = await group.next() {
                outcomes.append(outcome)
                if outcome.error != nil {
                    // What fails after it was cancelled for it.
                    rest = []
                    group.cancelAll()
                } else if let job = rest.popFirst() {
                    group.addTask { await job.outcome() }
                }
            }
        }
        if let error = outcomes.lazy.compactMap(\.error).first { throw error }
        return outcomes.sorted { $0.place < $1.place }.map(\.set)
    }

    /// Encodes the results, and lets go of each form as soon as the next one is there.
    private static func answer(_ results: inout [SeriesSet], _ account: ReadAccount) throws(ReadError) -> ReadAnswer {
        var counts = ReadCounts()
        for set in results { counts.add(set) }
        let byteCount = ReadResponse.size(of: results)
        // As if the answer was a further query's.
        let answer = results.count
        try account.set(.init(bytes: byteCount), ofQuery: answer)
        let message = ReadResponse.encode(results)
        for query in results.indices { try account.set(.init(), ofQuery: query) }
        results = []
        try account.set(.init(bytes: byteCount + SnappyBlock.maximumEncodedSize(of: byteCount)), ofQuery: answer)
        return .samples(body: SnappyBlock.encode(message), counts: counts)
    }
}
