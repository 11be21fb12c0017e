import Common
import Foundation
import TestSupport
import Testing

@testable import RequestSigning

/// A request as the oracle script reads and writes it.
private struct OracleRequest: Codable {
    var method: String
    var host: String
    var target: String
    var headers: [[String]]
    var body: String
    var id: String
    var secret: String
    var token: String?
    var region: String
    var service: String
    var time: Int64

    var signable: SignableRequest {
        SignableRequest(
            method: self.method,
            target: self.target,
            headers: self.headers.map { (name: $0[0], value: $0[1]) }
        )
    }

    var bytes: [UInt8] { Array(Data(base64Encoded: self.body) ?? Data()) }

    var key: AccessKey {
        AccessKey(
            accessKeyID: self.id,
            secretAccessKey: Secret(self.secret),
            sessionToken: self.token.map { Secret($0) }
        )
    }

    enum CodingKeys: CodingKey { case method, host, target, headers, body, id, secret, token, region, service, time }

    // The token is written as null, too: the script expects every member.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.method, forKey: .method)
        try container.encode(self.host, forKey: .host)
        try container.encode(self.target, forKey: .target)
        try container.encode(self.headers, forKey: .headers)
        try container.encode(self.body, forKey: .body)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.secret, forKey: .secret)
        try container.encode(self.token, forKey: .token)
        try container.encode(self.region, forKey: .region)
        try container.encode(self.service, forKey: .service)
        try container.encode(self.time, forKey: .time)
    }
}

@Suite("Signatures compared with botocore's")
struct BotocoreDifferentialTests {
    private func oracle(_ mode: String, _ input: Data) throws -> Data {
        let script = try #require(Bundle.module.url(forResource: "signing_oracle", withExtension: "py"))
        return try Python(importing: ["botocore"]).run(script, [mode], input: input)
    }

    private func signedByBotocore() throws -> [OracleRequest] {
        let order = Data(#"{"seed": 20150830, "count": 2000}"#.utf8)
        return try JSONDecoder().decode([OracleRequest].self, from: try self.oracle("sign", order))
    }

    @Test("every request that botocore signs is accepted, and none with one bit changed")
    func acceptsBotocore() throws {
        let requests = try self.signedByBotocore()
        try #require(requests.count == 2000)
        for request in requests {
            let verified = try RequestVerifier.verify(
                request.signable,
                body: request.bytes,
                service: request.service,
                keys: { $0 == request.id ? request.key : nil },
                nowSeconds: request.time
            )
            #expect(verified == VerifiedSignature(accessKeyID: request.id, region: request.region))
            #expect(RequestVerifier.accessKeyID(of: request.signable) == request.id)

            var body = request.bytes
            if body.isEmpty { body = [0] } else { body[body.count / 2] ^= 1 }
            let error = #expect(throws: SignatureError.self) {
                try RequestVerifier.verify(
                    request.signable,
                    body: body,
                    service: request.service,
                    keys: { _ in request.key },
                    nowSeconds: request.time
                )
            }
            #expect(error?.code == .mismatch)
        }
    }

    @Test("our headers are botocore's byte for byte")
    func signsLikeBotocore() throws {
        var generator = SeededGenerator(seed: 1)
        var requests: [OracleRequest] = []
        for number in 0..<2000 {
            let values = ["plain", "  two  inner   blanks ", "a,b;c", "\ttab\tand blank ", "é☃", ""]
            var headers = [
                ["content-type", "application/x-amz-json-1.0"], ["X-Amz-Target", "Timestream_20181101.Query"],
            ]
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                let name = ["x-a", "X-B", "x-ab", "Accept"].randomElement(using: &generator)
                let value = values.randomElement(using: &generator)
                headers.append([try #require(name), try #require(value)])
            }
            let targets = ["/", "/a/../b//c/", "/%41%20/x?b=2&a=1&a=%20", "/t/x?y", "/~u/é", "/.."]
            let lengths = number % 100 == 0 ? [100_000] : [0, 1, 55, 56, 64, 1_000]
            let length = lengths.randomElement(using: &generator)
            let bytes = (0..<(try #require(length))).map { _ in UInt8.random(in: 0...255, using: &generator) }
            requests.append(
                OracleRequest(
                    method: "POST",
                    host: number % 2 == 0 ? "localhost:8080" : "query-cell2.timestream.eu-west-1.amazonaws.com",
                    target: try #require(targets.randomElement(using: &generator)),
                    headers: headers,
                    body: Data(bytes).base64EncodedString(),
                    id: "AKID\(number % 7)",
                    secret: String(repeating: "s/+\(number % 7)", count: 1 + number % 30),
                    token: number % 3 == 0 ? "token\(number)==" : nil,
                    region: number % 5 == 0 ? "us-east-1" : "eu-west-1",
                    service: "timestream",
                    time: Int64.random(in: 0...4_102_444_800, using: &generator)
                )
            )
        }
        let answer = try self.oracle("check", try JSONEncoder().encode(requests))
        let expected = try JSONDecoder().decode([[[String]]].self, from: answer)
        try #require(expected.count == requests.count)

        let signer = RequestSigner(service: "timestream")
        for (request, theirs) in zip(requests, expected) {
            var signable = request.signable
            signable.headers.append(("Host", request.host))
            let ours = signer.sign(
                signable,
                body: FrozenBytes(request.bytes),
                key: request.key,
                region: request.region,
                at: request.time
            )
            let names = Set(ours.map(\.name))
            #expect(names.count == (request.token == nil ? 2 : 3))
            let relevant = theirs.filter { names.contains($0[0]) }.map { $0.joined(separator: ": ") }
            #expect(Set(ours.map { "\($0.name): \($0.value)" }) == Set(relevant), "\(request.target)")
        }
    }
}
