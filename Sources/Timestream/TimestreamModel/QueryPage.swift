/// One page of a query's result: scalar cells in one byte arena, rows of `columns.count` cells each.
package struct QueryPage: Sendable {
    package struct Column: Sendable, Hashable {
        package var name: String
        /// The `ScalarType`, such as `VARCHAR`; `nil` for array, row and timeseries columns, whose cells are null here.
        package var scalarType: String?

        package init(name: String, scalarType: String?) {
            self.name = name
            self.scalarType = scalarType
        }
    }

    /// A cell's bytes in the arena; null if `count` is negative.
    package struct Cell: Sendable, Hashable {
        package var offset: Int32
        package var count: Int32
        package static let null = Cell(offset: 0, count: -1)
        package var isNull: Bool { self.count < 0 }

        package init(offset: Int32, count: Int32) {
            self.offset = offset
            self.count = count
        }
    }

    package var queryID: String
    package var columns: [Column]
    /// Row by row, `columns.count` cells a row.
    package var cells: [Cell]
    /// The unescaped UTF-8 text of all scalar values.
    package var arena: [UInt8]
    /// Present while more pages follow.
    package var nextToken: String?

    package init(queryID: String, columns: [Column], cells: [Cell], arena: [UInt8], nextToken: String?) {
        self.queryID = queryID
        self.columns = columns
        self.cells = cells
        self.arena = arena
        self.nextToken = nextToken
    }

    package var rowCount: Int { self.columns.isEmpty ? 0 : self.cells.count / self.columns.count }

    /// The bytes of a cell; `nil` for null.
    package func bytes(row: Int, column: Int) -> ArraySlice<UInt8>? {
        let cell = self.cells[row * self.columns.count + column]
        guard !cell.isNull else { return nil }
        return self.arena[Int(cell.offset)..<Int(cell.offset) + Int(cell.count)]
    }
}
