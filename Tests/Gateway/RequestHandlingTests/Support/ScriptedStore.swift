import Common
import Foundation
import TimestreamModel

/// A store that answers as it is told, and keeps what it was sent.
final class ScriptedStore: TimestreamStore {
    private struct State {
        var bodies: [[UInt8]] = []
        var statements: [String] = []
        var onWrite: @Sendable (_ values: [String]) async -> TimestreamError? = { _ in nil }
        var onQuery: @Sendable (_ statement: String) -> Result<QueryPage, TimestreamError> = { _ in
            .failure(TimestreamError(.unknownOperation, message: "not asked for"))
        }
    }
    private let state = Locked(State())

    /// What `writeRecords` ends in, from the measure values of the call's records; nil: all acknowledged.
    func onWrite(_ answer: @escaping @Sendable (_ values: [String]) async -> TimestreamError?) {
        self.state.withLock { $0.onWrite = answer }
    }

    func onQuery(_ answer: @escaping @Sendable (_ statement: String) -> Result<QueryPage, TimestreamError>) {
        self.state.withLock { $0.onQuery = answer }
    }

    /// The measure values of each call, by an independent JSON parser.
    var calls: [[String]] { self.state.withLock { $0.bodies }.map(Self.values) }
    var statements: [String] { self.state.withLock { $0.statements } }
    /// Those that read series: a tenant's first write asks for the table's columns as well.
    var queries: [String] { self.statements.filter { !$0.hasPrefix("DESCRIBE ") && !$0.hasSuffix(" LIMIT 1") } }

    private static func values(_ body: [UInt8]) -> [String] {
        let json = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        let records = json?["Records"] as? [[String: Any]] ?? []
        return records.map { $0["MeasureValue"] as? String ?? "" }
    }

    func writeRecords(body: FrozenBytes, deadline: ContinuousClock.Instant) async throws(TimestreamError) {
        let bytes = body.array
        let answer = self.state.withLock { state in
            state.bodies.append(bytes)
            return state.onWrite
        }
        if let error = await answer(Self.values(bytes)) { throw error }
    }

    func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        let answer = self.state.withLock { state in
            state.statements.append(statement)
            return state.onQuery
        }
        return try answer(statement).get()
    }

    func cancelQuery(id: String) async {}
}
