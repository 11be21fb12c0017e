import Common
import CredentialProviders
import RequestHandling
import RequestSigning
import TLSTransport
import TenantConfiguration

/// A configuration, and everything that was made of it.
struct RunningConfiguration: Sendable {
    var configuration: GatewayConfiguration
    var keyring: LocalKeyring?
    /// By id.
    var tenants: [String: RunningTenant]
    var snapshot: GatewaySnapshot
    /// Absent: plain HTTP.
    var tls: TLSServerContext?

    /// Ends all fetching of credentials.
    func closeCredentials() async {
        await withTaskGroup(of: Void.self) { group in
            for tenant in self.tenants.values {
                guard let source = tenant.access.made?.credentials as? OwnedCredentialSource else { continue }
                group.addTask { await source.close() }
            }
        }
    }
}

/// One tenant as it is served.
struct RunningTenant: Sendable {
    /// The way to a tenant's table.
    struct Access: Sendable {
        var stores: TenantStores
        /// Absent where each caller brings keys of its own.
        var credentials: (any CredentialSource)?
    }

    var service: TenantService
    var access: Deferred<Access>
    /// Its key in the local engine.
    var localKey: AccessKey?

    var settings: TenantSettings { self.service.settings }

    /// Whether the way to the tenant's table is the same under other settings.
    func hasStores(for settings: TenantSettings, localKey: AccessKey?) -> Bool {
        self.settings.region == settings.region && self.settings.writeEndpoint == settings.writeEndpoint
            && self.settings.queryEndpoint == settings.queryEndpoint
            && self.settings.credentials == settings.credentials && self.localKey == localKey
            && self.settings.createMissing == settings.createMissing && self.settings.retries == settings.retries
    }

    /// Whether requests would be served the same; who may make them is not the service's affair.
    func isServed(by settings: TenantSettings) -> Bool {
        self.settings.database == settings.database && self.settings.table == settings.table
            && self.settings.mapping == settings.mapping && self.settings.limits == settings.limits
    }
}
