import Common
import Testing
import TimestreamModel

@testable import Translator

@Suite("A streamed answer that cannot be completed is broken off, and never ended")
struct StreamedReadFaultTests {
    private let up = ReadRequestBuilder.Matcher("__name__", .equal, "up")

    private var request: ReadRequestBuilder {
        var builder = readRequest([self.up])
        builder.accept(packed: [1, 0])
        return builder
    }

    private let rows = (0..<200).map { MemoryTable.Row("up", ["job": "\(10 + $0 % 20)"], Int64($0), 1) }

    private func begin(
        _ store: any TimestreamStore,
        limits: ReadLimits = unlimitedRead,
        reserve: @escaping MemoryReservation = unlimitedMemory
    ) async throws(ReadError) -> StreamedRead {
        let reader = TableReader(table: readTable, samplesPerRun: 30)
        let deadline = ContinuousClock.now + .seconds(60)
        let answer = try await reader.read(
            self.request.block,
            from: store,
            limits: limits,
            deadline: deadline,
            reserve: reserve
        )
        guard case .stream(let stream) = answer else { preconditionFailure("the request accepts streams") }
        return stream
    }

    @Test("before the first frame every failure is an error: of the first statement, of the list, of the first run")
    func early() async throws {
        for failing in ["SELECT *", "GROUP BY", "\"job\" IN ("] {
            var behaviour = MemoryTable.Behaviour()
            behaviour.rowsPerPage = 50
            behaviour.refuse = { statement, _ in
                statement.contains(failing) ? TimestreamError(.throttling, message: "slow down") : nil
            }
            let store = MemoryTable(self.rows, behaviour: behaviour)
            let error = await #expect(throws: ReadError.self) { _ = try await self.begin(store) }
            guard case .store(let failure) = error else { continue }
            #expect(failure.code == .throttling)
        }
    }

    @Test("limits are checked against the list, before the first frame")
    func limits() async throws {
        let store = MemoryTable(self.rows)
        guard
            case .tooManySamples(199) = await #expect(
                throws: ReadError.self,
                performing: { _ = try await self.begin(store, limits: .init(maxSamples: 199, maxSeries: 20)) }
            )
        else {
            Issue.record("another outcome")
            return
        }
        #expect(!store.statements.contains { $0.contains("\"job\" IN (") })
        guard
            case .tooManySeries(19) = await #expect(
                throws: ReadError.self,
                performing: { _ = try await self.begin(store, limits: .init(maxSamples: 200, maxSeries: 19)) }
            )
        else {
            Issue.record("another outcome")
            return
        }
        let stream = try await self.begin(store, limits: .init(maxSamples: 200, maxSeries: 20))
        let sink = FakeSink()
        let sampleCount = try await stream.write { try await sink.send($0) }.samples
        #expect(sampleCount == 200)
    }

    @Test("a store that fails later throws from the producer; what was sent is whole frames")
    func late() async throws {
        var behaviour = MemoryTable.Behaviour()
        let runs = Locked(0)
        behaviour.refuse = { statement, _ in
            guard statement.contains("\"job\" IN (") else { return nil }
            let isLate = runs.withLock {
                $0 += 1
                return $0 == 4
            }
            return isLate ? TimestreamError(.network, message: "gone") : nil
        }
        let stream = try await self.begin(MemoryTable(self.rows, behaviour: behaviour))
        let sink = FakeSink()
        let error = await #expect(throws: ReadError.self) {
            _ = try await stream.write { try await sink.send($0) }
        }
        guard case .store(let failure) = error else { return }
        #expect(failure.code == .network)
        #expect(try DecodedFrames(sink.bytes).frames.count < 20)
    }

    private struct Gone: Error {}

    @Test("a peer that is gone ends the reading: no further statement")
    func peerGone() async throws {
        let table = GeneratedTable(.init(instances: 40, paths: 10))
        let reader = TableReader(table: readTable, samplesPerRun: 4_000)
        var request = ReadRequestBuilder()
        request.query(0...1_000_000, [everySeries])
        request.accept(1)
        let answer = try await reader.read(
            request.block,
            from: table,
            limits: unlimitedRead,
            deadline: .now + .seconds(60),
            reserve: unlimitedMemory
        )
        guard case .stream(let stream) = answer else { preconditionFailure("the request accepts streams") }
        let statements = Locked(0)
        let sink = FakeSink { _ in
            statements.withLock { $0 = table.statements.count }
            throw Gone()
        }
        await #expect(throws: Gone.self) { _ = try await stream.write { try await sink.send($0) } }
        #expect(statements.withLock(\.self) > 0)
        #expect(table.statements.count == statements.withLock(\.self))
    }

    @Test("nothing is read while the peer does not take what is there")
    func backPressure() async throws {
        let table = GeneratedTable(.init(instances: 100, paths: 10))
        let reader = TableReader(table: readTable, samplesPerRun: 5_000)
        var request = ReadRequestBuilder()
        request.query(0...1_000_000, [everySeries])
        request.accept(1)
        let sink = FakeSink { _ in
            let sent = table.rowsSent
            for _ in 0..<100 { await Task.yield() }
            #expect(table.rowsSent == sent)
        }
        let frames = try await readStream(table, request, reader: reader, sink: sink)
        #expect(frames.sampleCount == 100_000)
        #expect(sink.pieces.count > 1)
        #expect(sink.pieces.allSatisfy { $0.count <= 1 << 20 })
    }

    @Test("a cancelled request ends with a cancelled query")
    func cancelled() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.rowsPerPage = 5
        let runs = Locked(0)
        behaviour.refuse = { statement, _ in
            guard statement.contains("\"job\" IN (") else { return nil }
            let isNow = runs.withLock {
                $0 += 1
                return $0 == 12
            }
            if isNow { withUnsafeCurrentTask { unsafe $0?.cancel() } }
            return isNow ? TimestreamError(.cancelled, message: "cancelled") : nil
        }
        let store = MemoryTable(self.rows, behaviour: behaviour)
        let stream = try await self.begin(store)
        let sink = FakeSink()
        let error = await #expect(throws: ReadError.self) {
            _ = try await stream.write { try await sink.send($0) }
        }
        guard case .store(let failure) = error else { return }
        #expect(failure.code == .cancelled)
        #expect(await store.firstCancellation() != nil)
    }

    @Test("memory that is refused ends the answer, before the first frame or after it")
    func memory() async throws {
        let error = await #expect(throws: ReadError.self) {
            _ = try await self.begin(MemoryTable(self.rows)) { _ throws(ReadError) in
                throw .overMemory(isForGood: false)
            }
        }
        guard case .overMemory(isForGood: false) = error else {
            Issue.record("another error: \(error?.description ?? "none")")
            return
        }
        // A series of many slices: its frame grows, until no memory is left for it.
        var shape = GeneratedTable.Shape(instances: 1, paths: 2, rowsPerPage: 100)
        shape.samples = { [300, 40_000][$0] }
        let left = Locked(64 << 10)
        var request = ReadRequestBuilder()
        request.query(0...1_000_000_000, [everySeries])
        request.accept(1)
        let reader = TableReader(table: readTable, samplesPerRun: 500)
        let answer = try await reader.read(
            request.block,
            from: GeneratedTable(shape),
            limits: unlimitedRead,
            deadline: .now + .seconds(60)
        ) { byteCount throws(ReadError) in
            let isGiven = left.withLock { left in
                left -= byteCount
                return left >= 0
            }
            guard isGiven else { throw .overMemory(isForGood: true) }
        }
        guard case .stream(let stream) = answer else { preconditionFailure("the request accepts streams") }
        let sink = FakeSink()
        let late = await #expect(throws: ReadError.self) { _ = try await stream.write { try await sink.send($0) } }
        guard case .overMemory(isForGood: true) = late else {
            Issue.record("another error: \(late?.description ?? "none")")
            return
        }
        #expect(try DecodedFrames(sink.bytes).frames.count <= 1)
    }

    @Test("a run that is refused for its conditions is read without them")
    func refusedRestrictions() async throws {
        var behaviour = MemoryTable.Behaviour()
        behaviour.refuse = { statement, _ in
            statement.contains("\"job\" IN (")
                ? TimestreamError(.validation, message: "line 1:9: too long", status: 400) : nil
        }
        let store = MemoryTable(self.rows, behaviour: behaviour)
        let stream = try await self.begin(store)
        let sink = FakeSink()
        let sampleCount = try await stream.write { try await sink.send($0) }.samples
        #expect(sampleCount == 200)
        #expect(try DecodedFrames(sink.bytes).frames.count == 20)
        // Once refused, not tried again.
        #expect(store.statements.filter { $0.contains("\"job\" IN (") }.count == 1)
    }

    @Test("series and columns that come while it is read are left out, and do no harm")
    func changes() async throws {
        let store = MemoryTable(self.rows)
        let stream = try await self.begin(store)
        store.add([
            .init("up", ["job": "10", "zone": "new"], 500, 1), .init("up", ["job": "99"], 500, 1),
            .init("up", ["job": "29"], 500, 1),
        ])
        let sink = FakeSink()
        _ = try await stream.write { try await sink.send($0) }
        let frames = try DecodedFrames(sink.bytes).frames
        #expect(frames.count == 20)
        #expect(frames.allSatisfy { $0.labels.count == 2 })
        #expect(frames.last?.chunks.first?.samples.last?.time == 500)
    }
}
