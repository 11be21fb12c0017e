import Common
import HTTPTypes
import TenantConfiguration

/// Whether a request may see the operators' pages, by `server.admin.auth`.
struct OperatorAccess: Sendable {
    /// Whom the remembered passwords are for. No tenant can have this name, so none of theirs opens these pages.
    private static let name = "server.admin.auth of the gateway"

    private let credentials: TenantCredentials
    private let proof: CredentialProof
    private let refused: [AccessRefusal.Reason: MetricCounter]

    init(_ settings: AuthenticationSettings, proof: CredentialProof, metrics: MetricRegistry) {
        self.credentials = TenantCredentials(settings)
        self.proof = proof
        var refused: [AccessRefusal.Reason: MetricCounter] = [:]
        for reason: AccessRefusal.Reason in [
            .noCredentials, .malformedCredentials, .wrongCredentials, .passwordQueueFull, .passwordFailures, .cancelled,
        ] {
            refused[reason] = metrics.counter(
                "gateway_admin_refused_total",
                help: "Requests to the admin listener that were refused for want of proof, by reason.",
                labels: [("reason", reason.rawValue)]
            )
        }
        self.refused = refused
    }

    func prove(_ fields: HTTPFields, source: String) async throws(AccessRefusal) {
        do throws(AccessRefusal) {
            let shown = try await self.proof.check(fields, for: Self.name, self.credentials, source: source)
            guard
                self.credentials.areProven(
                    certificate: false,
                    basic: shown.isBasicProven,
                    bearer: shown.isBearerProven
                )
            else { throw .operatorUnauthorized(.wrongCredentials) }
        } catch {
            self.refused[error.reason]?.increment()
            throw error.status == 401 ? .operatorUnauthorized(error.reason) : error
        }
    }
}
