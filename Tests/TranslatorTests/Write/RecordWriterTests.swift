import Common
import Foundation
import Testing
import TimestreamModel

@testable import Translator

/// A store that decides by the values in a call; keeps what it has acknowledged.
private final class ScriptedStore: TimestreamStore {
    private let decide: @Sendable ([String]) -> TimestreamError?
    private let state = Locked<(calls: [[String]], stored: [String])>(([], []))

    init(decide: @escaping @Sendable ([String]) -> TimestreamError?) {
        self.decide = decide
    }

    var calls: [[String]] { self.state.withLock { $0.calls } }
    var stored: [String] { self.state.withLock { $0.stored } }

    func writeRecords(body: FrozenBytes, deadline: ContinuousClock.Instant) async throws(TimestreamError) {
        let json = try? JSONSerialization.jsonObject(with: Data(body.array)) as? [String: Any]
        let records = json?["Records"] as? [[String: Any]] ?? []
        let values = records.map { $0["MeasureValue"] as? String ?? "" }
        let error = self.decide(values)
        let rejected = Set(error?.rejected.compactMap(\.index) ?? [])
        self.state.withLock { state in
            state.calls.append(values)
            if error == nil || error?.code == .rejectedRecords {
                state.stored += values.indices.filter { !rejected.contains($0) }.map { values[$0] }
            }
        }
        if let error { throw error }
    }

    func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        throw TimestreamError(.unknownOperation, message: "not asked for")
    }

    func cancelQuery(id: String) async {}
}

@Suite("What becomes of a request's records")
struct RecordWriterTests {
    private let deadline = ContinuousClock.now + .seconds(60)

    /// `count` samples whose values are their numbers.
    private func plan(_ count: Int) throws -> WritePlan {
        var request = WriteRequestBuilder()
        for index in 0..<count {
            request.series([("__name__", "m"), ("n", "\(index)")], [(Double(index), 1_700_000_000_000)])
        }
        let options = WriteOptions(
            table: TableName(database: "db", table: "tbl"),
            dropsSpecialValues: false,
            dropsLongNames: false,
            maxLabelsPerSeries: 64
        )
        return try WritePlan.plan(request.bytes, options: options)
    }

    @Test("all acknowledged: everything is stored, nothing refused", arguments: [1, 100, 1_000, 5_000])
    func success(count: Int) async throws {
        let store = ScriptedStore { _ in nil }
        let outcome = await RecordWriter(store: store).write(try self.plan(count), deadline: self.deadline)
        #expect(outcome.stored == count)
        #expect(outcome.failure == nil && outcome.failed == 0 && outcome.refusals.isEmpty)
        #expect(Set(store.stored) == Set((0..<count).map { "\($0)" }))
        #expect(store.calls.count == (count + 99) / 100)
    }

    @Test("a 419 loses the records it lists, each named by its series, and no other")
    func rejected() async throws {
        let store = ScriptedStore { values in
            let listed = values.indices.filter { ["3", "140"].contains(values[$0]) }
            guard !listed.isEmpty else { return nil }
            return TimestreamError(
                .rejectedRecords,
                message: "",
                status: 419,
                rejected: listed.map { RejectedRecord(index: $0, reason: "too old") }
            )
        }
        let outcome = await RecordWriter(store: store).write(try self.plan(250), deadline: self.deadline)
        #expect(outcome.failure == nil)
        #expect(outcome.stored == 248)
        #expect(outcome.refusals.samplesByReason == [.rejectedByStore: 2])
        #expect(
            Set(outcome.refusals.details) == [
                "timeseries[3], time 1700000000000: too old", "timeseries[140], time 1700000000000: too old",
            ]
        )
    }

    @Test("a 419 without a list is a failure to be repeated, since nobody knows what is stored")
    func rejectedWithoutList() async throws {
        let store = ScriptedStore { _ in TimestreamError(.rejectedRecords, message: "", status: 419) }
        let outcome = await RecordWriter(store: store).write(try self.plan(5), deadline: self.deadline)
        #expect(outcome.failure?.code == .malformedResponse)
        #expect(outcome.failed == 5 && outcome.stored == 0)
    }

    @Test("a record that a 419 lists twice, or without a place, or at an impossible one, is counted once")
    func rejectedOddly() async throws {
        let store = ScriptedStore { _ in
            TimestreamError(
                .rejectedRecords,
                message: "",
                status: 419,
                rejected: [3, 3, nil, 10, -1].map { RejectedRecord(index: $0, reason: "no") }
            )
        }
        let outcome = await RecordWriter(store: store).write(try self.plan(10), deadline: self.deadline)
        #expect(outcome.refusals.samplesByReason == [.rejectedByStore: 4])
        #expect(outcome.stored == 6)
        #expect(outcome.failure == nil)
    }

    @Test(
        "a name of database or table that the service calls invalid is a failure: nothing is lost",
        arguments: ["database", "table"]
    )
    func invalidTable(name: String) async throws {
        let store = ScriptedStore { _ in
            let message = "1 validation error detected: Value 'x' at '\(name)Name' failed to satisfy constraint"
            return TimestreamError(.validation, message: message, status: 400)
        }
        let outcome = await RecordWriter(store: store).write(try self.plan(250), deadline: self.deadline)
        #expect(outcome.failure?.isOperatorFault == true)
        #expect(outcome.failed == 250 && outcome.stored == 0 && outcome.refusals.isEmpty)
        #expect(store.calls.count == 3)
    }

    @Test("a 400 loses only the record at fault", arguments: [true, false])
    func invalid(isNamed: Bool) async throws {
        let store = ScriptedStore { values in
            guard let bad = values.firstIndex(of: "77") else { return nil }
            let place = "Value at 'records.\(bad + 1).member.measureValue' failed to satisfy constraint"
            return TimestreamError(.validation, message: isNamed ? place : "Invalid time for record.", status: 400)
        }
        let outcome = await RecordWriter(store: store).write(try self.plan(100), deadline: self.deadline)
        #expect(outcome.failure == nil)
        #expect(outcome.stored == 99)
        #expect(outcome.refusals.samplesByReason == [.invalidForStore: 1])
        #expect(Set(store.stored).count == 99 && !store.stored.contains("77"))
        #expect(store.calls.count <= (isNamed ? 4 : 17))
    }

    @Test("a store that calls everything invalid costs at most sixteen extra calls a batch")
    func allInvalid() async throws {
        let store = ScriptedStore { _ in TimestreamError(.validation, message: "no", status: 400) }
        let outcome = await RecordWriter(store: store).write(try self.plan(100), deadline: self.deadline)
        #expect(outcome.stored == 0 && outcome.failure == nil)
        #expect(outcome.refusals.samplesByReason == [.invalidForStore: 100])
        #expect(store.calls.count == 17)
    }

    @Test("after a failure no new call is started, and every sample is stored, refused or failed")
    func failure() async throws {
        let store = ScriptedStore { _ in TimestreamError(.throttling, message: "slow down", status: 429) }
        let outcome = await RecordWriter(store: store).write(try self.plan(5_000), deadline: self.deadline)
        #expect(outcome.failure?.code == .throttling)
        #expect(outcome.failed == 5_000)
        #expect(store.calls.count == RecordWriter.concurrentCalls)
    }

    @Test("an operator's fault outweighs a time-out that came with it")
    func operatorFault() async throws {
        let store = ScriptedStore { values in
            values.contains("5")
                ? TimestreamError(.accessDenied, message: "", status: 403) : TimestreamError(.timedOut, message: "")
        }
        let outcome = await RecordWriter(store: store).write(try self.plan(300), deadline: self.deadline)
        #expect(outcome.failure?.code == .accessDenied)
    }

    @Test(
        "the record that a message names",
        arguments: [
            ("Value 'x' at 'records.12.member.time' failed", 12), ("records.1.member", 1), ("records.", nil),
            ("records.x.member", nil), ("records.99999999999999999999.member", nil), ("", nil),
        ] as [(String, Int?)]
    )
    func namedRecord(message: String, expected: Int?) {
        #expect(RecordWriter.namedRecord(in: message) == expected)
    }
}
