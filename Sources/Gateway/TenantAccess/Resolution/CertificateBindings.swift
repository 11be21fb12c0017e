import Common
import TenantConfiguration

/// Which tenants a client certificate is bound to.
///
/// A certificate is bound to a tenant if one of its names stands in the tenant's lists, byte for byte, and its verified
/// chain contains a certificate of the CA that counts for the tenant. Both, or a tenant's own CA could issue another
/// tenant's names.
struct CertificateBindings: Sendable {
    private struct Name: Hashable {
        enum Kind: Hashable { case commonName, dnsName, uri, email }
        var kind: Kind
        /// Bytes, because `String` equality would merge canonically equivalent names.
        var bytes: [UInt8]

        init(_ kind: Kind, _ text: String) {
            self.kind = kind
            self.bytes = Array(text.utf8)
        }
    }
    private struct Binding {
        /// The tenant's place in the configuration.
        var tenant: Int
        var authority: CertificateAuthority
    }
    private var bindings: [Name: [Binding]] = [:]
    private var tenantIDs: [String] = []

    init() {}

    /// Binds the names in a tenant's lists.
    mutating func bind(
        _ certificate: AuthenticationSettings.ClientCertificate,
        to tenant: String,
        anchoredIn authority: CertificateAuthority
    ) {
        let binding = Binding(tenant: self.tenantIDs.count, authority: authority)
        self.tenantIDs.append(tenant)
        var names: Set<Name> = []
        names.formUnion(certificate.subjectCommonNames.map { Name(.commonName, $0) })
        names.formUnion(certificate.dnsNames.map { Name(.dnsName, $0) })
        names.formUnion(certificate.uris.map { Name(.uri, $0) })
        names.formUnion(certificate.emails.map { Name(.email, $0) })
        for name in names {
            self.bindings[name, default: []].append(binding)
        }
    }

    /// The ids of the tenants the identity is bound to, each once, in configuration order.
    func tenants(of identity: PeerIdentity) -> [String] {
        guard !self.bindings.isEmpty else { return [] }
        var found: Set<Int> = []
        let collect = { (name: Name) in
            for binding in self.bindings[name] ?? [] where binding.authority.anchors(identity.chainDigests) {
                found.insert(binding.tenant)
            }
        }
        if let commonName = identity.commonName { collect(Name(.commonName, commonName)) }
        for name in identity.dnsNames { collect(Name(.dnsName, name)) }
        for name in identity.uris { collect(Name(.uri, name)) }
        for name in identity.emails { collect(Name(.email, name)) }
        return found.sorted().map { self.tenantIDs[$0] }
    }
}
