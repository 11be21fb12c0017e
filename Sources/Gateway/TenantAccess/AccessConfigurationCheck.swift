import Common
import HTTPTypes
import TenantConfiguration

/// Checks what only OpenSSL, libcrypt and the HTTP vocabulary can check, and collects every problem.
struct AccessConfigurationCheck {
    private(set) var problems: [ConfigurationProblem] = []
    private let configuration: GatewayConfiguration
    /// Each CA file is read once; `nil`: it cannot be used, and that was reported.
    private var authorities: [String: CertificateAuthority?] = [:]

    init(_ configuration: GatewayConfiguration) {
        self.configuration = configuration
    }

    private mutating func report(_ path: String, _ message: String, remedy: String, file: String = "configuration") {
        self.problems.append(
            ConfigurationProblem(file: file, line: nil, column: nil, path: path, message: message, remedy: remedy)
        )
    }

    mutating func makeResolver() -> TenantResolver {
        let routing = self.configuration.routing
        let header = routing.header.isEmpty ? nil : HTTPField.Name(routing.header)
        if !routing.header.isEmpty, header == nil {
            self.report("routing.header", "not a header name", remedy: "use letters, digits and -")
        }
        if header == .authorization || header == .cookie || routing.header.hasPrefix(":") {
            self.report("routing.header", "this header has another meaning", remedy: "use X-Scope-OrgID")
        }
        if let tenant = routing.defaultTenant, !self.configuration.tenants.contains(where: { $0.id == tenant }) {
            self.report("routing.default_tenant", "no tenant has this id", remedy: "name a tenant of the file")
        }
        return TenantResolver(
            header: header,
            template: TenantPathTemplate(prefix: routing.pathPrefix, suffix: routing.pathSuffix),
            defaultTenant: routing.defaultTenant,
            bindings: self.makeBindings()
        )
    }

    private mutating func makeBindings() -> CertificateBindings {
        var bindings = CertificateBindings()
        let listenerCA = self.configuration.server.tls?.clientCAPath
        for tenant in self.configuration.tenants {
            guard let certificate = tenant.authentication.clientCertificate else { continue }
            let own = certificate.caPath
            let key = own == nil ? "server.tls.client_ca" : "tenants.\(tenant.id).auth.client_certificate.ca"
            // Without any CA there is no chain to trust: the tenant's certificates then never prove it.
            guard let path = own ?? listenerCA, let authority = self.authority(path, key: key) else { continue }
            bindings.bind(certificate, to: tenant.id, anchoredIn: authority)
        }
        return bindings
    }

    private mutating func authority(_ path: String, key: String) -> CertificateAuthority? {
        if let known = self.authorities[path] { return known }
        do {
            let authority = try CertificateAuthority(pemFile: path)
            self.authorities[path] = .some(authority)
            return authority
        } catch {
            self.report(key, error.message, remedy: "give a PEM file of CA certificates", file: path)
            self.authorities[path] = .some(nil)
            return nil
        }
    }

    mutating func checkPasswordHashes() {
        for tenant in self.configuration.tenants {
            self.checkPasswordHashes(of: tenant.authentication, at: "tenants.\(tenant.id).auth")
        }
        if let operators = self.configuration.server.admin.authentication {
            self.checkPasswordHashes(of: operators, at: "server.admin.auth")
        }
    }

    private mutating func checkPasswordHashes(of settings: AuthenticationSettings, at path: String) {
        for (index, user) in settings.basic.enumerated() {
            guard let problem = PasswordHash.problem(with: user.passwordHash.revealed) else { continue }
            self.report(
                "\(path).basic[\(index)].password_hash",
                problem,
                remedy: "make a bcrypt hash, for example with: htpasswd -nBC 10 USER"
            )
        }
    }
}
