/// Gives the rows of a result one after another; memory holds one of them.
protocol RowSource: AnyObject {
    var columns: [CompiledQuery.Column] { get }
    /// Advances; `false` after the last row.
    func step() throws(SQLiteError) -> Bool
    /// Writes the current row's `{"Data":[...]}`.
    func writeRow(to json: inout JSONWriter) throws(SQLiteError)
    /// The types of columns, where they are no scalars.
    func writeType(ofColumn index: Int, to json: inout JSONWriter)
    /// Whether reading it is metered.
    var isMetered: Bool { get }
}

extension RowSource {
    func writeType(ofColumn index: Int, to json: inout JSONWriter) {
        json.raw(#"{"ScalarType":""#)
        json.raw(self.columns[index].type.scalarType.utf8)
        json.raw(#""}"#)
    }
}

/// The rows of a SELECT.
final class SelectedRows: RowSource {
    let columns: [CompiledQuery.Column]
    let isMetered = true
    private let statement: SQLiteStatement
    private var digits: [UInt8] = []

    init(_ query: CompiledQuery, on connection: SQLiteConnection) throws(SQLiteError) {
        self.columns = query.columns
        self.statement = try query.prepare(on: connection)
    }

    func step() throws(SQLiteError) -> Bool {
        try self.statement.step()
    }

    func writeRow(to json: inout JSONWriter) {
        json.raw(#"{"Data":["#)
        for (index, column) in self.columns.enumerated() {
            if index > 0 { json.raw(",") }
            self.writeCell(Int32(index), column.type, to: &json)
        }
        json.raw("]}")
    }

    private func writeCell(_ index: Int32, _ type: SQLType, to json: inout JSONWriter) {
        guard !self.statement.isNull(index) else { return json.raw(#"{"NullValue":true}"#) }
        json.raw(#"{"ScalarValue":"#)
        if type == .varchar {
            unsafe self.statement.withBytes(index) { unsafe json.string($0) }
        } else {
            self.digits.removeAll(keepingCapacity: true)
            ScalarText.append(self.statement.integer(index), type, to: &self.digits)
            json.raw(#"""#)
            json.raw(self.digits)
            json.raw(#"""#)
        }
        json.raw("}")
    }
}

/// Scalars that are no text, as the query service writes them.
enum ScalarText {
    /// - Parameter word: of a double, its bit pattern.
    static func append(_ word: Int64, _ type: SQLType, to text: inout [UInt8]) {
        switch type {
        case .boolean: text += Array((word != 0 ? "true" : "false").utf8)
        case .double: JavaDouble.append(Double(bitPattern: UInt64(bitPattern: word)), to: &text)
        case .timestamp: SQLTimestamp.append(word, to: &text)
        case .interval: SQLTimestamp.appendInterval(word, to: &text)
        case .integer, .bigint, .unknown, .varchar: DecimalDigits.append(word, to: &text)
        }
    }
}

/// Rows of texts that are already there, or come from the catalogue.
final class TextRows: RowSource {
    let columns: [CompiledQuery.Column]
    let isMetered = false
    private let next: () throws(SQLiteError) -> [[UInt8]]?
    private var row: [[UInt8]] = []

    static var none: TextRows { TextRows(columns: []) { nil } }

    /// - Parameter next: the texts of the next row; `nil` after the last.
    init(columns: [String], next: @escaping () throws(SQLiteError) -> [[UInt8]]?) {
        self.columns = columns.map { CompiledQuery.Column(name: Array($0.utf8), type: .varchar) }
        self.next = next
    }

    func step() throws(SQLiteError) -> Bool {
        guard let row = try self.next() else { return false }
        self.row = row
        return true
    }

    func writeRow(to json: inout JSONWriter) {
        json.raw(#"{"Data":["#)
        for (index, text) in self.row.enumerated() {
            if index > 0 { json.raw(",") }
            json.raw(#"{"ScalarValue":"#)
            json.string(text)
            json.raw("}")
        }
        json.raw("]}")
    }
}

/// The rows of SHOW MEASURES: each measure with the dimensions that its series have.
final class MeasureRows: RowSource {
    let columns = ["measure_name", "data_type", "dimensions"].map {
        CompiledQuery.Column(name: Array($0.utf8), type: .varchar)
    }
    let isMetered = false
    private let measures: SQLiteStatement
    private let presence: SQLiteStatement?
    private let dimensions: [[UInt8]]
    private let like: SQLLike?

    init(_ table: TableColumns, like: SQLLike?, on connection: SQLiteConnection) throws(SQLiteError) {
        self.like = like
        self.measures = try connection.prepare("SELECT name, type, id FROM measures WHERE table_id = ?1 ORDER BY name")
        self.measures.bind(1, table.id)
        var names: [[UInt8]] = []
        var terms: [String] = []
        for column in table.columns {
            guard case .dimension(let number) = column.source else { continue }
            names.append(column.name)
            terms.append("max(d\(number) IS NOT NULL)")
        }
        self.dimensions = names
        self.presence =
            terms.isEmpty
            ? nil
            : try connection.prepare(
                "SELECT \(terms.joined(separator: ", ")) FROM streams_\(table.id) WHERE measure = ?1"
            )
    }

    func step() throws(SQLiteError) -> Bool {
        while try self.measures.step() {
            if self.like?.matches(self.measures.bytes(0)) != false { return true }
        }
        return false
    }

    func writeRow(to json: inout JSONWriter) throws(SQLiteError) {
        let type = MeasureType(rawValue: self.measures.integer(1))
        json.raw(#"{"Data":[{"ScalarValue":"#)
        json.string(self.measures.bytes(0))
        json.raw(#"},{"ScalarValue":"#)
        json.string(type?.sqlName ?? "unknown")
        json.raw(#"},{"ArrayValue":["#)
        if let presence = self.presence {
            presence.bind(1, self.measures.integer(2))
            defer { presence.reset() }
            if try presence.step() {
                var isFirst = true
                for (index, name) in self.dimensions.enumerated() where presence.integer(Int32(index)) == 1 {
                    json.raw(
                        isFirst ? #"{"RowValue":{"Data":[{"ScalarValue":"# : #",{"RowValue":{"Data":[{"ScalarValue":"#
                    )
                    isFirst = false
                    json.string(name)
                    json.raw(#"},{"ScalarValue":"varchar"}]}}"#)
                }
            }
        }
        json.raw("]}]}")
    }

    func writeType(ofColumn index: Int, to json: inout JSONWriter) {
        guard index == 2 else { return json.raw(#"{"ScalarType":"VARCHAR"}"#) }
        json.raw(
            #"{"ArrayColumnInfo":{"Type":{"RowColumnInfo":[{"Name":"dimension_name","Type":{"ScalarType":"VARCHAR"}},"#
        )
        json.raw(#"{"Name":"data_type","Type":{"ScalarType":"VARCHAR"}}]}}}"#)
    }
}
