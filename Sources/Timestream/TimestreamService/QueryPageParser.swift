import TimestreamModel

/// Reads the answer of `Query` into a page, cell by cell, without a value in between.
///
/// Source: Timestream Query API reference, "Query" and "Datum".
struct QueryPageParser {
    /// The mark of a cell whose value is an array, a row or a time series, until the columns are known: in the answers
    /// of the service the rows come first.
    private static let nested = QueryPage.Cell(offset: 0, count: -2)

    private var queryID: String?
    private var columns: [QueryPage.Column]?
    private var nextToken: String?
    private var cells: [QueryPage.Cell] = []
    private var arena: [UInt8] = []
    private var rowCount: Int?
    /// Cells of the first row, which every other must have.
    private var width: Int?

    /// - Throws: `JSONError` if the answer is not one page, whole and consistent.
    static func parse(_ body: [UInt8]) throws(JSONError) -> QueryPage {
        var parser = QueryPageParser()
        var reader = try JSONReader(body)
        // Texts are never longer in the arena than in the answer.
        parser.arena.reserveCapacity(body.count / 2)
        try reader.readObject { (reader: inout JSONReader, name: String) throws(JSONError) in
            try parser.readMember(name, &reader)
        }
        try reader.finish()
        return try parser.page(reader)
    }

    private mutating func readMember(_ name: String, _ reader: inout JSONReader) throws(JSONError) {
        switch name {
        case "QueryId":
            guard self.queryID == nil else { throw reader.expected("one QueryId") }
            self.queryID = try reader.readString()
        case "ColumnInfo":
            guard self.columns == nil else { throw reader.expected("one ColumnInfo") }
            self.columns = try Self.readColumns(&reader)
        case "Rows":
            guard self.rowCount == nil else { throw reader.expected("one Rows") }
            try self.readRows(&reader)
        case "NextToken":
            if reader.takeNull() { return }
            let token = try reader.readString()
            guard self.nextToken == nil, !token.isEmpty else { throw reader.expected("one NextToken with a text") }
            self.nextToken = token
        default:
            try reader.skipValue()
        }
    }

    private func page(_ reader: JSONReader) throws(JSONError) -> QueryPage {
        guard let queryID, let columns, let rowCount else { throw reader.expected("QueryId, ColumnInfo and Rows") }
        guard rowCount == 0 || self.width == columns.count else {
            throw reader.expected("as many cells in a row as there are columns")
        }
        var cells = self.cells
        for index in cells.indices where cells[index].count != QueryPage.Cell.null.count {
            let isNested = cells[index] == Self.nested
            guard isNested == (columns[index % columns.count].scalarType == nil) else {
                throw reader.expected("cells of their column's kind")
            }
            if isNested { cells[index] = .null }
        }
        return QueryPage(
            queryID: queryID,
            columns: columns,
            cells: cells,
            arena: self.arena,
            nextToken: self.nextToken
        )
    }

    // MARK: Columns

    private static func readColumns(_ reader: inout JSONReader) throws(JSONError) -> [QueryPage.Column] {
        var columns: [QueryPage.Column] = []
        try reader.readArray { (reader: inout JSONReader) throws(JSONError) in
            var name = ""
            var type: String??
            try reader.readObject { (reader: inout JSONReader, member: String) throws(JSONError) in
                switch member {
                case "Name": if !reader.takeNull() { name = try reader.readString() }
                case "Type":
                    guard type == nil else { throw reader.expected("one Type") }
                    type = .some(try Self.readType(&reader))
                default: try reader.skipValue()
                }
            }
            guard let type else { throw reader.expected("a column's Type") }
            columns.append(QueryPage.Column(name: name, scalarType: type))
        }
        return columns
    }

    /// The scalar type; `nil` for a type that is made of others.
    private static func readType(_ reader: inout JSONReader) throws(JSONError) -> String? {
        var scalar: String?
        var kinds = 0
        try reader.readObject { (reader: inout JSONReader, member: String) throws(JSONError) in
            switch member {
            case "ScalarType":
                scalar = try reader.readString()
                kinds += 1
            case "ArrayColumnInfo", "RowColumnInfo", "TimeSeriesMeasureValueColumnInfo":
                if !reader.takeNull() {
                    try reader.skipValue()
                    kinds += 1
                }
            default: try reader.skipValue()
            }
        }
        guard kinds == 1 else { throw reader.expected("a type of one kind") }
        return scalar
    }

    // MARK: Rows

    private mutating func readRows(_ reader: inout JSONReader) throws(JSONError) {
        var rows = 0
        try reader.readArray { (reader: inout JSONReader) throws(JSONError) in
            let start = self.cells.count
            var hasData = false
            try reader.readObject { (reader: inout JSONReader, member: String) throws(JSONError) in
                guard member == "Data" else { return try reader.skipValue() }
                guard !hasData else { throw reader.expected("one Data") }
                hasData = true
                try reader.readArray { (reader: inout JSONReader) throws(JSONError) in
                    self.cells.append(try self.readCell(&reader))
                }
            }
            guard hasData, self.cells.count > start,
                self.width ?? (self.cells.count - start) == self.cells.count - start
            else { throw reader.expected("rows of one length") }
            self.width = self.cells.count - start
            rows += 1
        }
        self.rowCount = rows
    }

    /// A `Datum`: exactly one member.
    private mutating func readCell(_ reader: inout JSONReader) throws(JSONError) -> QueryPage.Cell {
        var cell: QueryPage.Cell?
        try reader.readObject { (reader: inout JSONReader, member: String) throws(JSONError) in
            guard cell == nil else { throw reader.expected("a value of one kind") }
            switch member {
            case "ScalarValue":
                let offset = self.arena.count
                try reader.readString(into: &self.arena)
                guard let end = Int32(exactly: self.arena.count) else { throw reader.expected("a smaller page") }
                cell = QueryPage.Cell(offset: Int32(offset), count: end - Int32(offset))
            case "NullValue":
                guard try reader.readBool() else { throw reader.expected("true") }
                cell = .null
            case "ArrayValue", "RowValue", "TimeSeriesValue":
                try reader.skipValue()
                cell = Self.nested
            default:
                throw reader.expected("a kind of value")
            }
        }
        guard let cell else { throw reader.expected("a value") }
        return cell
    }
}
