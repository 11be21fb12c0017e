import Common
import Foundation
import Logging
import RequestSigning
import TestSupport
import Testing
import UpstreamHTTP

@testable import CredentialProviders

/// Everything around a provider, with a folder for its files.
final class CredentialFixture: Sendable {
    let folder: String
    let registry = MetricRegistry()
    let logs = LogCapture()
    private let upstream: UpstreamClient
    private let metadata: UpstreamClient

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder.path
        // A proxy that nobody listens at: loopback must be reached without it.
        self.upstream = try UpstreamClient(
            UpstreamConfiguration(proxy: "http://127.0.0.1:1"),
            metrics: self.registry
        )
        self.metadata = try UpstreamClient(UpstreamConfiguration(), metrics: MetricRegistry())
    }

    deinit { try? FileManager.default.removeItem(atPath: self.folder) }

    var logger: Logger {
        let logs = self.logs
        var logger = Logger(label: "test") { _ in logs }
        logger.logLevel = .trace
        return logger
    }

    /// Writes a file and returns its path.
    @discardableResult func write(_ name: String, _ text: String) throws -> String {
        let path = "\(self.folder)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    func surroundings(
        _ environment: [String: String] = [:],
        sts: String? = nil,
        instance: String? = nil,
        container: String? = nil
    ) -> CredentialSurroundings {
        let environment = ["HOME": self.folder, "PATH": "/usr/bin:/bin"].merging(environment) { $1 }
        var surroundings = CredentialSurroundings(
            environment: environment,
            region: "eu-west-1",
            sessionName: "timestream-gateway-payments",
            sts: SecurityTokenService(
                upstream: self.upstream,
                endpoint: sts ?? "http://127.0.0.1:1",
                environment: environment
            ),
            metadata: self.metadata,
            metadataEndpoint: instance
        )
        surroundings.timeoutFactor = 20
        if let container { surroundings.containerEndpoint = container }
        return surroundings
    }

    func value(_ series: String) -> Int? {
        let lines = self.registry.exposition().split(separator: "\n")
        return lines.first { $0.hasPrefix(series + " ") }.flatMap { Int($0.dropFirst(series.count + 1)) }
    }
}

/// Runs botocore's part of a comparison.
func oracle<Order: Encodable & Sendable, Answer: Decodable & Sendable>(
    _ mode: String,
    _ order: Order,
    as type: Answer.Type
) async throws -> Answer {
    let script = try #require(Bundle.module.url(forResource: "credentials_oracle", withExtension: "py"))
    return try await blocking {
        let input = try JSONEncoder().encode(order)
        let output = try Python(importing: ["botocore"]).run(script, [mode], input: input)
        return try JSONDecoder().decode(Answer.self, from: output)
    }
}

struct OracleKey: Codable, Equatable {
    var id: String
    var secret: String
    var token: String?
    var expiration: Int64?
}

extension Credentials {
    var shown: OracleKey {
        OracleKey(
            id: self.key.accessKeyID,
            secret: self.key.secretAccessKey.revealed,
            token: self.key.sessionToken?.revealed,
            expiration: self.expiration
        )
    }
}

/// The error that a provider ends in; `nil` if it finds something.
func failure(_ provider: any CredentialProvider, within duration: Duration = .seconds(60)) async -> CredentialError? {
    do {
        _ = try await provider.fetch(deadline: .now + duration)
        return nil
    } catch {
        return error
    }
}

func found(_ provider: any CredentialProvider) async throws -> Credentials {
    try await provider.fetch(deadline: .now + .seconds(60))
}

enum Answers {
    static let expiration: Int64 = 1_893_456_000  // 2030-01-01T00:00:00Z

    static func role(_ action: String = "AssumeRole", id: String = "ASIAEXAMPLE") -> ScriptedServer.Reply {
        .answer(
            200,
            headers: [("Content-Type", "text/xml")],
            body: Array(
                """
                <\(action)Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
                  <\(action)Result>
                    <AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/x/s</Arn></AssumedRoleUser>
                    <Credentials>
                      <AccessKeyId>\(id)</AccessKeyId>
                      <SecretAccessKey>HUSH/secret+&#x3D;</SecretAccessKey>
                      <SessionToken>HUSH//token==</SessionToken>
                      <Expiration>2030-01-01T00:00:00Z</Expiration>
                    </Credentials>
                  </\(action)Result>
                  <ResponseMetadata><RequestId>c6104cbe</RequestId></ResponseMetadata>
                </\(action)Response>
                """.utf8
            )
        )
    }

    static func refusal(_ status: Int, _ code: String, _ message: String) -> ScriptedServer.Reply {
        .answer(
            status,
            body: Array(
                """
                <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>\(code)\
                </Code><Message>\(message)</Message></Error><RequestId>1</RequestId></ErrorResponse>
                """.utf8
            )
        )
    }

    static let document = ScriptedServer.Reply.json(
        200,
        #"{"Code":"Success","LastUpdated":"2029-12-31T18:00:00Z","Type":"AWS-HMAC","AccessKeyId":"ASIAEXAMPLE","#
            + #""SecretAccessKey":"HUSH/secret+=","Token":"HUSH//token==","Expiration":"2030-01-01T00:00:00Z"}"#
    )
    static let found = OracleKey(
        id: "ASIAEXAMPLE",
        secret: "HUSH/secret+=",
        token: "HUSH//token==",
        expiration: Answers.expiration
    )
}
