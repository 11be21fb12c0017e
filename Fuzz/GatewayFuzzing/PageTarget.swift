import TimestreamModel

@testable import TimestreamService
@testable import Translator

/// The answer to a `Query`, read into a page and then into series and an encoded read response.
enum PageTarget {
    static func run(_ input: [UInt8]) {
        guard let page = try? QueryPageParser.parse(input) else { return }
        // Foundation refuses numbers that are too large for a double, which is not for it to say.
        let hasExponent = zip(input, input.dropFirst()).contains {
            (48...57).contains($0) && $1 | 0x20 == UInt8(ascii: "e")
        }
        require(hasExponent || JSONDocument.object(input) != nil, "accepted, but no JSON object")
        self.check(page)
        self.checkSeries(of: page)
    }

    private static func check(_ page: QueryPage) {
        require(page.columns.isEmpty ? page.cells.isEmpty : page.cells.count % page.columns.count == 0, "ragged rows")
        for (index, cell) in page.cells.enumerated() where !cell.isNull {
            let end = Int(cell.offset) + Int(cell.count)
            require(cell.offset >= 0 && end <= page.arena.count, "cell \(index) is outside the arena")
            require(page.columns[index % page.columns.count].scalarType != nil, "cell \(index) is of no scalar type")
            let bytes = page.arena[Int(cell.offset)..<end]
            require((try? UTF8Span(validating: Array(bytes).span)) != nil, "cell \(index) is no text")
        }
        for row in 0..<page.rowCount {
            for column in page.columns.indices { _ = page.bytes(row: row, column: column) }
        }
    }

    private static func checkSeries(of page: QueryPage) {
        let limits = ReadLimits(maxSamples: 1000, maxSeries: 100)
        let budget = ReadBudget(ReadAccount(limits: limits) { _ in }, query: 0)
        var collector = SeriesCollector(matchers: [], budget: budget)
        guard (try? collector.take(page)) != nil else { return }
        let set = collector.finish()
        require(set.sampleCount <= limits.maxSamples && set.series.count <= limits.maxSeries, "over the limits")
        let encoded = ReadResponse.encode([set])
        guard let series = try? ReferenceReadResponse(encoded).results.first else {
            return require(false, "the response cannot be read again")
        }
        require(series.count == set.series.count, "\(series.count) series in the response")
        require(ReferenceReadResponse.isInOrder(series), "names, series or times are not in order, or are there twice")
        require(series.allSatisfy { $0.labels.allSatisfy { !$0.name.isEmpty && !$0.value.isEmpty } }, "an empty label")
    }
}
