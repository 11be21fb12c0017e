import Common
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
        try reader.document(Self.members) { (reader, member) throws(JSONError) in
            try parser.readMember(member, &reader)
        }
        return try parser.page(reader)
    }

    private static let members = MemberNames(["QueryId", "ColumnInfo", "Rows", "NextToken"])

    private mutating func readMember(_ member: Int, _ reader: inout JSONReader) throws(JSONError) {
        switch member {
        case 0: self.queryID = try reader.string()
        case 1: self.columns = try Self.readColumns(&reader)
        case 2: try self.readRows(&reader)
        default:
            let token = try reader.string()
            guard !token.isEmpty else { throw reader.expected("a NextToken with a text") }
            self.nextToken = token
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

    private static let columnMembers = MemberNames(["Name", "Type"])
    private static let typeMembers = MemberNames([
        "ScalarType", "ArrayColumnInfo", "RowColumnInfo", "TimeSeriesMeasureValueColumnInfo",
    ])

    private static func readColumns(_ reader: inout JSONReader) throws(JSONError) -> [QueryPage.Column] {
        var columns: [QueryPage.Column] = []
        try reader.array { (reader) throws(JSONError) in
            var name = ""
            var type: String??
            try reader.object(Self.columnMembers) { (reader, member) throws(JSONError) in
                if member == 0 { name = try reader.string() } else { type = .some(try Self.readType(&reader)) }
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
        try reader.object(Self.typeMembers) { (reader, member) throws(JSONError) in
            if member == 0 { scalar = try reader.string() } else { try reader.skip() }
            kinds += 1
        }
        guard kinds == 1 else { throw reader.expected("a type of one kind") }
        return scalar
    }

    // MARK: Rows

    private static let rowMembers = MemberNames(["Data"])
    /// The kinds of a value that is made of others come last.
    private static let cellMembers = MemberNames([
        "ScalarValue", "NullValue", "ArrayValue", "RowValue", "TimeSeriesValue",
    ])

    private mutating func readRows(_ reader: inout JSONReader) throws(JSONError) {
        var rows = 0
        try reader.array { (reader) throws(JSONError) in
            let start = self.cells.count
            try reader.object(Self.rowMembers) { (reader, _) throws(JSONError) in
                try reader.array { (reader) throws(JSONError) in
                    self.cells.append(try self.readCell(&reader))
                }
            }
            guard self.cells.count > start, self.width ?? (self.cells.count - start) == self.cells.count - start
            else { throw reader.expected("rows of one length") }
            self.width = self.cells.count - start
            rows += 1
        }
        self.rowCount = rows
    }

    /// A `Datum`: exactly one member.
    private mutating func readCell(_ reader: inout JSONReader) throws(JSONError) -> QueryPage.Cell {
        var cell: QueryPage.Cell?
        try reader.object(Self.cellMembers) { (reader, member) throws(JSONError) in
            guard cell == nil else { throw reader.expected("a value of one kind") }
            switch member {
            case 0:
                let offset = self.arena.count
                let text = try reader.text()
                self.arena.append(contentsOf: reader.bytes[text])
                guard let end = Int32(exactly: self.arena.count) else { throw reader.expected("a smaller page") }
                cell = QueryPage.Cell(offset: Int32(offset), count: end - Int32(offset))
            case 1:
                guard try reader.boolean() else { throw reader.expected("true") }
                cell = .null
            default:
                try reader.skip()
                cell = Self.nested
            }
        }
        guard let cell else { throw reader.expected("a value") }
        return cell
    }
}
