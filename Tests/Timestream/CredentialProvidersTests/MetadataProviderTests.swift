import Common
import Foundation
import TestSupport
import Testing

@testable import CredentialProviders

@Suite("Credentials of the instance")
struct InstanceProviderTests {
    private static func answer(_ request: ScriptedServer.Request) -> ScriptedServer.Reply {
        switch (request.method, request.target) {
        case ("PUT", "/latest/api/token"):
            .answer(200, body: Array("AQAEtoken==".utf8))
        case ("GET", "/latest/meta-data/iam/security-credentials/"):
            .answer(200, body: Array("gateway-role".utf8))
        case ("GET", "/latest/meta-data/iam/security-credentials/gateway-role"):
            Answers.document
        default: .answer(404)
        }
    }

    @Test("the service is asked with botocore's own requests")
    func asBotocore() async throws {
        let server = try ScriptedServer { Self.answer($0) }
        defer { server.stop() }
        let fixture = try CredentialFixture()
        let ours = try await found(InstanceProvider(in: fixture.surroundings(instance: server.url)))
        #expect(ours.shown == Answers.found)
        #expect(ours.origin == .instance)
        #expect(ours.outlivesExpiration)
        let theirs = try await oracle("instance", ["url": server.url], as: OracleKey.self)
        #expect(theirs.secret == ours.shown.secret)
        let requests = server.requests
        try #require(requests.count == 6)
        for (ours, theirs) in zip(requests[..<3], requests[3...]) {
            #expect(ours.method == theirs.method)
            #expect(ours.target == theirs.target)
            #expect(ours.body == theirs.body)
            for name in ["x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"] {
                #expect(ours.header(name) == theirs.header(name))
            }
        }
        #expect(requests[1].header("x-aws-ec2-metadata-token") == "AQAEtoken==")
    }

    @Test("the environment may name the endpoint, or say that there is none")
    func environment() async throws {
        let server = try ScriptedServer { Self.answer($0) }
        defer { server.stop() }
        let fixture = try CredentialFixture()
        var environment = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url + "/"]
        #expect(try await found(InstanceProvider(in: fixture.surroundings(environment))).shown == Answers.found)
        environment["AWS_EC2_METADATA_DISABLED"] = "True"
        let error = await failure(InstanceProvider(in: fixture.surroundings(environment)))
        #expect(error?.code == .notConfigured)
        #expect(server.requests.count == 3)
    }

    @Test("without a token there is no second, weaker way")
    func noFirstVersion() async throws {
        let server = try ScriptedServer { $0.method == "PUT" ? .answer(403) : Self.answer($0) }
        defer { server.stop() }
        let error = await failure(InstanceProvider(in: try CredentialFixture().surroundings(instance: server.url)))
        #expect(error?.code == .refused)
        #expect(server.requests.map(\.method) == ["PUT"])
    }

    @Test("a token that does not come is explained by the hop limit")
    func hopLimit() async throws {
        let server = try ScriptedServer { _ in .close }
        defer { server.stop() }
        let error = await failure(InstanceProvider(in: try CredentialFixture().surroundings(instance: server.url)))
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("HttpPutResponseHopLimit") == true)
    }

    @Test("a token that has become invalid is replaced once")
    func staleToken() async throws {
        let tokens = Locked(0)
        let server = try ScriptedServer { request in
            if request.method == "PUT" {
                let number = tokens.withLock { count in
                    count += 1
                    return count
                }
                return .answer(200, body: Array("token-\(number)".utf8))
            }
            return request.header("x-aws-ec2-metadata-token") == "token-1" ? .answer(401) : Self.answer(request)
        }
        defer { server.stop() }
        let surroundings = try CredentialFixture().surroundings(instance: server.url)
        #expect(try await found(InstanceProvider(in: surroundings)).shown == Answers.found)
        #expect(tokens.withLock { $0 } == 2)
    }

    @Test("credentials that the service itself lets expire are used a while longer")
    func staticStability() async throws {
        let server = try ScriptedServer { Self.answer($0) }
        defer { server.stop() }
        let now = Answers.expiration + 5
        let provider = InstanceProvider(
            in: try CredentialFixture().surroundings(instance: server.url),
            now: { now }
        )
        let expiration = try #require(try await found(provider).expiration)
        #expect((now + 720...now + 1200).contains(expiration))
    }

    @Test(
        "a role that is not there or not ready is said so",
        arguments: [
            (ScriptedServer.Reply.answer(404), CredentialError.Code.refused),
            (.answer(200, body: []), .malformed),
            (.json(200, #"{"Code":"AssumeRoleUnauthorizedAccess","Message":"HUSH"}"#), .refused),
            (.json(200, #"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"HUSH","Token":"t"}"#), .malformed),
            (.json(200, #"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"HUSH","#), .malformed),
            (.answer(500), .unreachable),
        ]
    )
    func refusals(reply: ScriptedServer.Reply, code: CredentialError.Code) async throws {
        let server = try ScriptedServer { request in
            let isLast = request.target.hasSuffix("gateway-role")
            return request.method == "PUT" || !isLast ? Self.answer(request) : reply
        }
        defer { server.stop() }
        let error = await failure(InstanceProvider(in: try CredentialFixture().surroundings(instance: server.url)))
        #expect(error?.code == code)
        #expect(error?.message.contains("HUSH") == false)
    }
}

@Suite("Credentials of the container")
struct ContainerProviderTests {
    private struct Order: Encodable, Sendable { var environment: [String: String] }

    @Test("the endpoint is asked with botocore's own requests, with the token of the file as it is then")
    func asBotocore() async throws {
        let server = try ScriptedServer { _ in Answers.document }
        defer { server.stop() }
        let fixture = try CredentialFixture()
        let environment = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/v1/credentials?x=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": try fixture.write("token", "eyJ.a.b"),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "not this one",
        ]
        let provider = ContainerProvider(in: fixture.surroundings(environment))
        let ours = try await found(provider)
        #expect(ours.shown == Answers.found)
        #expect(ours.origin == .container)
        let theirs = try await oracle("container", Order(environment: environment), as: OracleKey.self)
        #expect(theirs.token == ours.shown.token)
        try fixture.write("token", "eyJ.c.d\n")
        _ = try await found(provider)
        let requests = server.requests
        try #require(requests.count == 3)
        #expect(requests[0].method == requests[1].method)
        #expect(requests[0].target == requests[1].target)
        for name in ["accept", "authorization"] { #expect(requests[0].header(name) == requests[1].header(name)) }
        #expect(requests[0].header("authorization") == "eyJ.a.b")
        #expect(requests[2].header("authorization") == "eyJ.c.d")
    }

    @Test("a relative address goes before a full one")
    func relative() async throws {
        let server = try ScriptedServer { _ in Answers.document }
        defer { server.stop() }
        let environment = [
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
        ]
        let surroundings = try CredentialFixture().surroundings(environment, container: server.url)
        _ = try await found(ContainerProvider(in: surroundings))
        #expect(server.requests.map(\.target) == ["/v2/credentials/1"])
        #expect(server.requests.first?.header("authorization") == nil)
        #expect(try CredentialFixture().surroundings().containerEndpoint == "http://169.254.170.2")
    }

    @Test(
        "without TLS the token goes to this host and link alone",
        arguments: [
            ("http://127.0.0.1:80/a", true), ("http://127.1.2.3", true), ("http://localhost/", true),
            ("http://[::1]:8080/x", true), ("http://169.254.170.2/a", true), ("http://169.254.170.23/v1", true),
            ("http://[fd00:ec2::23]/v1", true), ("https://example.com/", true), ("HTTP://LOCALHOST", true),
            ("http://example.com/", false), ("http://169.254.169.254/", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://127.0.0.1@example.com/", false), ("http://[::1].example.com/", false), ("http://[::1/", false),
            ("http://127.0.0/", false), ("http://127.0.0.256/", false), ("ftp://127.0.0.1/", false), ("", false),
            ("http://example.com#@127.0.0.1/", false), ("http://10.0.0.1/", false), ("http://127.0.0.1\\@a.b/", false),
        ]
    )
    func hosts(url: String, mayBeAsked: Bool) async throws {
        #expect(ContainerProvider.mayBeAsked(url) == mayBeAsked)
    }

    @Test("a host that must not be asked is not")
    func foreignHost() async throws {
        let environment = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/HUSH"]
        let error = await failure(ContainerProvider(in: try CredentialFixture().surroundings(environment)))
        #expect(error?.code == .misconfigured)
        #expect(error?.message.contains("HUSH") == false)
    }

    @Test("trouble is tried again, a refusal is not, and neither shows what the agent said")
    func failures() async throws {
        let replies: Locked<[ScriptedServer.Reply]> = Locked([
            .answer(500), Answers.document, .json(400, #"{"code":"InvalidToken","message":"HUSH"}"#),
            .answer(200, body: Array("HUSH".utf8)),
        ])
        let server = try ScriptedServer { _ in replies.withLock { $0.removeFirst() } }
        defer { server.stop() }
        let environment = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url]
        let provider = ContainerProvider(in: try CredentialFixture().surroundings(environment))
        #expect(try await found(provider).shown == Answers.found)
        let refusal = await failure(provider)
        #expect(refusal == CredentialError(.refused, "the container's endpoint answers HTTP 400 (InvalidToken)"))
        let malformed = await failure(provider)
        #expect(malformed?.code == .malformed)
        #expect(malformed?.message.contains("HUSH") == false)
    }

    @Test("no variable, no file, no token", arguments: ["missing", "empty", "lines"])
    func tokenFile(name: String) async throws {
        let fixture = try CredentialFixture()
        try fixture.write("empty", "\n")
        try fixture.write("lines", "HUSH\nHUSH")
        let environment = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "\(fixture.folder)/\(name)",
        ]
        let error = await failure(ContainerProvider(in: fixture.surroundings(environment)))
        #expect(error?.code == .misconfigured)
        #expect(error?.message.contains("HUSH") == false)
        #expect(await failure(ContainerProvider(in: fixture.surroundings()))?.code == .notConfigured)
    }
}
