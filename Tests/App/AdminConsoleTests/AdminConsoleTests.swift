import Common
import HTTPTypes
import Testing

@testable import AdminConsole

/// A body that nobody may ask for: the console has no use for any.
private struct UnaskedBody: IncomingBody {
    var declaredLength: Int? { nil }

    func collect(limitBytes: Int) async throws(IncomingBodyError) -> [UInt8] {
        Issue.record("the admin console read a body")
        return []
    }
}

struct ConsoleUnderTest {
    var metrics = MetricRegistry()
    var tenants: [AdminConsole.TenantStatus] = []
    var metadata = MetadataPage { _, _ in nil }
    var host = "127.0.0.1"
    var isLoopback = true
    var isReady = true
    var door: AdminConsole.Door = { _, _ in .unguarded }
    var reloading: AdminConsole.Reloading?

    func get(
        _ path: String?,
        host authority: String? = "127.0.0.1:9202",
        method: HTTPRequest.Method = .get,
        fields: HTTPFields = [:]
    ) async -> (status: Int, text: String, fields: HTTPFields) {
        let isReady = self.isReady
        let console = AdminConsole(
            metrics: self.metrics,
            version: "1.2.3",
            tenants: { [tenants] in tenants },
            metadata: self.metadata,
            host: self.host,
            isLoopback: self.isLoopback,
            door: self.door,
            reloading: self.reloading,
            isReady: { isReady }
        )
        let request = IncomingRequest(
            head: HTTPRequest(
                method: method,
                scheme: "http",
                authority: authority,
                path: path,
                headerFields: fields
            ),
            peer: Peer(address: "127.0.0.1:5", isEncrypted: false, identity: nil),
            body: UnaskedBody()
        )
        let response = await console.respond(to: request)
        return (response.status.code, String(decoding: response.body, as: UTF8.self), response.headerFields)
    }
}

@Suite("The admin console's pages")
struct AdminConsolePagesTests {
    @Test("health is 200 while the process runs; readiness is 503 while it drains")
    func health() async {
        var console = ConsoleUnderTest()
        #expect(await console.get("/-/healthy").text == "healthy\n")
        #expect(await console.get("/-/ready").status == 200)
        console.isReady = false
        #expect(await console.get("/-/healthy").status == 200)
        #expect(await console.get("/-/ready").status == 503)
    }

    @Test("/metrics is the registry in the text format")
    func metrics() async {
        let console = ConsoleUnderTest()
        console.metrics.counter("c_total", help: "Counts.", labels: [("tenant", "a")]).increment(by: 3)
        let answer = await console.get("/metrics?x=1")
        #expect(answer.status == 200)
        #expect(answer.text == "# HELP c_total Counts.\n# TYPE c_total counter\nc_total{tenant=\"a\"} 3\n")
        #expect(answer.fields[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
    }

    @Test("the status page lists tenants and forbids scripts and frames")
    func statusPage() async {
        var console = ConsoleUnderTest()
        console.tenants = [.init(id: "payments", table: "payments.prometheus", region: "eu-west-1")]
        let answer = await console.get("/")
        #expect(answer.status == 200)
        #expect(answer.text.contains("<td>payments</td><td>payments.prometheus</td><td>eu-west-1</td>"))
        #expect(answer.text.contains("Version 1.2.3, ready"))
        #expect(answer.fields[.contentSecurityPolicy]?.contains("default-src 'none'") == true)
        #expect(answer.fields[.contentSecurityPolicy]?.contains("frame-ancestors 'none'") == true)
    }

    @Test(
        "what stands in a configuration cannot become markup",
        arguments: [
            ("<script>", "&lt;script&gt;"), ("a&b", "a&amp;b"), ("\"'", "&quot;&#39;"),
            ("<\u{338}b>", "&lt;\u{338}b&gt;"), ("&\u{301}", "&amp;\u{301}"),
        ]
    )
    func escaping(text: String, expected: String) async {
        var console = ConsoleUnderTest()
        console.tenants = [.init(id: "t", table: text, region: text)]
        let answer = await console.get("/")
        // By bytes: string comparison would merge equivalent sequences.
        let cells = Array("<td>\(expected)</td><td>\(expected)</td>".utf8)
        #expect(Array(answer.text.utf8).firstRange(of: cells) != nil)
    }

    @Test("pages are only read", arguments: [HTTPRequest.Method.post, .put, .delete, .options])
    func methods(method: HTTPRequest.Method) async {
        let console = ConsoleUnderTest()
        for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/status/metadata?tenant=a"] {
            let answer = await console.get(path, method: method)
            #expect(answer.status == 405)
            #expect(answer.fields[.allow] == "GET, HEAD")
        }
    }

    @Test("everything else is 404", arguments: ["/metric", "/metrics/", "//", "/-/reload", "/api/v1/write", "*", ""])
    func unknown(path: String) async {
        #expect(await ConsoleUnderTest().get(path).status == 404)
    }
}

@Suite("Who may see the admin console")
struct AdminConsoleAccessTests {
    @Test(
        "on loopback only loopback names are answered",
        arguments: [
            "localhost", "localhost:9202", "LOCALHOST:9202", "127.0.0.1", "127.0.0.1:9202", "[::1]", "[::1]:9202",
            "127.0.0.1:",
        ]
    )
    func allowedHosts(host: String) async {
        #expect(await ConsoleUnderTest().get("/", host: host).status == 200)
    }

    @Test(
        "a name that somebody else's DNS can point here is refused on every path, health included",
        arguments: [
            "evil.example", "evil.example:9202", "localhost.evil.example", "127.0.0.1.evil.example", "", "::1",
            "localhost:9202:9202", "[::1", "[::1]evil", "localhost:x", "user@localhost", "127.0.0.2",
            "localhost\u{301}",
        ]
    )
    func rebinding(host: String) async {
        let console = ConsoleUnderTest()
        for path in ["/", "/metrics", "/-/healthy", "/nothing"] {
            let answer = await console.get(path, host: host)
            #expect(answer.status == 421)
            #expect(!answer.text.contains("evil"))
        }
    }

    @Test("a request without a host is refused on loopback")
    func noHost() async {
        #expect(await ConsoleUnderTest().get("/metrics", host: nil).status == 421)
    }

    @Test("the listener's own loopback name is allowed")
    func ownName() async {
        var console = ConsoleUnderTest()
        console.host = "127.0.0.2"
        #expect(await console.get("/", host: "127.0.0.2:9202").status == 200)
    }

    @Test("off loopback health and metrics answer under every name, and nothing else does")
    func offLoopback() async {
        var console = ConsoleUnderTest()
        console.host = "0.0.0.0"
        console.isLoopback = false
        console.tenants = [.init(id: "payments", table: "payments.prometheus", region: "eu-west-1")]
        for path in ["/metrics", "/-/healthy", "/-/ready"] {
            #expect(await console.get(path, host: "gateway.internal:9202").status == 200)
        }
        let page = await console.get("/", host: "gateway.internal:9202")
        #expect(page.status == 404)
        #expect(!page.text.contains("payments"))
    }
}

@Suite("The admin console with server.admin.auth")
struct AdminConsoleDoorTests {
    private static let refusal = OutgoingResponse.text(.unauthorized, "no", headerFields: [.wwwAuthenticate: "Basic"])
    private static let pages = [
        "/", "/api/v1/status/metadata?tenant=a", "/api/v1/status/reload", "/-/reload", "/nothing",
    ]

    /// A console whose proof is the header `Authorization: right`, and that counts reloads.
    private func guarded(isLoopback: Bool, reloads: MetricCounter? = nil) -> ConsoleUnderTest {
        var console = ConsoleUnderTest()
        console.host = isLoopback ? "127.0.0.1" : "0.0.0.0"
        console.isLoopback = isLoopback
        console.tenants = [.init(id: "payments", table: "payments.prometheus", region: "eu-west-1")]
        console.metadata = MetadataPage { _, _ in [] }
        console.door = { head, _ in
            head.headerFields[.authorization] == "right" ? .proven : .refused(Self.refusal)
        }
        let status = AdminConsole.Reloading.Status(
            isSuccessful: true,
            loadedAt: "then",
            attemptedAt: "then",
            hash: "0",
            problems: []
        )
        console.reloading = .init(
            status: { status },
            trigger: {
                reloads?.increment()
                return status
            }
        )
        return console
    }

    @Test("without proof nothing but health and metrics is told, on loopback as elsewhere", arguments: [true, false])
    func withoutProof(isLoopback: Bool) async {
        let registry = MetricRegistry()
        let reloads = registry.counter("reloads_total", help: "Reloads.")
        let console = self.guarded(isLoopback: isLoopback, reloads: reloads)
        for path in Self.pages {
            for (method, fields) in [(HTTPRequest.Method.get, HTTPFields()), (.post, [.authorization: "wrong"])] {
                let answer = await console.get(path, method: method, fields: fields)
                #expect(answer.status == 401)
                #expect(answer.text == "no\n")
                #expect(answer.fields[.wwwAuthenticate] == "Basic")
            }
        }
        for path in ["/-/healthy", "/-/ready", "/metrics"] { #expect(await console.get(path).status == 200) }
        #expect(registry.exposition().contains("reloads_total 0"))
    }

    @Test("with proof every page answers, on loopback as elsewhere", arguments: [true, false])
    func withProof(isLoopback: Bool) async {
        let console = self.guarded(isLoopback: isLoopback)
        let proof: HTTPFields = [.authorization: "right"]
        #expect(await console.get("/", fields: proof).text.contains("payments.prometheus"))
        #expect(await console.get("/api/v1/status/metadata?tenant=a", fields: proof).status == 200)
        #expect(await console.get("/api/v1/status/reload", fields: proof).status == 200)
        #expect(await console.get("/-/reload", method: .post, fields: proof).text == "reloaded\n")
        #expect(await console.get("/nothing", fields: proof).status == 404)
        #expect(await console.get("/", method: .post, fields: proof).status == 405)
        // A browser sends what it knows of a password by itself, for web pages of others too.
        let foreign = HTTPFields(
            [.init(name: .authorization, value: "right"), .init(name: .origin, value: "https://evil.example")]
        )
        #expect(await console.get("/-/reload", method: .post, fields: foreign).status == 403)
    }

    @Test("health and metrics are not held up by a proof that takes its time")
    func publicPages() async {
        var console = ConsoleUnderTest()
        console.door = { _, _ in
            Issue.record("proof was asked for")
            return .proven
        }
        for path in ["/-/healthy", "/-/ready", "/metrics"] { #expect(await console.get(path).status == 200) }
        // A name of somebody else's is refused first.
        #expect(await console.get("/", host: "evil.example").status == 421)
    }

    @Test("off loopback without any proof configured, a reload is as absent as the pages")
    func unguardedOffLoopback() async {
        var console = self.guarded(isLoopback: false)
        console.door = { _, _ in .unguarded }
        for path in Self.pages {
            let answer = await console.get(path, method: .post)
            #expect(answer.status == 404)
            #expect(answer.text.contains("server.admin.auth"))
        }
    }
}
