import Common
import HTTPTypes
import Logging
import TenantAccess
import TenantConfiguration
import TimestreamModel
import Translator

/// Answers an admitted remote read request whose body has arrived.
struct ReadHandler: Sendable {
    let tenant: TenantService
    let table: TenantTable
    let requestID: String
    let logger: Logger

    /// As the client compares it, blank included.
    private static let streamType = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"

    /// - Parameter memory: grows by what the results take, and must be kept until the answer is complete.
    func answer(_ body: [UInt8], memory: BytesLease, deadline: ContinuousClock.Instant) async -> OutgoingResponse {
        let limits = self.tenant.settings.limits
        do throws(ReadError) {
            let answer = try await self.table.reader.read(
                body,
                from: self.table.store,
                limits: ReadLimits(maxSamples: limits.maxSamplesPerRead, maxSeries: limits.maxSeriesPerRead),
                deadline: deadline,
                reserve: { byteCount throws(ReadError) in
                    do throws(AccessRefusal) {
                        try memory.grow(by: byteCount)
                    } catch { throw .overMemory(isForGood: error.reason == .overAllBytesInFlight) }
                }
            )
            switch answer {
            case .samples(let body, let counts):
                self.note(counts)
                return OutgoingResponse(
                    status: .ok,
                    headerFields: [.contentType: "application/x-protobuf", .contentEncoding: "snappy"],
                    body: body
                )
            case .stream(let stream):
                return OutgoingResponse(status: .ok, headerFields: [.contentType: Self.streamType]) { sink in
                    try await self.write(stream, to: sink)
                }
            }
        } catch {
            return self.failure(error)
        }
    }

    private func write(_ stream: StreamedRead, to sink: any OutgoingBodySink) async throws {
        do {
            let counts = try await stream.write { try await sink.write($0) }
            self.note(counts)
        } catch let error as ReadError {
            // Too late for a status: the peer sees a body that is not complete.
            if case .store(let failure) = error {
                guard failure.code != .cancelled else { throw error }
                self.note(failure)
            } else {
                self.tenant.faults.note(brokenRead: error, in: self.logged)
            }
            self.tenant.metrics.brokenReads.increment()
            throw error
        }
    }

    private func failure(_ error: ReadError) -> OutgoingResponse {
        switch error {
        case .store(let failure):
            self.note(failure)
            let told = StoreFailure(failure, isCallers: self.table.isCallers)
            let status: HTTPResponse.Status = failure.code == .timedOut ? .gatewayTimeout : .serviceUnavailable
            return told.answer(status, self.line(told.words))
        case .malformedBody(.decodedTooLarge):
            return .text(.contentTooLarge, self.line(error.description))
        case .overMemory(isForGood: false):
            return .text(.serviceUnavailable, self.line(error.description), headerFields: [.retryAfter: "1"])
        default:
            return .text(.badRequest, self.line(error.description))
        }
    }

    private func note(_ counts: ReadCounts) {
        self.tenant.metrics.note(counts)
        self.tenant.faults.note(counts, in: self.logged)
    }

    private func note(_ failure: TimestreamError) {
        self.tenant.faults.note(StoreFailure(failure, isCallers: self.table.isCallers), in: self.logged)
    }

    private var logged: FaultLog.Request {
        FaultLog.Request(tenant: self.tenant.settings.id, id: self.requestID, logger: self.logger)
    }

    private func line(_ message: String) -> String {
        AnswerLine.make(message, tenant: self.tenant.settings.id, requestID: self.requestID)
    }
}
