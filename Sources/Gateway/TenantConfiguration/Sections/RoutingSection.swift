/// `routing`: what in a request can name a tenant.
struct RoutingSection {
    var settings: RoutingSettings
    var defaultTenantPlace: Place

    init(_ reader: consuming MappingReader) {
        var settings = RoutingSettings(header: "X-Scope-OrgID", pathPrefix: "/t/", pathSuffix: "", defaultTenant: nil)
        if let header = reader.field("header").flatMap(Self.header) { settings.header = header }
        if let (prefix, suffix) = reader.field("path").flatMap(Self.path) {
            settings.pathPrefix = prefix
            settings.pathSuffix = suffix
        }
        let defaultTenant = reader.field("default_tenant")
        settings.defaultTenant = defaultTenant?.text("the id of a tenant", remedy: "name a tenant of this file")
        self.defaultTenantPlace = defaultTenant?.place ?? reader.place
        self.settings = settings
        reader.finish()
    }

    /// Headers that already mean something to the gateway or to HTTP.
    private static let takenHeaders: Set<String> = [
        "accept", "authorization", "connection", "content-encoding", "content-length", "content-type", "cookie",
        "expect",
        "host", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
    ]

    private static func header(_ field: Field) -> String? {
        let expected = "the name of a header"
        guard
            let name = field.text(
                expected,
                remedy: "use letters, digits and -, as in X-Scope-OrgID",
                // RFC 9110, section 5.1: a field name is a token.
                where: { $0.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "!#$%&'*+-.^_`|~".utf8.contains($0) } }
            )
        else { return nil }
        guard !Self.takenHeaders.contains(name.lowercased()) else {
            field.report("this header has a meaning of its own", remedy: "use another one, such as X-Scope-OrgID")
            return nil
        }
        return name
    }

    private static func path(_ field: Field) -> (prefix: String, suffix: String)? {
        let expected = "a path that starts with / and holds {tenant} once"
        let remedy = "write \"/t/{tenant}\", in quotes"
        let text = field.text(expected, remedy: remedy) { path in
            let parts = Self.parts(of: path)
            return path.hasPrefix("/") && parts.count == 2
                && parts.joined().utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "/-._~".utf8.contains($0) }
        }
        guard let text else { return nil }
        let parts = Self.parts(of: text)
        let (prefix, suffix) = (parts[0], parts[1])
        if let route = Self.routes.first(where: { $0.hasPrefix(prefix) }) {
            field.report(
                "the path would take part of \(route) for a tenant",
                remedy: "start it with a segment of its own, as in \"/t/{tenant}\""
            )
            return nil
        }
        return (prefix, suffix)
    }

    /// What stands before, between and after the places of `{tenant}`.
    private static func parts(of path: String) -> [String] {
        var parts: [String] = []
        var rest = path[...]
        while let start = rest.firstIndex(of: "{"), rest[start...].hasPrefix("{tenant}") {
            parts.append(String(rest[..<start]))
            rest = rest[start...].dropFirst("{tenant}".count)
        }
        return parts + [String(rest)]
    }

    /// Paths without a tenant in them.
    private static let routes = [
        "/write", "/read", "/api/v1/write", "/api/v1/push", "/api/v1/read", "/-/healthy", "/-/ready",
    ]
}
