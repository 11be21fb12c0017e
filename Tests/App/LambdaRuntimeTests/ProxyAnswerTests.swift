import Common
import Foundation
import HTTPTypes
import Testing

@testable import LambdaRuntime

/// The members of an answer's JSON, read by somebody else.
private struct Read: Decodable, Equatable {
    var statusCode: Int
    var headers: [String: String]
    var body: String
    var isBase64Encoded: Bool

    init(_ answer: ProxyAnswer) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(answer.json))
    }
}

@Suite("Answers, as API Gateway takes them")
struct ProxyAnswerTests {
    @Test("text stays text, and nothing breaks its JSON")
    func text() async throws {
        let line = "quote \" backslash \\ emoji 🦊 control \u{1}"
        let read = try Read(await ProxyAnswer.collect(.text(.badRequest, line, headerFields: [.retryAfter: "5"])))
        #expect(read.statusCode == 400)
        #expect(read.body == line + "\n")
        #expect(!read.isBase64Encoded)
        #expect(read.headers["retry-after"] == "5")
    }

    @Test("bytes become base64")
    func binary() async throws {
        let bytes = (0...255).map { UInt8($0) }
        let fields: HTTPFields = [
            .contentType: "application/x-protobuf", .contentEncoding: "snappy", .connection: "close",
        ]
        let read = try Read(await ProxyAnswer.collect(OutgoingResponse(status: .ok, headerFields: fields, body: bytes)))
        #expect(read.isBase64Encoded)
        #expect(Data(base64Encoded: read.body) == Data(bytes))
        #expect(read.headers == ["content-type": "application/x-protobuf", "content-encoding": "snappy"])
    }

    @Test("nothing is an empty text")
    func empty() async throws {
        let read = try Read(await ProxyAnswer.collect(OutgoingResponse(status: .noContent)))
        #expect(read.statusCode == 204 && read.body.isEmpty && !read.isBase64Encoded)
    }

    @Test("what a producer writes is collected")
    func produced() async throws {
        let response = OutgoingResponse(status: .ok, headerFields: [.contentType: "x/y"]) { sink in
            for piece in 0..<100 { try await sink.write([UInt8(piece)]) }
        }
        let read = try Read(await ProxyAnswer.collect(response))
        #expect(Data(base64Encoded: read.body) == Data(0..<100))
    }

    @Test("a producer that breaks off is never a success")
    func broken() async throws {
        let response = OutgoingResponse(status: .ok) { sink in
            try await sink.write([1])
            throw CancellationError()
        }
        let read = try Read(await ProxyAnswer.collect(response))
        #expect(read.statusCode == 503)
        #expect(read.headers["retry-after"] == "1")
    }

    @Test("the largest answer fits, and one byte more is refused in words")
    func limits() async throws {
        let most = [UInt8](repeating: 0xFF, count: ProxyAnswer.maximumBodyBytes)
        let fields: HTTPFields = [.contentType: "application/x-protobuf"]
        let fitting = await ProxyAnswer.collect(OutgoingResponse(status: .ok, headerFields: fields, body: most))
        #expect(fitting.status == 200)
        #expect(fitting.json.count <= ProxyAnswer.maximumBytes)
        let larger = await ProxyAnswer.collect(OutgoingResponse(status: .ok, headerFields: fields, body: most + [0]))
        #expect(larger.status == 413)
        let produced = await ProxyAnswer.collect(
            OutgoingResponse(status: .ok, headerFields: fields) { sink in
                while true { try await sink.write([UInt8](repeating: 0, count: 1 << 20)) }
            }
        )
        #expect(produced.status == 413)
        #expect(try Read(produced).body.contains("ask for a shorter time"))
    }
}
