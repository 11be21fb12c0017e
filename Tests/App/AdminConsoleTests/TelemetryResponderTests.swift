import Common
import HTTPTypes
import Testing

@testable import AdminConsole

private struct Rest: HTTPResponder {
    func respond(to request: IncomingRequest) async -> OutgoingResponse { .text(.notFound, "the rest") }
}

private struct NoBody: IncomingBody {
    var declaredLength: Int? { nil }
    func collect(limitBytes: Int) async throws(IncomingBodyError) -> [UInt8] { [] }
}

@Suite("Metrics on the data port, as AWS' connector has them")
struct TelemetryResponderTests {
    private func ask(_ path: String, _ method: HTTPRequest.Method = .get) async -> (status: Int, text: String) {
        let metrics = MetricRegistry()
        metrics.counter("a_total", help: "A.").increment()
        let responder = TelemetryResponder(path: "/own", metrics: metrics, rest: Rest())
        let request = IncomingRequest(
            head: HTTPRequest(method: method, scheme: "http", authority: "any.name", path: path),
            peer: Peer(address: "192.0.2.1:5", isEncrypted: false, identity: nil),
            body: NoBody()
        )
        let response = await responder.respond(to: request)
        return (response.status.code, String(decoding: response.body, as: UTF8.self))
    }

    @Test("the path that was named has the metrics, with a query or without", arguments: ["/own", "/own?x=1"])
    func page(path: String) async {
        let answer = await self.ask(path)
        #expect(answer.status == 200)
        #expect(answer.text.contains("a_total 1"))
    }

    @Test("every other path is the gateway's", arguments: ["/metrics", "/own/", "/OWN", "/write", "/own\u{301}"])
    func others(path: String) async {
        #expect(await self.ask(path).text == "the rest\n")
    }

    @Test("it is only read")
    func methods() async {
        #expect(await self.ask("/own", .post).status == 405)
        #expect(await self.ask("/own", .head).status == 200)
    }
}
