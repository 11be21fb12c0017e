import Testing
import TimestreamModel

@testable import Translator

@Suite("A store that does not take a regular expression is asked without it, and not each time anew")
struct RefusedExpressionTests {
    private let up = ReadRequestBuilder.Matcher("__name__", .equal, "up")
    private let rows: [MemoryTable.Row] = [
        .init("up", ["job": "node1"], 1, 1), .init("up", ["job": "nodex"], 1, 1), .init("up", ["job": "other"], 1, 1),
    ]

    private func store(
        refusing words: [String],
        _ code: TimestreamError.Code = .validation
    ) -> MemoryTable {
        var behaviour = MemoryTable.Behaviour()
        behaviour.extraColumns = ["promx_metric"]
        behaviour.refuse = { statement, _ in
            words.contains(where: statement.contains)
                ? TimestreamError(code, message: "line 1:9: Invalid regular expression", status: 400) : nil
        }
        return MemoryTable(self.rows, behaviour: behaviour)
    }

    @Test(
        "the pattern is remembered, another one is tried",
        arguments: [TimestreamError.Code.validation, .queryExecution]
    )
    func remembered(code: TimestreamError.Code) async throws {
        let store = self.store(refusing: ["REGEXP_LIKE"], code)
        let reader = TableReader(table: readTable)
        func jobs(_ pattern: String) async throws -> Int {
            try await read(store, readRequest([self.up, .init("job", .regex, pattern)]), reader: reader).results[0]
                .count
        }
        #expect(try await jobs("node[0-9]+") == 1)
        #expect(store.statements.map { $0.contains("REGEXP_LIKE") } == [true, false])
        // What else is known of it is still sent.
        #expect(store.statements[1].hasSuffix(#" AND "job" LIKE 'node%' ESCAPE '!'"#))
        #expect(try await jobs("node[0-9]+") == 1)
        #expect(store.statements.count == 3 && !store.statements[2].contains("REGEXP_LIKE"))
        #expect(try await jobs("node[a-z]+") == 1)
        #expect(store.statements.count == 5)
        // Another tenant's reader knows nothing of it.
        _ = try await read(store, readRequest([self.up, .init("job", .regex, "node[0-9]+")]))
        #expect(store.statements.count == 7)
    }

    @Test("what the store refuses for another reason is not put down to the pattern")
    func otherReason() async throws {
        let reader = TableReader(table: readTable)
        let request = readRequest([self.up, .init("job", .regex, "node[0-9]+")])
        let plain = self.store(refusing: ["REGEXP_LIKE", " LIKE "])
        for round in 1...2 {
            #expect(try await read(plain, request, reader: reader).results[0].count == 1)
            #expect(plain.statements.count == 3 * round)
        }
        let broken = self.store(refusing: ["SELECT"])
        await #expect(throws: ReadError.self) { try await read(broken, request, reader: reader) }
        let sound = self.store(refusing: [])
        #expect(try await read(sound, request, reader: reader).results[0].count == 1)
        #expect(sound.statements.count == 1 && sound.statements[0].contains("REGEXP_LIKE"))
    }

    @Test("it is forgotten after a while, and no more is remembered than fits")
    func bounds() {
        let refused = RefusedExpressions()
        let start = ContinuousClock.now
        refused.insert([[1], [2]], now: start)
        #expect(refused.contains([1], now: start) && refused.contains([2], now: start))
        #expect(!refused.contains([3], now: start))
        let end = start + RefusedExpressions.lifetime
        #expect(refused.contains([1], now: end - .seconds(1)) && !refused.contains([1], now: end))
        refused.insert((0..<RefusedExpressions.capacity).map { Array("\($0)".utf8) }, now: start)
        #expect(!refused.contains([2], now: start))
        #expect(refused.contains(Array("\(RefusedExpressions.capacity - 1)".utf8), now: start))
    }
}
