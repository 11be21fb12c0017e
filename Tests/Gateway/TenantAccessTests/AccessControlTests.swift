import Common
import HTTPTypes
import Testing

@testable import TenantAccess
@testable import TenantConfiguration

/// Tenants of every kind: basic, bearer, both, open, certificate only.
private func makeTenants() -> [TenantSettings] {
    [
        makeTenant("basic", makeAuthentication(basic: [("user", hashOfABC), ("other", hashOfA)])),
        makeTenant("bearer", makeAuthentication(tokens: ["token-1", "token-2"])),
        makeTenant("all", makeAuthentication(basic: [("user", hashOfABC)], tokens: ["token"], requiresAll: true)),
        makeTenant("open", makeAuthentication(isOpen: true)),
        makeTenant("certificate", makeAuthentication(certificate: makeCertificate(uris: ["spiffe://x"]))),
    ]
}

private func unauthorized(_ reason: AccessRefusal.Reason) -> Result<String, AccessRefusal> {
    .failure(.unauthorized(reason))
}

@Suite("Who may act for a tenant")
struct AccessControlTests {
    @Test(
        "the right proof lets in, every other is 401",
        arguments: [
            ("basic", basic("user", "abc"), true), ("basic", basic("other", "a"), true),
            ("basic", basic("user", "a"), false), ("basic", basic("other", "abc"), false),
            ("basic", basic("User", "abc"), false), ("basic", basic("", ""), false),
            ("basic", "Bearer token-1", false), ("basic", nil, false), ("basic", "Basic", false),
            ("bearer", "Bearer token-1", true), ("bearer", "bearer token-2", true), ("bearer", "Bearer token", false),
            ("bearer", basic("token-1", ""), false), ("bearer", nil, false),
            ("all", basic("user", "abc"), false), ("all", "Bearer token", false),
            ("open", nil, true), ("open", "Bearer whatever", true), ("open", "nonsense", true),
            ("certificate", nil, false), ("certificate", basic("user", "abc"), false),
            ("certificate", "Bearer x", false),
            ("unknown", nil, false), ("unknown", basic("user", "abc"), false), ("unknown", "Bearer token-1", false),
        ] as [(String, String?, Bool)]
    )
    func proofs(tenant: String, authorization: String?, isProven: Bool) async throws {
        let test = try AccessUnderTest(makeConfiguration(makeTenants()))
        switch await test.decide(tenant, authorization) {
        case .success(let id):
            #expect(isProven && id == tenant)
            #expect(test.refusals.isEmpty)
        case .failure(let refusal):
            #expect(!isProven)
            #expect(refusal.status == 401)
            #expect(test.refusals.values.reduce(0, +) == 1)
        }
    }

    @Test(
        "an unknown tenant looks like a known one with wrong proof: equal refusals, equal work",
        arguments: [nil, "Basic", "Digest x", basic("user", "wrong"), basic("nobody", "wrong"), "Bearer wrong"]
    )
    func indistinguishable(authorization: String?) async throws {
        let test = try AccessUnderTest(makeConfiguration(makeTenants()))
        var work: Set<Int> = []
        var answers: Set<String> = []
        for tenant in ["basic", "bearer", "all", "certificate", "unknown", "another-unknown"] {
            let before = test.checkedHashes.count
            guard case .failure(let refusal) = await test.decide(tenant, authorization) else {
                Issue.record("\(tenant) was let in")
                continue
            }
            work.insert(test.checkedHashes.count - before)
            #expect(refusal.headerFields == [.wwwAuthenticate: "Basic realm=\"timestream-gateway\""])
            answers.insert("\(refusal.status) \(refusal.message) \(refusal.closesConnection)")
        }
        #expect(answers.count == 1)
        #expect(work.count == 1)
        let isPassword = authorization?.hasPrefix("Basic ") == true
        #expect(work.first == (isPassword ? 1 : 0))
    }

    @Test("an unknown tenant always costs what the same one of the known tenants costs")
    func decoys() async throws {
        let tenants = [
            makeTenant("one", makeAuthentication(basic: [("u", hashOfABC)])),
            makeTenant("two", makeAuthentication(basic: [("u", hashOfA)])),
            makeTenant("three", makeAuthentication(tokens: ["t"])),
        ]
        let test = try AccessUnderTest(makeConfiguration(tenants))
        for name in ["three", "x1", "x2", "x3", "x4", "x5"] {
            for _ in 0..<3 { _ = await test.decide(name, basic("u", "p")) }
            let hashes = Set(test.checkedHashes.suffix(3))
            #expect(hashes.count == 1)
            #expect(hashes.isSubset(of: [hashOfABC.revealed, hashOfA.revealed]))
        }
        #expect(Set(test.checkedHashes).count == 2 || test.checkedHashes.count == 18)
    }

    @Test("while a password is being replaced, an unknown tenant and an unknown user cost two checks as well")
    func decoysOfReplacement() async throws {
        let user = [("u", hashOfABC), ("other", hashOfNothing), ("u", hashOfA)]
        let test = try AccessUnderTest(makeConfiguration([makeTenant("one", makeAuthentication(basic: user))]))
        for (tenant, name) in [("one", "u"), ("one", "nobody"), ("unknown", "u"), ("unknown", "nobody")] {
            let before = test.checkedHashes.count
            #expect(await test.decide(tenant, basic(name, "wrong")) == unauthorized(.wrongCredentials))
            #expect(test.checkedHashes.dropFirst(before) == [hashOfABC.revealed, hashOfA.revealed])
        }
    }

    @Test("where no tenant has passwords, none is checked for anybody")
    func noPasswords() async throws {
        let test = try AccessUnderTest(makeConfiguration([makeTenant("a", makeAuthentication(tokens: ["t"]))]))
        #expect(await test.decide("a", basic("u", "p")) == unauthorized(.wrongCredentials))
        #expect(await test.decide("x", basic("u", "p")) == unauthorized(.wrongCredentials))
        #expect(test.checkedHashes.isEmpty)
    }

    @Test("a password for one tenant proves no other")
    func otherTenant() async throws {
        let tenants = [
            makeTenant("one", makeAuthentication(basic: [("u", hashOfABC)])),
            makeTenant("two", makeAuthentication(basic: [("u", hashOfA)])),
        ]
        let test = try AccessUnderTest(makeConfiguration(tenants))
        #expect(await test.decide("one", basic("u", "abc")) == .success("one"))
        #expect(await test.decide("two", basic("u", "abc")) == unauthorized(.wrongCredentials))
        #expect(await test.decide("one", basic("u", "abc")) == .success("one"))
        #expect(test.checkedHashes.count == 2)
    }

    @Test("require: all needs the certificate and the password")
    func requireAll() async throws {
        let folder = try CertificateFolder()
        try folder.makeCertificate("ca")
        let authentication = makeAuthentication(
            certificate: makeCertificate(commonNames: ["client"]),
            basic: [("u", hashOfABC)],
            requiresAll: true
        )
        let configuration = makeConfiguration([makeTenant("a", authentication)], clientCA: folder.path("ca.pem"))
        let test = try AccessUnderTest(configuration)
        let peer = makePeer(makeIdentity(commonName: "client", chain: [[1], try folder.digest("ca")]))
        let head = makeHead(authorization: basic("u", "abc"))
        #expect(await test.decide(head, peer) == .success("a"))
        #expect(await test.decide(makeHead(), peer) == unauthorized(.noCredentials))
        #expect(await test.decide(makeHead(authorization: basic("u", "x")), peer) == unauthorized(.wrongCredentials))
        #expect(await test.decide("a", basic("u", "abc")) == unauthorized(.wrongCredentials))
    }

    @Test("a certificate proves by the CA that counts for the tenant, without a look at Authorization")
    func certificates() async throws {
        let folder = try CertificateFolder()
        try folder.makeCertificate("listener")
        try folder.makeCertificate("own")
        let tenants = [
            makeTenant("shared", makeAuthentication(certificate: makeCertificate(commonNames: ["client"]))),
            makeTenant(
                "private",
                makeAuthentication(certificate: makeCertificate(commonNames: ["client"], ca: folder.path("own.pem")))
            ),
        ]
        let test = try AccessUnderTest(makeConfiguration(tenants, clientCA: folder.path("listener.pem")))
        func peer(_ ca: String) throws -> Peer {
            makePeer(makeIdentity(commonName: "client", chain: [[1], try folder.digest(ca)]))
        }
        #expect(await test.decide(makeHead(authorization: "nonsense"), try peer("listener")) == .success("shared"))
        #expect(await test.decide(makeHead(), try peer("own")) == .success("private"))
        // Proven, but not for this tenant: 403, whether the tenant exists or not.
        for tenant in ["private", "unknown"] {
            guard case .failure(let refusal) = await test.decide(makeHead(tenants: [tenant]), try peer("listener"))
            else {
                Issue.record("\(tenant) was let in")
                continue
            }
            #expect(refusal.status == 403 && refusal.reason == .sourcesDisagree)
            #expect(!refusal.needsAuthenticateHeader)
        }
        // The right name from a CA that counts for nobody proves nothing.
        let stranger = makePeer(makeIdentity(commonName: "client", chain: [[1], [99]]))
        #expect(await test.decide(makeHead(tenants: ["shared"]), stranger) == unauthorized(.noCredentials))
        // Nor does one that was good when it connected, whatever else comes with the request.
        var revoked = try peer("own")
        revoked.isTrustLost = true
        #expect(await test.decide(makeHead(), revoked) == .failure(.certificateUntrusted))
        test.clock.set(unixSeconds: 1_900_000_000)
        #expect(await test.decide(makeHead(), try peer("own")) == .failure(.certificateExpired))
    }

    @Test("without any CA a tenant's certificates prove nothing")
    func noAuthority() async throws {
        let tenants = [makeTenant("a", makeAuthentication(certificate: makeCertificate(commonNames: ["client"])))]
        let test = try AccessUnderTest(makeConfiguration(tenants))
        let decision = await test.decide(makeHead(tenants: ["a"]), makePeer(makeIdentity(commonName: "client")))
        #expect(decision == unauthorized(.noCredentials))
    }

    @Test("each refusal is counted once, for the tenant if there is one, and nothing else moves")
    func counters() async throws {
        let test = try AccessUnderTest(makeConfiguration(makeTenants()))
        _ = await test.decide("basic", basic("user", "wrong"))
        _ = await test.decide("bearer", nil)
        _ = await test.decide("unknown", basic("user", "wrong"))
        _ = await test.decide("unknown", "Basic")
        _ = await test.decide(makeHead(tenants: ["a", "b"]))
        _ = await test.decide(makeHead())
        _ = await test.decide(makeHead("/t/a/write", tenants: ["b"]))
        _ = await test.decide("basic", basic("user", "abc"))
        #expect(
            test.refusals == [
                "basic/wrong_credentials": 1, "bearer/no_credentials": 1, "/wrong_credentials": 1,
                "/malformed_credentials": 1, "/repeated_tenant_header": 1, "/no_tenant": 1, "/sources_disagree": 1,
            ]
        )
    }

    @Test("a full password queue is 503 for known and unknown tenants alike")
    func queueFull() async throws {
        let bounds = PasswordQueueBounds(workers: 1, waitingChecks: 0, waitingChecksOfLane: 0, waiters: 1)
        let test = try AccessUnderTest(makeConfiguration(makeTenants()), bounds: bounds)
        for tenant in ["basic", "bearer", "unknown"] {
            #expect(await test.decide(tenant, basic("user", "abc")) == .failure(.passwordQueueFull))
        }
        #expect(AccessRefusal.passwordQueueFull.status == 503 && AccessRefusal.passwordQueueFull.retryAfterSeconds == 1)
    }

    @Test("only 401s ask for credentials; every 503 and 429 tells when to come again")
    func headers() {
        for refusal in [
            AccessRefusal.unauthorized(.noCredentials), .unauthorized(.wrongCredentials),
            .unauthorized(.malformedCredentials), .certificateExpired, .certificateUntrusted,
        ] {
            #expect(refusal.status == 401)
            #expect(refusal.headerFields == [.wwwAuthenticate: "Basic realm=\"timestream-gateway\""])
        }
        for refusal in [AccessRefusal.passwordQueueFull, .cancelled] {
            #expect(refusal.headerFields == [.retryAfter: "1"])
        }
    }
}

@Suite("A reload of access control")
struct AccessReloadTests {
    private func configuration(
        _ hash: Secret,
        _ change: (inout TenantLimits) -> Void = { _ in },
        bytes: Int = 1_000
    ) -> GatewayConfiguration {
        let tenant = makeTenant("a", makeAuthentication(basic: [("u", hash)]), makeLimits(change))
        return makeConfiguration([tenant], maxBytesInFlight: bytes)
    }

    private let head = makeHead(tenants: ["a"], authorization: basic("u", "abc"))

    @Test("remembered passwords, running requests, rates and reserved bytes go over to the new one")
    func handOver() async throws {
        let test = try AccessUnderTest(
            self.configuration(hashOfABC) {
                $0.concurrentWrites = 1
                $0.samplesPerSecond = 10
                $0.sampleBurst = 10
            }
        )
        let proven = try await test.prove(self.head)
        let admission = try await test.access.admit(proven, .write, within: .seconds(25))
        try await test.access.admitSamples(10, proven, within: .zero)
        let lease = try test.access.reserveBytes(800, proven)

        try test.reload(
            self.configuration(hashOfABC) {
                $0.concurrentWrites = 1
                $0.samplesPerSecond = 10
                $0.sampleBurst = 10
                $0.maxWait = .zero
            }
        )
        let again = try await test.prove(self.head)
        #expect(test.checkedHashes.count == 1)
        let concurrency = await #expect(throws: AccessRefusal.self) {
            try await test.access.admit(again, .write, within: .seconds(25))
        }
        #expect(concurrency?.reason == .writeConcurrency)
        let samples = await #expect(throws: AccessRefusal.self) {
            try await test.access.admitSamples(1, again, within: .seconds(25))
        }
        #expect(samples?.reason == .sampleRate)
        let bytes = #expect(throws: AccessRefusal.self) { try test.access.reserveBytes(300, again) }
        #expect(bytes?.reason == .bytesInFlight)

        admission.release()
        lease.release()
        // Until the refused sample could pass, writes are refused on their heads.
        test.clock.advance(by: .milliseconds(100))
        _ = try await test.access.admit(again, .write, within: .seconds(25))
        #expect(try test.access.reserveBytes(1_000, again).byteCount == 1_000)
        #expect(
            test.refusals == ["a/write_concurrency": 1, "a/sample_rate": 1, "a/bytes_in_flight": 1]
        )
    }

    @Test("a password whose hash was replaced is worth nothing from the reload on")
    func replacedHash() async throws {
        let test = try AccessUnderTest(self.configuration(hashOfABC))
        #expect(await test.decide(self.head) == .success("a"))
        try test.reload(self.configuration(hashOfA))
        #expect(await test.decide(self.head) == unauthorized(.wrongCredentials))
        #expect(await test.decide(makeHead(tenants: ["a"], authorization: basic("u", "a"))) == .success("a"))
    }

    @Test("a tenant that is gone is unknown; a request that was let in before keeps its place")
    func removed() async throws {
        let test = try AccessUnderTest(self.configuration(hashOfABC))
        let proven = try await test.prove(self.head)
        let admission = try await test.access.admit(proven, .write, within: .seconds(25))
        try test.reload(makeConfiguration([makeTenant("b", makeAuthentication(basic: [("u", hashOfABC)]))]))
        #expect(await test.decide(self.head) == unauthorized(.wrongCredentials))
        admission.release()
        let labels = [("tenant", "a"), ("kind", "write")]
        #expect(test.registry.gauge("gateway_tenant_concurrency", help: "", labels: labels).value == 0)
    }

    @Test("a configuration that cannot be used changes nothing, and all its problems are told together")
    func broken() async throws {
        let test = try AccessUnderTest(self.configuration(hashOfABC))
        var tenants = [
            makeTenant("a", makeAuthentication(basic: [("u", hashOfABC), ("v", Secret("plain-password"))])),
            makeTenant(
                "b",
                makeAuthentication(certificate: makeCertificate(commonNames: ["x"], ca: "/nowhere/ca.pem"))
            ),
            makeTenant(
                "c",
                makeAuthentication(certificate: makeCertificate(commonNames: ["x"], ca: "/nowhere/ca.pem"))
            ),
            makeTenant("d", makeAuthentication(certificate: makeCertificate(commonNames: ["x"]))),
        ]
        tenants[0].limits.concurrentWrites = 0
        let broken = makeConfiguration(
            tenants,
            header: "not a header",
            defaultTenant: "nobody",
            clientCA: "/nowhere/listener.pem",
            maxBytesInFlight: 1
        )
        let problems = try #require(throws: ConfigurationProblems.self) { try test.reload(broken) }
        #expect(
            problems.problems.map(\.path) == [
                "routing.header", "routing.default_tenant", "tenants.b.auth.client_certificate.ca",
                "server.tls.client_ca", "tenants.a.auth.basic[1].password_hash",
            ]
        )
        #expect(!problems.description.contains("plain-password"))
        #expect(problems.problems.allSatisfy { $0.remedy?.isEmpty == false })
        // The old one still serves, with its old limits.
        let proven = try await test.prove(self.head)
        _ = try await test.access.admit(proven, .write, within: .seconds(25))
        #expect(try test.access.reserveBytes(1_000, proven).byteCount == 1_000)
    }

    @Test(
        "a tenant header cannot be one that has another meaning, or none at all",
        arguments: ["Authorization", "cookie", ":path", "a b", "é", "x:", "\r\n"]
    )
    func headers(name: String) throws {
        let problems = try #require(throws: ConfigurationProblems.self) {
            try AccessUnderTest(makeConfiguration([makeTenant("a", makeAuthentication(isOpen: true))], header: name))
        }
        #expect(problems.problems.allSatisfy { $0.path == "routing.header" })
    }

    @Test("an empty header name and prefix switch these sources off")
    func noSources() async throws {
        let configuration = makeConfiguration(
            [makeTenant("a", makeAuthentication(isOpen: true))],
            header: "",
            pathPrefix: "",
            defaultTenant: "a"
        )
        let test = try AccessUnderTest(configuration)
        #expect(await test.decide(makeHead("/t/b/write", tenants: ["c"])) == .success("a"))
        #expect(test.access.target(of: makeHead("/t/b/write")).route == "/t/b/write")
    }
}
