import TestSupport
import Testing
import TimestreamModel
import UpstreamHTTP

@testable import TimestreamService

@Suite("Error answers")
struct ServiceAnswerTests {
    private func error(
        _ status: Int,
        _ body: String,
        headers: [(name: String, value: String)] = []
    ) -> TimestreamError {
        let head = headers.flatMap { Array("\($0.name): \($0.value)\r\n".utf8) }
        return ServiceAnswer.error(in: UpstreamResponse(status: status, head: head, body: Array(body.utf8)))
    }

    @Test("rejected records come with index, reason and version, as far as the service gives them")
    func rejectedRecords() async throws {
        let text =
            #"{"__type":"com.amazonaws.timestream.v20181101#RejectedRecordsException","Message":"One or more","#
            + #""RejectedRecords":[{"RecordIndex":3,"Reason":"older \u0022x\u0022","ExistingVersion":9007199254740993},"#
            + #"{"Reason":"no index"},{"RecordIndex":0},{"RecordIndex":null,"Reason":null,"Other":[1]}]}"#
        let server = try ScriptedServer { _ in .json(419, text) }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        let error = try #require(await failure { try await fixture.write() })
        #expect(error.code == .rejectedRecords)
        #expect(
            error.rejected == [
                RejectedRecord(index: 3, reason: "older \"x\"", existingVersion: 9_007_199_254_740_993),
                RejectedRecord(index: nil, reason: "no index"),
                RejectedRecord(index: 0, reason: "no reason given"),
                RejectedRecord(index: nil, reason: "no reason given"),
            ]
        )
        #expect(server.requests.count == 1)
        #expect(fixture.calls("WriteRecords", "rejected_records") == 1)
        await fixture.upstream.shutdown()
    }

    @Test("a rejection that lists nothing never looks like one where all is stored")
    func emptyRejection() {
        for body in ["{}", #"{"RejectedRecords":[]}"#, #"{"RejectedRecords":null,"Message":"m"}"#] {
            let found = self.error(419, body)
            #expect(found.code == .rejectedRecords)
            #expect(found.rejected.count == 1)
            #expect(found.rejected.first?.index == nil)
        }
        for body in ["", "[", #"{"RejectedRecords":[{"RecordIndex":1}"#, #"{"RejectedRecords":[1]}"#, "\u{0}"] {
            let found = self.error(419, body)
            #expect(found.code == .malformedResponse)
            #expect(found.isTransient)
        }
    }

    @Test("the name is found with and without namespace, in body or header, and the body goes first")
    func names() {
        let conflict = TimestreamError.Code.conflict
        #expect(self.error(400, #"{"__type":"ConflictException"}"#).code == conflict)
        #expect(self.error(400, #"{"__type":"a.b#ConflictException:http://x#y"}"#).code != .conflict)
        #expect(self.error(400, #"{"__type":"a.b#ConflictException:http://x"}"#).code == conflict)
        #expect(self.error(400, #"{"code":"a#ConflictException"}"#).code == conflict)
        let header = [(name: "x-amzn-errortype", value: "ConflictException:http://internal.amazon.com/coral/")]
        #expect(self.error(400, "{}", headers: header).code == conflict)
        #expect(self.error(400, "not json", headers: header).code == conflict)
        #expect(self.error(500, #"{"__type":"ThrottlingException"}"#, headers: header).code == .throttling)
    }

    @Test(
        "without a name the status decides",
        arguments: [
            (400, .validation), (401, .signature), (402, .serviceQuotaExceeded), (403, .accessDenied),
            (404, .resourceNotFound), (409, .conflict), (421, .invalidEndpoint), (429, .throttling),
            (500, .internalServer), (502, .internalServer), (503, .internalServer), (599, .internalServer),
            (204, .malformedResponse), (301, .malformedResponse), (418, .malformedResponse),
        ] as [(Int, TimestreamError.Code)]
    )
    func statuses(status: Int, code: TimestreamError.Code) {
        #expect(self.error(status, "{}").code == code)
        #expect(self.error(status, #"{"__type":null,"Message":null}"#).code == code)
    }

    @Test("either spelling of the message is read")
    func messages() {
        #expect(self.error(400, #"{"message":"small"}"#).message == "small")
        #expect(self.error(400, #"{"Message":"large"}"#).message == "large")
        #expect(self.error(400, #"{"Message":"large","message":null}"#).message == "large")
    }

    @Test("a 404 of something that is not the service is a wrong endpoint")
    func wrongHost() {
        #expect(self.error(404, "<html>").code == .unknownOperation)
        let observed = #"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#
        #expect(self.error(404, observed).code == .unknownOperation)
    }
}
