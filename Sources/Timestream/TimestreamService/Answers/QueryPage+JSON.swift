import TimestreamModel

extension QueryPage {
    /// Reads the answer to `Query`.
    ///
    /// Scalar values go into one arena as they come; no cell becomes a string of its own. Cells of array, row and
    /// timeseries columns are null.
    static func parse(_ body: [UInt8]) throws(JSONFault) -> QueryPage {
        var parser = QueryPageParser(body)
        return try parser.parse()
    }
}

private struct QueryPageParser {
    private var reader: JSONReader
    private var page = QueryPage(queryID: "", columns: [], cells: [], arena: [], nextToken: nil)
    /// Scratch for the names of members.
    private var key: [UInt8] = []
    /// Cells of each row; all rows must agree, and with the columns.
    private var width: Int?

    init(_ body: [UInt8]) {
        self.reader = JSONReader(body)
        self.page.arena.reserveCapacity(body.count / 2)
    }

    mutating func parse() throws(JSONFault) -> QueryPage {
        var isFirst = true
        try self.reader.take(UInt8(ascii: "{"))
        while try self.reader.nextMember(&self.key, &isFirst) {
            if self.isKey("QueryId") {
                self.page.queryID = try self.reader.string()
            } else if self.isKey("NextToken") {
                self.page.nextToken = try self.reader.takeNull() ? nil : try self.reader.string()
            } else if self.isKey("ColumnInfo") {
                try self.columns()
            } else if self.isKey("Rows") {
                try self.rows()
            } else {
                try self.reader.skipValue()
            }
        }
        try self.reader.end()
        if let width, width != self.page.columns.count {
            throw JSONFault(
                offset: self.reader.position,
                message: "rows of \(width) cells for \(self.page.columns.count) columns"
            )
        }
        return self.page
    }

    private func isKey(_ name: StaticString) -> Bool {
        name.withUTF8Buffer { unsafe $0.elementsEqual(self.key) }
    }

    // MARK: Columns

    private mutating func columns() throws(JSONFault) {
        var isFirst = true
        try self.reader.take(UInt8(ascii: "["))
        while try self.reader.nextElement(&isFirst) {
            var column = QueryPage.Column(name: "", scalarType: nil)
            var isFirstMember = true
            try self.reader.take(UInt8(ascii: "{"))
            while try self.reader.nextMember(&self.key, &isFirstMember) {
                if self.isKey("Name") {
                    column.name = try self.reader.takeNull() ? "" : try self.reader.string()
                } else if self.isKey("Type") {
                    column.scalarType = try self.scalarType()
                } else {
                    try self.reader.skipValue()
                }
            }
            self.page.columns.append(column)
        }
    }

    private mutating func scalarType() throws(JSONFault) -> String? {
        var type: String?
        var isFirst = true
        try self.reader.take(UInt8(ascii: "{"))
        while try self.reader.nextMember(&self.key, &isFirst) {
            if self.isKey("ScalarType") {
                type = try self.reader.takeNull() ? nil : try self.reader.string()
            } else {
                try self.reader.skipValue()
            }
        }
        return type
    }

    // MARK: Rows

    private mutating func rows() throws(JSONFault) {
        var isFirst = true
        try self.reader.take(UInt8(ascii: "["))
        while try self.reader.nextElement(&isFirst) {
            let before = self.page.cells.count
            var isFirstMember = true
            try self.reader.take(UInt8(ascii: "{"))
            while try self.reader.nextMember(&self.key, &isFirstMember) {
                if self.isKey("Data") { try self.data() } else { try self.reader.skipValue() }
            }
            let count = self.page.cells.count - before
            guard self.width == nil || self.width == count else {
                throw JSONFault(offset: self.reader.position, message: "rows of different lengths")
            }
            self.width = count
        }
    }

    private mutating func data() throws(JSONFault) {
        var isFirst = true
        try self.reader.take(UInt8(ascii: "["))
        while try self.reader.nextElement(&isFirst) {
            self.page.cells.append(try self.cell())
        }
    }

    private mutating func cell() throws(JSONFault) -> QueryPage.Cell {
        var cell = QueryPage.Cell.null
        var isFirst = true
        try self.reader.take(UInt8(ascii: "{"))
        while try self.reader.nextMember(&self.key, &isFirst) {
            if self.isKey("ScalarValue"), try !self.reader.takeNull() {
                let start = self.page.arena.count
                try self.reader.string(into: &self.page.arena)
                // Bodies are a few megabytes at most, far from what 32 bits hold; checked, since a peer sends them.
                guard self.page.arena.count <= Int(Int32.max) else {
                    throw JSONFault(offset: self.reader.position, message: "a page of more than 2 GiB")
                }
                cell = QueryPage.Cell(offset: Int32(start), count: Int32(self.page.arena.count - start))
            } else if !self.isKey("ScalarValue") {
                try self.reader.skipValue()
            }
        }
        return cell
    }
}
