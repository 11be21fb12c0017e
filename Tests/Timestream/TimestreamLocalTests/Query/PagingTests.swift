import Common
import Foundation
import RequestSigning
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("Pages of a query")
struct PagingTests {
    private static let select = #"SELECT time, "n" FROM "prom"."metrics" ORDER BY time"#

    private func fill(_ engine: EngineHarness, _ count: Int) async {
        for start in stride(from: 0, to: count, by: 100) {
            let records = (start..<min(start + 100, count)).map { record(["n": String($0)], time: 1000 + $0) }
            #expect(await engine.write(records).status == 200)
        }
    }

    private struct Page {
        var status: Int
        var error: String?
        var message: String?
        var queryID: String?
        var token: String?
        var names: [String?]
        var columns: Int
        var bytes: Int
    }

    private func page(
        _ engine: EngineHarness,
        _ statement: String = Self.select,
        token: String? = nil,
        maxRows: Int? = nil,
        key: AccessKey? = nil
    ) async -> Page {
        var body: [String: Any] = ["QueryString": statement]
        if let token { body["NextToken"] = token }
        if let maxRows { body["MaxRows"] = maxRows }
        let answer: EngineHarness.Answer
        if let key {
            answer = await engine.call("Query", body, by: key)
        } else {
            answer = await engine.call("Query", body)
        }
        let json = answer.json
        let rows = json["Rows"] as? [[String: Any]] ?? []
        return Page(
            status: answer.status,
            error: answer.error,
            message: answer.message,
            queryID: json["QueryId"] as? String,
            token: json["NextToken"] as? String,
            names: rows.map { (($0["Data"] as? [[String: Any]])?.last)?["ScalarValue"] as? String },
            columns: (json["ColumnInfo"] as? [Any])?.count ?? 0,
            bytes: answer.body.count
        )
    }

    private func names(_ range: Range<Int>) -> [String?] { range.map { String($0) } }

    @Test("with a page size the first page is empty, the others full, and every row comes once")
    func pageRows() async throws {
        try await withEngine(pageRows: 7) { engine in
            await self.fill(engine, 20)
            let first = await self.page(engine)
            #expect(first.names.isEmpty && first.token != nil && first.columns == 2)
            var token = first.token
            var sizes: [Int] = []
            var names: [String?] = []
            while let next = token {
                let page = await self.page(engine, token: next)
                #expect(page.queryID == first.queryID && page.columns == 2)
                sizes.append(page.names.count)
                names += page.names
                token = page.token
            }
            #expect(sizes == [7, 7, 6])
            #expect(names == self.names(0..<20))
            // Also where there is nothing, or just one page.
            #expect(await engine.query(#"SELECT 1 FROM "prom"."metrics" WHERE FALSE"#).pages == 2)
            #expect(await engine.query("SHOW DATABASES").pages == 2)
            #expect(await engine.query(Self.select + " LIMIT 14").pages == 3)
        }
    }

    @Test("with MaxRows rows come at once only if they are fewer; later pages obey the MaxRows of their own call")
    func maxRows() async throws {
        try await withEngine { engine in
            await self.fill(engine, 10)
            let all = await self.page(engine, maxRows: 11)
            #expect(all.names == self.names(0..<10) && all.token == nil)
            let exact = await self.page(engine, maxRows: 10)
            #expect(exact.names.isEmpty && exact.token != nil)
            #expect(await self.page(engine, token: exact.token).names.count == 10)

            let first = await self.page(engine, maxRows: 4)
            #expect(first.names.isEmpty)
            let second = await self.page(engine, token: first.token, maxRows: 3)
            #expect(second.names == self.names(0..<3))
            let third = await self.page(engine, token: second.token, maxRows: 4)
            // What was read for the first call is given out first.
            #expect(third.names == self.names(3..<4))
            let fourth = await self.page(engine, token: third.token)
            #expect(fourth.names == self.names(4..<10) && fourth.token == nil)
            for maxRows in [0, -1, 1001] {
                #expect(await self.page(engine, maxRows: maxRows).error == "ValidationException")
            }
        }
    }

    @Test("a page has at most a megabyte, and a row of its own at most that")
    func pageBytes() async throws {
        try await withEngine { engine in
            let text = String(repeating: "\u{1}", count: 1000)
            for start in stride(from: 0, to: 200, by: 100) {
                let records = (start..<start + 100).map { record(["n": String($0), "v": text], time: 1000 + $0) }
                #expect(await engine.write(records).status == 200)
            }
            // Six bytes for each control character.
            let statement = #"SELECT "v", "n" FROM "prom"."metrics" ORDER BY time"#
            var names: [String?] = []
            var token: String?
            var pages = 0
            repeat {
                let page = await self.page(engine, statement, token: token)
                #expect(page.status == 200 && page.bytes <= 1 << 20)
                names += page.names
                token = page.token
                pages += 1
            } while token != nil
            #expect(pages == 2 && names == self.names(0..<200))
            let columns = Array(repeating: #""v""#, count: 200).joined(separator: ", ")
            let wide = await self.page(engine, #"SELECT \#(columns) FROM "prom"."metrics""#)
            #expect(wide.error == "QueryExecutionException")
            #expect(wide.message?.hasPrefix("Query aborted as max page response size") == true)
        }
    }

    @Test("a token gives its page again until the next one is used, and belongs to one statement")
    func tokens() async throws {
        try await withEngine(pageRows: 2) { engine in
            await self.fill(engine, 6)
            let first = await self.page(engine)
            let token = first.token ?? ""
            let second = await self.page(engine, token: token)
            let again = await self.page(engine, token: token)
            #expect(second.names == ["0", "1"] && again.names == second.names && again.token == second.token)
            let third = await self.page(engine, token: second.token)
            #expect(third.names == ["2", "3"])
            #expect(await self.page(engine, token: token).message == "Invalid pagination token")
            for statement in [Self.select + " ", Self.select.lowercased(), "SELECT 1"] {
                let other = await self.page(engine, statement, token: third.token)
                #expect(other.error == "ValidationException" && other.message == "Invalid pagination token")
            }
            // None of these did any harm.
            let fourth = await self.page(engine, token: third.token)
            #expect(fourth.names == ["4", "5"] && fourth.token == nil)
            #expect(await self.page(engine, token: third.token).names == ["4", "5"])
            let id = first.queryID ?? ""
            for garbage in [
                "", "x", "-", "\(id)", "\(id)-", "\(id)-0", "\(id)-1", "\(id)-9", "\(id)- 4", "\(id)-+4", "\(id)-04",
                "\(id)--1", "\(id)-99999999999999999999", "é-1", String(repeating: "x", count: 5000),
            ] {
                let page = await self.page(engine, token: garbage)
                #expect(page.error == "ValidationException" && page.message == "Invalid pagination token", "\(garbage)")
            }
        }
    }

    @Test("a query that was cancelled has no more pages; cancelling again says the same")
    func cancel() async throws {
        try await withEngine(pageRows: 2) { engine in
            await self.fill(engine, 6)
            let first = await self.page(engine)
            let second = await self.page(engine, token: first.token)
            let body: [String: Any] = ["QueryId": first.queryID ?? ""]
            let cancelled = await engine.call("CancelQuery", body)
            #expect(cancelled.status == 200 && cancelled.json["CancellationMessage"] as? String != nil)
            #expect(await engine.call("CancelQuery", body).body == cancelled.body)
            for token in [first.token, second.token] {
                let page = await self.page(engine, token: token)
                #expect(page.status == 409 && page.error == "ConflictException")
            }
            // Unknown, or over: nothing to cancel.
            let over = await self.page(engine, "SELECT 1")
            let last = await self.page(engine, "SELECT 1", token: over.token)
            #expect(last.token == nil)
            for id in ["nope", "", over.queryID ?? ""] {
                #expect(await engine.call("CancelQuery", ["QueryId": id]).error == "ValidationException")
            }
            #expect(await engine.call("CancelQuery", [:]).message?.contains("'queryId'") == true)
            #expect(engine.metricsText.contains("gateway_local_cursors 0"))
        }
    }

    @Test("another key can neither fetch nor cancel")
    func otherKey() async throws {
        let keys = ["AKIDA", "AKIDB"].map {
            LocalEngineKey(key: AccessKey(accessKeyID: $0, secretAccessKey: Secret("s\($0)")), tables: [.sample])
        }
        let (mine, other) = (keys[0].key, keys[1].key)
        try await withEngine(keys: keys, pageRows: 2) { engine in
            for number in 0..<3 {
                let body: [String: Any] = [
                    "DatabaseName": "prom", "TableName": "metrics",
                    "Records": [record(["n": String(number)], time: 1000 + number)],
                ]
                #expect(await engine.call("WriteRecords", body, by: mine).status == 200)
            }
            let first = await self.page(engine, key: mine)
            #expect(first.status == 200)
            #expect(await self.page(engine, token: first.token, key: other).message == "Invalid pagination token")
            let cancel = await engine.call("CancelQuery", ["QueryId": first.queryID ?? ""], by: other)
            #expect(cancel.error == "ValidationException")
            #expect(await self.page(engine, token: first.token, key: mine).names == ["0", "1"])
        }
    }

    @Test("pages are of one moment: later writes, and even the table's end, do not show")
    func snapshot() async throws {
        try await withEngine(pageRows: 3) { engine in
            await self.fill(engine, 7)
            let first = await self.page(engine)
            #expect(await engine.write([record(["new": "x"], time: 1)]).status == 200)
            let second = await self.page(engine, token: first.token)
            #expect(second.names == self.names(0..<3))
            let gone = await engine.call("DeleteTable", ["DatabaseName": "prom", "TableName": "metrics"])
            #expect(gone.status == 200)
            let third = await self.page(engine, token: second.token)
            #expect(third.names == self.names(3..<6))
            #expect(await self.page(engine, token: third.token).names == ["6"])
            #expect(await self.page(engine).message?.contains("does not exist") == true)
        }
    }

    @Test("open queries are bounded for a key: one more is throttled, until one is fetched or cancelled")
    func bound() async throws {
        try await withEngine(pageRows: 2) { engine in
            await self.fill(engine, 6)
            var open: [Page] = []
            for _ in 0..<CursorTable.maximumOpenOfKey {
                open.append(await self.page(engine))
                #expect(open.last?.status == 200)
            }
            let refused = await self.page(engine)
            #expect(refused.status == 429 && refused.error == "ThrottlingException")
            #expect(engine.metricsText.contains("gateway_local_cursors \(CursorTable.maximumOpenOfKey)"))
            #expect(await engine.call("CancelQuery", ["QueryId": open[0].queryID ?? ""]).status == 200)
            #expect(await self.page(engine).status == 200)
            #expect(await self.page(engine, token: open[1].token).names == ["0", "1"])
        }
    }

    @Test("a page that is refused for want of a thread can be fetched with the same token")
    func throttled() async throws {
        try await withEngine(pageRows: 2) { engine in
            await self.fill(engine, 4)
            let first = await self.page(engine)
            let gate = DispatchSemaphore(value: 0)
            let readers = engine.engine.readers
            let (running, refusals) = (Locked(0), Locked(0))
            await withTaskGroup { group in
                // Four threads that are kept, then 256 places to wait: the others are refused.
                for place in 0..<304 {
                    if place == 4 { while running.withLock({ $0 }) < 4 { await Task.yield() } }
                    group.addTask {
                        do throws(ServiceError) {
                            try await readers.perform { () throws(ServiceError) in
                                running.withLock { $0 += 1 }
                                gate.wait()
                            }
                        } catch {
                            #expect(error.code == .throttling)
                            refusals.withLock { $0 += 1 }
                        }
                    }
                }
                while refusals.withLock({ $0 }) < 44 { await Task.yield() }
                let refused = await self.page(engine, token: first.token)
                #expect(refused.status == 429 && refused.error == "ThrottlingException")
                for _ in 0..<260 { gate.signal() }
            }
            #expect(await self.page(engine, token: first.token).names == ["0", "1"])
            #expect(engine.metricsText.contains(#"gateway_local_queue_refused_total{queue="reader"} 45"#))
        }
    }

    @Test("a cursor gives its connection back once, however often it is finished")
    func finishedOnce() async throws {
        try await withEngine { engine in
            let connection = try engine.engine.readers.takeConnection()
            let cursor = QueryCursor(id: "x", control: RunControl(), connection: connection, rows: TextRows.none)
            #expect(cursor.finish() === connection)
            #expect(cursor.finish() == nil)
        }
    }
}
