package import Common
import HTTPTypes
package import Logging
import Synchronization
package import TenantAccess

/// The data listener's routes: from a request's head to its answer.
///
/// In this order, each step only after the one before: route, tenant, proof, rate and concurrency; then the body, held to
/// the tenant's size and to the process' bytes in flight; then the translator.
package final class GatewayResponder: HTTPResponder {
    private let access: AccessControl
    private let tenants: [String: TenantService]
    private let metrics: RequestMetrics
    private let logger: Logger
    private let draining = Atomic<Bool>(false)

    package init(access: AccessControl, tenants: [TenantService], metrics: MetricRegistry, logger: Logger) {
        self.access = access
        self.tenants = Dictionary(uniqueKeysWithValues: tenants.map { ($0.settings.id, $0) })
        self.metrics = RequestMetrics(metrics)
        self.logger = logger
    }

    /// Answers `/-/ready` with 503 from now on, so that load balancers send nothing more.
    package func beginDraining() {
        self.draining.store(true, ordering: .relaxed)
    }

    package var isReady: Bool { !self.draining.load(ordering: .relaxed) }

    package func respond(to request: IncomingRequest) async -> OutgoingResponse {
        let start = ContinuousClock.now
        let path = request.head.path?.prefix { $0 != "?" } ?? ""
        let requestID = RequestID.make()
        let (route, response) = await self.answer(request, path: path, start: start, requestID: requestID)
        let duration = ContinuousClock.now - start
        self.metrics.note(route: route, status: response.status.code, duration: duration)
        self.logger.debug(
            "request",
            metadata: [
                LogKey.requestID: .string(requestID),
                LogKey.route: .string(route?.rawValue ?? "none"),
                LogKey.peerAddress: .string(request.peer.address),
                "status": .stringConvertible(response.status.code),
                LogKey.durationSeconds: .stringConvertible(duration / .seconds(1)),
            ]
        )
        return response
    }

    private func answer(
        _ request: IncomingRequest,
        path: Substring,
        start: ContinuousClock.Instant,
        requestID: String
    ) async -> (Route?, OutgoingResponse) {
        let plainRoute = Route(path: path)
        if let plainRoute, !plainRoute.needsTenant {
            return (plainRoute, self.health(plainRoute, request.head.method))
        }
        let candidate: TenantCandidate
        do throws(AccessRefusal) {
            candidate = try self.access.resolve(request.head, peer: request.peer)
        } catch {
            // A path that is none of ours is that first; it needs no tenant to be told so.
            if plainRoute == nil, error.reason == .noTenant { return (nil, self.notFound(requestID)) }
            return (plainRoute, self.refusal(error, requestID: requestID))
        }
        guard let route = Route(path: candidate.route), route.needsTenant else {
            return (nil, self.notFound(requestID))
        }
        guard request.head.method == .post else {
            let line = AnswerLine.make("this path takes \(route.allow)", requestID: requestID)
            return (route, .text(.methodNotAllowed, line, headerFields: [.allow: route.allow]))
        }
        do throws(AccessRefusal) {
            let proven = try await self.access.prove(candidate, head: request.head)
            guard let tenant = self.tenants[proven.id] else {
                preconditionFailure("a tenant that may be proven has a service")
            }
            let exchange = Exchange(
                access: self.access,
                proven: proven,
                tenant: tenant,
                requestID: requestID,
                deadline: start + proven.settings.limits.requestDeadline,
                logger: self.logger
            )
            switch route {
            case .write:
                let admission = try await self.access.admit(proven, .write)
                defer { admission.release() }
                return (route, await exchange.write(request))
            default:
                let admission = try await self.access.admit(proven, .read)
                defer { admission.release() }
                return (route, await exchange.read(request))
            }
        } catch {
            return (route, self.refusal(error, requestID: requestID))
        }
    }

    private func health(_ route: Route, _ method: HTTPRequest.Method) -> OutgoingResponse {
        guard method == .get || method == .head else {
            return .text(.methodNotAllowed, "this path takes \(route.allow)", headerFields: [.allow: route.allow])
        }
        if route == .ready, !self.isReady { return .text(.serviceUnavailable, "draining") }
        return .text(.ok, route == .ready ? "ready" : "healthy")
    }

    private func notFound(_ requestID: String) -> OutgoingResponse {
        let message = "no such path; remote write is /api/v1/write, remote read is /api/v1/read"
        return .text(.notFound, AnswerLine.make(message, requestID: requestID))
    }

    private func refusal(_ refusal: AccessRefusal, requestID: String) -> OutgoingResponse {
        .refusal(refusal, AnswerLine.make(refusal.message, requestID: requestID))
    }
}

extension OutgoingResponse {
    static func refusal(_ refusal: AccessRefusal, _ line: String) -> OutgoingResponse {
        var fields = refusal.headerFields
        if refusal.closesConnection { fields[.connection] = "close" }
        return .text(HTTPResponse.Status(code: refusal.status), line, headerFields: fields)
    }
}
