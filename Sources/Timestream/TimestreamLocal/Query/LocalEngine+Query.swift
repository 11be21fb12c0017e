import Common
import TimestreamModel

/// Queries and their pages.
extension LocalEngine {
    private static let queryNames = MemberNames(["QueryString", "NextToken", "MaxRows"])

    func query(_ body: [UInt8], _ caller: Caller, _ call: inout Call) async throws(ServiceError) -> [UInt8] {
        var statement: String?
        var nextToken: String?
        var maxRows: Int64?
        try JSONReader.request(body) { (reader) throws(JSONError) in
            try reader.document(Self.queryNames) { (reader, member) throws(JSONError) in
                switch member {
                case 0: statement = try reader.string()
                case 1: nextToken = try reader.string()
                default: maxRows = try reader.integer()
                }
            }
        }
        guard let statement else { throw .isMissing("queryString") }
        guard (1...SQLParser.maximumBytes).contains(statement.utf8.count) else {
            throw .constraint(
                "[\(statement.utf8.count) bytes]",
                at: "queryString",
                "Member must have length between 1 and \(SQLParser.maximumBytes)"
            )
        }
        if let maxRows, !(1...1000).contains(maxRows) {
            throw .constraint("\(maxRows)", at: "maxRows", "Member must have value between 1 and 1000")
        }
        let owner = CursorTable.Owner(keyID: caller.keyID, statementDigest: sha256(Array(statement.utf8)))
        let limit = min(maxRows.map(Int.init) ?? .max, self.configuration.pageRows ?? .max)
        let page: PageAnswer
        if let nextToken {
            page = try await self.nextPage(nextToken, owner, limit)
        } else {
            page = try await self.firstPage(statement, caller, owner, limit, hasMaxRows: maxRows != nil)
        }
        call.database = page.table?.database
        call.table = page.table?.table
        call.rows = page.rows
        self.metrics.rowsReturned.increment(by: page.rows)
        return page.body
    }

    private struct PageAnswer: Sendable {
        var body: [UInt8]
        var rows: Int
        var table: TableName?
    }

    /// Runs a query up to its first page.
    ///
    /// With `MaxRows`, rows come with the first answer only if they are all there are, and fewer than that; else the first
    /// answer is only a token. Source: API reference, `Query`.
    private func firstPage(
        _ statement: String,
        _ caller: Caller,
        _ owner: CursorTable.Owner,
        _ limit: Int,
        hasMaxRows: Bool
    ) async throws(ServiceError) -> PageAnswer {
        let control = RunControl()
        do {
            return try await withTaskCancellationHandler {
                try await self.readers.perform { () throws(ServiceError) in
                    let (cursor, table) = try self.start(statement, caller, control)
                    var answer = try self.firstAnswer(cursor, owner, limit, hasMaxRows: hasMaxRows)
                    answer.table = table
                    return answer
                }
            } onCancel: {
                control.cancel()
            }
        } catch let error as ServiceError {
            throw error
        } catch { throw ServiceError(.internalServer, "The query failed.") }
    }

    private func firstAnswer(
        _ cursor: QueryCursor,
        _ owner: CursorTable.Owner,
        _ limit: Int,
        hasMaxRows: Bool
    ) throws(ServiceError) -> PageAnswer {
        let page: QueryCursor.Page
        do throws(ServiceError) {
            page = try cursor.page(maximumRows: limit)
        } catch {
            self.finish(cursor)
            throw error
        }
        let isHeldBack = self.configuration.pageRows != nil || hasMaxRows && (!page.isLast || page.rowCount >= limit)
        guard isHeldBack || !page.isLast else {
            let body = cursor.answer(page, nextToken: nil)
            self.finish(cursor)
            return PageAnswer(body: body, rows: page.rowCount)
        }
        let token = CursorTable.Token(queryID: cursor.id, number: 1).text
        let sent = isHeldBack ? QueryCursor.Page.empty : page
        // All that is read of the cursor, before another call can take it.
        let body = cursor.answer(sent, nextToken: token)
        if isHeldBack { cursor.hold(page) }
        var evicted: [QueryCursor] = []
        let outcome = self.cursors.add(cursor, owner: owner, now: MonotonicTime.nanoseconds(), evicted: &evicted)
        for cursor in evicted { self.finish(cursor) }
        guard case .added = outcome else {
            self.finish(cursor)
            throw ServiceError(.throttling, "Too many queries whose pages are not fetched; fetch or cancel some.")
        }
        return PageAnswer(body: body, rows: sent.rowCount)
    }

    private func nextPage(
        _ text: String,
        _ owner: CursorTable.Owner,
        _ limit: Int
    ) async throws(ServiceError) -> PageAnswer {
        guard let token = CursorTable.Token(text) else { throw Self.invalidToken }
        let cursor: QueryCursor
        switch self.cursors.take(token, owner: owner, now: MonotonicTime.nanoseconds()) {
        case .run(let taken): cursor = taken
        case .answer(let body): return PageAnswer(body: body, rows: 0)
        case .busy: throw ServiceError(.throttling, "Another call is fetching this page.")
        case .cancelled: throw ServiceError(.conflict, "The query was cancelled.")
        case .invalid: throw Self.invalidToken
        }
        let wasRead = Locked(false)
        do {
            // Not stopped when the caller goes: it may come back with the same token.
            return try await self.readers.perform { () throws(ServiceError) in
                wasRead.withLock { $0 = true }
                return try self.nextAnswer(cursor, token, limit)
            }
        } catch {
            // Refused before anything was read, for want of a thread: the same token can be tried again.
            let now = MonotonicTime.nanoseconds()
            if !wasRead.withLock({ $0 }), self.cursors.giveBack(cursor, now: now) { throw error }
            self.cursors.remove(cursor.id)
            self.readers.finish([cursor])
            throw error
        }
    }

    private func nextAnswer(
        _ cursor: QueryCursor,
        _ token: CursorTable.Token,
        _ limit: Int
    ) throws(ServiceError) -> PageAnswer {
        let page = try cursor.page(maximumRows: limit)
        let next = CursorTable.Token(queryID: token.queryID, number: token.number + 1).text
        let body = cursor.answer(page, nextToken: page.isLast ? nil : next)
        // Finished before it is put back: afterwards another call may have it.
        if page.isLast { self.finish(cursor) }
        guard self.cursors.putBack(cursor, isOver: page.isLast, answer: body, now: MonotonicTime.nanoseconds()) else {
            throw ServiceError(.conflict, "The query was cancelled.")
        }
        return PageAnswer(body: body, rows: page.rowCount)
    }

    private static let invalidToken = ServiceError(.validation, "Invalid pagination token")

    private func finish(_ cursor: QueryCursor) {
        if let connection = cursor.finish() { self.readers.giveBack(connection) }
    }

    // MARK: Starting

    /// Parses and compiles a statement, and starts it on a connection of its own.
    private func start(
        _ statement: String,
        _ caller: Caller,
        _ control: RunControl
    ) throws(ServiceError) -> (QueryCursor, TableName?) {
        let parsed = try SQLParser.parse(statement, now: WallTime.milliseconds() * 1_000_000)
        let connection: SQLiteConnection
        do throws(SQLiteError) {
            connection = try self.readers.takeConnection()
            try connection.execute("BEGIN")
        } catch { throw .disk(error) }
        connection.setControl(control)
        QueryCursor.allowPage(control)
        var planner = QueryPlanner(connection: connection, caller: caller, control: control)
        do throws(ServiceError) {
            let rows = try planner.rows(of: parsed)
            let id = RandomText.letters(52)
            return (QueryCursor(id: id, control: control, connection: connection, rows: rows), planner.table)
        } catch {
            // Nothing runs on it: only the transaction is to end.
            self.finish(QueryCursor(id: "", control: control, connection: connection, rows: TextRows.none))
            throw error
        }
    }

    // MARK: Cancelling

    func cancelQuery(_ body: [UInt8], _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        var queryID: String?
        try JSONReader.request(body) { (reader) throws(JSONError) in
            try reader.document(MemberNames(["QueryId"])) { (reader, _) throws(JSONError) in
                queryID = try reader.string()
            }
        }
        guard let queryID else { throw .isMissing("queryId") }
        switch self.cursors.cancel(queryID, keyID: caller.keyID, now: MonotonicTime.nanoseconds()) {
        case .cancelled(let cursor):
            if let cursor { self.readers.finish([cursor]) }
        case .alreadyCancelled: break
        case .unknown:
            throw ServiceError(.validation, "There is no running query with this id; it may have ended already.")
        }
        return Array(#"{"CancellationMessage":"The query was cancelled."}"#.utf8)
    }
}
