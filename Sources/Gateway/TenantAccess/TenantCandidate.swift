package import TenantConfiguration

/// What the path of a request says: the route, and which tenant it names, if any.
package struct RequestTarget: Sendable, Equatable {
    enum PathTenant: Sendable, Equatable {
        case absent
        /// Something stands where the tenant belongs that cannot be a tenant id.
        case invalid
        case named(String)
    }

    /// The path to route by: without the tenant's part and without query.
    package let route: String
    let tenant: PathTenant

    /// Whether the path has the shape of a tenant's path, with a valid id or not.
    package var isTenantPath: Bool { self.tenant != .absent }
}

/// The tenant a request claims to act for, before proof. Does not show whether there is such a tenant.
package struct TenantCandidate: Sendable {
    let claimedID: String
    let isProvenByCertificate: Bool
    /// `nil`: no such tenant.
    let tenant: ConfiguredTenant?
    /// Where the request comes from, as `PeerSource` tells it.
    let source: String
}

/// A tenant, and that the caller may act for it; only `AccessControl.prove` makes one.
package struct ProvenTenant: Sendable {
    let tenant: ConfiguredTenant
    /// What the caller showed to sign its calls with; present exactly if the tenant's credentials are `.caller`.
    package var callerKeys: CallerKeys?

    /// As of the configuration under which the request was resolved.
    package var settings: TenantSettings { self.tenant.settings }
    package var id: String { self.tenant.settings.id }
}

/// One tenant of a configuration: its settings, its credentials, and the gate that outlives reloads.
final class ConfiguredTenant: Sendable {
    let settings: TenantSettings
    let credentials: TenantCredentials
    let gate: TenantGate

    init(_ settings: TenantSettings, gate: TenantGate) {
        self.settings = settings
        self.credentials = TenantCredentials(settings.authentication)
        self.gate = gate
    }
}
