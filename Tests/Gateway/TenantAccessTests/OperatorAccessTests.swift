import Common
import HTTPTypes
import Testing

@testable import TenantAccess
@testable import TenantConfiguration

@Suite("Who may see the operators' pages")
struct OperatorAccessTests {
    private static func configuration(
        _ operators: AuthenticationSettings?,
        failuresPerSecond: Int? = nil
    ) -> GatewayConfiguration {
        var configuration = makeConfiguration([
            makeTenant("tenant", makeAuthentication(basic: [("user", hashOfA)], tokens: ["tenant-token"]))
        ])
        configuration.server.admin.authentication = operators
        configuration.server.limits.failedPasswordsPerSecond = failuresPerSecond
        return configuration
    }

    private static let both = makeAuthentication(basic: [("operator", hashOfABC)], tokens: ["token-1", "token-2"])

    private static func decide(_ test: AccessUnderTest, _ authorization: String?) async -> AccessRefusal? {
        do throws(AccessRefusal) {
            try await test.access.proveOperator(makeHead("/", authorization: authorization), peer: makePeer())
            return nil
        } catch {
            return error
        }
    }

    private static func refusals(_ test: AccessUnderTest, _ reason: String) -> Bool {
        test.registry.exposition().contains("gateway_admin_refused_total{reason=\"\(reason)\"} 1\n")
    }

    @Test(
        "the right password or token lets in",
        arguments: [basic("operator", "abc"), "Bearer token-1", "Bearer token-2"]
    )
    func right(authorization: String) async throws {
        let test = try AccessUnderTest(Self.configuration(Self.both))
        #expect(test.access.admitsOperators)
        #expect(await Self.decide(test, authorization) == nil)
    }

    @Test(
        "everything else is 401, and counted",
        arguments: [
            (nil, "no_credentials"), ("Basic", "malformed_credentials"), ("Digest x", "malformed_credentials"),
            (basic("operator", "a"), "wrong_credentials"), (basic("user", "a"), "wrong_credentials"),
            (basic("nobody", "abc"), "wrong_credentials"), (basic("", ""), "wrong_credentials"),
            ("Bearer tenant-token", "wrong_credentials"), ("Bearer token", "wrong_credentials"),
        ] as [(String?, String)]
    )
    func wrong(authorization: String?, reason: String) async throws {
        let test = try AccessUnderTest(Self.configuration(Self.both))
        let refusal = try #require(await Self.decide(test, authorization))
        #expect(refusal.status == 401 && refusal.reason.rawValue == reason)
        #expect(refusal.message == "unauthorized: this page needs the proof that server.admin.auth asks for")
        #expect(refusal.headerFields == [.wwwAuthenticate: "Basic realm=\"timestream-gateway\""])
        #expect(Self.refusals(test, reason))
        // No tenant was refused anything.
        #expect(test.refusals.isEmpty)
    }

    @Test("without server.admin.auth nobody is proven, open tenants or not")
    func unconfigured() async throws {
        var configuration = Self.configuration(nil)
        configuration.tenants.append(makeTenant("open", makeAuthentication(isOpen: true)))
        let test = try AccessUnderTest(configuration)
        #expect(!test.access.admitsOperators)
        for authorization in [nil, basic("operator", "abc"), "Bearer token-1"] {
            #expect(await Self.decide(test, authorization)?.status == 401)
        }
    }

    @Test("a password costs once, and what it proves for an operator it proves for no tenant")
    func remembered() async throws {
        var configuration = Self.configuration(Self.both)
        configuration.tenants[0].authentication = makeAuthentication(basic: [("operator", hashOfA)])
        let test = try AccessUnderTest(configuration)
        for _ in 0..<3 { #expect(await Self.decide(test, basic("operator", "abc")) == nil) }
        #expect(test.checkedHashes == [hashOfABC.revealed])
        #expect(await test.decide("tenant", basic("operator", "abc")) == .failure(.unauthorized(.wrongCredentials)))
        #expect(await test.decide("tenant", basic("operator", "a")) == .success("tenant"))
        #expect(await Self.decide(test, basic("operator", "a"))?.status == 401)
    }

    @Test("an unknown user name costs what a wrong password costs")
    func unknownUser() async throws {
        let test = try AccessUnderTest(Self.configuration(Self.both))
        _ = await Self.decide(test, basic("operator", "x"))
        _ = await Self.decide(test, basic("nobody", "x"))
        #expect(test.checkedHashes == [hashOfABC.revealed, hashOfABC.revealed])
    }

    @Test("a reload takes other secrets, and takes proof away")
    func reload() async throws {
        let test = try AccessUnderTest(Self.configuration(Self.both))
        #expect(await Self.decide(test, basic("operator", "abc")) == nil)
        #expect(await Self.decide(test, "Bearer token-1") == nil)
        try test.reload(Self.configuration(makeAuthentication(basic: [("operator", hashOfA)], tokens: ["token-3"])))
        #expect(await Self.decide(test, basic("operator", "abc"))?.status == 401)
        #expect(await Self.decide(test, "Bearer token-1")?.status == 401)
        #expect(await Self.decide(test, basic("operator", "a")) == nil)
        #expect(await Self.decide(test, "Bearer token-3") == nil)
        try test.reload(Self.configuration(nil))
        #expect(!test.access.admitsOperators)
        #expect(await Self.decide(test, basic("operator", "a"))?.status == 401)
    }

    @Test("too many wrong passwords from one address are not looked at; a right one of before still is")
    func slowed() async throws {
        let test = try AccessUnderTest(Self.configuration(Self.both, failuresPerSecond: 1))
        #expect(await Self.decide(test, basic("operator", "abc")) == nil)
        for index in 0..<SourceFailures.burst {
            #expect(await Self.decide(test, basic("operator", "wrong-\(index)"))?.status == 401)
        }
        let checked = test.checkedHashes.count
        let refusal = try #require(await Self.decide(test, basic("operator", "wrong")))
        #expect(refusal.status == 503 && refusal.reason == .passwordFailures && refusal.retryAfterSeconds != nil)
        #expect(await Self.decide(test, basic("operator", "abc")) == nil)
        #expect(test.checkedHashes.count == checked)
        #expect(Self.refusals(test, "password_failures"))
    }

    @Test("a hash that libcrypt does not take is a problem at its place")
    func badHash() throws {
        let operators = makeAuthentication(basic: [("operator", Secret("$1$salt$nothing"))])
        let error = #expect(throws: ConfigurationProblems.self) {
            _ = try AccessUnderTest(Self.configuration(operators))
        }
        #expect(error?.problems.map(\.path) == ["server.admin.auth.basic[0].password_hash"])
    }
}
