import Common
import HTTPTypes
import Testing

@testable import TenantAccess

/// Which sources come with a request: `nil` is absent.
private struct Sources: CustomTestStringConvertible, Sendable {
    var certificate: [String] = []
    var header: [String] = []
    var path: String?

    var testDescription: String { "certificate \(self.certificate), header \(self.header), path \(self.path ?? "-")" }
}

private enum Expected: Equatable, Sendable {
    case tenant(String, provenByCertificate: Bool)
    case refused(Int, AccessRefusal.Reason)
}

private let ca = CertificateAuthority(digests: [[2]])

/// Binds `one` to the tenant a, `two` to a and b, `three` to b and c.
private func makeResolver(defaultTenant: String? = nil) -> TenantResolver {
    var bindings = CertificateBindings()
    bindings.bind(makeCertificate(commonNames: ["one", "two"]), to: "a", anchoredIn: ca)
    bindings.bind(makeCertificate(commonNames: ["two", "three"]), to: "b", anchoredIn: ca)
    bindings.bind(makeCertificate(commonNames: ["three"]), to: "c", anchoredIn: ca)
    return TenantResolver(
        header: HTTPField.Name("X-Scope-OrgID"),
        template: TenantPathTemplate(prefix: "/t/", suffix: ""),
        defaultTenant: defaultTenant,
        bindings: bindings
    )
}

private func resolve(_ resolver: TenantResolver, _ sources: Sources, certificate name: String?) -> Expected {
    let head = makeHead(sources.path.map { "/t/\($0)/write" } ?? "/write", tenants: sources.header)
    do throws(AccessRefusal) {
        let resolution = try resolver.resolve(
            resolver.target(of: head),
            head.headerFields,
            identity: name.map { makeIdentity(commonName: $0) },
            unixSeconds: 1_700_000_000
        )
        return .tenant(resolution.tenant, provenByCertificate: resolution.isProvenByCertificate)
    } catch {
        return .refused(error.status, error.reason)
    }
}

@Suite("Which tenant a request speaks of")
struct TenantResolverTests {
    // Certificates: "one" is bound to a; "two" to a and b; "three" to b and c; "none" to no tenant.
    @Test(
        "every source that is present must name the same tenant",
        arguments: [
            // No certificate.
            (nil, [], nil, .refused(400, .noTenant)),
            (nil, ["a"], nil, .tenant("a", provenByCertificate: false)),
            (nil, [], "a", .tenant("a", provenByCertificate: false)),
            (nil, ["a"], "a", .tenant("a", provenByCertificate: false)),
            (nil, ["a"], "b", .refused(403, .sourcesDisagree)),
            (nil, ["a"], "A", .refused(403, .sourcesDisagree)),
            // A certificate that is bound to no tenant is no source.
            ("none", [], nil, .refused(400, .noTenant)),
            ("none", ["a"], nil, .tenant("a", provenByCertificate: false)),
            // Bound to exactly one tenant it names it.
            ("one", [], nil, .tenant("a", provenByCertificate: true)),
            ("one", ["a"], nil, .tenant("a", provenByCertificate: true)),
            ("one", [], "a", .tenant("a", provenByCertificate: true)),
            ("one", ["a"], "a", .tenant("a", provenByCertificate: true)),
            ("one", ["b"], nil, .refused(403, .sourcesDisagree)),
            ("one", [], "b", .refused(403, .sourcesDisagree)),
            ("one", ["a"], "b", .refused(403, .sourcesDisagree)),
            ("one", ["unknown"], nil, .refused(403, .sourcesDisagree)),
            // Bound to several it only proves.
            ("two", [], nil, .refused(400, .noTenant)),
            ("two", ["a"], nil, .tenant("a", provenByCertificate: true)),
            ("two", [], "b", .tenant("b", provenByCertificate: true)),
            ("two", ["c"], nil, .refused(403, .sourcesDisagree)),
            ("three", ["a"], nil, .refused(403, .sourcesDisagree)),
            ("three", ["unknown"], nil, .refused(403, .sourcesDisagree)),
            // Malformed sources are refused whatever else came.
            ("one", ["a", "a"], nil, .refused(400, .repeatedTenantHeader)),
            (nil, ["a", "b"], "a", .refused(400, .repeatedTenantHeader)),
            (nil, [""], nil, .refused(400, .invalidTenant)),
            (nil, ["a,b"], nil, .refused(400, .invalidTenant)),
            (nil, ["."], nil, .refused(400, .invalidTenant)),
            ("one", ["a b"], nil, .refused(400, .invalidTenant)),
            (nil, ["a"], "..", .refused(400, .invalidTenant)),
            ("one", [], "a%2Fb", .refused(400, .invalidTenant)),
        ] as [(String?, [String], String?, Expected)]
    )
    fileprivate func agreement(certificate: String?, header: [String], path: String?, expected: Expected) throws {
        let found = resolve(makeResolver(), Sources(header: header, path: path), certificate: certificate)
        #expect(found == expected)
    }

    @Test("the default tenant serves only requests without any source")
    func defaultTenant() throws {
        let resolver = makeResolver(defaultTenant: "c")
        #expect(resolve(resolver, Sources(), certificate: nil) == .tenant("c", provenByCertificate: false))
        #expect(resolve(resolver, Sources(), certificate: "none") == .tenant("c", provenByCertificate: false))
        #expect(resolve(resolver, Sources(), certificate: "one") == .tenant("a", provenByCertificate: true))
        #expect(resolve(resolver, Sources(header: ["a"]), certificate: nil) == .tenant("a", provenByCertificate: false))
        // Bound to several, the certificate is present and names none: no default.
        #expect(resolve(resolver, Sources(), certificate: "two") == .refused(400, .noTenant))
        #expect(resolve(resolver, Sources(header: [""]), certificate: nil) == .refused(400, .invalidTenant))
    }

    @Test("what may be said about a missing tenant names header and path, as they are configured")
    func missing() throws {
        var resolver = makeResolver()
        func message() -> String? {
            do throws(AccessRefusal) {
                _ = try resolver.resolve(resolver.target(of: makeHead()), [:], identity: nil, unixSeconds: 0)
                return nil
            } catch { return error.message }
        }
        #expect(message()?.contains("X-Scope-OrgID") == true)
        #expect(message()?.contains("/t/{tenant}/...") == true)
        resolver.header = nil
        #expect(message()?.contains("X-Scope-OrgID") == false)
        resolver.template = nil
        #expect(message() == "the request names no tenant")
    }

    @Test("no refusal repeats what the sender sent")
    func echo() throws {
        let resolver = makeResolver()
        let marker = "SENT-BY-THE-SENDER"
        for sources in [
            Sources(header: [marker + "!"]), Sources(header: [marker, marker]), Sources(path: marker + "%"),
            Sources(header: [marker], path: "other"),
        ] {
            let head = makeHead(sources.path.map { "/t/\($0)/write" } ?? "/write", tenants: sources.header)
            let refusal = #expect(throws: AccessRefusal.self) {
                try resolver.resolve(resolver.target(of: head), head.headerFields, identity: nil, unixSeconds: 0)
            }
            #expect(refusal?.message.contains(marker) == false)
        }
    }

    @Test("a certificate is good to the last second of its validity; then 401, and the connection ends")
    func expiry() throws {
        let resolver = makeResolver()
        let identity = makeIdentity(commonName: "one", notAfter: 100)
        func resolve(_ seconds: Int64) throws -> TenantResolver.Resolution {
            try resolver.resolve(resolver.target(of: makeHead()), [:], identity: identity, unixSeconds: seconds)
        }
        #expect(try resolve(100).tenant == "a")
        let refusal = #expect(throws: AccessRefusal.self) { try resolve(101) }
        #expect(refusal == .certificateExpired)
        #expect(refusal?.status == 401 && refusal?.closesConnection == true)
        #expect(refusal?.headerFields[.wwwAuthenticate] == "Basic realm=\"timestream-gateway\"")
    }

    @Test(
        "the query is no part of the path",
        arguments: [
            ("/t/a/write?x=/t/b/", "/write"), ("/t/a/write?", "/write"), ("/t/a/write?\u{301}x", "/write"),
            ("/write?tenant=a", "/write"), ("?", ""), ("", ""),
        ]
    )
    func query(path: String, route: String) throws {
        #expect(makeResolver().target(of: makeHead(path)).route == route)
    }
}

@Suite("Which tenants a client certificate is bound to")
struct CertificateBindingsTests {
    private let listenerCA = CertificateAuthority(digests: [[100]])
    private let ownCA = CertificateAuthority(digests: [[200], [201]])

    @Test("each kind of name counts for its own list alone, byte for byte")
    func kinds() {
        var bindings = CertificateBindings()
        bindings.bind(makeCertificate(commonNames: ["x"]), to: "by-cn", anchoredIn: self.listenerCA)
        bindings.bind(makeCertificate(dns: ["x"]), to: "by-dns", anchoredIn: self.listenerCA)
        bindings.bind(makeCertificate(uris: ["x"]), to: "by-uri", anchoredIn: self.listenerCA)
        bindings.bind(makeCertificate(emails: ["x"]), to: "by-email", anchoredIn: self.listenerCA)
        let chain: [[UInt8]] = [[1], [100]]
        #expect(bindings.tenants(of: makeIdentity(commonName: "x", chain: chain)) == ["by-cn"])
        #expect(bindings.tenants(of: makeIdentity(dns: ["x"], chain: chain)) == ["by-dns"])
        #expect(bindings.tenants(of: makeIdentity(uris: ["x"], chain: chain)) == ["by-uri"])
        #expect(bindings.tenants(of: makeIdentity(emails: ["x"], chain: chain)) == ["by-email"])
        #expect(
            bindings.tenants(of: makeIdentity(dns: ["y", "x"], emails: ["x"], chain: chain)) == ["by-dns", "by-email"]
        )
        for other in ["X", "x.", "*", "x\u{0}", ""] {
            #expect(bindings.tenants(of: makeIdentity(commonName: other, dns: [other], chain: chain)) == [])
        }
    }

    @Test("canonically equivalent names are different names")
    func canonicalEquivalence() {
        var bindings = CertificateBindings()
        bindings.bind(makeCertificate(commonNames: ["caf\u{E9}"]), to: "a", anchoredIn: self.listenerCA)
        #expect(bindings.tenants(of: makeIdentity(commonName: "caf\u{E9}", chain: [[100]])) == ["a"])
        #expect(bindings.tenants(of: makeIdentity(commonName: "cafe\u{301}", chain: [[100]])) == [])
    }

    @Test("a tenant with a CA of its own trusts that one only, others the listener's only")
    func authorities() {
        var bindings = CertificateBindings()
        bindings.bind(makeCertificate(commonNames: ["x"]), to: "own", anchoredIn: self.ownCA)
        bindings.bind(makeCertificate(commonNames: ["x"]), to: "shared", anchoredIn: self.listenerCA)
        #expect(bindings.tenants(of: makeIdentity(commonName: "x", chain: [[1], [200]])) == ["own"])
        #expect(bindings.tenants(of: makeIdentity(commonName: "x", chain: [[1], [2], [201]])) == ["own"])
        #expect(bindings.tenants(of: makeIdentity(commonName: "x", chain: [[1], [100]])) == ["shared"])
        #expect(bindings.tenants(of: makeIdentity(commonName: "x", chain: [[1], [99]])) == [])
        #expect(bindings.tenants(of: makeIdentity(commonName: "x", chain: [])) == [])
        // An intermediate as a tenant's CA, below the listener's root.
        #expect(bindings.tenants(of: makeIdentity(commonName: "x", chain: [[1], [200], [100]])) == ["own", "shared"])
    }

    @Test("a tenant is found once, in configuration order, however many names match")
    func order() {
        var bindings = CertificateBindings()
        for id in ["z", "m", "a"] {
            bindings.bind(makeCertificate(commonNames: ["x", "x"], uris: ["u"]), to: id, anchoredIn: self.listenerCA)
        }
        let identity = makeIdentity(commonName: "x", uris: ["u", "u"], chain: [[100]])
        #expect(bindings.tenants(of: identity) == ["z", "m", "a"])
    }
}
