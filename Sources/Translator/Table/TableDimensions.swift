import Common
package import TimestreamModel

/// Which label names have a column of their own in a tenant's table, and which have to share the overflow column.
///
/// Timestream gives a table 128 dimensions, and never takes one back. A name that is a column keeps it; a new name gets one
/// while there is room below the tenant's `max_dimensions`, and from then on goes, with its value, into the overflow
/// column. Other writers of the table use up room as well, so what is known here is brought up to date from the table.
package final class TableDimensions: Sendable {
    /// How long a failed look at the table is not repeated.
    private static let pauseAfterFailure: Duration = .seconds(60)
    /// Room for our own columns, whatever is configured; see `ColumnName`.
    private static let reservedDimensions = 3

    enum Place: Equatable { case column, overflow }

    private struct State {
        /// Columns of the table.
        var known: Set<[UInt8]> = []
        /// Columns that requests under way are about to make, and how many of them each.
        var expected: [[UInt8]: Int] = [:]
        var isLoaded = false
        var nextLoad: ContinuousClock.Instant?
    }

    private let describe: String
    private let select: String
    private let maximum: Int
    /// The only names that may become columns; nil if all may.
    private let allowed: Set<[UInt8]>?
    private let state = Locked(State())

    /// - Parameters:
    ///   - maximum: columns that labels may have in the table.
    ///   - allowed: the label names that may become columns; nil for all.
    package init(table: TableName, maximum: Int, allowed: [String]? = nil) {
        var name = SQLText()
        name.append(identifier: Array(table.database.utf8))
        name.append(".")
        name.append(identifier: Array(table.table.utf8))
        let table = String(decoding: name.bytes, as: UTF8.self)
        self.describe = "DESCRIBE \(table)"
        // Its answer names all columns, for whoever may not DESCRIBE.
        self.select = "SELECT * FROM \(table) LIMIT 1"
        self.maximum = min(maximum, 128 - Self.reservedDimensions)
        self.allowed = allowed.map { names in Set(names.map { ColumnName.dimension(forLabel: Array($0.utf8)) }) }
    }

    // MARK: Writing

    /// Where labels go whose name has this column.
    ///
    /// - Parameter lease: takes note of a column that the request is about to make.
    func place(of column: [UInt8], _ lease: Lease) -> Place {
        self.state.withLock { state in
            if state.known.contains(column) { return .column }
            if let requests = state.expected[column] {
                state.expected[column] = requests + 1
            } else {
                guard state.known.count + state.expected.count < self.maximum,
                    self.allowed?.contains(column) ?? true
                else { return .overflow }
                state.expected[column] = 1
            }
            lease.note(column)
            return .column
        }
    }

    /// The columns that one request expects to make. They count until its end, and for ever if it has stored something.
    final class Lease: Sendable {
        private let dimensions: TableDimensions
        private let columns = Locked<[[UInt8]]>([])

        init(_ dimensions: TableDimensions) {
            self.dimensions = dimensions
        }

        deinit { self.end(isStored: false) }

        fileprivate func note(_ column: [UInt8]) {
            self.columns.withLock { $0.append(column) }
        }

        func end(isStored: Bool) {
            let columns = self.columns.withLock { columns in
                defer { columns = [] }
                return columns
            }
            guard !columns.isEmpty else { return }
            self.dimensions.state.withLock { state in
                for column in columns {
                    let requests = state.expected[column] ?? 1
                    state.expected[column] = requests > 1 ? requests - 1 : nil
                    if isStored { state.known.insert(column) }
                }
            }
        }
    }

    // MARK: What the table says

    /// Asks the table for its columns, unless that was done already.
    ///
    /// Without permission for it, or without an answer, writing goes on with what is known.
    package func prepare(_ store: any TimestreamStore, deadline: ContinuousClock.Instant) async {
        let isDue = self.state.withLock { state in
            guard !state.isLoaded, deadline > .now, state.nextLoad.map({ $0 <= .now }) ?? true else { return false }
            // Others go on meanwhile; the first requests of a tenant need not wait for each other.
            state.nextLoad = .now + Self.pauseAfterFailure
            return true
        }
        // Not at the cost of what is to be written: a store that does not answer queries may take records all the same.
        let now = ContinuousClock.now
        if isDue { await self.load(store, deadline: min(now + .seconds(1), now + (deadline - now) / 4)) }
    }

    /// Asks the table for its columns again, after it has refused a new one.
    ///
    /// - Returns: whether it told them.
    func reload(_ store: any TimestreamStore, deadline: ContinuousClock.Instant) async -> Bool {
        await self.load(store, deadline: deadline)
    }

    @discardableResult
    private func load(_ store: any TimestreamStore, deadline: ContinuousClock.Instant) async -> Bool {
        let columns: Set<[UInt8]>
        do throws(TimestreamError) {
            columns = try await self.described(store, deadline)
        } catch {
            guard error.code == .accessDenied || error.code == .validation,
                let selected = try? await store.query(self.select, nextToken: nil, deadline: deadline)
            else { return false }
            if selected.nextToken != nil { await store.cancelQuery(id: selected.queryID) }
            columns = Set(selected.columns.map { Array($0.name.utf8) })
        }
        let dimensions = columns.filter { TableColumns.label(ofColumn: $0) != nil }
        self.state.withLock { state in
            state.known = dimensions
            state.isLoaded = true
        }
        return true
    }

    private func described(
        _ store: any TimestreamStore,
        _ deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> Set<[UInt8]> {
        var found: Set<[UInt8]> = []
        var nextToken: String?
        repeat {
            let page = try await store.query(self.describe, nextToken: nextToken, deadline: deadline)
            nextToken = page.nextToken
            // Column, type, attribute type.
            guard page.columns.count >= 3 else { continue }
            for row in 0..<page.rowCount {
                guard let name = page.bytes(row: row, column: 0), let kind = page.bytes(row: row, column: 2),
                    kind.elementsEqual("DIMENSION".utf8)
                else { continue }
                found.insert(Array(name))
            }
        } while nextToken != nil
        return found
    }
}
