import Testing
import TimestreamModel

@testable import Translator

@Suite("Pages that are no answer to a statement are refused, not believed")
struct MalformedPageTests {
    private let columns = [
        QueryPage.Column(name: "time", scalarType: "TIMESTAMP"),
        QueryPage.Column(name: "measure_name", scalarType: "VARCHAR"),
        QueryPage.Column(name: "measure_value::double", scalarType: "DOUBLE"),
    ]

    private func collect(_ page: QueryPage) throws(ReadError) -> Int {
        var collector = SeriesCollector(matchers: [], budget: unlimitedBudget)
        _ = try collector.take(page)
        return collector.finish().sampleCount
    }

    @Test("a page without rows may lack every column")
    func empty() throws {
        let page = QueryPage(queryID: "Q", columns: [], cells: [], arena: [], nextToken: nil)
        #expect(try self.collect(page) == 0)
    }

    @Test("rows need a time and a measure name, and cells must lie within the page")
    func malformed() throws {
        let good = makePage([.init("up", [:], 5, 1)], columns: self.columns)
        #expect(try self.collect(good) == 1)
        var pages: [QueryPage] = []
        for missing in ["time", "measure_name"] {
            pages.append(makePage([.init("up", [:], 5, 1)], columns: self.columns.filter { $0.name != missing }))
        }
        var odd = good
        odd.cells.removeLast()
        pages.append(odd)
        for index in good.cells.indices {
            for cell in [
                QueryPage.Cell(offset: -1, count: 2), .init(offset: .max, count: .max), .init(offset: 0, count: 1_000),
            ] {
                var page = good
                page.cells[index] = cell
                pages.append(page)
            }
        }
        var noTime = good
        noTime.cells[0] = .null
        pages.append(noTime)
        var wrongTime = good
        wrongTime.arena[0] = UInt8(ascii: "x")
        pages.append(wrongTime)
        for page in pages {
            let error = #expect(throws: ReadError.self) { try self.collect(page) }
            guard case .store(let failure) = error else { continue }
            #expect(failure.code == .malformedResponse)
        }
    }

    @Test("grouped rows need a count, and series whose counts overflow are no trap")
    func malformedCounts() throws {
        let columns = [
            QueryPage.Column(name: "measure_name", scalarType: "VARCHAR"),
            QueryPage.Column(name: "promx_rows", scalarType: "BIGINT"),
        ]
        func list(_ rows: [[String?]], _ columns: [QueryPage.Column]) throws(ReadError) -> SeriesList {
            var page = QueryPage(queryID: "Q", columns: columns, cells: [], arena: [], nextToken: nil)
            for cell in rows.joined() { page.append(cell.map { Array($0.utf8) }) }
            var lister = SeriesLister(matchers: [], budget: unlimitedBudget)
            _ = try lister.take(page)
            return lister.finish()
        }
        let found = try list([["up", "7"], ["down", "1"], ["up", "2"], [nil, "5"], ["gone", nil]], columns)
        #expect(found.weights == [1, 9])
        let largest = "\(Int.max)"
        #expect(try list([["up", largest], ["up", largest], ["down", "1"]], columns).sampleCount == .max)
        for wrong in ["", "x", "-1", "1.5", "99999999999999999999"] {
            #expect(throws: ReadError.self) { try list([["up", wrong]], columns) }
        }
        #expect(throws: ReadError.self) { try list([["up"]], [columns[0]]) }
        #expect(throws: ReadError.self) {
            try list([["up", "1"]], [columns[0], .init(name: "promx_rows", scalarType: "VARCHAR")])
        }
    }
}
