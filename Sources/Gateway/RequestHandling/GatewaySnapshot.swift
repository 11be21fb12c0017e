package import TenantAccess
import TenantConfiguration

/// What one configuration means to requests: who may act, and what each tenant is. A request keeps the one it began with.
package struct GatewaySnapshot: Sendable {
    package let access: AccessControl
    package let tenants: [String: TenantService]
    /// The `Peer.trustGeneration` of the requests that it is made for.
    package var trustGeneration = 0

    /// - Parameter tenants: one for each tenant of `access`.
    package init(access: AccessControl, tenants: [TenantService]) {
        self.access = access
        self.tenants = Dictionary(uniqueKeysWithValues: tenants.map { ($0.settings.id, $0) })
        // Found out when it is made, not by the first request.
        precondition(Set(access.tenantIDs) == Set(self.tenants.keys), "every tenant has a service, and no other has")
    }
}
