import Common
import TestSupport
import Testing
import TimestreamModel

@testable import TimestreamService

@Suite("Reading a page of a query")
struct QueryPageParserTests {
    private let whole =
        #"{"QueryId":"AEDACAM1","Rows":[{"Data":[{"ScalarValue":"a:9100"},{"NullValue":true},"#
        + #"{"ScalarValue":"caf\u00e9 \ud83d\ude00"},{"ArrayValue":[{"ScalarValue":"1"},{"NullValue":true}]}]},"#
        + #"{"Data":[{"ScalarValue":""},{"ScalarValue":"35.0"},{"NullValue":true},{"NullValue":true}]}],"#
        + #""ColumnInfo":[{"Name":"instance","Type":{"ScalarType":"VARCHAR"}},"#
        + #"{"Name":"measure_value::double","Type":{"ScalarType":"DOUBLE"}},{"Name":"é","Type":{"ScalarType":"VARCHAR"}},"#
        + #"{"Name":"list","Type":{"ArrayColumnInfo":{"Type":{"ScalarType":"BIGINT"}}}}],"NextToken":"n","#
        + #""QueryStatus":{"ProgressPercentage":100.0,"CumulativeBytesScanned":1024}}"#

    private func parse(_ text: String) throws(JSONError) -> QueryPage {
        try QueryPageParser.parse(Array(text.utf8))
    }

    /// The page's cells as text.
    private func table(_ page: QueryPage) -> [[String?]] {
        (0..<page.rowCount).map { row in
            page.columns.indices.map { column in
                page.bytes(row: row, column: column).map { String(decoding: $0, as: UTF8.self) }
            }
        }
    }

    @Test("cells, columns and token come as sent, and cells made of others are null")
    func page() throws {
        let page = try self.parse(self.whole)
        #expect(page.queryID == "AEDACAM1")
        #expect(page.nextToken == "n")
        #expect(page.columns.map(\.name) == ["instance", "measure_value::double", "é", "list"])
        #expect(page.columns.map(\.scalarType) == ["VARCHAR", "DOUBLE", "VARCHAR", nil])
        #expect(self.table(page) == [["a:9100", nil, "café 😀", nil], ["", "35.0", nil, nil]])
    }

    @Test("arrays, rows and time series are read over, at any place")
    func nested() throws {
        let page = try self.parse(
            #"{"ColumnInfo":[{"Name":"s","Type":{"TimeSeriesMeasureValueColumnInfo":{"Type":{"ScalarType":"DOUBLE"}}}},"#
                + #"{"Name":"r","Type":{"RowColumnInfo":[{"Name":"x","Type":{"ScalarType":"VARCHAR"}}]}},"#
                + #"{"Name":"v","Type":{"ScalarType":"BIGINT"}}],"QueryId":"Q","Rows":[{"Data":["#
                + #"{"TimeSeriesValue":[{"Time":"2020-10-17 16:59:50.892000000","Value":{"ScalarValue":"35.0"}}]},"#
                + #"{"RowValue":{"Data":[{"ScalarValue":"a"}]}},{"ScalarValue":"7"}]}]}"#
        )
        #expect(self.table(page) == [[nil, nil, "7"]])
        #expect(page.nextToken == nil)
    }

    @Test("a page without rows is a page")
    func empty() throws {
        let page = try self.parse(#"{"QueryId":"Q","Rows":[],"ColumnInfo":[],"NextToken":"t"}"#)
        #expect(page.rowCount == 0)
        #expect(page.nextToken == "t")
        let known = #"[{"Name":"a","Type":{"ScalarType":"VARCHAR"}}]"#
        let typed = try self.parse(#"{"QueryId":"Q","Rows":[],"ColumnInfo":\#(known),"NextToken":null}"#)
        #expect(typed.columns.count == 1)
        #expect(typed.nextToken == nil)
    }

    @Test(
        "a page that is not whole or not consistent is refused",
        arguments: [
            "{}", "[]", #"{"QueryId":"Q","Rows":[]}"#, #"{"QueryId":"Q","ColumnInfo":[]}"#,
            #"{"Rows":[],"ColumnInfo":[]}"#,
            #"{"QueryId":"Q","Rows":[],"ColumnInfo":[],"NextToken":""}"#,
            #"{"QueryId":"Q","Rows":[],"Rows":[],"ColumnInfo":[]}"#, #"{"QueryId":1,"Rows":[],"ColumnInfo":[]}"#,
            #"{"QueryId":"Q","Rows":null,"ColumnInfo":[]}"#, #"{"QueryId":"Q","Rows":[{}],"ColumnInfo":[]}"#,
            #"{"QueryId":"Q","Rows":[{"Data":[]}],"ColumnInfo":[]}"#,
            #"{"QueryId":"Q","Rows":[],"ColumnInfo":[{"Name":"a"}]}"#,
            #"{"QueryId":"Q","Rows":[],"ColumnInfo":[{"Name":"a","Type":{}}]}"#,
            #"{"QueryId":"Q","Rows":[{"Data":[{"ScalarValue":"1"}]}],"ColumnInfo":[]}"#,
        ]
    )
    func refused(text: String) {
        #expect(throws: JSONError.self) { try self.parse(text) }
    }

    @Test(
        "a cell that is not one value of its column's kind is refused",
        arguments: [
            "{}", #"{"ScalarValue":1}"#, #"{"ScalarValue":null}"#, #"{"NullValue":false}"#, #"{"NullValue":"true"}"#,
            #"{"ScalarValue":"1","NullValue":true}"#, #"{"Unknown":"1"}"#, #"{"ArrayValue":[]}"#, #""1""#, "null",
            #"{"ScalarValue":"1"},{"ScalarValue":"2"}"#,
        ]
    )
    func refusedCell(cell: String) {
        let column = #"{"Name":"a","Type":{"ScalarType":"VARCHAR"}}"#
        #expect(throws: JSONError.self) {
            try self.parse(#"{"QueryId":"Q","Rows":[{"Data":[\#(cell)]}],"ColumnInfo":[\#(column)]}"#)
        }
    }

    @Test("a page cut at any byte is refused")
    func truncated() {
        let bytes = Array(self.whole.utf8)
        for count in 0..<bytes.count {
            #expect(throws: JSONError.self) { try QueryPageParser.parse(Array(bytes[..<count])) }
        }
    }

    @Test("a page with changed bytes is refused, or is a consistent page all the same")
    func mutated() throws {
        let original = Array(self.whole.utf8)
        var generator = SeededGenerator(seed: 5)
        var survivors = 0
        for index in original.indices {
            for _ in 0..<12 {
                var bytes = original
                bytes[index] = UInt8.random(in: 0...255, using: &generator)
                guard let page = try? QueryPageParser.parse(bytes) else { continue }
                survivors += 1
                #expect(page.cells.count == page.rowCount * page.columns.count)
                for row in self.table(page) { #expect(row.count == page.columns.count) }
            }
        }
        #expect(survivors > 100)
    }

    @Test("a large page is read whole")
    func large() throws {
        let row = #"{"Data":[{"ScalarValue":"instance-1.example:9100"},{"ScalarValue":"35.0"}]}"#
        let columns = ["a", "b"].map { #"{"Name":"\#($0)","Type":{"ScalarType":"VARCHAR"}}"# }.joined(separator: ",")
        let rows = Array(repeating: row, count: 10_000).joined(separator: ",")
        let page = try self.parse(#"{"QueryId":"Q","Rows":[\#(rows)],"ColumnInfo":[\#(columns)]}"#)
        #expect(page.rowCount == 10_000)
        #expect(page.bytes(row: 9_999, column: 1).map(Array.init) == Array("35.0".utf8))
    }
}
