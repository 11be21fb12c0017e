import Common
import Foundation
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("Many callers at once")
struct ConcurrencyTests {
    @Test("writers, readers of pages, and whoever makes and drops tables do not disturb each other")
    func everybody() async throws {
        try await withEngine(pageRows: 25) { engine in
            await withTaskGroup { group in
                for writer in 0..<8 {
                    group.addTask {
                        for round in 0..<10 {
                            let records = (0..<20).map {
                                record(
                                    ["w": String(writer), "d\(writer)_\(round)": "x"],
                                    "m\(round)",
                                    "\($0)",
                                    time: $0
                                )
                            }
                            #expect(await engine.write(records).status == 200)
                        }
                    }
                }
                for reader in 0..<6 {
                    group.addTask {
                        var last = 0
                        for _ in 0..<6 {
                            let count = await engine.query(
                                "SELECT count(*) FROM prom.metrics WHERE \(reader) = \(reader)"
                            )
                            let found = Int(count.rows.first?.first.flatMap(\.self) ?? "") ?? -1
                            // Nothing that was seen goes away.
                            #expect(found >= last, "\(count.message ?? "")")
                            last = found
                            let rows = await engine.query("SELECT time FROM prom.metrics ORDER BY time LIMIT 60")
                            #expect(rows.message == nil && rows.rows.count >= min(last, 60))
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<10 {
                        let names = ["DatabaseName": "prom", "TableName": "passing"]
                        #expect(await engine.call("CreateTable", names).status == 200)
                        let table = TableName(database: "prom", table: "passing")
                        #expect(await engine.write([record(["a": "x"])], to: table).status == 200)
                        #expect(await engine.query("SELECT \"a\" FROM prom.passing").rows == [["x"]])
                        #expect(await engine.call("DeleteTable", names).status == 200)
                    }
                }
                group.addTask {
                    // Queries that nobody fetches to the end are cancelled.
                    for _ in 0..<20 {
                        let answer = await engine.call("Query", ["QueryString": "SELECT 1 FROM prom.metrics"])
                        let id = answer.json["QueryId"] as? String ?? ""
                        #expect(await engine.call("CancelQuery", ["QueryId": id]).status == 200)
                    }
                }
            }
            #expect(await engine.query("SELECT count(*) FROM prom.metrics").rows == [["1600"]])
            #expect(engine.metricsText.contains("gateway_local_cursors 0\n"))
            #expect(engine.metricsText.contains(#"gateway_local_errors_total{code="internal_server"} 0"#))
        }
    }

    @Test("cancelling while a page is read gives its connection to one other query, not to two")
    func cancelWhileReading() async throws {
        try await withEngine(pageRows: 50) { engine in
            for start in stride(from: 0, to: 300, by: 100) {
                #expect(
                    await engine.write((start..<start + 100).map { record(["n": String($0)], time: $0) }).status == 200
                )
            }
            let statement = "SELECT \"n\" FROM prom.metrics WHERE \"n\" LIKE '%1%' ORDER BY time"
            await withTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<10 {
                            let first = await engine.call("Query", ["QueryString": statement])
                            guard first.status == 200 else { continue }
                            let id = first.json["QueryId"] as? String ?? ""
                            let token = first.json["NextToken"] as? String ?? ""
                            async let page = engine.call("Query", ["QueryString": statement, "NextToken": token])
                            async let cancelled = engine.call("CancelQuery", ["QueryId": id])
                            let answers = (await page, await cancelled)
                            #expect([200, 409].contains(answers.0.status), "\(answers.0.text)")
                            #expect([200, 400].contains(answers.1.status), "\(answers.1.text)")
                        }
                    }
                }
            }
            #expect(engine.metricsText.contains("gateway_local_cursors 0\n"))
            #expect(engine.metricsText.contains(#"gateway_local_errors_total{code="internal_server"} 0"#))
        }
    }

    @Test("a full writer's queue throttles, by calls and by bytes, and goes on afterwards")
    func writerQueue() async throws {
        try await withEngine { engine in
            let gate = DispatchSemaphore(value: 0)
            let writer = engine.engine.writer
            let isBlocked = Locked(false)
            await withTaskGroup { group in
                group.addTask {
                    _ = try? await writer.perform(cost: 0) { (_) throws(SQLiteError) in
                        isBlocked.withLock { $0 = true }
                        gate.wait()
                        return Result<Int, ServiceError>.success(0)
                    }
                }
                while !isBlocked.withLock({ $0 }) { await Task.yield() }
                // More bytes than may wait at all, refused whatever else waits.
                do throws(ServiceError) {
                    _ = try await writer.perform(cost: 65 << 20) { (_) throws(SQLiteError) in .success(0) }
                    Issue.record("accepted")
                } catch { #expect(error.code == .throttling) }

                let refusals = Locked(0)
                for _ in 0..<4106 {
                    group.addTask {
                        do throws(ServiceError) {
                            _ = try await writer.perform(cost: 1) { (_) throws(SQLiteError) in .success(1) }
                        } catch {
                            #expect(error.code == .throttling)
                            refusals.withLock { $0 += 1 }
                        }
                    }
                }
                while refusals.withLock({ $0 }) < 10 { await Task.yield() }
                let answer = await engine.write([record(["a": "x"])])
                #expect(answer.status == 429 && answer.error == "ThrottlingException")
                gate.signal()
            }
            #expect(engine.metricsText.contains(#"gateway_local_queue_refused_total{queue="writer"} 12"#))
            #expect(await engine.write([record(["a": "x"])]).status == 200)
        }
    }

    @Test("a caller that goes away stops its query")
    func callerGone() async throws {
        try await withEngine { engine in
            for start in stride(from: 0, to: 1000, by: 100) {
                #expect(
                    await engine.write((start..<start + 100).map { record(["n": String($0)], time: $0) }).status == 200
                )
            }
            // Slow on purpose: each row costs a long comparison.
            let text = String(repeating: "a", count: 500)
            let term = "concat(\"n\", '\(text)') LIKE '\(String(repeating: "%_", count: 200))b'"
            let slow =
                "SELECT count(*) FROM prom.metrics WHERE " + Array(repeating: term, count: 20).joined(separator: " OR ")
            let task = Task { await engine.query(slow) }
            task.cancel()
            let answer = await task.value
            #expect(answer.error == "ConflictException" && answer.message == "The query was cancelled.")
            #expect(await engine.query("SELECT 1").rows == [["1"]])
        }
    }
}
