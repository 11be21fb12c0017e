import Common
import Testing
import TimestreamModel

@testable import Translator

/// Answers from a table, but holds every statement until so many are there.
private final class Gate: TimestreamStore {
    private struct State {
        var waiting: [CheckedContinuation<Void, Never>] = []
        var inside = 0
        var most = 0
    }

    let table: MemoryTable
    private let wanted: Int
    private let failsOn: String?
    private let state = Locked(State())

    /// - Parameter failsOn: a statement with this text fails once all are there, and the others never end by themselves.
    init(_ table: MemoryTable, waitFor wanted: Int, failsOn: String? = nil) {
        self.table = table
        self.wanted = wanted
        self.failsOn = failsOn
    }

    /// The most statements that were there at the same time.
    var most: Int { self.state.withLock { $0.most } }

    func writeRecords(body: FrozenBytes, deadline: ContinuousClock.Instant) async throws(TimestreamError) {}

    func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        self.state.withLock { state in
            state.inside += 1
            state.most = max(state.most, state.inside)
        }
        defer { self.state.withLock { $0.inside -= 1 } }
        if nextToken == nil {
            await withCheckedContinuation { continuation in
                let ready = self.state.withLock { state in
                    state.waiting.append(continuation)
                    guard state.waiting.count == self.wanted else { return [] as [CheckedContinuation<Void, Never>] }
                    defer { state.waiting = [] }
                    return state.waiting
                }
                for continuation in ready { continuation.resume() }
            }
        }
        if let failsOn {
            if statement.contains(failsOn) { throw TimestreamError(.throttling, message: "slow down") }
            while !Task.isCancelled { await Task.yield() }
            throw TimestreamError(.cancelled, message: "cancelled")
        }
        return try await self.table.query(statement, nextToken: nextToken, deadline: deadline)
    }

    func cancelQuery(id: String) async {}
}

@Suite("Queries of one request are read at the same time, within bounds")
struct ConcurrentQueryTests {
    private let rows = (0..<40).map { MemoryTable.Row("m\($0 % 8)", ["job": "a"], Int64($0), Double($0)) }

    private func request(_ count: Int) -> ReadRequestBuilder {
        var builder = ReadRequestBuilder()
        for number in 0..<count { builder.query(0...100, [.init("__name__", .equal, "m\(number)")]) }
        return builder
    }

    private func table() -> MemoryTable {
        var behaviour = MemoryTable.Behaviour()
        behaviour.extraColumns = ["promx_metric"]
        behaviour.rowsPerPage = 2
        return MemoryTable(self.rows, behaviour: behaviour)
    }

    private func read(
        _ store: Gate,
        _ count: Int,
        _ reader: TableReader,
        limits: ReadLimits = unlimitedRead
    ) async throws -> [[DecodedResponse.Series]] {
        let answer = try await reader.readSamples(self.request(count).block, from: store, limits: limits)
        return try DecodedResponse(block: answer.body).results
    }

    @Test("four at once, and the results in the order of the queries")
    func together() async throws {
        let store = Gate(self.table(), waitFor: ReadLimits.queriesAtOnce)
        let results = try await self.read(store, 8, TableReader(table: readTable))
        #expect(results.map { $0.map(\.labels.last?.value) } == (0..<8).map { _ in [Array("a".utf8)] })
        #expect(results.map { $0.map { $0.labels[0].value } } == (0..<8).map { [Array("m\($0)".utf8)] })
        #expect(results.allSatisfy { $0[0].samples.count == 5 })
        // One page ahead of each.
        #expect(store.most >= 4 && store.most <= 8)
    }

    @Test("no more than the tenant may, whatever other requests do")
    func bounded() async throws {
        let reader = TableReader(table: readTable, concurrentQueries: 2)
        let pair = Gate(self.table(), waitFor: 2)
        #expect(try await self.read(pair, 8, reader).count == 8)
        // What was taken is given back.
        #expect(try await self.read(pair, 4, reader).count == 4)
        let alone = Gate(self.table(), waitFor: 1)
        let single = TableReader(table: readTable, concurrentQueries: 1)
        #expect(try await self.read(alone, 4, single).count == 4)
        #expect(alone.most <= 2)
        let slots = QuerySlots(limit: 3)
        let first = slots.take(2)
        let second = slots.take(4)
        // A request that was admitted may always read one query.
        let third = slots.take(4)
        #expect([first.count, second.count, third.count] == [2, 1, 1])
    }

    @Test("limits hold over all of them")
    func limits() async throws {
        let reader = TableReader(table: readTable)
        for (samples, series) in [(40, 8), (39, 8), (40, 7)] {
            let store = Gate(self.table(), waitFor: 4)
            let limits = ReadLimits(maxSamples: samples, maxSeries: series)
            if (samples, series) == (40, 8) {
                #expect(try await self.read(store, 8, reader, limits: limits).count == 8)
            } else {
                await #expect(throws: ReadError.self) { try await self.read(store, 8, reader, limits: limits) }
            }
        }
    }

    @Test("one that fails ends the others, and its error is told")
    func failure() async throws {
        let store = Gate(self.table(), waitFor: 4, failsOn: "'m2'")
        let error = await #expect(throws: ReadError.self) {
            try await self.read(store, 8, TableReader(table: readTable))
        }
        guard case .store(let failure) = error else {
            Issue.record("another outcome")
            return
        }
        #expect(failure.code == .throttling)
        #expect(store.table.statements.isEmpty)
    }

    @Test("memory of all of them is added up, and serves again when it is free")
    func memory() throws {
        let asked = Locked(0)
        let account = ReadAccount(limits: unlimitedRead) { asked.addBytes($0) }
        let budgets = (0..<3).map { ReadBudget(account, query: $0) }
        try budgets[0].require(100_000)
        try budgets[1].require(100_000)
        let both = asked.withLock(\.self)
        #expect(both >= 200_000 && both < 200_000 + (64 << 10))
        try budgets[0].require(0)
        try budgets[2].require(100_000)
        #expect(asked.withLock(\.self) == both)
        try budgets[0].require(100_000)
        #expect(asked.withLock(\.self) >= 300_000)
    }
}
