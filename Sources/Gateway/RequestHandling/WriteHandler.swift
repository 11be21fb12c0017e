import Common
import HTTPTypes
import Logging
import TenantAccess
import TenantConfiguration
import Translator

/// Answers an admitted remote write request whose body has arrived.
///
/// The answer follows one rule: while any sample could still be stored by a retry it is 5xx, and 4xx only when every
/// sample that is not stored is refused for good (docs/answers.md).
struct WriteHandler: Sendable {
    /// Bodies of more decoded bytes are translated off the event loop, so that other connections are not held up.
    static let inlineBytes = 1 << 20

    let tenant: TenantService
    let table: TenantTable
    let version: WriteProtocol
    let requestID: String
    let logger: Logger

    /// Decodes a body.
    ///
    /// - Parameter inline: whether it is short enough for the event loop.
    func decode(_ body: [UInt8], inline: Bool) async throws(ProtocolError) -> [UInt8] {
        let limit = self.tenant.settings.limits.maxDecodedBytes
        if inline { return try SnappyBlock.decode(body, limitBytes: limit) }
        return try await Self.decodeElsewhere(body, limitBytes: limit)
    }

    @concurrent
    private static func decodeElsewhere(_ body: [UInt8], limitBytes: Int) async throws(ProtocolError) -> [UInt8] {
        try SnappyBlock.decode(body, limitBytes: limitBytes)
    }

    /// Plans the calls of a decoded body.
    func plan(_ decoded: [UInt8], memoryLimitBytes: Int, inline: Bool) async throws(ProtocolError) -> WritePlan {
        var options = self.table.writeOptions
        options.guards.timestampsMilliseconds = self.tenant.settings.limits.cardinality.times(
            nowMilliseconds: AccessClock.system.unixSeconds() * 1000
        )
        if inline {
            return try WritePlan.plan(
                decoded,
                version: self.version,
                options: options,
                memoryLimitBytes: memoryLimitBytes
            )
        }
        return try await Self.planElsewhere(decoded, self.version, options, memoryLimitBytes: memoryLimitBytes)
    }

    @concurrent
    private static func planElsewhere(
        _ decoded: [UInt8],
        _ version: WriteProtocol,
        _ options: WriteOptions,
        memoryLimitBytes: Int
    ) async throws(ProtocolError) -> WritePlan {
        try WritePlan.plan(decoded, version: version, options: options, memoryLimitBytes: memoryLimitBytes)
    }

    /// Sends the plan's calls and answers.
    func send(_ plan: WritePlan, deadline: ContinuousClock.Instant) async -> OutgoingResponse {
        self.tenant.metrics.note(plan.counts)
        self.tenant.faults.note(plan.counts, in: self.logged)
        self.tenant.metadata.keep(plan.metadata)
        let outcome = await self.table.writer.write(plan, deadline: deadline)
        self.tenant.metrics.note(outcome, repeated: plan.counts.repeatedSamples)
        return self.answer(outcome, plan.counts)
    }

    private func answer(_ outcome: RecordWriter.Outcome, _ counts: WriteCounts) -> OutgoingResponse {
        if let failure = outcome.failure {
            let told = StoreFailure(failure, isCallers: self.table.isCallers)
            self.tenant.faults.note(told, in: self.logged)
            let stored = outcome.stored + outcome.storedHistograms
            let message =
                "\(told.words); \(stored) of \(counts.samples + counts.histograms) samples stored"
                + (told.isForbidden ? "" : ", repeat the request")
            return told.answer(
                .serviceUnavailable,
                AnswerLine.make(message, tenant: self.tenant.settings.id, requestID: self.requestID)
            )
        }
        let written = WrittenCounts(outcome, counts)
        guard outcome.refusals.isEmpty else {
            let stored = outcome.stored + outcome.storedHistograms + counts.repeatedSamples
            let message =
                "stored \(stored) of \(counts.samples + counts.histograms) samples; "
                + "refused: \(outcome.refusals.description)"
            return .text(
                .badRequest,
                AnswerLine.make(message, tenant: self.tenant.settings.id, requestID: self.requestID),
                headerFields: written.headerFields(self.version)
            )
        }
        return OutgoingResponse(status: .noContent, headerFields: written.headerFields(self.version))
    }

    private var logged: FaultLog.Request {
        FaultLog.Request(tenant: self.tenant.settings.id, id: self.requestID, logger: self.logger)
    }
}
