import Common
import TestSupport
import Testing
import TimestreamModel
import UpstreamHTTP

@testable import TimestreamService

@Suite("A missing table is made by the write that misses it")
struct TableCreationTests {
    private static let settings = TableSettings(
        memoryStoreHours: 24,
        magneticStoreDays: 365,
        magneticStoreWrites: true,
        partitionKey: .init(dimension: "job", isRequired: true)
    )
    private static let made = ScriptedServer.Reply.json(200, #"{"Table":{"TableStatus":"ACTIVE"}}"#)
    private static let noTable = serviceError(404, "ResourceNotFoundException", "The table t does not exist.")

    /// A store of a service that has what `world` says, and keeps what is made.
    private final class World: Sendable {
        struct State {
            var hasDatabase = true
            var hasTable = false
            /// Answers in place of the world's own, by operation.
            var instead: [String: ScriptedServer.Reply] = [:]
            var calls: [String] = []
        }
        let state: Locked<State>
        let server: ScriptedServer
        let fixture: ServiceFixture
        let store: TableCreatingStore
        let clock = Locked(ContinuousClock.now)

        init(_ initial: State = State()) throws {
            let state = Locked(initial)
            self.state = state
            self.server = try ScriptedServer { request in
                let target = request.header("x-amz-target") ?? ""
                let operation = String(target.split(separator: ".").last ?? "")
                return state.withLock { state in
                    state.calls.append(operation)
                    if let reply = state.instead[operation] { return reply }
                    switch operation {
                    case "WriteRecords": return state.hasTable ? ingested : TableCreationTests.noTable
                    case "CreateTable":
                        guard state.hasDatabase else { return serviceError(404, "ResourceNotFoundException") }
                        guard !state.hasTable else { return serviceError(409, "ConflictException") }
                        state.hasTable = true
                        return TableCreationTests.made
                    case "CreateDatabase":
                        guard !state.hasDatabase else { return serviceError(409, "ConflictException") }
                        state.hasDatabase = true
                        return .json(200, #"{"Database":{}}"#)
                    case "Query": return serviceError(400, "ValidationException", "The table 't' does not exist")
                    default: return serviceError(404, "UnknownOperationException")
                    }
                }
            }
            self.fixture = try ServiceFixture(endpoint: self.server.url, maxRetries: 0)
            let clock = self.clock
            self.store = TableCreatingStore(
                client: self.fixture.client,
                table: TableName(database: "db", table: "t"),
                settings: TableCreationTests.settings,
                metrics: self.fixture.registry,
                logger: self.fixture.client.logger,
                now: { clock.withLock { $0 } }
            )
        }

        func write(within duration: Duration = .seconds(20)) async throws(TimestreamError) {
            let body = FrozenBytes(Array(#"{"DatabaseName":"db","TableName":"t","Records":[{}]}"#.utf8))
            try await self.store.writeRecords(body: body, deadline: .now + duration)
        }

        var calls: [String] { self.state.withLock { $0.calls } }
        func count(_ operation: String) -> Int { self.calls.count { $0 == operation } }

        func end() async {
            await self.fixture.upstream.shutdown()
            self.server.stop()
        }
    }

    @Test("with its settings, and the write is repeated; later writes ask for nothing")
    func makesTable() async throws {
        let world = try World()
        try await world.write()
        try await world.write()
        #expect(world.calls == ["WriteRecords", "CreateTable", "WriteRecords", "WriteRecords"])
        let body = world.server.requests[1].body
        #expect(
            String(decoding: body, as: UTF8.self)
                == #"{"DatabaseName":"db","TableName":"t","RetentionProperties":{"MemoryStoreRetentionPeriodInHours":24,"#
                + #""MagneticStoreRetentionPeriodInDays":365},"MagneticStoreWriteProperties":"#
                + #"{"EnableMagneticStoreWrites":true},"Schema":{"CompositePartitionKey":[{"Type":"DIMENSION","#
                + #""Name":"job","EnforcementInRecord":"REQUIRED"}]}}"#
        )
        #expect(world.fixture.value("gateway_timestream_tables_created_total{tenant=\"payments\"}") == 1)
        #expect(world.fixture.logs.lines.contains { $0.contains("made the tenant's table") && $0.contains("table=t") })
        await world.end()
    }

    @Test("with its database, if that is missing too")
    func makesDatabase() async throws {
        let world = try World(.init(hasDatabase: false))
        try await world.write()
        #expect(world.calls == ["WriteRecords", "CreateTable", "CreateDatabase", "CreateTable", "WriteRecords"])
        await world.end()
    }

    @Test("once for many writes at once")
    func makesItOnce() async throws {
        let world = try World()
        let failures = await withTaskGroup(of: TimestreamError?.self) { group in
            for _ in 0..<20 { group.addTask { await failure { try await world.write() } } }
            return await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
        }
        #expect(failures.isEmpty)
        #expect(world.count("CreateTable") == 1)
        await world.end()
    }

    @Test("and a conflict says only that somebody else was faster")
    func conflict() async throws {
        let world = try World()
        world.state.withLock { $0.instead["CreateTable"] = serviceError(409, "ConflictException") }
        async let outcome = failure { try await world.write() }
        // The other's table is known to writes a moment later than to us.
        try await world.server.wait { $0.requests.count >= 4 }
        world.state.withLock { $0.hasTable = true }
        #expect(await outcome == nil)
        #expect(world.fixture.value("gateway_timestream_tables_created_total{tenant=\"payments\"}") == 0)
        #expect(world.count("CreateTable") == 1)
        await world.end()
    }

    @Test(
        "a refusal is told by its action's name, and not asked for again before a pause",
        arguments: ["CreateTable", "CreateDatabase"]
    )
    func denied(operation: String) async throws {
        let world = try World(.init(hasDatabase: operation != "CreateDatabase"))
        let words =
            "User: arn:aws:iam::1:user/u is not authorized to perform: timestream:\(operation) on resource: arn:aws:t"
        world.state.withLock { $0.instead[operation] = serviceError(403, "AccessDeniedException", words) }
        for _ in 0..<3 {
            let error = try #require(await failure { try await world.write() })
            #expect(error.code == .accessDenied)
            #expect(error.remedy?.contains("timestream:\(operation)") == true)
        }
        #expect(world.count(operation) == 1)
        world.clock.withLock { $0 += TableCreatingStore.pauseAfterFault }
        _ = await failure { try await world.write() }
        #expect(world.count(operation) == 2)
        // Somebody makes it by hand: no pause is in the way.
        world.state.withLock { $0.hasTable = true }
        try await world.write()
        await world.end()
    }

    @Test("a failure that passes is tried again sooner")
    func transient() async throws {
        let world = try World()
        world.state.withLock { $0.instead["CreateTable"] = serviceError(500, "InternalServerException") }
        #expect(await failure { try await world.write() }?.code == .internalServer)
        world.state.withLock { $0.instead = [:] }
        #expect(await failure { try await world.write() }?.code == .internalServer)
        world.clock.withLock { $0 += TableCreatingStore.pauseAfterFailure }
        try await world.write()
        #expect(world.count("CreateTable") == 2)
        await world.end()
    }

    @Test("a write waits until its deadline or its cancel, and no longer")
    func bounds() async throws {
        let world = try World()
        world.state.withLock { $0.instead["CreateTable"] = .silence }
        let timedOut = await failure { try await world.write(within: .milliseconds(300)) }
        #expect(timedOut?.code == .timedOut)
        let waiting = Task { await failure { try await world.write() } }
        try await world.server.wait { $0.requests.count >= 3 }
        waiting.cancel()
        #expect(await waiting.value?.code == .cancelled)
        #expect(world.count("CreateTable") == 1)
        await world.end()
    }

    @Test("other failures of a write, and queries, make nothing")
    func others() async throws {
        let world = try World()
        world.state.withLock { $0.instead["WriteRecords"] = serviceError(403, "AccessDeniedException") }
        #expect(await failure { try await world.write() }?.code == .accessDenied)
        let query = await failure {
            try await world.store.query("SELECT 1", nextToken: nil, deadline: .now + .seconds(9))
        }
        #expect(query?.code == .validation)
        #expect(world.calls == ["WriteRecords", "Query"])
        await world.end()
    }
}

@Suite("What DescribeTable answers")
struct TableDescriptionTests {
    @Test("is read, whatever else stands there")
    func whole() throws {
        let answer = #"""
            {"Table":{"Arn":"a","TableStatus":"ACTIVE","RetentionProperties":{"MemoryStoreRetentionPeriodInHours":6,
            "MagneticStoreRetentionPeriodInDays":73000},"CreationTime":1.7e9,"MagneticStoreWriteProperties":
            {"EnableMagneticStoreWrites":true,"MagneticStoreRejectedDataLocation":{"S3Configuration":{}}},
            "Schema":{"CompositePartitionKey":[{"Type":"DIMENSION","Name":"job","EnforcementInRecord":"OPTIONAL"}]}}}
            """#
        #expect(
            try TableDescription(Array(answer.utf8))
                == TableDescription(
                    status: "ACTIVE",
                    memoryStoreHours: 6,
                    magneticStoreDays: 73_000,
                    magneticStoreWrites: true,
                    partitionDimension: "job"
                )
        )
        let bare = try TableDescription(
            Array(#"{"Table":{"Schema":{"CompositePartitionKey":[{"Type":"MEASURE"}]}}}"#.utf8)
        )
        #expect(bare == TableDescription())
    }

    @Test(
        "is an error if no table is in it",
        arguments: ["{}", "[]", "", #"{"Table":1}"#, #"{"Table":{"Schema":[]}}"#]
    )
    func bad(answer: String) {
        #expect(throws: JSONError.self) { try TableDescription(Array(answer.utf8)) }
    }
}
