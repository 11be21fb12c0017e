import Testing

@testable import TimestreamModel

@Suite("A page of a query")
struct QueryPageTests {
    private let page = QueryPage(
        queryID: "Q",
        columns: [QueryPage.Column(name: "a", scalarType: "VARCHAR"), QueryPage.Column(name: "b", scalarType: nil)],
        cells: [
            QueryPage.Cell(offset: 0, count: 2), .null,
            QueryPage.Cell(offset: 2, count: 0), QueryPage.Cell(offset: 2, count: 3),
        ],
        arena: Array("xyabc".utf8),
        nextToken: nil
    )

    @Test("cells are found by row and column, and an empty text is not null")
    func cells() {
        #expect(self.page.rowCount == 2)
        #expect(self.page.bytes(row: 0, column: 0).map(Array.init) == Array("xy".utf8))
        #expect(self.page.bytes(row: 0, column: 1) == nil)
        #expect(self.page.bytes(row: 1, column: 0).map(Array.init) == [])
        #expect(self.page.bytes(row: 1, column: 1).map(Array.init) == Array("abc".utf8))
        #expect(QueryPage.Cell.null.isNull)
        #expect(!QueryPage.Cell(offset: 5, count: 0).isNull)
    }

    @Test("a page without columns has no rows")
    func noColumns() {
        let empty = QueryPage(queryID: "Q", columns: [], cells: [], arena: [], nextToken: "more")
        #expect(empty.rowCount == 0)
    }
}

@Suite("Errors of Timestream")
struct TimestreamErrorTests {
    @Test("every code is its own metric label, in lower case and underscores")
    func labels() {
        let labels = TimestreamError.Code.allCases.map(\.rawValue)
        #expect(Set(labels).count == labels.count)
        for label in labels {
            #expect(!label.isEmpty && label.allSatisfy { $0 == "_" || $0.isLowercase && $0.isASCII })
        }
    }

    @Test("what passes by itself is not what an operator must mend", arguments: TimestreamError.Code.allCases)
    func kinds(code: TimestreamError.Code) {
        let error = TimestreamError(code, message: "")
        #expect(!(error.isTransient && error.isOperatorFault))
        let isForTheCaller = [.conflict, .queryExecution, .rejectedRecords, .validation, .cancelled].contains(code)
        #expect(isForTheCaller != (error.isTransient || error.isOperatorFault))
    }

    @Test("what a tenant may see holds the code alone; the rest is for logs")
    func descriptions() {
        let error = TimestreamError(.validation, message: "Column 'secret' does not exist", status: 400)
        #expect(error.description == "Timestream: validation")
        #expect(error.debugDescription == "Timestream: validation (HTTP 400): Column 'secret' does not exist")
        #expect(TimestreamError(.network, message: "m").debugDescription == "Timestream: network: m")
    }

    @Test("a table is written with its database")
    func tableName() {
        #expect(TableName(database: "db", table: "t").description == "db.t")
    }
}
