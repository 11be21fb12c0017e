import Common
import HTTPTypes
import Logging
import Testing
import TimestreamModel
import Translator

@testable import RequestHandling
@testable import TenantAccess
@testable import TenantConfiguration

@Suite("What a remote read request that accepts streamed chunks is answered")
struct StreamedReadAnswersTests {
    private static let streaming = RequestBody.read([(0, "__name__", "up")], accepting: [1, 0])

    /// One series of one sample.
    private static func page(nextToken: String? = nil) -> QueryPage {
        let columns: [QueryPage.Column] = [
            .init(name: "time", scalarType: "TIMESTAMP"), .init(name: "measure_name", scalarType: "VARCHAR"),
            .init(name: "measure_value::double", scalarType: "DOUBLE"),
        ]
        var page = QueryPage(queryID: "q", columns: columns, cells: [], arena: [], nextToken: nextToken)
        for text in ["2023-11-14 22:13:20.000000000", "up", "42.0"] {
            page.cells.append(.init(offset: Int32(page.arena.count), count: Int32(text.utf8.count)))
            page.arena += Array(text.utf8)
        }
        return page
    }

    private func respond(_ gateway: GatewayUnderTest, _ body: [UInt8] = Self.streaming) async -> OutgoingResponse {
        var head = HTTPRequest(method: .post, scheme: "https", authority: "gateway", path: "/api/v1/read")
        if let name = HTTPField.Name("X-Scope-OrgID") { head.headerFields[name] = "a" }
        let peer = Peer(address: "192.0.2.1:40000", isEncrypted: true, identity: nil)
        return await gateway.responder.respond(to: IncomingRequest(head: head, peer: peer, body: FakeBody(body)))
    }

    @Test("200 with the stream's type and no encoding; memory, place and metrics last as long as the body")
    func answered() async throws {
        let gateway = try GatewayUnderTest { $0.concurrentReads = 1 }
        gateway.store.onQuery { _ in .success(Self.page()) }
        let response = await self.respond(gateway)
        #expect(response.status == .ok && response.body.isEmpty)
        #expect(
            response.headerFields
                == [.contentType: "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"]
        )
        #expect(gateway.access.bytesInFlight.usedBytes > 0)
        #expect(gateway.moved["gateway_http_requests_total{route=\"read\",code=\"200\"}"] == nil)
        // The only place is taken until the body has been written.
        #expect(await self.respond(gateway).status == .serviceUnavailable)
        let sink = FakeSink {
            #expect(gateway.access.bytesInFlight.usedBytes > 0)
        }
        try await response.producer?(sink)
        // Length, checksum, and one series with one chunk of one sample.
        let chunk: [UInt8] = [0, 1, 0x80, 0xA0, 0xAB, 0xFE, 0xF9, 0x62, 0x40, 0x45, 0, 0, 0, 0, 0, 0]
        #expect(sink.bytes.count == 5 + Int(sink.bytes.first ?? 0))
        #expect(sink.bytes.suffix(chunk.count) == chunk[...])
        #expect(gateway.access.bytesInFlight.usedBytes == 0)
        #expect(gateway.moved["gateway_http_requests_total{route=\"read\",code=\"200\"}"] == 1)
        #expect(gateway.moved["timestream_connector_read_duration_seconds_count"] == 1)
        #expect(gateway.moved["gateway_samples_read_total"] == 1)
        #expect(gateway.moved["gateway_reads_broken_off_total"] == nil)
        #expect(await self.respond(gateway).status == .ok)
    }

    @Test("an answer whose body is never written gives everything back")
    func forgotten() async throws {
        let gateway = try GatewayUnderTest { $0.concurrentReads = 1 }
        gateway.store.onQuery { _ in .success(Self.page()) }
        for _ in 0..<3 { #expect(await self.respond(gateway).producer != nil) }
        #expect(gateway.access.bytesInFlight.usedBytes == 0)
        #expect(gateway.moved["gateway_http_requests_total{route=\"read\",code=\"200\"}"] == 3)
    }

    @Test("the client's order decides: SAMPLES where it comes first, or alone; unknown types alone are 400")
    func negotiation() async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onQuery { _ in .success(Self.page()) }
        for (accepted, isStreamed) in [([0, 1], false), ([], false), ([7, 1], true), ([1], true)] as [([Int64], Bool)] {
            let response = await self.respond(gateway, RequestBody.read([(0, "__name__", "up")], accepting: accepted))
            #expect(response.status == .ok)
            #expect((response.producer != nil) == isStreamed)
        }
        let refused = await gateway.send(
            FakeBody(RequestBody.read([(0, "__name__", "up")], accepting: [7, 8])),
            to: "/read"
        )
        #expect(refused.status == 400 && refused.text.contains("STREAMED_XOR_CHUNKS"))
    }

    @Test("a store that fails before the first frame is an ordinary answer")
    func early() async throws {
        let gateway = try GatewayUnderTest()
        gateway.store.onQuery { _ in .failure(TimestreamError(.throttling, message: "SECRET", status: 400)) }
        let answer = await gateway.send(FakeBody(Self.streaming), to: "/read")
        #expect(answer.status == 503 && answer.fields[.retryAfter] == "5")
    }

    @Test("one that fails later breaks the body off, is logged and counted")
    func late() async throws {
        let gateway = try GatewayUnderTest()
        // The first query is answered, the second one is not.
        let body = RequestBody.read([(0, "__name__", "up")], accepting: [1], queries: 2)
        let calls = Locked(0)
        gateway.store.onQuery { _ in
            let call = calls.withLock {
                $0 += 1
                return $0
            }
            return call == 1 ? .success(Self.page()) : .failure(TimestreamError(.accessDenied, message: "no"))
        }
        let response = await self.respond(gateway, body)
        let producer = try #require(response.producer)
        await #expect(throws: ReadError.self) { try await producer(FakeSink()) }
        #expect(gateway.moved["gateway_reads_broken_off_total"] == 1)
        #expect(gateway.log.all.contains { $0.level == .error })
        #expect(gateway.access.bytesInFlight.usedBytes == 0)
    }

    @Test("a limit that is reached later breaks the body off, and the log names it")
    func lateLimit() async throws {
        let gateway = try GatewayUnderTest { $0.maxSamplesPerRead = 1 }
        gateway.store.onQuery { _ in .success(Self.page()) }
        let body = RequestBody.read([(0, "__name__", "up")], accepting: [1], queries: 2)
        let producer = try #require(await self.respond(gateway, body).producer)
        await #expect(throws: ReadError.self) { try await producer(FakeSink()) }
        #expect(gateway.moved["gateway_reads_broken_off_total"] == 1)
        let lines = gateway.log.all.filter { $0.level == .warning }
        #expect(lines.count == 1 && lines[0].metadata["error.message"]?.contains("max_samples_per_read") == true)
    }

    @Test("a peer that goes is no fault, and everything is given back")
    func peerGone() async throws {
        let gateway = try GatewayUnderTest { $0.concurrentReads = 1 }
        gateway.store.onQuery { _ in .success(Self.page()) }
        let producer = try #require(await self.respond(gateway).producer)
        let sink = FakeSink { () async throws(OutgoingBodyError) in throw .disconnected }
        await #expect(throws: OutgoingBodyError.self) { try await producer(sink) }
        #expect(gateway.moved["gateway_reads_broken_off_total"] == nil)
        #expect(gateway.access.bytesInFlight.usedBytes == 0)
        #expect(await self.respond(gateway).status == .ok)
    }

    @Test("results are charged to the bytes in flight: 503 while others use them, 400 where they never suffice")
    func memory() async throws {
        for body in [Self.streaming, RequestBody.read([(0, "__name__", "up")])] {
            let gateway = try GatewayUnderTest(maxBytesInFlight: 80_000)
            gateway.store.onQuery { _ in .success(Self.page()) }
            #expect(await gateway.send(FakeBody(body), to: "/read").status == 200)
            let others = try gateway.access.bytesInFlight.reserve(60_000, for: "another")
            let refused = await gateway.send(FakeBody(body), to: "/read", reservedElsewhere: 60_000)
            #expect(refused.status == 503 && refused.fields[.retryAfter] == "1")
            others.release()
            #expect(await gateway.send(FakeBody(body), to: "/read").status == 200)

            let small = try GatewayUnderTest(maxBytesInFlight: 30_000)
            small.store.onQuery { _ in .success(Self.page()) }
            let never = await small.send(FakeBody(body), to: "/read")
            #expect(never.status == 400 && never.text.contains("max_bytes_in_flight"))
        }
    }
}
