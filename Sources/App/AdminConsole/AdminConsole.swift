package import Common
package import HTTPTypes

/// The operators' side door: health, readiness, metrics and a status page, on a listener of its own.
///
/// Health and metrics answer everybody. Everything else answers operators that prove themselves; where nothing is
/// configured that could prove one, it answers the machine itself, and off loopback nobody. On loopback the `Host` header
/// is checked, so that a page in an operator's browser cannot reach it under a name of its own (DNS rebinding).
package struct AdminConsole: HTTPResponder {
    /// What the status page tells of one tenant.
    package struct TenantStatus: Sendable {
        package var id: String
        package var table: String
        package var region: String

        package init(id: String, table: String, region: String) {
            self.id = id
            self.table = table
            self.region = region
        }
    }

    /// Whether a request may see the operators' pages.
    package enum Entry: Sendable {
        /// Nothing is configured that could prove an operator.
        case unguarded
        case proven
        case refused(OutgoingResponse)
    }

    /// Looks at the proof that a request brings.
    package typealias Door = @Sendable (_ head: HTTPRequest, _ peer: Peer) async -> Entry

    private let metrics: MetricRegistry
    private let version: String
    private let tenants: @Sendable () -> [TenantStatus]
    private let metadata: MetadataPage
    /// The host it listens on.
    private let host: String
    private let isLoopback: Bool
    private let door: Door
    private let reloading: Reloading?
    private let isReady: @Sendable () -> Bool

    package init(
        metrics: MetricRegistry,
        version: String,
        tenants: @escaping @Sendable () -> [TenantStatus],
        metadata: MetadataPage,
        host: String,
        isLoopback: Bool,
        door: @escaping Door = { _, _ in .unguarded },
        reloading: Reloading? = nil,
        isReady: @escaping @Sendable () -> Bool
    ) {
        self.metrics = metrics
        self.version = version
        self.tenants = tenants
        self.metadata = metadata
        self.host = host
        self.isLoopback = isLoopback
        self.door = door
        self.reloading = reloading
        self.isReady = isReady
    }

    package func respond(to request: IncomingRequest) async -> OutgoingResponse {
        guard self.isAllowedHost(request.head.authority) else {
            return .text(.misdirectedRequest, "this name does not belong to the admin listener; use \(self.host)")
        }
        let target = (request.head.path ?? "/").unicodeScalars
        let path = String(target.prefix { $0 != "?" })
        if !["/-/healthy", "/-/ready", "/metrics"].contains(path) {
            switch await self.door(request.head, request.peer) {
            case .proven: break
            case .unguarded where self.isLoopback: break
            case .unguarded:
                return .text(
                    .notFound,
                    "no such page; off loopback there are /metrics, /-/healthy and /-/ready, unless server.admin.auth is set"
                )
            case .refused(let answer): return answer
            }
            if path == Reloading.path { return await self.reload(request.head) }
            guard ["/", MetadataPage.path, Reloading.statusPath].contains(path) else {
                let pages = "/, /metrics, /-/healthy, /-/ready, \(MetadataPage.path) and \(Reloading.statusPath)"
                return .text(.notFound, "no such page; there are \(pages)")
            }
        }
        guard request.head.method == .get || request.head.method == .head else {
            return .text(.methodNotAllowed, "this page is only read; use GET", headerFields: [.allow: "GET, HEAD"])
        }
        switch path {
        case "/-/healthy": return .text(.ok, "healthy")
        case "/-/ready":
            return self.isReady() ? .text(.ok, "ready") : .text(.serviceUnavailable, "draining")
        case "/metrics":
            return .exposition(of: self.metrics)
        case MetadataPage.path:
            return self.metadata.answer(Substring(target.drop { $0 != "?" }.dropFirst()))
        case Reloading.statusPath:
            guard let reloading else { return .text(.notFound, "the configuration never changes") }
            return reloading.statusAnswer()
        default:
            return self.statusPage()
        }
    }

    /// Loopback names only, on a loopback listener; elsewhere the name is the operator's affair.
    private func isAllowedHost(_ authority: String?) -> Bool {
        guard self.isLoopback else { return true }
        guard let authority else { return false }
        var name = authority[...]
        if let colon = name.lastIndex(of: ":"),
            name[colon...].utf8.dropFirst().allSatisfy({ (0x30...0x39).contains($0) })
        {
            name = name[..<colon]
        }
        return ["localhost", "127.0.0.1", "[::1]", self.host.lowercased()].contains(name.lowercased())
    }

    private func statusPage() -> OutgoingResponse {
        let rows = self.tenants().map { tenant in
            "<tr><td>\(Self.escape(tenant.id))</td><td>\(Self.escape(tenant.table))</td><td>\(Self.escape(tenant.region))</td></tr>"
        }
        let page = """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>Timestream Gateway</title>
            <style>body{font:15px/1.5 system-ui,sans-serif;margin:3em auto;max-width:50em}td,th{padding:.2em 1.2em .2em 0;text-align:left}</style>
            <h1>Timestream Gateway</h1>
            <p>Version \(Self.escape(self.version)), \(self.isReady() ? "ready" : "draining"). <a href="/metrics">Metrics</a></p>
            <table><tr><th>Tenant</th><th>Table</th><th>Region</th></tr>
            \(rows.joined(separator: "\n"))
            </table>
            \(self.reloadSection())
            </html>

            """
        return OutgoingResponse(
            status: .ok,
            headerFields: [
                .contentType: "text/html; charset=utf-8",
                .xContentTypeOptions: "nosniff",
                .contentSecurityPolicy:
                    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ],
            body: Array(page.utf8)
        )
    }

    /// Nothing while all is well.
    private func reloadSection() -> String {
        guard let status = self.reloading?.status(), !status.isSuccessful else { return "" }
        let problems = status.problems.map { "<pre>\(Self.escape($0))</pre>" }.joined(separator: "\n")
        return """
            <h2>The configuration was not taken</h2>
            <p>Tried at \(Self.escape(status.attemptedAt)); in use is the one of \(Self.escape(status.loadedAt)).</p>
            \(problems)
            """
    }

    /// A page in an operator's browser may send requests here, but not without saying where it came from.
    private func reload(_ head: HTTPRequest) async -> OutgoingResponse {
        guard let trigger = self.reloading?.trigger else {
            return .text(.notFound, "reloading by request is off; write server.admin.reload: true, or send SIGHUP")
        }
        guard head.method == .post else {
            return .text(.methodNotAllowed, "use POST", headerFields: [.allow: "POST"])
        }
        guard head.headerFields[.origin] == nil, head.headerFields[Reloading.fetchSite] == nil else {
            return .text(.forbidden, "web pages may not reload the configuration")
        }
        let status = await trigger()
        guard !status.isSuccessful else { return .text(.ok, "reloaded") }
        return .text(.internalServerError, status.problems.joined(separator: "\n"))
    }

    private static func escape(_ text: String) -> String {
        var result = ""
        // Scalars, not characters: a sign with a combining mark is a character of its own.
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
