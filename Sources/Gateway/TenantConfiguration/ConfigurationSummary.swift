/// What a configuration says, in words and a table, for `timestream-gateway check`.
package enum ConfigurationSummary {
    /// Listeners, store, every tenant with its main limits, and the warnings. Holds no secret.
    package static func text(of configuration: GatewayConfiguration) -> String {
        var lines = Self.processLines(configuration)
        lines.append("")
        lines += Self.table(of: configuration.tenants)
        let count = configuration.tenants.count
        lines.append("")
        lines.append("\(count) tenant\(count == 1 ? "" : "s")")
        if !configuration.warnings.isEmpty {
            lines.append("")
            lines += configuration.warnings.map { "warning: \($0.description)" }
        }
        return lines.joined(separator: "\n")
    }

    // MARK: The process

    private static func processLines(_ configuration: GatewayConfiguration) -> [String] {
        let server = configuration.server
        var listener = "plain HTTP on \(Self.text(of: server.listen))"
        if let tls = server.tls {
            listener = "HTTPS on \(Self.text(of: server.listen)), TLS \(tls.minimumVersion.rawValue) or later, "
            switch tls.clientAuthentication {
            case .none: listener += "no client certificates"
            case .request: listener += "client certificates requested"
            case .require: listener += "client certificates required"
            }
        }
        let routing = configuration.routing
        var tenant = "by client certificate, header \(routing.header) or path "
        tenant += "\(routing.pathPrefix){tenant}\(routing.pathSuffix)/..."
        if let name = routing.defaultTenant { tenant += ", else \(name)" }
        return [
            "listener  \(listener)",
            "admin     \(Self.text(of: server.admin))",
            "backend   \(Self.backend(configuration.timestream))",
            "tenant    \(tenant)",
        ]
    }

    private static func text(of admin: AdminSettings) -> String {
        guard let listen = admin.listen else { return "none" }
        let pages = admin.authentication.map { ", pages for \(Self.proof($0))" } ?? ""
        return "plain HTTP on \(Self.text(of: listen))\(pages)"
    }

    private static func text(of address: ListenAddress) -> String {
        address.host.isEmpty ? "port \(address.port) of all interfaces" : address.description
    }

    private static func backend(_ timestream: TimestreamSettings) -> String {
        switch timestream.backend {
        case .local(let engine):
            return "local engine on \(Self.text(of: engine.listen)), data in \(engine.directory)"
        case .aws:
            var text = "Amazon Timestream"
            if let write = timestream.writeEndpoint { text += ", writes to \(write)" }
            if let query = timestream.queryEndpoint { text += ", queries at \(query)" }
            if timestream.writeEndpoint == nil, timestream.queryEndpoint == nil { text += ", endpoints discovered" }
            if let proxy = timestream.proxy { text += ", through \(proxy)" }
            if let sts = timestream.stsEndpoint { text += ", roles from \(sts)" }
            if let metadata = timestream.metadataEndpoint { text += ", metadata at \(metadata)" }
            return text
        }
    }

    // MARK: Tenants

    private static func table(of tenants: [TenantSettings]) -> [String] {
        let header = [
            "TENANT", "TABLE", "REGION", "PROOF", "CREDENTIALS", "SAMPLES/S", "WRITES/S", "READS/S", "AT ONCE W/R",
            "BODY", "THROTTLE",
        ]
        let rows = [header] + tenants.map(Self.row)
        let widths = header.indices.map { column in rows.map { $0[column].utf8.count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.utf8.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    private static func row(_ tenant: TenantSettings) -> [String] {
        let limits = tenant.limits
        return [
            tenant.id,
            "\(tenant.database).\(tenant.table)" + (tenant.sharedTable ? " (shared)" : "")
                + (tenant.createMissing == nil ? "" : " (made if missing)"),
            tenant.region,
            Self.proof(tenant.authentication),
            Self.credentials(tenant.credentials),
            Self.limit(limits.samplesPerSecond, burst: limits.sampleBurst),
            Self.limit(limits.writeRequestsPerSecond, burst: limits.writeRequestBurst),
            Self.limit(limits.readRequestsPerSecond, burst: limits.readRequestBurst),
            [limits.concurrentWrites, limits.concurrentReads].map { $0.map(String.init) ?? "unlimited" }
                .joined(separator: "/"),
            "\(limits.maxBodyBytes)",
            (limits.mode == .observe
                ? "observe only" : "\(limits.throttleStatus) after \(DurationText.text(limits.maxWait))")
                + (limits.per == .fleet ? ", per fleet" : ""),
        ]
    }

    private static func proof(_ authentication: AuthenticationSettings) -> String {
        if authentication.isOpen { return "none" }
        var kinds: [String] = []
        if authentication.clientCertificate != nil { kinds.append("certificate") }
        if !authentication.basic.isEmpty { kinds.append("basic") }
        if !authentication.bearerTokenDigests.isEmpty { kinds.append("bearer") }
        if authentication.awsKeys != nil { kinds.append("AWS keys") }
        return kinds.joined(separator: authentication.requiresAll ? "+" : "|")
    }

    private static func credentials(_ credentials: CredentialSettings) -> String {
        switch credentials {
        case .generated: "generated"
        case .caller: "caller's own"
        case .keyPair(_, _, nil): "key pair"
        case .keyPair(_, _, .some): "key pair, session"
        case .profile(let name): "profile \(Quotation.pathElement(name))"
        case .found(.defaultChain): "default chain"
        case .found(.environment): "environment"
        case .found(.container): "container"
        case .found(.instance): "instance"
        case .found(.webIdentity): "web identity"
        // The name alone, without account and path.
        case .role(let role, _): "role \(role.arn.split(separator: "/").last ?? "")"
        }
    }

    private static func limit(_ rate: Int?, burst: Int) -> String {
        rate.map { "\($0) (burst \(burst))" } ?? "unlimited"
    }
}
