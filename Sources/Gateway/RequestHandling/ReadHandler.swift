import Common
import HTTPTypes
import Logging
import TenantConfiguration
import TimestreamModel
import Translator

/// Answers an admitted remote read request whose body has arrived.
struct ReadHandler: Sendable {
    let tenant: TenantService
    let requestID: String
    let logger: Logger

    func answer(_ body: [UInt8], deadline: ContinuousClock.Instant) async -> OutgoingResponse {
        let limits = self.tenant.settings.limits
        do throws(ReadError) {
            let answer = try await self.tenant.reader.read(
                body,
                from: self.tenant.store,
                limits: ReadLimits(maxSamples: limits.maxSamplesPerRead, maxSeries: limits.maxSeriesPerRead),
                deadline: deadline
            )
            self.tenant.metrics.readSamples.increment(by: answer.sampleCount)
            return OutgoingResponse(
                status: .ok,
                headerFields: [.contentType: "application/x-protobuf", .contentEncoding: "snappy"],
                body: answer.body
            )
        } catch {
            return self.failure(error)
        }
    }

    private func failure(_ error: ReadError) -> OutgoingResponse {
        guard case .store(let failure) = error else {
            if case .malformedBody(.decodedTooLarge) = error {
                return .text(.contentTooLarge, self.line(error.description))
            }
            return .text(.badRequest, self.line(error.description))
        }
        if failure.code != .cancelled {
            self.tenant.faults.note(
                failure,
                tenant: self.tenant.settings.id,
                requestID: self.requestID,
                logger: self.logger
            )
        }
        let status: HTTPResponse.Status = failure.code == .timedOut ? .gatewayTimeout : .serviceUnavailable
        return StoreFailure.answer(status, failure, self.line(StoreFailure.words(failure)))
    }

    private func line(_ message: String) -> String {
        AnswerLine.make(message, tenant: self.tenant.settings.id, requestID: self.requestID)
    }
}
