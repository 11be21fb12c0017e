import Common
package import TimestreamModel

/// Answers remote read requests from one table.
///
/// Each query becomes one statement whose rows are those wanted or more; the matchers are applied again to every series.
package final class TableReader: Sendable {
    private let table: TableName
    /// The columns of the last answer; nil before the first one.
    private let knownColumns = Locked<Set<[UInt8]>?>(nil)

    /// In the protocol every client takes SAMPLES.
    private static let responseTypes: [ReadRequest.ResponseType] = [.samples]

    package init(table: TableName) {
        self.table = table
    }

    /// Answers a request.
    ///
    /// - Parameters:
    ///   - body: a snappy block of a `prometheus.ReadRequest`.
    ///   - limits: for all queries of the request together.
    ///   - deadline: no call to the store outlives it; past it, `.store` with the code `.timedOut`.
    /// - Returns: one result for each query, in order, empty ones too.
    /// - Throws: `ReadError`. If the task is cancelled, `.store` with the code `.cancelled`; the query that runs is then
    ///   cancelled upstream as well, as it is after every other failure.
    package func read(
        _ body: [UInt8],
        from store: any TimestreamStore,
        limits: ReadLimits,
        deadline: ContinuousClock.Instant
    ) async throws(ReadError) -> ReadAnswer {
        let request = try Self.decode(body)
        guard request.responseType(supported: Self.responseTypes) != nil else { throw .unsupportedResponseTypes }
        var budget = ReadBudget(limits: limits)
        var results: [SeriesSet] = []
        for query in request.queries {
            results.append(try await self.series(for: query, store, &budget, deadline))
        }
        return ReadAnswer(
            body: SnappyBlock.encode(ReadResponse.encode(results)),
            sampleCount: results.reduce(0) { $0 + $1.sampleCount }
        )
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

    // MARK: One query

    private func series(
        for query: ReadRequest.Query,
        _ store: any TimestreamStore,
        _ budget: inout ReadBudget,
        _ deadline: ContinuousClock.Instant
    ) async throws(ReadError) -> SeriesSet {
        guard let range = query.range else { return SeriesSet() }
        var columns = TableColumns(known: self.knownColumns.withLock { $0 })
        var usesPatterns = true
        // Each further try knows of a column more, or fewer, or leaves the patterns out.
        for _ in 0..<2 * query.matchers.count + 4 {
            guard
                let statement = ReadStatement.make(
                    self.table,
                    range: range,
                    matchers: query.matchers,
                    columns: columns,
                    usesPatterns: usesPatterns
                )
            else { return SeriesSet() }
            // What an attempt took that led to nothing is given back.
            var attempt = budget
            var collector = SeriesCollector(matchers: query.matchers, limits: budget.limits)
            switch try await self.run(statement, store, &collector, &columns, &attempt, deadline) {
            case .complete:
                budget = attempt
                return collector.finish()
            case .noRows:
                return SeriesSet()
            case .retry:
                continue
            case .retryWithoutPatterns:
                usesPatterns = false
            }
        }
        throw .store(TimestreamError(.malformedResponse, message: "the store contradicts itself about its columns"))
    }

    private enum Outcome {
        case complete
        /// The table is there and has nothing in it yet.
        case noRows
        /// More is known of the columns than before, so the next statement is another one.
        case retry
        case retryWithoutPatterns
    }

    /// Follows a statement's pages to the end, or to what makes another statement necessary.
    private func run(
        _ statement: ReadStatement,
        _ store: any TimestreamStore,
        _ collector: inout SeriesCollector,
        _ columns: inout TableColumns,
        _ budget: inout ReadBudget,
        _ deadline: ContinuousClock.Instant
    ) async throws(ReadError) -> Outcome {
        var queryID: String?
        var nextToken: String?
        var isFirstAnswer = true
        do throws(ReadError) {
            repeat {
                if Task.isCancelled { throw .store(TimestreamError(.cancelled, message: "the reader is gone")) }
                if ContinuousClock.now >= deadline {
                    throw .store(TimestreamError(.timedOut, message: "the query took longer than the request may"))
                }
                let page = try await Self.page(statement, nextToken, store, deadline)
                queryID = page.queryID
                nextToken = page.nextToken
                if isFirstAnswer, !page.columns.isEmpty {
                    isFirstAnswer = false
                    let found = Set(page.columns.map { Array($0.name.utf8) })
                    columns.learn(found)
                    self.knownColumns.withLock { $0 = found }
                    guard statement.assumedAbsent.isDisjoint(with: found) else {
                        if nextToken != nil { Self.cancel(page.queryID, store) }
                        return .retry
                    }
                }
                try collector.add(page, budget: &budget)
            } while nextToken != nil
            return .complete
        } catch {
            if let queryID, nextToken != nil { Self.cancel(queryID, store) }
            guard case .store(let failure) = error, let refusal = QueryRefusal(failure) else { throw error }
            switch refusal {
            case .missingColumn(TableColumns.measureName), .missingColumn(TableColumns.time):
                return .noRows
            case .missingColumn(let name):
                guard let column = statement.column(spelled: name) else { break }
                columns.learn(isMissing: column)
                self.knownColumns.withLock { _ = $0?.remove(column) }
                return .retry
            case .missingTable:
                // An operator's fault, which the code alone does not tell.
                throw .store(TimestreamError(.resourceNotFound, message: failure.message, status: failure.status))
            case .statement:
                break
            }
            guard statement.hasPatterns else { throw error }
            return .retryWithoutPatterns
        }
    }

    private static func page(
        _ statement: ReadStatement,
        _ nextToken: String?,
        _ store: any TimestreamStore,
        _ deadline: ContinuousClock.Instant
    ) async throws(ReadError) -> QueryPage {
        do {
            return try await store.query(statement.text, nextToken: nextToken, deadline: deadline)
        } catch {
            throw .store(error)
        }
    }

    /// Stops a query whose pages nobody will fetch.
    ///
    /// In a task of its own: the one at hand may be cancelled, and would take the call with it. Nobody waits for it, since
    /// it is best effort and the store bounds it.
    private static func cancel(_ queryID: String, _ store: any TimestreamStore) {
        Task { await store.cancelQuery(id: queryID) }
    }
}
