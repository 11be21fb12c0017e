import Common
import Foundation
import RequestSigning
import TestSupport
import Testing

@testable import CredentialProviders

@Suite("Roles from STS")
struct SecurityTokenServiceTests {
    private static let key = AccessKey(
        accessKeyID: "AKIDEXAMPLE",
        secretAccessKey: Secret("do+not/show"),
        sessionToken: Secret("nor+this//one==")
    )
    private static let role = AssumedRole(
        arn: "arn:aws:iam::111122223333:role/path/search-writer",
        externalID: "search:1/2",
        sessionName: "a=b,c.d@e-f",
        durationSeconds: 900,
        tags: [.init(key: "team", value: "b c/ü+~*"), .init(key: "cost center", value: "1:2")],
        transitiveTagKeys: ["team", "cost center"]
    )

    /// `application/x-www-form-urlencoded`, decoded.
    private func form(_ request: ScriptedServer.Request) -> [String] {
        String(decoding: request.body, as: UTF8.self).split(separator: "&").map {
            $0.replacing("+", with: " ").removingPercentEncoding ?? "undecodable"
        }
    }

    private struct Order<Parameters: Encodable & Sendable>: Encodable, Sendable {
        var url: String
        var key: OracleKey?
        var parameters: Parameters
    }

    @Test("a role is assumed with the same request as botocore's, byte for byte in the body")
    func assumesRoleAsBotocore() async throws {
        struct Tag: Encodable, Sendable { var Key: String, Value: String }
        struct Parameters: Encodable, Sendable {
            var RoleArn: String, RoleSessionName: String, Tags: [Tag], TransitiveTagKeys: [String]
            var ExternalId: String, DurationSeconds: Int
        }
        let server = try ScriptedServer { _ in Answers.role() }
        defer { server.stop() }
        let fixture = try CredentialFixture()
        let ours = try await found(
            AssumeRoleProvider(
                Self.role,
                source: KeyPairProvider(Self.key),
                in: fixture.surroundings(sts: server.url)
            )
        )
        let key = OracleKey(id: "AKIDEXAMPLE", secret: "do+not/show", token: "nor+this//one==")
        let theirs = try await oracle(
            "assume_role",
            Order(
                url: server.url,
                key: key,
                parameters: Parameters(
                    RoleArn: Self.role.arn,
                    RoleSessionName: "a=b,c.d@e-f",
                    Tags: Self.role.tags.map { Tag(Key: $0.key, Value: $0.value) },
                    TransitiveTagKeys: Self.role.transitiveTagKeys,
                    ExternalId: "search:1/2",
                    DurationSeconds: 900
                )
            ),
            as: OracleKey.self
        )
        #expect(ours.shown == theirs)
        #expect(ours.shown == Answers.found)
        #expect(ours.origin == .assumedRole)

        let requests = server.requests
        try #require(requests.count == 2)
        #expect(requests[0].method == requests[1].method)
        #expect(requests[0].target == requests[1].target)
        // The order of parameters is each client's own.
        #expect(self.form(requests[0]).sorted() == self.form(requests[1]).sorted())
        #expect(requests[0].body.count == requests[1].body.count)
        for name in ["content-type", "host", "x-amz-security-token"] {
            #expect(requests[0].header(name) == requests[1].header(name), "\(name)")
        }
        func signedHeaders(_ request: ScriptedServer.Request) -> Substring? {
            request.header("authorization")?.split(separator: ", ").first { $0.hasPrefix("SignedHeaders=") }
        }
        #expect(signedHeaders(requests[0]) != nil)
        #expect(signedHeaders(requests[0]) == signedHeaders(requests[1]))

        struct Check: Encodable, Sendable {
            var headers: [[String]]
            var body: Data
            var key: OracleKey
        }
        let check = Check(
            headers: requests[0].headers.map { [$0.name, $0.value] },
            body: Data(requests[0].body),
            key: key
        )
        let signature = try await oracle("verify", check, as: String.self)
        #expect(requests[0].header("authorization") == signature)
    }

    @Test("a web identity's role is asked for with the same request as botocore's, unsigned")
    func webIdentityAsBotocore() async throws {
        struct Parameters: Encodable, Sendable {
            var RoleArn: String, RoleSessionName: String, WebIdentityToken: String
        }
        let server = try ScriptedServer { _ in Answers.role("AssumeRoleWithWebIdentity") }
        defer { server.stop() }
        let fixture = try CredentialFixture()
        let token = "eyJhbGciOi.eyJzdWIiOi+/=.c2ln"
        let environment = [
            "AWS_WEB_IDENTITY_TOKEN_FILE": try fixture.write("token", token + "\n"),
            "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/irsa",
            "AWS_ROLE_SESSION_NAME": "pod-1",
        ]
        let surroundings = fixture.surroundings(environment, sts: server.url)
        let ours = try await found(WebIdentityProvider(in: surroundings))
        let parameters = Parameters(
            RoleArn: "arn:aws:iam::111122223333:role/irsa",
            RoleSessionName: "pod-1",
            WebIdentityToken: token
        )
        let theirs = try await oracle(
            "web_identity",
            Order(url: server.url, key: nil, parameters: parameters),
            as: OracleKey.self
        )
        #expect(ours.shown == theirs)
        #expect(ours.origin == .webIdentity)
        let requests = server.requests
        try #require(requests.count == 2)
        #expect(self.form(requests[0]).sorted() == self.form(requests[1]).sorted())
        #expect(requests[0].body.count == requests[1].body.count)
        #expect(requests[0].header("content-type") == requests[1].header("content-type"))
        for request in requests { #expect(request.header("authorization") == nil) }

        // The file's owner replaces it; what is read next is what it says then.
        try fixture.write("token", "another.token.x")
        _ = try await found(WebIdentityProvider(in: surroundings))
        #expect(String(decoding: server.requests[2].body, as: UTF8.self).hasSuffix("WebIdentityToken=another.token.x"))
    }

    @Test("a role on top of a role is signed with the first one's key")
    func chains() async throws {
        let server = try ScriptedServer { request in
            Answers.role(
                id: String(decoding: request.body, as: UTF8.self).contains("first") ? "ASIAFIRST" : "ASIASECOND"
            )
        }
        defer { server.stop() }
        let surroundings = try CredentialFixture().surroundings(sts: server.url)
        let first = AssumeRoleProvider(
            AssumedRole(arn: "arn:aws:iam::111122223333:role/first"),
            source: KeyPairProvider(Self.key),
            in: surroundings
        )
        let second = AssumeRoleProvider(
            AssumedRole(arn: "arn:aws:iam::111122223333:role/second"),
            source: first,
            in: surroundings
        )
        #expect(try await found(second).key.accessKeyID == "ASIASECOND")
        let requests = server.requests
        try #require(requests.count == 2)
        #expect(requests[0].header("authorization")?.contains("Credential=AKIDEXAMPLE/") == true)
        #expect(requests[1].header("authorization")?.contains("Credential=ASIAFIRST/") == true)
        #expect(requests[1].header("x-amz-security-token") == "HUSH//token==")
        #expect(self.form(requests[1]).contains("RoleSessionName=timestream-gateway-payments"))
    }

    @Test("a refusal is final, and says why")
    func refusal() async throws {
        let server = try ScriptedServer { _ in
            Answers.refusal(403, "AccessDenied", "User: x is not authorized &lt;sts:AssumeRole&gt;")
        }
        defer { server.stop() }
        let provider = AssumeRoleProvider(
            Self.role,
            source: KeyPairProvider(Self.key),
            in: try CredentialFixture().surroundings(sts: server.url)
        )
        let error = try #require(await failure(provider))
        #expect(error.code == .refused)
        #expect(error.message.contains("AccessDenied: User: x is not authorized <sts:AssumeRole>"))
        #expect(error.message.contains(Self.role.arn))
        #expect(server.requests.count == 1)
    }

    @Test("a token that STS repeats in a refusal is not shown")
    func hidesToken() async throws {
        let server = try ScriptedServer { _ in
            Answers.refusal(400, "InvalidIdentityToken", "the token HUSH.HUSH.HUSH is expired")
        }
        defer { server.stop() }
        let fixture = try CredentialFixture()
        let path = try fixture.write("token", "HUSH.HUSH.HUSH")
        let environment = ["AWS_WEB_IDENTITY_TOKEN_FILE": path, "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x"]
        let error = try #require(
            await failure(WebIdentityProvider(in: fixture.surroundings(environment, sts: server.url)))
        )
        #expect(error.message.contains("the token <secret> is expired"))
        #expect(!error.message.contains("HUSH"))
    }

    @Test(
        "trouble of the service is tried again",
        arguments: [
            Answers.refusal(503, "ServiceUnavailable", "x"), Answers.refusal(400, "Throttling", "Rate exceeded"),
            Answers.refusal(400, "IDPCommunicationError", "x"), .answer(502, body: Array("<html>bad".utf8)), .close,
        ]
    )
    func retries(first: ScriptedServer.Reply) async throws {
        let tries = Locked(0)
        let server = try ScriptedServer { _ in
            tries.withLock { count in
                count += 1
                return count == 1 ? first : Answers.role()
            }
        }
        defer { server.stop() }
        let provider = AssumeRoleProvider(
            Self.role,
            source: KeyPairProvider(Self.key),
            in: try CredentialFixture().surroundings(sts: server.url)
        )
        #expect(try await found(provider).shown == Answers.found)
        #expect(server.requests.count >= 2)
    }

    @Test(
        "an answer that is not one is an error that shows nothing of it",
        arguments: [
            "", "HUSH", "<a>HUSH", "<AssumeRoleResponse/>",
            "<R><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>HUSH</SecretAccessKey></Credentials></R>",
            "<R><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>HU SH</SecretAccessKey><SessionToken>t"
                + "</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></R>",
            "<R><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>HUSH</SecretAccessKey><SessionToken>t"
                + "</SessionToken><Expiration>soon</Expiration></Credentials></R>",
        ]
    )
    func malformed(body: String) async throws {
        let server = try ScriptedServer { _ in .answer(200, body: Array(body.utf8)) }
        defer { server.stop() }
        let provider = AssumeRoleProvider(
            Self.role,
            source: KeyPairProvider(Self.key),
            in: try CredentialFixture().surroundings(sts: server.url)
        )
        let error = try #require(await failure(provider))
        #expect(error.code == .malformed)
        #expect(!error.message.contains("HU"))
    }

    @Test("each region's endpoint is the one that botocore takes")
    func endpoints() async throws {
        struct Order: Encodable, Sendable {
            var region: String, fips: Bool, dualStack: Bool
            func encode(to encoder: any Encoder) throws {
                var list = encoder.unkeyedContainer()
                try list.encode(self.region)
                try list.encode(self.fips)
                try list.encode(self.dualStack)
            }
        }
        var orders: [Order] = []
        for region in ["eu-west-1", "us-east-1", "us-gov-west-1", "ap-southeast-2"] {
            for fips in [false, true] {
                for dualStack in [false, true] {
                    orders.append(Order(region: region, fips: fips, dualStack: dualStack))
                }
            }
        }
        orders.append(Order(region: "cn-north-1", fips: false, dualStack: false))
        orders.append(Order(region: "us-iso-east-1", fips: false, dualStack: false))
        orders.append(Order(region: "us-isob-east-1", fips: false, dualStack: false))
        let theirs = try await oracle("endpoints", orders, as: [String].self)
        for (order, url) in zip(orders, theirs) {
            let ours = STSEndpoints(
                configured: nil,
                environment: [
                    "AWS_USE_FIPS_ENDPOINT": "\(order.fips)", "AWS_USE_DUALSTACK_ENDPOINT": "\(order.dualStack)",
                ]
            )
            #expect(ours.endpoint(region: order.region) == url, "\(order)")
        }
    }

    @Test("an endpoint is the configuration's, the environment's or the region's, in this order")
    func configuredEndpoint() {
        let environment = ["AWS_ENDPOINT_URL_STS": "https://sts.example/"]
        #expect(STSEndpoints(configured: "http://a", environment: environment).endpoint(region: "r-1") == "http://a")
        #expect(
            STSEndpoints(configured: nil, environment: environment).endpoint(region: "r-1") == "https://sts.example"
        )
    }
}
