import Common
import HTTPTypes

/// Decides which tenant a request head speaks of; knows names only, not whether a tenant exists.
///
/// Every source that is present (certificate, header, path) must name the same tenant. A certificate bound to exactly
/// one tenant names it; bound to several it only proves, and header or path must choose among them; bound to none it
/// is no source.
struct TenantResolver: Sendable {
    struct Resolution: Equatable {
        var tenant: String
        /// Whether the client certificate is bound to this tenant.
        var isProvenByCertificate: Bool
    }

    /// `nil`: no header names tenants.
    var header: HTTPField.Name?
    /// `nil`: no path names tenants.
    var template: TenantPathTemplate?
    var defaultTenant: String?
    var bindings: CertificateBindings

    /// What the path of a request says, before anything is decided.
    func target(of head: HTTPRequest) -> RequestTarget {
        // Unicode scalars, not characters: a combining mark after the question mark would hide it.
        let path = Substring((head.path ?? "").unicodeScalars.prefix { $0 != "?" })
        return switch self.template?.match(path) ?? .absent {
        case .absent: RequestTarget(route: String(path), tenant: .absent)
        case .invalid(route: let route): RequestTarget(route: route, tenant: .invalid)
        case .tenant(let tenant, route: let route): RequestTarget(route: route, tenant: .named(tenant))
        }
    }

    /// - Parameter unixSeconds: the time now, to refuse a certificate that expired after the handshake.
    func resolve(
        _ target: RequestTarget,
        _ fields: HTTPFields,
        identity: PeerIdentity?,
        unixSeconds: Int64
    ) throws(AccessRefusal) -> Resolution {
        if let identity, unixSeconds > identity.notAfterSeconds { throw .certificateExpired }
        let named = try self.tenantInHeader(fields)
        var chosen = named
        switch target.tenant {
        case .absent: break
        case .invalid:
            throw AccessRefusal(400, .invalidTenant, "the path does not hold a valid tenant id; \(Self.rule)")
        case .named(let tenant):
            if let named, named != tenant { throw Self.disagreement }
            chosen = tenant
        }

        let bound = identity.map { self.bindings.tenants(of: $0) } ?? []
        if let chosen {
            guard bound.isEmpty || bound.contains(chosen) else { throw Self.disagreement }
            return Resolution(tenant: chosen, isProvenByCertificate: !bound.isEmpty)
        }
        switch bound.count {
        case 0:
            guard let defaultTenant else { throw self.missing("the request names no tenant") }
            return Resolution(tenant: defaultTenant, isProvenByCertificate: false)
        case 1:
            return Resolution(tenant: bound[0], isProvenByCertificate: true)
        default:
            throw self.missing("the client certificate is good for several tenants and the request names none")
        }
    }

    private func tenantInHeader(_ fields: HTTPFields) throws(AccessRefusal) -> String? {
        guard let header else { return nil }
        let values = fields[values: header]
        guard let value = values.first else { return nil }
        guard values.count == 1 else {
            throw AccessRefusal(400, .repeatedTenantHeader, "the header \(header.rawName) came more than once")
        }
        guard TenantID.isValid(value.utf8) else {
            throw AccessRefusal(
                400,
                .invalidTenant,
                "the header \(header.rawName) does not hold a valid tenant id; \(Self.rule)"
            )
        }
        return value
    }

    private static let rule = "ids are 1 to 64 of A-Z a-z 0-9 _ . - and not . or .."

    private static let disagreement = AccessRefusal(
        403,
        .sourcesDisagree,
        "forbidden: header, path and client certificate do not name the same tenant"
    )

    private func missing(_ what: String) -> AccessRefusal {
        let ways = [
            self.header.map { "send the header \($0.rawName)" },
            self.template.map { "use a path like \($0.description)" },
        ]
        let remedy = ways.compactMap(\.self).joined(separator: " or ")
        return AccessRefusal(400, .noTenant, remedy.isEmpty ? what : "\(what): \(remedy)")
    }
}
