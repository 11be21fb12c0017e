import Common
import HTTPTypes
import Logging
import TenantAccess
import TenantConfiguration
import Translator

/// One admitted request: its body, its memory, and its way through the translator.
struct Exchange: Sendable {
    /// What a decoded byte costs beside itself while it is translated: the flat arrays and the bodies under way.
    private static let translationFactor = 3
    /// A read request is a few matchers; Prometheus' own server takes up to 32 MiB, Mimir 1 MiB.
    private static let maximumReadRequestBytes = 1 << 20

    let access: AccessControl
    let proven: ProvenTenant
    let tenant: TenantService
    let requestID: String
    let deadline: ContinuousClock.Instant
    let logger: Logger

    private var limits: TenantLimits { self.proven.settings.limits }

    /// What can end a request before the translator has answered it.
    private enum Failure: Error {
        case mediaType(MediaType.Unsupported)
        case access(AccessRefusal)
        case body(IncomingBodyError)
        case content(ProtocolError)
    }

    func write(_ request: IncomingRequest) async -> OutgoingResponse {
        let start = ContinuousClock.now
        self.tenant.metrics.writeRequests.increment()
        defer { self.tenant.metrics.writeDuration.observe(ContinuousClock.now - start) }
        do {
            return try await self.store(request)
        } catch {
            return self.answer(error)
        }
    }

    func read(_ request: IncomingRequest) async -> OutgoingResponse {
        let start = ContinuousClock.now
        self.tenant.metrics.readRequests.increment()
        defer { self.tenant.metrics.readDuration.observe(ContinuousClock.now - start) }
        do {
            return try await self.query(request)
        } catch {
            return self.answer(error)
        }
    }

    private func store(_ request: IncomingRequest) async throws(Failure) -> OutgoingResponse {
        do throws(MediaType.Unsupported) {
            try MediaType.checkWrite(request.head.headerFields)
        } catch { throw .mediaType(error) }
        let limit = self.limits.maxBodyBytes
        let lease = try self.reserve(request.body, limitBytes: limit)
        defer { lease.release() }
        let body = try await self.collect(request.body, limitBytes: limit)

        let declaredBytes: Int
        do throws(ProtocolError) {
            declaredBytes = try SnappyBlock.declaredSize(of: body, limitBytes: self.limits.maxDecodedBytes)
        } catch { throw .content(error) }
        do throws(AccessRefusal) {
            try lease.grow(by: declaredBytes * Self.translationFactor)
        } catch { throw .access(error) }

        let handler = WriteHandler(tenant: self.tenant, requestID: self.requestID, logger: self.logger)
        let plan: WritePlan
        do throws(ProtocolError) {
            plan = try await handler.plan(body, declaredBytes: declaredBytes)
        } catch { throw .content(error) }
        do throws(AccessRefusal) {
            try await self.access.admitSamples(plan.counts.samples, self.proven)
        } catch { throw .access(error) }
        return await handler.send(plan, deadline: self.deadline)
    }

    private func query(_ request: IncomingRequest) async throws(Failure) -> OutgoingResponse {
        do throws(MediaType.Unsupported) {
            try MediaType.checkRead(request.head.headerFields)
        } catch { throw .mediaType(error) }
        let limit = min(Self.maximumReadRequestBytes, self.limits.maxBodyBytes)
        let lease = try self.reserve(request.body, limitBytes: limit)
        defer { lease.release() }
        let body = try await self.collect(request.body, limitBytes: limit)
        let handler = ReadHandler(tenant: self.tenant, requestID: self.requestID, logger: self.logger)
        return await handler.answer(body, deadline: self.deadline)
    }

    /// Reserves what the body declares; of a body that declares nothing, what it may have at most.
    private func reserve(_ body: any IncomingBody, limitBytes: Int) throws(Failure) -> BytesLease {
        do throws(AccessRefusal) {
            return try self.access.reserveBytes(min(body.declaredLength ?? limitBytes, limitBytes), self.proven)
        } catch { throw .access(error) }
    }

    private func collect(_ body: any IncomingBody, limitBytes: Int) async throws(Failure) -> [UInt8] {
        do throws(IncomingBodyError) {
            return try await body.collect(limitBytes: limitBytes)
        } catch { throw .body(error) }
    }

    // MARK: Refusals

    private func answer(_ failure: Failure) -> OutgoingResponse {
        switch failure {
        case .mediaType(let error):
            return self.text(.unsupportedMediaType, error.message)
        case .access(let refusal):
            let line = AnswerLine.make(refusal.message, tenant: self.tenant.settings.id, requestID: self.requestID)
            return .refusal(refusal, line)
        case .body(let error):
            return self.bodyFailure(error)
        case .content(let error):
            return self.protocolFailure(error)
        }
    }

    private func bodyFailure(_ error: IncomingBodyError) -> OutgoingResponse {
        switch error {
        case .tooLarge(let limit, let declared):
            let found = declared.map { "\($0) bytes" } ?? "a longer body"
            let message = "the body may have \(limit) bytes (max_body_bytes), found \(found); \(Self.smallerBatches)"
            return self.text(.contentTooLarge, message)
        case .timedOut:
            return self.text(.requestTimeout, "the body did not arrive in time")
        case .disconnected:
            // Nobody is there to read it; counted all the same.
            return self.text(.requestTimeout, "the body ended before it was complete")
        }
    }

    private func protocolFailure(_ error: ProtocolError) -> OutgoingResponse {
        switch error {
        case .decodedTooLarge(let declared, let limit):
            let message = "the body may have \(limit) decoded bytes (max_decoded_bytes), it declares \(declared)"
            return self.text(.contentTooLarge, "\(message); \(Self.smallerBatches)")
        default:
            return self.text(.badRequest, "\(error.description); nothing was stored")
        }
    }

    private static let smallerBatches = "lower max_samples_per_send in the sender's queue_config"

    private func text(_ status: HTTPResponse.Status, _ message: String) -> OutgoingResponse {
        .text(status, AnswerLine.make(message, tenant: self.tenant.settings.id, requestID: self.requestID))
    }
}
