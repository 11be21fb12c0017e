import Common
import HTTPTypes
import Logging
import TenantAccess
import TenantConfiguration
import Translator

/// One admitted request: its body, its memory, and its way through the translator.
struct Exchange: Sendable {
    /// Memory that translating a body usually takes, for each decoded byte. What takes more is reserved as it is found.
    private static let usualMemoryFactor = 3
    /// What even the smallest body may take.
    private static let leastMemoryBytes = 64 << 10
    /// A read request is a few matchers; Prometheus' own server takes up to 32 MiB, Mimir 1 MiB.
    private static let maximumReadRequestBytes = 1 << 20

    /// Beyond what read requests usually have, the memory that their matchers may take for each decoded byte: regular
    /// expressions of many short alternatives take the most.
    private static let largeReadMemoryFactor = 192
    private static let usualReadRequestBytes = 4 << 10

    let access: AccessControl
    let proven: ProvenTenant
    let tenant: TenantService
    let table: TenantTable
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
        /// The request's deadline has passed before anything was sent.
        case late
    }

    func write(_ request: IncomingRequest) async -> OutgoingResponse {
        let start = ContinuousClock.now
        self.tenant.metrics.writeRequests.increment()
        defer { self.tenant.metrics.writeDuration.observe(ContinuousClock.now - start) }
        let version: WriteProtocol
        do {
            version = try MediaType.checkWrite(request.head.headerFields)
        } catch {
            return self.answer(.mediaType(error))
        }
        do {
            return try await self.store(request, version)
        } catch {
            var answer = self.answer(error)
            if case .content = error {
                answer.headerFields.append(contentsOf: WrittenCounts.none.headerFields(version))
            }
            return answer
        }
    }

    func read(_ request: IncomingRequest) async -> OutgoingResponse {
        let start = ContinuousClock.now
        self.tenant.metrics.readRequests.increment()
        let response: OutgoingResponse
        do {
            response = try await self.query(request)
        } catch {
            response = self.answer(error)
        }
        let duration = self.tenant.metrics.readDuration
        return response.whenComplete { duration.observe(ContinuousClock.now - start) }
    }

    private func store(
        _ request: IncomingRequest,
        _ version: WriteProtocol
    ) async throws(Failure) -> OutgoingResponse {
        let (body, lease) = try await self.collect(request.body, limitBytes: self.limits.maxBodyBytes)
        defer { lease.release() }
        let handler = WriteHandler(
            tenant: self.tenant,
            table: self.table,
            version: version,
            requestID: self.requestID,
            logger: self.logger
        )
        let plan = try await self.plan(body, handler, lease)
        let remaining = self.deadline - ContinuousClock.now
        guard remaining > .zero else { throw .late }
        do throws(AccessRefusal) {
            try await self.access.admitSamples(
                plan.counts.samples + plan.counts.histograms,
                self.proven,
                within: remaining
            )
        } catch { throw .access(error) }
        return await handler.send(plan, deadline: self.deadline)
    }

    private func query(_ request: IncomingRequest) async throws(Failure) -> OutgoingResponse {
        do throws(MediaType.Unsupported) {
            try MediaType.checkRead(request.head.headerFields)
        } catch { throw .mediaType(error) }
        let limit = min(Self.maximumReadRequestBytes, self.limits.maxBodyBytes)
        let (body, lease) = try await self.collect(request.body, limitBytes: limit)
        do throws(Failure) {
            return try await self.query(body, lease, limitBytes: limit).whenComplete { lease.release() }
        } catch {
            lease.release()
            throw error
        }
    }

    /// - Parameter lease: grows by what the results take, and is needed until the answer is complete.
    private func query(
        _ body: [UInt8],
        _ lease: BytesLease,
        limitBytes: Int
    ) async throws(Failure) -> OutgoingResponse {
        let declaredBytes: Int
        do throws(ProtocolError) {
            declaredBytes = try SnappyBlock.declaredSize(of: body, limitBytes: limitBytes)
        } catch { throw .content(error) }
        let unusualBytes = max(0, declaredBytes - Self.usualReadRequestBytes)
        try self.grow(lease, by: declaredBytes + unusualBytes * Self.largeReadMemoryFactor)
        guard ContinuousClock.now < self.deadline else { throw .late }
        let handler = ReadHandler(
            tenant: self.tenant,
            table: self.table,
            requestID: self.requestID,
            logger: self.logger
        )
        return await handler.answer(body, memory: lease, deadline: self.deadline)
    }

    // MARK: Bodies

    /// Reads the body into memory that is reserved before: what it declares; of a body that declares nothing, what it may
    /// have at most, until it is there.
    private func collect(
        _ body: any IncomingBody,
        limitBytes: Int
    ) async throws(Failure) -> (bytes: [UInt8], lease: BytesLease) {
        if let declared = body.declaredLength, declared > limitBytes {
            throw .body(.tooLarge(limitBytes: limitBytes, declared: declared))
        }
        let lease: BytesLease
        do throws(AccessRefusal) {
            lease = try self.access.reserveBytes(body.declaredLength ?? limitBytes, self.proven)
        } catch { throw .access(error) }
        do throws(IncomingBodyError) {
            let bytes = try await body.collect(limitBytes: limitBytes)
            lease.shrink(to: bytes.count)
            return (bytes, lease)
        } catch {
            lease.release()
            throw .body(error)
        }
    }

    /// Decodes a body and plans its calls, in memory that is reserved before; then keeps what the plan needs.
    private func plan(
        _ body: [UInt8],
        _ handler: WriteHandler,
        _ lease: BytesLease
    ) async throws(Failure) -> WritePlan {
        let declaredBytes: Int
        do throws(ProtocolError) {
            declaredBytes = try SnappyBlock.declaredSize(of: body, limitBytes: self.limits.maxDecodedBytes)
        } catch { throw .content(error) }
        do throws(AccessRefusal) {
            let remaining = self.deadline - ContinuousClock.now
            try await self.access.admitDecodedBytes(declaredBytes, self.proven, within: remaining)
        } catch { throw .access(error) }
        var memoryBytes = declaredBytes * Self.usualMemoryFactor + Self.leastMemoryBytes
        try self.grow(lease, by: declaredBytes + memoryBytes)
        var isInline = declaredBytes <= WriteHandler.inlineBytes
        let decoded: [UInt8]
        do throws(ProtocolError) {
            decoded = try await handler.decode(body, inline: isInline)
        } catch { throw .content(error) }
        await self.table.dimensions.prepare(self.table.store, deadline: self.deadline)
        while true {
            let plan: WritePlan?
            do throws(ProtocolError) {
                plan = try await handler.plan(decoded, memoryLimitBytes: memoryBytes, inline: isInline)
            } catch {
                guard case .overMemory = error, memoryBytes < WritePlan.maximumMemoryBytes else {
                    throw .content(error)
                }
                plan = nil
            }
            if let plan {
                try self.grow(lease, by: plan.memoryBytes - lease.byteCount)
                lease.shrink(to: plan.memoryBytes)
                return plan
            }
            // Many small samples: few bodies come here, and none more than a few times.
            try self.grow(lease, by: memoryBytes * 3)
            memoryBytes *= 4
            isInline = false
        }
    }

    /// Does nothing if `byteCount` is negative.
    private func grow(_ lease: BytesLease, by byteCount: Int) throws(Failure) {
        do throws(AccessRefusal) {
            try lease.grow(by: byteCount)
        } catch { throw .access(error) }
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
        case .late:
            let line = "the request's deadline (request_deadline) passed before anything was sent; repeat the request"
            return .text(
                .serviceUnavailable,
                AnswerLine.make(line, tenant: self.tenant.settings.id, requestID: self.requestID),
                headerFields: [.retryAfter: "5"]
            )
        }
    }

    private func bodyFailure(_ error: IncomingBodyError) -> OutgoingResponse {
        switch error {
        case .tooLarge(let limit, let declared):
            let found = declared.map { "\($0) bytes" } ?? "a longer body"
            let message = "the body may have \(limit) bytes (max_body_bytes), found \(found)"
            return self.text(.contentTooLarge, "\(message); \(Self.smallerBatches(declared, limit))")
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
            return self.text(.contentTooLarge, "\(message); \(Self.smallerBatches(declared, limit))")
        case .overMemory:
            return self.text(.contentTooLarge, "\(error.description); \(Self.smallerBatches(nil, 1))")
        default:
            return self.text(.badRequest, "\(error.description); nothing was stored")
        }
    }

    /// What the sender's operator can do about a body of `size` bytes. How many samples it has is not known.
    private static func smallerBatches(_ size: Int?, _ limit: Int) -> String {
        let remedy = "in the sender's queue_config"
        guard let size, limit > 0 else { return "lower max_samples_per_send \(remedy)" }
        let parts = size / limit + (size % limit == 0 ? 0 : 1)
        // Older versions have a default of 500, and never come here with it.
        let fitting = max(1, 2_000 / parts)
        return "divide max_samples_per_send \(remedy) by \(parts) (\(fitting) if it has its default of 2000)"
    }

    private func text(_ status: HTTPResponse.Status, _ message: String) -> OutgoingResponse {
        .text(status, AnswerLine.make(message, tenant: self.tenant.settings.id, requestID: self.requestID))
    }
}
