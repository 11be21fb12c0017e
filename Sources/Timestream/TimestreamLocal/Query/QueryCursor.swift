import Logging

/// A query that runs: the rows that are still to come, on a connection of their own whose snapshot does not change.
///
/// Used by one thread at a time: whoever has taken it out of the `CursorTable`.
final class QueryCursor: @unchecked Sendable {
    // Safe because: a cursor is in the table, where nobody touches it, or with the one call that has taken it out.
    let id: String
    let control: RunControl
    /// `nil` once the cursor is finished.
    private var connection: SQLiteConnection?
    private var rows: any RowSource
    /// The current row did not fit into the page before.
    private var hasPendingRow = false
    private var isAtEnd = false
    private var bytesReturned = 0
    private var held: Page?

    /// Largest page. Source: developer guide, "Quotas".
    static let pageBytes = 1 << 20
    /// How long one page may take; a thread is busy meanwhile.
    private static let pageSeconds: Int64 = 60

    init(id: String, control: RunControl, connection: SQLiteConnection, rows: any RowSource) {
        self.id = id
        self.control = control
        self.connection = connection
        self.rows = rows
    }

    /// A page that was read, and how its token continues.
    struct Page: Sendable {
        /// The `Rows` array's elements.
        var rows: JSONWriter
        /// Where each element ends.
        var ends: [Int] = []
        var isLast: Bool

        var rowCount: Int { self.ends.count }

        static var empty: Page { Page(rows: JSONWriter(capacity: 0), isLast: false) }

        /// The first rows as a page of their own; the others stay.
        mutating func split(after count: Int) -> Page {
            let end = self.ends[count - 1]
            var first = Page(rows: JSONWriter(capacity: end), ends: Array(self.ends[..<count]), isLast: false)
            first.rows.raw(self.rows.bytes[..<end])
            // The comma between the two goes.
            let rest = self.rows.bytes[(end + 1)...]
            self.ends = self.ends[count...].map { $0 - end - 1 }
            self.rows = JSONWriter(capacity: rest.count)
            self.rows.raw(rest)
            return first
        }
    }

    static func allowPage(_ control: RunControl) {
        control.allow(untilNanoseconds: MonotonicTime.nanoseconds() + Self.pageSeconds * 1_000_000_000)
    }

    /// Keeps a page that was read too early, for the next call.
    func hold(_ page: Page) {
        self.held = page
    }

    /// Reads rows up to the limits; looks one row ahead, so that the last page is known to be the last.
    func page(maximumRows: Int) throws(ServiceError) -> Page {
        if var held = self.held {
            guard held.rowCount > maximumRows else {
                self.held = nil
                return held
            }
            let first = held.split(after: maximumRows)
            self.held = held
            return first
        }
        do throws(SQLiteError) {
            Self.allowPage(self.control)
            let page = try self.read(maximumRows: maximumRows)
            self.bytesReturned += page.rows.bytes.count
            return page
        } catch { throw self.failure(error) }
    }

    private func read(maximumRows: Int) throws(SQLiteError) -> Page {
        var page = Page(rows: JSONWriter(capacity: 4096), isLast: false)
        // What the columns and the rest of the answer take.
        let budget = Self.pageBytes - self.columnInfo().bytes.count - 512
        while try self.advance() {
            guard page.rowCount < maximumRows else { return page }
            let start = page.rows.bytes.count
            if page.rowCount > 0 { page.rows.raw(",") }
            try self.rows.writeRow(to: &page.rows)
            if page.rows.bytes.count > budget {
                guard page.rowCount > 0 else { throw SQLiteError(code: Self.rowTooLarge, message: "") }
                page.rows.truncate(to: start)
                return page
            }
            page.ends.append(page.rows.bytes.count)
            self.hasPendingRow = false
        }
        page.isLast = true
        return page
    }

    private static let rowTooLarge: Int32 = -1

    private func advance() throws(SQLiteError) -> Bool {
        if self.hasPendingRow { return true }
        guard !self.isAtEnd, try self.rows.step() else {
            self.isAtEnd = true
            return false
        }
        self.hasPendingRow = true
        return true
    }

    private func failure(_ error: SQLiteError) -> ServiceError {
        if error.code == Self.rowTooLarge {
            return ServiceError(
                .queryExecution,
                "Query aborted as max page response size has been exceeded by the output result row"
            )
        }
        return .query(error, control: self.control)
    }

    private func columnInfo() -> JSONWriter {
        var json = JSONWriter()
        for (index, column) in self.rows.columns.enumerated() {
            json.raw(index == 0 ? #"{"Name":"# : #",{"Name":"#)
            json.string(column.name)
            json.raw(#","Type":"#)
            self.rows.writeType(ofColumn: index, to: &json)
            json.raw("}")
        }
        return json
    }

    /// The whole answer of a page.
    func answer(_ page: Page, nextToken: String?) -> [UInt8] {
        var json = JSONWriter(capacity: page.rows.bytes.count + 2048)
        json.raw(#"{"QueryId":"#)
        json.string(self.id)
        if let nextToken {
            json.raw(#","NextToken":"#)
            json.string(nextToken)
        }
        json.raw(#","Rows":["#)
        json.raw(page.rows.bytes)
        json.raw(#"],"ColumnInfo":["#)
        json.raw(self.columnInfo().bytes)
        json.raw(#"],"QueryStatus":{"ProgressPercentage":"#)
        json.raw(nextToken == nil ? "100.0" : "0.0")
        json.raw(#","CumulativeBytesScanned":"#)
        json.integer(self.rows.isMetered ? Int64(self.bytesReturned) : 0)
        json.raw(#","CumulativeBytesMetered":"#)
        // The service's smallest charge. Source: developer guide, "Metering and cost optimization".
        json.integer(self.rows.isMetered ? max(10_000_000, Int64(self.bytesReturned)) : 0)
        json.raw("}}")
        return json.bytes
    }

    /// Ends the snapshot; once is enough.
    ///
    /// - Returns: the connection, ready for another query; `nil` if it is not fit for one, or was given back before.
    func finish() -> SQLiteConnection? {
        guard let connection = self.connection else { return nil }
        self.connection = nil
        // The statement must go before its transaction can end.
        self.rows = TextRows.none
        connection.setControl(nil)
        do throws(SQLiteError) {
            if connection.isInTransaction { try connection.execute("COMMIT") }
            return connection
        } catch { return nil }
    }
}

extension ServiceError {
    /// What the caller is told of an error while a query was compiled or run.
    static func query(_ error: SQLiteError, control: RunControl) -> ServiceError {
        if error.isInterrupt {
            return control.wasCancelled
                ? ServiceError(.conflict, "The query was cancelled.")
                : ServiceError(.queryExecution, "The query took longer than the local engine allows for a page.")
        }
        if error.isStatementFailure { return ServiceError(.queryExecution, error.message) }
        return .disk(error)
    }
}
