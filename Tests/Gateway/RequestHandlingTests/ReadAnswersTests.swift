import Common
import HTTPTypes
import Logging
import Testing
import TimestreamModel
import Translator

@testable import RequestHandling

private let up = RequestBody.read([(0, "__name__", "up")])

/// The counters that every admitted read moves.
private func moved(status: Int, _ others: [String: Int] = [:]) -> [String: Int] {
    [
        "timestream_connector_read_requests_total": 1, "timestream_connector_read_duration_seconds_count": 1,
        "gateway_http_requests_total{route=\"read\",code=\"\(status)\"}": 1,
        "gateway_http_request_duration_seconds_count{route=\"read\"}": 1,
    ].merging(others) { $1 }
}

@Suite("What a remote read request is answered")
struct ReadAnswersTests {
    @Test("a result is 200, protobuf in a snappy block")
    func answered() async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onQuery { _ in
            .success(QueryPage(queryID: "q", columns: [], cells: [], arena: [], nextToken: nil))
        }
        let answer = await gateway.send(FakeBody(up), to: "/api/v1/read")
        #expect(answer.status == 200)
        #expect(answer.fields == [.contentType: "application/x-protobuf", .contentEncoding: "snappy"])
        // One result, without series.
        #expect(try SnappyBlock.decode(answer.body, limitBytes: 100) == [0x0A, 0x00])
        #expect(gateway.store.statements.count == 1)
        #expect(gateway.moved == moved(status: 200))
    }

    @Test(
        "a bad matcher is 400 that names it, and no statement is sent",
        arguments: [
            ([(2, "__name__", "a(b")], "a(b"), ([(9, "job", "x")], "job"),
            ([(0, "__name__", "up"), (3, "job", "[")], "job"),
        ] as [([(Int64, String, String)], String)]
    )
    func badMatcher(matchers: [(Int64, String, String)], named: String) async throws {
        let gateway = try GatewayUnderTest()
        let answer = await gateway.send(FakeBody(RequestBody.read(matchers)), to: "/read")
        #expect(answer.status == 400)
        #expect(answer.text.contains("matcher") && answer.text.contains(named))
        #expect(gateway.store.statements.isEmpty)
        #expect(gateway.moved == moved(status: 400))
    }

    @Test(
        "the store's failures are 503 with Retry-After, a time-out 504, and never show its words",
        arguments: [
            (.throttling, 503, "5"), (.internalServer, 503, "5"), (.network, 503, "5"), (.timedOut, 504, "5"),
            (.accessDenied, 503, "30"), (.resourceNotFound, 503, "30"), (.serviceQuotaExceeded, 503, "30"),
        ] as [(TimestreamError.Code, Int, String)]
    )
    func failures(code: TimestreamError.Code, status: Int, retryAfter: String) async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onQuery { statement in
            .failure(TimestreamError(code, message: "SECRET \(statement)", status: 400))
        }
        let answer = await gateway.send(FakeBody(up), to: "/read")
        #expect(answer.status == status)
        #expect(answer.fields[.retryAfter] == retryAfter)
        #expect(gateway.moved == moved(status: status))
        let line = try #require(gateway.log.all.first { $0.level > .debug })
        #expect(line.level == (retryAfter == "30" ? .error : .warning))
    }

    @Test("a table that does not exist is the operator's fault")
    func missingTable() async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onQuery { _ in
            let message = "The table 'x' does not exist in database 'y'."
            return .failure(TimestreamError(.validation, message: message, status: 400))
        }
        let answer = await gateway.send(FakeBody(up), to: "/read")
        #expect(answer.status == 503 && answer.fields[.retryAfter] == "30")
        #expect(answer.text.contains("its operator must mend it"))
    }
}
