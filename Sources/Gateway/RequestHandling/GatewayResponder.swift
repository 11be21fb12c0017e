package import Common
import HTTPTypes
package import Logging
import Synchronization
package import TenantAccess
import TenantConfiguration

/// The data listener's routes: from a request's head to its answer.
///
/// In this order, each step only after the one before: route, tenant, proof, rate and concurrency; then the body, held to
/// the tenant's size and to the process' bytes in flight; then the translator.
package final class GatewayResponder: HTTPResponder {
    private let snapshot: Locked<GatewaySnapshot>
    private let metrics: RequestMetrics
    private let logger: Logger
    private let draining = Atomic<Bool>(false)

    package init(snapshot: GatewaySnapshot, metrics: MetricRegistry, logger: Logger) {
        self.snapshot = Locked(snapshot)
        self.metrics = RequestMetrics(metrics)
        self.logger = logger
    }

    /// What requests that come now are served by.
    package var current: GatewaySnapshot { self.snapshot.withLock { $0 } }

    /// Takes a new configuration for the requests that come; those under way keep theirs.
    package func replace(with snapshot: GatewaySnapshot) {
        // The old one is let go outside of the lock.
        _ = self.snapshot.withLock { current in
            let old = current
            current = snapshot
            return old
        }
    }

    /// Answers `/-/ready` and requests for tenants with 503 from now on, so that load balancers and senders turn to
    /// another instance. Requests that were let in before are served to their end.
    package func beginDraining() {
        self.draining.store(true, ordering: .relaxed)
    }

    package var isReady: Bool { !self.draining.load(ordering: .relaxed) }

    package func respond(to request: IncomingRequest) async -> OutgoingResponse {
        let start = ContinuousClock.now
        let requestID = RequestID.make()
        let snapshot = self.current
        let target = snapshot.access.target(of: request.head)
        let route = Route(path: target.route).flatMap { $0.needsTenant || !target.isTenantPath ? $0 : nil }
        let response = await self.answer(request, snapshot, target, route, start: start, requestID: requestID)
        let status = response.status.code
        return response.whenComplete { [metrics, logger] in
            let duration = ContinuousClock.now - start
            metrics.note(route: route, status: status, duration: duration)
            logger.debug(
                "request",
                metadata: [
                    LogKey.requestID: .string(requestID),
                    LogKey.route: .string(route?.rawValue ?? "none"),
                    LogKey.peerAddress: .string(request.peer.address),
                    "status": .stringConvertible(status),
                    LogKey.durationSeconds: .stringConvertible(duration / .seconds(1)),
                ]
            )
        }
    }

    private func answer(
        _ request: IncomingRequest,
        _ snapshot: GatewaySnapshot,
        _ target: RequestTarget,
        _ route: Route?,
        start: ContinuousClock.Instant,
        requestID: String
    ) async -> OutgoingResponse {
        guard let route else {
            let message = "no such path; remote write is /api/v1/write, remote read is /api/v1/read"
            return .text(.notFound, AnswerLine.make(message, requestID: requestID))
        }
        guard route.methods.contains(request.head.method) else {
            let line = AnswerLine.make("this path takes \(route.allow)", requestID: requestID)
            return .text(.methodNotAllowed, line, headerFields: [.allow: route.allow])
        }
        switch route {
        case .healthy: return .text(.ok, "healthy")
        case .ready: return self.isReady ? .text(.ok, "ready") : .text(.serviceUnavailable, "draining")
        case .write, .read: break
        }
        guard self.isReady else {
            let line = AnswerLine.make("the gateway stops; repeat the request", requestID: requestID)
            return .text(.serviceUnavailable, line, headerFields: [.retryAfter: "5", .connection: "close"])
        }
        do throws(AccessRefusal) {
            let candidate = try snapshot.access.resolve(target, head: request.head, peer: request.peer)
            let proven = try await snapshot.access.prove(candidate, head: request.head)
            guard let tenant = snapshot.tenants[proven.id] else {
                preconditionFailure("checked by the snapshot: every tenant has a service")
            }
            let deadline = start + proven.settings.limits.requestDeadline
            let kind: RequestKind = route == .write ? .write : .read
            let admission = try await snapshot.access.admit(proven, kind, within: deadline - ContinuousClock.now)
            let exchange = Exchange(
                access: snapshot.access,
                proven: proven,
                tenant: tenant,
                table: tenant.table(of: proven),
                requestID: requestID,
                deadline: deadline,
                logger: self.logger
            )
            let response =
                switch kind {
                case .write: await exchange.write(request)
                case .read: await exchange.read(request)
                }
            return response.whenComplete { admission.release() }
        } catch {
            if Self.mayBeRight(error, request.peer, snapshot) {
                let message = "the configuration is being changed; repeat the request"
                let line = AnswerLine.make(message, requestID: requestID)
                return .text(.serviceUnavailable, line, headerFields: [.retryAfter: "1"])
            }
            return .refusal(error, AnswerLine.make(error.message, requestID: requestID))
        }
    }

    /// Whether a caller was refused whose certificate was verified before the rules changed that it was held to. 4xx would
    /// make Prometheus drop samples that it may be right to send.
    private static func mayBeRight(_ refusal: AccessRefusal, _ peer: Peer, _ snapshot: GatewaySnapshot) -> Bool {
        peer.trustGeneration != snapshot.trustGeneration && !peer.isTrustLost && [401, 403].contains(refusal.status)
    }
}

extension OutgoingResponse {
    package static func refusal(_ refusal: AccessRefusal, _ line: String) -> OutgoingResponse {
        var fields = refusal.headerFields
        if refusal.closesConnection { fields[.connection] = "close" }
        return .text(HTTPResponse.Status(code: refusal.status), line, headerFields: fields)
    }
}
