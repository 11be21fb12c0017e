import Common
import TimestreamModel

/// Takes the pages of a statement's answer.
protocol PageCollector: ~Copyable {
    /// - Returns: false if no further page is wanted.
    mutating func take(_ page: QueryPage) throws(ReadError) -> Bool
}

extension QueryPage {
    /// What the page takes, and the next one, which is fetched meanwhile.
    var memoryBytes: Int { 2 * (self.arena.count + self.cells.count * MemoryLayout<Cell>.stride) }
}

/// One query of a request: runs statements for it, and learns from their answers which columns the table has.
struct TableQuery: Sendable {
    let range: ClosedRange<Int64>
    let matchers: [LabelMatcher]
    private var columns = TableColumns(known: nil)
    private var hasBegun = false
    private var patterns = PatternUse.expressions
    /// What was in a statement that was refused, until one without it was answered.
    private var suspects: Set<[UInt8]> = []

    private let table: TableName
    private let store: any TimestreamStore
    private let deadline: ContinuousClock.Instant
    private let knowledge: Knowledge

    /// What earlier answers have told of a table: it makes statements better, and decides nothing.
    final class Knowledge: Sendable {
        /// The columns of the last answer; nil before the first one.
        fileprivate let columns = Locked<Set<[UInt8]>?>(nil)
        fileprivate let refused = RefusedExpressions()
    }

    init(
        _ query: ReadRequest.Query,
        range: ClosedRange<Int64>,
        table: TableName,
        store: any TimestreamStore,
        deadline: ContinuousClock.Instant,
        knowledge: Knowledge
    ) {
        self.range = range
        self.matchers = query.matchers
        self.table = table
        self.store = store
        self.deadline = deadline
        self.knowledge = knowledge
    }

    /// Runs a statement to the end, or to where its collector stops.
    ///
    /// - Parameters:
    ///   - range: all of the query's by default.
    ///   - collector: makes an empty one for each try; what an attempt took that led to nothing is forgotten with it.
    /// - Returns: the collector; nil if no row can match.
    /// - Throws: what the collector throws; `ReadError.store`. The statement is then cancelled upstream.
    mutating func run<Collector: PageCollector & ~Copyable>(
        _ shape: ReadStatement.Shape = .samples,
        range: ClosedRange<Int64>? = nil,
        restrictions: [LabelRestriction] = [],
        collector makeCollector: () throws(ReadError) -> Collector
    ) async throws(ReadError) -> Collector? {
        if !self.hasBegun {
            // Not before: what the queries before this one have learned is of use.
            self.hasBegun = true
            self.columns = TableColumns(known: self.knowledge.columns.withLock(\.self))
        }
        // Each further try knows of a column more, or fewer, or leaves patterns out.
        for _ in 0..<2 * self.matchers.count + 7 {
            guard
                let statement = ReadStatement.make(
                    self.table,
                    shape,
                    range: range ?? self.range,
                    matchers: self.matchers,
                    restrictions: restrictions,
                    columns: self.columns,
                    patterns: self.patterns,
                    isRefused: { self.knowledge.refused.contains($0, now: .now) }
                )
            else { return nil }
            var collector = try makeCollector()
            switch try await self.follow(statement, shape, &collector) {
            case .complete:
                self.knowledge.refused.insert(self.suspects, now: .now)
                self.suspects = []
                return collector
            case .noRows: return nil
            case .retry: continue
            case .retryWithout(.expressions):
                self.patterns = .simple
                self.suspects = statement.expressions
            case .retryWithout:
                // It was not, or not only, for the expressions.
                self.patterns = .none
                self.suspects = []
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
        /// The statement was refused, perhaps for these.
        case retryWithout(PatternUse)
    }

    /// Follows a statement's pages to the end, or to what makes another statement necessary.
    private mutating func follow(
        _ statement: ReadStatement,
        _ shape: ReadStatement.Shape,
        _ collector: inout some PageCollector & ~Copyable
    ) async throws(ReadError) -> Outcome {
        var openQuery: String?
        do throws(ReadError) {
            var page = try await self.page(statement, nil).get()
            var isFirstAnswer = true
            while true {
                openQuery = page.nextToken == nil ? nil : page.queryID
                if isFirstAnswer, shape != .series, !page.columns.isEmpty {
                    isFirstAnswer = false
                    let found = Set(page.columns.map { Array($0.name.utf8) })
                    self.columns.learn(found)
                    self.knowledge.columns.withLock { $0 = found }
                    guard statement.assumedAbsent.isDisjoint(with: found) else {
                        if let openQuery { self.cancel(openQuery) }
                        return .retry
                    }
                }
                guard let nextToken = page.nextToken else {
                    _ = try collector.take(page)
                    return .complete
                }
                // One page ahead, and no more: it is on its way while this one is read.
                async let upcoming = self.page(statement, nextToken)
                guard try collector.take(page) else {
                    self.cancel(page.queryID)
                    return .complete
                }
                page = try await upcoming.get()
            }
        } catch {
            if let openQuery { self.cancel(openQuery) }
            return try self.outcome(of: error, statement)
        }
    }

    /// What a failure tells about the columns or the statement; thrown on if it tells nothing.
    private mutating func outcome(of error: ReadError, _ statement: ReadStatement) throws(ReadError) -> Outcome {
        guard case .store(let failure) = error, let refusal = QueryRefusal(failure) else { throw error }
        switch refusal {
        case .missingColumn(TableColumns.measureName), .missingColumn(TableColumns.time):
            return .noRows
        case .missingColumn(let name):
            guard let column = statement.column(spelled: name) else { break }
            self.columns.learn(isMissing: column)
            self.knowledge.columns.withLock { _ = $0?.remove(column) }
            return .retry
        case .missingTable:
            // An operator's fault, which the code alone does not tell.
            throw .store(TimestreamError(.resourceNotFound, message: failure.message, status: failure.status))
        case .statement:
            break
        }
        guard statement.patterns != .none else { throw error }
        return .retryWithout(statement.patterns)
    }

    private func page(_ statement: ReadStatement, _ nextToken: String?) async -> Result<QueryPage, ReadError> {
        if Task.isCancelled { return .failure(.store(TimestreamError(.cancelled, message: "the reader is gone"))) }
        if ContinuousClock.now >= self.deadline {
            let message = "the query took longer than the request may"
            return .failure(.store(TimestreamError(.timedOut, message: message)))
        }
        do throws(TimestreamError) {
            return .success(try await self.store.query(statement.text, nextToken: nextToken, deadline: self.deadline))
        } catch {
            return .failure(.store(error))
        }
    }

    /// Stops a query whose pages nobody will fetch.
    ///
    /// In a task of its own: the one at hand may be cancelled, and would take the call with it. Nobody waits for it, since
    /// it is best effort and the store bounds it.
    private func cancel(_ queryID: String) {
        let store = self.store
        Task { await store.cancelQuery(id: queryID) }
    }
}
