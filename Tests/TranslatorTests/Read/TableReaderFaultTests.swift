import Common
import Testing
import TimestreamModel

@testable import Translator

@Suite("Reads end at their limits, and faults of the store are told apart")
struct TableReaderFaultTests {
    private let up = ReadRequestBuilder.Matcher("__name__", .equal, "up")

    private func failure(
        _ store: MemoryTable,
        _ request: ReadRequestBuilder,
        limits: ReadLimits = unlimitedRead,
        deadline: ContinuousClock.Instant = .now + .seconds(60)
    ) async -> ReadError? {
        do throws(ReadError) {
            _ = try await read(store, request, limits: limits, deadline: deadline)
            return nil
        } catch {
            return error
        }
    }

    @Test("limits on samples and series hold over all queries, name themselves, and stop the query upstream")
    func limits() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = 5
        let rows = (0..<30).map { MemoryTable.Row("up", ["job": "\($0 % 6)"], Int64($0), 1) }
        let store = MemoryTable(rows, behaviour: behaviour)
        #expect(await self.failure(store, readRequest([self.up]), limits: .init(maxSamples: 30, maxSeries: 6)) == nil)
        let samples = await self.failure(store, readRequest([self.up]), limits: .init(maxSamples: 24, maxSeries: 6))
        guard case .tooManySamples(24) = samples else {
            Issue.record("another outcome: \(samples?.description ?? "none")")
            return
        }
        #expect(samples?.description.contains("max_samples_per_read") == true)
        #expect(await store.firstCancellation() != nil)
        let series = await self.failure(store, readRequest([self.up]), limits: .init(maxSamples: 30, maxSeries: 5))
        guard case .tooManySeries(5) = series else {
            Issue.record("another outcome: \(series?.description ?? "none")")
            return
        }
        #expect(series?.description.contains("max_series_per_read") == true)
        var twice = ReadRequestBuilder()
        twice.query(0...100, [self.up])
        twice.query(0...100, [self.up])
        guard case .tooManySamples = await self.failure(store, twice, limits: .init(maxSamples: 59, maxSeries: 99))
        else {
            Issue.record("the limit holds for each query alone")
            return
        }
    }

    @Test("rows that no matcher wants are not charged, however many they are")
    func unwantedRows() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.ignoresConditions = true
        let rows = (0..<5_000).map { MemoryTable.Row($0 % 1_000 == 0 ? "up" : "m\($0)", ["n": "\($0)"], 1, 1) }
        let answer = try await read(
            MemoryTable(rows, behaviour: behaviour),
            readRequest([self.up]),
            limits: .init(maxSamples: 5, maxSeries: 5)
        )
        #expect(answer.results[0].count == 5)
    }

    @Test(
        "a statement that is refused for its patterns is sent once more without them",
        arguments: [TimestreamError.Code.validation, .queryExecution]
    )
    func refusedPattern(code: TimestreamError.Code) async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.refuse = { statement, _ in
            statement.contains("LIKE") ? TimestreamError(code, message: "line 1:9: bad pattern", status: 400) : nil
        }
        let store = MemoryTable(
            [.init("up", ["job": "node1"], 1, 1), .init("up", ["job": "other"], 1, 1)],
            behaviour: behaviour
        )
        let results = try await read(store, readRequest([self.up, .init("job", .regex, "node.*")])).results
        #expect(results == [[.init(["__name__": "up", "job": "node1"], [(1, 1)])]])
        #expect(store.statements.filter { $0.contains("LIKE") }.count == 1)
    }

    @Test("a failure in the middle of the pages starts over, and no sample is counted twice")
    func restart() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = 4
        behaviour.extraColumns = ["promx_metric"]
        behaviour.refuse = { statement, call in
            statement.contains("LIKE") && call >= 3 ? TimestreamError(.queryExecution, message: "resources") : nil
        }
        let rows = (0..<10).map { MemoryTable.Row("up", ["job": "node"], Int64($0), 1) }
        let store = MemoryTable(rows, behaviour: behaviour)
        let answer = try await read(
            store,
            readRequest([self.up, .init("job", .regex, "node.*")]),
            limits: .init(maxSamples: 10, maxSeries: 1)
        )
        #expect(answer.sampleCount == 10)
        #expect(store.statements.count == 2)
    }

    @Test("faults that are not about the statement are passed on, each tried once")
    func faults() async throws {
        for code in TimestreamError.Code.allCases where code != .validation && code != .queryExecution {
            var behaviour = MemoryTable.Behaviour()
            behaviour.refuse = { _, _ in TimestreamError(code, message: "secret words") }
            let store = MemoryTable(behaviour: behaviour)
            let error = await self.failure(store, readRequest([self.up, .init("job", .regex, "a.*")]))
            guard case .store(let failure) = error else {
                Issue.record("another outcome: \(error?.description ?? "none")")
                continue
            }
            #expect(failure.code == code)
            #expect(error?.description.contains("secret") == false)
            #expect(store.statements.count == 1)
        }
    }

    @Test("a statement that is refused without patterns is a fault of the store")
    func refusedStatement() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.refuse = { _, _ in TimestreamError(.validation, message: "line 1:1: no", status: 400) }
        let store = MemoryTable(behaviour: behaviour)
        guard case .store(let failure) = await self.failure(store, readRequest([self.up])) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.code == .validation)
        #expect(store.statements.count == 1)
    }

    @Test(
        "a missing table or database is an operator's fault",
        arguments: [
            "The table 'tbl' does not exist in database 'db' at line 1:1",
            "Requested database 'db' not found for identifier 'db.tbl' at line 1:36",
        ]
    )
    func missingTable(message: String) async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.refuse = { _, _ in TimestreamError(.validation, message: message, status: 400) }
        let error = await self.failure(MemoryTable(behaviour: behaviour), readRequest([self.up]))
        guard case .store(let failure) = error else {
            Issue.record("another outcome: \(error?.description ?? "none")")
            return
        }
        #expect(failure.isOperatorFault)
    }

    @Test("a store that calls every column missing, or names none of ours, does not keep the reader busy")
    func contradiction() async throws {
        for column in ["job", "JOB", "nonsense", "promx_metric"] {
            var behaviour = MemoryTable.Behaviour()
            behaviour.refuse = { _, _ in
                TimestreamError(.validation, message: "line 1:7: Column '\(column)' does not exist", status: 400)
            }
            let store = MemoryTable(behaviour: behaviour)
            _ = await self.failure(store, readRequest([self.up, .init("job", .equal, "a")]))
            #expect(store.statements.count <= 3)
        }
    }

    @Test("past the deadline nothing more is asked for")
    func deadline() async throws {
        let store = MemoryTable([.init("up", ["job": "a"], 1, 1)])
        let error = await self.failure(store, readRequest([self.up]), deadline: .now - .seconds(1))
        guard case .store(let failure) = error else {
            Issue.record("another outcome: \(error?.description ?? "none")")
            return
        }
        #expect(failure.code == .timedOut)
        #expect(store.statements.isEmpty)
    }

    @Test("a reader that is gone stops the query upstream")
    func cancellation() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = 1
        behaviour.extraColumns = ["promx_metric"]
        // The reader goes after the first page.
        behaviour.refuse = { _, call in
            if call == 2 { withUnsafeCurrentTask { unsafe $0?.cancel() } }
            return call == 2 ? TimestreamError(.cancelled, message: "cancelled") : nil
        }
        let store = MemoryTable((0..<5).map { .init("up", ["job": "a"], $0, 1) }, behaviour: behaviour)
        let matcher = self.up
        let task = Task {
            do throws(ReadError) {
                _ = try await read(store, readRequest([matcher]))
                return TimestreamError.Code?.none
            } catch {
                guard case .store(let failure) = error else { return nil }
                return failure.code
            }
        }
        #expect(await task.value == .cancelled)
        #expect(await store.firstCancellation() == "Q1")
    }

    @Test(
        "bodies that are no requests are refused before any call",
        arguments: [
            [], [0], [0xFF], [0x05, 0x00, 0x61], [0xFF, 0x06, 0x00, 0x00, 0x73, 0x4E, 0x61, 0x50, 0x70, 0x59],
        ]
            as [[UInt8]]
    )
    func badBodies(body: [UInt8]) async throws {
        let store = MemoryTable()
        let reader = TableReader(table: readTable)
        do throws(ReadError) {
            let answer = try await reader.readSamples(body, from: store)
            // One zero byte is an empty message in snappy: a request without queries.
            #expect(body == [0])
            #expect(answer.sampleCount == 0)
        } catch {
            guard case .malformedBody = error else {
                Issue.record("another error: \(error)")
                return
            }
            #expect(body != [0])
        }
        #expect(store.statements.isEmpty)
    }

    @Test("a body that declares more than a request can need is refused before it is decoded")
    func largeBody() async throws {
        var builder = ReadRequestBuilder()
        builder.query(0...1, [.init("job", .equal, String(repeating: "x", count: 1 << 20))])
        guard case .malformedBody(.decodedTooLarge) = await self.failure(MemoryTable(), builder) else {
            Issue.record("not refused")
            return
        }
    }

    @Test("a query without any matcher would read the whole table, and is refused before any call")
    func noMatchers() async throws {
        var builder = readRequest([self.up])
        builder.query(0...1, [])
        let store = MemoryTable([.init("up", ["job": "a"], 1, 1)])
        let error = await self.failure(store, builder)
        guard case .noMatchers("queries[1]") = error else {
            Issue.record("not refused")
            return
        }
        #expect(error?.description.contains("queries[1] has no matcher") == true)
        #expect(store.statements.isEmpty)
    }

    @Test("a client that takes nothing that is known is refused, and unknown types are passed over")
    func responseTypes() async throws {
        var builder = ReadRequestBuilder()
        builder.accept(packed: [2, 7])
        guard case .unsupportedResponseTypes = await self.failure(MemoryTable(), builder) else {
            Issue.record("not refused")
            return
        }
        builder.accept(0)
        #expect(await self.failure(MemoryTable(), builder) == nil)
    }

    @Test("memory is asked for before it is used, and a refusal ends the read")
    func memory() async throws {
        let rows = (0..<20_000).map { MemoryTable.Row("up", ["job": "\($0 % 7)"], Int64($0), Double($0)) }
        let store = MemoryTable(rows)
        let asked = Locked(0)
        let reader = TableReader(table: readTable)
        let answer = try await reader.readSamples(readRequest([self.up]).block, from: store) { asked.addBytes($0) }
        #expect(answer.sampleCount == 20_000)
        // The samples alone have 16 bytes each, and the message 18 or more.
        #expect(asked.withLock(\.self) > 20_000 * 16 && asked.withLock(\.self) < 20_000 * 100)
        for isForGood in [true, false] {
            let error = await #expect(throws: ReadError.self) {
                _ = try await reader.readSamples(readRequest([self.up]).block, from: store) { _ throws(ReadError) in
                    throw .overMemory(isForGood: isForGood)
                }
            }
            guard case .overMemory(isForGood) = error else {
                Issue.record("another error: \(error?.description ?? "none")")
                return
            }
        }
        #expect(await store.firstCancellation() != nil)
    }
}
