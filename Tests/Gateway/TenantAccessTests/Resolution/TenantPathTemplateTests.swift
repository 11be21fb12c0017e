import Testing

@testable import TenantAccess

@Suite("The tenant in a path")
struct TenantPathTemplateTests {
    @Test(
        "what follows the tenant is the route",
        arguments: [
            ("/t/a/api/v1/write", .tenant("a", route: "/api/v1/write")),
            ("/t/a/", .tenant("a", route: "/")),
            ("/t/%61/write", .tenant("a", route: "/write")),
            ("/t/a//write", .tenant("a", route: "//write")),
            ("/t/a/../b/write", .tenant("a", route: "/../b/write")),
            ("/t/a/t/b/write", .tenant("a", route: "/t/b/write")),
            ("/t/a/%2e%2e/write", .tenant("a", route: "/%2e%2e/write")),
        ] as [(String, TenantPathTemplate.Match)]
    )
    func matches(path: String, expected: TenantPathTemplate.Match) throws {
        let template = try #require(TenantPathTemplate(prefix: "/t/", suffix: ""))
        #expect(template.match(path[...]) == expected)
    }

    @Test(
        "a tenant's place that holds no tenant id is invalid, never absent: the path was meant for a tenant",
        arguments: [
            "/t//write", "/t/./write", "/t/../write", "/t/a%2Fb/write", "/t/%/write", "/t/a b/write", "/t/é/write",
        ]
    )
    func invalid(path: String) throws {
        let template = try #require(TenantPathTemplate(prefix: "/t/", suffix: ""))
        #expect(template.match(path[...]) == .invalid(route: "/write"))
    }

    @Test(
        "a path of another shape names no tenant",
        arguments: [
            "/api/v1/write", "/t", "/t/", "/t/a", "/T/a/write", "//t/a/write", "/%74/a/write", "t/a/write", "", "*",
            "http://host/t/a/write",
        ]
    )
    func absent(path: String) throws {
        let template = try #require(TenantPathTemplate(prefix: "/t/", suffix: ""))
        #expect(template.match(path[...]) == .absent)
    }

    @Test("a template may end the tenant's segment and add others")
    func suffix() throws {
        let segmentEnd = try #require(TenantPathTemplate(prefix: "/org-", suffix: "-x"))
        #expect(segmentEnd.match("/org-a-x/write") == .tenant("a", route: "/write"))
        #expect(segmentEnd.match("/org-a/write") == .absent)
        #expect(segmentEnd.match("/org--x/write") == .invalid(route: "/write"))
        #expect(segmentEnd.match("/org-x/write") == .absent)
        let segments = try #require(TenantPathTemplate(prefix: "/t/", suffix: "/prometheus/"))
        #expect(segments.match("/t/a/prometheus/write") == .tenant("a", route: "/write"))
        #expect(segments.match("/t/a/prometheus") == .absent)
        #expect(segments.match("/t/a/prometheusx/write") == .absent)
        #expect(segments.description == "/t/{tenant}/prometheus/...")
    }

    @Test("a prefix that does not start with a slash switches paths off", arguments: ["", "t/", "none"])
    func off(prefix: String) {
        #expect(TenantPathTemplate(prefix: prefix, suffix: "") == nil)
    }
}
