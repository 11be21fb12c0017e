package import Common

/// The store as the translator sees it: what Amazon Timestream offers, whoever provides it.
///
/// Cancelling the calling task cancels the call upstream.
package protocol TimestreamStore: Sendable {
    /// Sends one `WriteRecords` call.
    ///
    /// - Parameters:
    ///   - body: the complete JSON body, 1 to 100 records.
    ///   - deadline: covers every try; the call never outlives it.
    /// - Returns: when the service has acknowledged every record.
    /// - Throws: `TimestreamError`; with the code `.rejectedRecords`, the records not listed in it **are** stored.
    func writeRecords(body: FrozenBytes, deadline: ContinuousClock.Instant) async throws(TimestreamError)

    /// Runs a statement, or fetches its next page.
    ///
    /// - Parameter nextToken: of the page before; the statement must be the same.
    /// - Returns: one page, which may have no rows although more pages follow.
    func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage

    /// Stops a query that nobody waits for any more; best effort.
    func cancelQuery(id: String) async
}

/// A database and a table in it.
package struct TableName: Sendable, Hashable, CustomStringConvertible {
    package var database: String
    package var table: String

    package init(database: String, table: String) {
        self.database = database
        self.table = table
    }

    package var description: String { "\(self.database).\(self.table)" }
}
