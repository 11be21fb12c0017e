import Common
import HTTPTypes
import Logging
import TenantConfiguration
import TimestreamModel
import Translator

/// Answers an admitted remote write request whose body has arrived.
///
/// The answer follows one rule: while any sample could still be stored by a retry it is 5xx, and 4xx only when every
/// sample that is not stored is refused for good (docs/answers.md).
struct WriteHandler: Sendable {
    /// Bodies of more decoded bytes are translated off the event loop, so that other connections are not held up.
    static let inlineBytes = 1 << 20

    let tenant: TenantService
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
        let options = self.tenant.writeOptions
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
        self.tenant.metadata.keep(plan.metadata)
        let outcome = await self.tenant.writer.write(plan, deadline: deadline)
        self.tenant.metrics.note(outcome, repeated: plan.counts.repeatedSamples)
        return self.answer(outcome, plan.counts)
    }

    private func answer(_ outcome: RecordWriter.Outcome, _ counts: WriteCounts) -> OutgoingResponse {
        if let failure = outcome.failure {
            if failure.code != .cancelled {
                self.tenant.faults.note(
                    failure,
                    tenant: self.tenant.settings.id,
                    requestID: self.requestID,
                    logger: self.logger
                )
            }
            let message =
                "\(StoreFailure.words(failure)); \(outcome.stored + outcome.storedHistograms) of "
                + "\(counts.samples + counts.histograms) samples stored, repeat the request"
            return StoreFailure.answer(
                .serviceUnavailable,
                failure,
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
}

/// How the store's failures are told.
enum StoreFailure {
    /// In words a sender may see: neither the statement nor the service's own text.
    static func words(_ error: TimestreamError) -> String {
        switch error.code {
        case .throttling: "Timestream throttles this table"
        case .timedOut: "Timestream did not answer within the request's deadline"
        case .network: "Timestream cannot be reached"
        case .accessDenied, .signature:
            "Timestream refuses the credentials configured for this tenant; its operator must mend them"
        case .resourceNotFound:
            "the database or table configured for this tenant does not exist; its operator must mend it"
        case .serviceQuotaExceeded: "a Timestream quota is used up; its operator must mend it"
        case .circuitOpen: "Timestream has been failing; it is tried again in a moment"
        case .cancelled: "the request was given up"
        default: "Timestream failed (\(error.code.rawValue))"
        }
    }

    /// An answer with `Retry-After`: when the store can tell, else soon for what passes by itself and later for what a
    /// person has to mend.
    static func answer(_ status: HTTPResponse.Status, _ error: TimestreamError, _ line: String) -> OutgoingResponse {
        .text(status, line, headerFields: [.retryAfter: String(self.retryAfterSeconds(error))])
    }

    private static func retryAfterSeconds(_ error: TimestreamError) -> Int64 {
        guard let known = error.retryAfter else { return error.isOperatorFault ? 30 : 5 }
        let (seconds, attoseconds) = known.components
        return max(1, attoseconds > 0 ? seconds + 1 : seconds)
    }
}
