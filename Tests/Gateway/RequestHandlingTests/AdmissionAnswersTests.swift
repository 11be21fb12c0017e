import Common
import HTTPTypes
import Logging
import Testing
import TimestreamModel
import Translator

@testable import RequestHandling
@testable import TenantAccess
@testable import TenantConfiguration

private let writeBody = RequestBody.write(samples: 3)

@Suite("Decided on the request head, before the body")
struct HeadDecisionsTests {
    @Test(
        "no or bad proof is 401, the same line for a tenant that exists and one that does not",
        arguments: [nil, "Bearer wrong", "Basic YTpi", "Basic", "Digest x"]
    )
    func proof(authorization: String?) async throws {
        let gateway = try GatewayUnderTest()
        var lines: Set<String> = []
        for tenant in ["locked", "unknown"] {
            for path in ["/api/v1/write", "/api/v1/read"] {
                var fields: HTTPFields = [:]
                if let authorization { fields[.authorization] = authorization }
                let body = FakeBody(writeBody)
                let answer = await gateway.send(body, to: path, tenant: tenant, fields: fields)
                #expect(answer.status == 401)
                #expect(answer.fields[.wwwAuthenticate] == "Basic realm=\"timestream-gateway\"")
                #expect(body.collections.isEmpty)
                #expect(!answer.text.contains(tenant))
                lines.insert(String(answer.text.prefix { $0 != "=" }))
            }
        }
        #expect(lines.count == 1)
        #expect(gateway.store.calls.isEmpty)
    }

    @Test("who is refused by rules that its certificate was not verified for yet is to come again")
    func rulesBeingChanged() async throws {
        let gateway = try GatewayUnderTest(trustGeneration: 3)
        let wrong: HTTPFields = [.authorization: "Bearer wrong"]
        let right: HTTPFields = [.authorization: "Bearer \(GatewayUnderTest.token)"]
        var peer = Peer(address: "192.0.2.1:40000", isEncrypted: true, identity: nil, trustGeneration: 2)
        for (tenant, path) in [("locked", "/write"), ("unknown", "/write"), ("a", "/t/locked/write")] {
            let answer = await gateway.send(FakeBody(writeBody), to: path, tenant: tenant, fields: wrong, peer: peer)
            #expect(answer.status == 503 && answer.fields[.retryAfter] == "1")
            #expect(answer.text.hasPrefix("the configuration is being changed; repeat the request"))
        }
        #expect(await gateway.send(FakeBody(writeBody), tenant: "locked", fields: right, peer: peer).status == 204)
        #expect(await gateway.send(FakeBody(writeBody), to: "/write", tenant: "..", peer: peer).status == 400)
        // Who has lost trust is told so, whenever that was.
        peer.isTrustLost = true
        #expect(await gateway.send(FakeBody(writeBody), tenant: "locked", fields: right, peer: peer).status == 401)
        peer.isTrustLost = false
        peer.trustGeneration = 3
        #expect(await gateway.send(FakeBody(writeBody), tenant: "locked", fields: wrong, peer: peer).status == 401)
    }

    @Test("the right token lets in")
    func proven() async throws {
        let gateway = try GatewayUnderTest()
        let fields: HTTPFields = [.authorization: "Bearer \(GatewayUnderTest.token)"]
        #expect(await gateway.send(FakeBody(writeBody), tenant: "locked", fields: fields).status == 204)
        let byPath = await gateway.send(FakeBody(writeBody), to: "/t/locked/write", tenant: nil, fields: fields)
        #expect(byPath.status == 204)
    }

    @Test(
        "sources that disagree are 403, none 400, an impossible id 400; no body is read for any",
        arguments: [
            ("/t/a/api/v1/write", "locked", 403), ("/t/unknown/write", "a", 403), ("/write", nil, 400),
            ("/t/a%2Fb/write", nil, 400), ("/t/../write", nil, 400), ("/write", "a b", 400), ("/write", "..", 400),
        ] as [(String, String?, Int)]
    )
    func sources(path: String, tenant: String?, status: Int) async throws {
        let gateway = try GatewayUnderTest()
        let body = FakeBody(writeBody)
        let answer = await gateway.send(body, to: path, tenant: tenant)
        #expect(answer.status == status)
        #expect(body.collections.isEmpty)
        #expect(!answer.text.contains("tenant="))
    }

    @Test(
        "a path that nobody serves is 404 for everybody, and no refusal is counted",
        arguments: ["/", "", "/nothing", "/api/v1/query", "/write/", "//write", "/t/a", "/t/a/", "/t/a/-/healthy", "*"]
    )
    func notFound(path: String) async throws {
        let gateway = try GatewayUnderTest()
        for tenant in ["a", "unknown", nil, ".."] {
            let body = FakeBody(writeBody)
            #expect(await gateway.send(body, to: path, tenant: tenant).status == 404)
            #expect(body.collections.isEmpty)
        }
        #expect(
            gateway.moved == [
                "gateway_http_requests_total{route=\"none\",code=\"404\"}": 4,
                "gateway_http_request_duration_seconds_count{route=\"none\"}": 4,
            ]
        )
    }

    @Test(
        "a wrong method is 405 with Allow, whoever asks",
        arguments: [HTTPRequest.Method.get, .put, .delete, .options]
    )
    func methods(method: HTTPRequest.Method) async throws {
        let gateway = try GatewayUnderTest()
        for path in ["/write", "/api/v1/push", "/t/unknown/read"] {
            let answer = await gateway.send(FakeBody([]), to: path, method: method, tenant: nil)
            #expect(answer.status == 405 && answer.fields[.allow] == "POST")
        }
        guard method != .get else { return }
        let health = await gateway.send(FakeBody([]), to: "/-/healthy", method: method, tenant: nil)
        #expect(health.status == 405 && health.fields[.allow] == "GET, HEAD")
    }

    @Test("every route of the contract is there, with and without the tenant in the path")
    func routes() async throws {
        let gateway = try GatewayUnderTest()
        for path in ["/write", "/api/v1/write", "/api/v1/push"] {
            #expect(await gateway.send(FakeBody(writeBody), to: path).status == 204)
            #expect(await gateway.send(FakeBody(writeBody), to: "/t/a\(path)?x=y", tenant: nil).status == 204)
        }
        for path in ["/read", "/api/v1/read"] {
            #expect(await gateway.send(FakeBody([]), to: path).status == 400)
            #expect(await gateway.send(FakeBody([]), to: "/t/a\(path)", tenant: nil).status == 400)
        }
        for path in ["/-/healthy", "/-/ready"] {
            #expect(await gateway.send(FakeBody([]), to: path, method: .get, tenant: nil).status == 200)
            #expect(await gateway.send(FakeBody([]), to: path, method: .head, tenant: nil).status == 200)
        }
    }

    @Test("draining: healthy, not ready, and requests are told to come again elsewhere")
    func draining() async throws {
        let gateway = try GatewayUnderTest()
        gateway.responder.beginDraining()
        #expect(!gateway.responder.isReady)
        #expect(await gateway.send(FakeBody([]), to: "/-/healthy", method: .get, tenant: nil).status == 200)
        #expect(await gateway.send(FakeBody([]), to: "/-/ready", method: .get, tenant: nil).status == 503)
        for tenant in ["a", "unknown"] {
            let body = FakeBody(writeBody)
            let answer = await gateway.send(body, tenant: tenant)
            #expect(answer.status == 503 && answer.fields[.retryAfter] == "5" && answer.fields[.connection] == "close")
            #expect(body.collections.isEmpty)
        }
    }

    @Test("a request that was let in before the drain is served to its end")
    func drainingMeanwhile() async throws {
        let gateway = try GatewayUnderTest()
        let body = FakeBody(writeBody) { gateway.responder.beginDraining() }
        #expect(await gateway.send(body).status == 204)
    }

    @Test(
        "an unknown media type, message or encoding is 415, and no body is read",
        arguments: [
            [.contentType: "text/plain"], [.contentType: "application/json"], [.contentType: ""],
            [.contentType: "application/x-protobuf;proto=io.prometheus.write.v3.Request"],
            [.contentType: "application/x-protobuf; proto=\"io.prometheus.write.v3.Request\""],
            [.contentType: "application/x-protobuf;PROTO=x"], [.contentEncoding: "gzip"], [.contentEncoding: "zstd"],
            [.contentEncoding: "snappy, snappy"], [.contentEncoding: ""], [.contentType: "application/x-protobufx"],
        ] as [HTTPFields]
    )
    func mediaTypes(fields: HTTPFields) async throws {
        let gateway = try GatewayUnderTest()
        for path in ["/write", "/read"] {
            let body = FakeBody(writeBody)
            #expect(await gateway.send(body, to: path, fields: fields).status == 415)
            #expect(body.collections.isEmpty)
        }
    }

    @Test(
        "what Prometheus and others send is taken",
        arguments: [
            [:], [.contentType: "application/x-protobuf", .contentEncoding: "snappy"],
            [.contentType: "Application/X-Protobuf;proto=prometheus.WriteRequest", .contentEncoding: "Snappy"],
            [.contentType: "application/x-protobuf; charset=utf-8 ; proto=\"prometheus.WriteRequest\""],
            [.contentType: "application/x-protobuf;"],
        ] as [HTTPFields]
    )
    func goodMediaTypes(fields: HTTPFields) async throws {
        let gateway = try GatewayUnderTest()
        #expect(await gateway.send(FakeBody(writeBody), fields: fields).status == 204)
    }
}

/// A clock whose time passes only by waiting.
private final class PatientClock: Sendable {
    private let now = Locked<Int64>(0)
    private let waits = Locked<[Duration]>([])
    var allWaits: [Duration] { self.waits.withLock { $0 } }

    var accessClock: AccessClock {
        AccessClock(
            nanoseconds: { self.now.withLock { $0 } },
            unixSeconds: { 0 },
            sleep: { duration in
                try Task.checkCancellation()
                self.waits.withLock { $0.append(duration) }
                self.now.withLock { $0 += duration.wholeNanoseconds }
            }
        )
    }
}

@Suite("Limits of a tenant")
struct TenantLimitAnswersTests {
    @Test(
        "over the write rate: waits up to max_wait, then throttle_status with Retry-After; no body is read",
        arguments: [503, 429]
    )
    func writeRate(status: Int) async throws {
        let clock = PatientClock()
        let gateway = try GatewayUnderTest(clock: clock.accessClock) {
            $0.writeRequestsPerSecond = 1
            $0.maxWait = .seconds(1)
            $0.throttleStatus = status
        }
        #expect(await gateway.send(FakeBody(writeBody)).status == 204)
        #expect(await gateway.send(FakeBody(writeBody)).status == 204)
        #expect(clock.allWaits == [.seconds(1)])

        let impatient = try GatewayUnderTest(clock: clock.accessClock) {
            $0.writeRequestsPerSecond = 1
            $0.maxWait = .zero
            $0.throttleStatus = status
        }
        #expect(await impatient.send(FakeBody(writeBody)).status == 204)
        let body = FakeBody(writeBody)
        let answer = await impatient.send(body)
        #expect(answer.status == status && answer.fields[.retryAfter] == "1")
        #expect(answer.text.hasPrefix("tenant a is over its write_requests_per_second (1); try again in 1 s"))
        #expect(body.collections.isEmpty)
        #expect(impatient.moved["gateway_requests_refused_total{reason=\"write_rate\"}"] == 1)
        #expect(impatient.moved["timestream_connector_write_requests_total"] == 1)
    }

    @Test("over the read rate: 429 at once")
    func readRate() async throws {
        let clock = PatientClock()
        let gateway = try GatewayUnderTest(clock: clock.accessClock) { $0.readRequestsPerSecond = 1 }
        _ = await gateway.send(FakeBody([]), to: "/read")
        let answer = await gateway.send(FakeBody([]), to: "/read")
        #expect(answer.status == 429 && answer.fields[.retryAfter] == "1")
        #expect(clock.allWaits.isEmpty)
    }

    @Test("over the sample rate: the body is decoded, nothing is sent, and the samples are not counted as received")
    func sampleRate() async throws {
        let gateway = try GatewayUnderTest(clock: PatientClock().accessClock) {
            $0.samplesPerSecond = 1
            $0.sampleBurst = 3
            $0.maxWait = .zero
        }
        #expect(await gateway.send(FakeBody(writeBody)).status == 204)
        let answer = await gateway.send(FakeBody(writeBody))
        #expect(answer.status == 503 && answer.fields[.retryAfter] == "3")
        #expect(answer.text.contains("samples_per_second (1)"))
        #expect(gateway.store.calls.count == 1)
        #expect(gateway.moved["timestream_connector_received_samples_total"] == 3)
        #expect(gateway.moved["gateway_requests_refused_total{reason=\"sample_rate\"}"] == 1)
        // Now that it is known, the next one is refused on its head.
        let body = FakeBody(writeBody)
        let unread = await gateway.send(body)
        #expect(unread.status == 503 && unread.fields[.retryAfter] == "3")
        #expect(unread.text.contains("samples_per_second (1)"))
        #expect(body.collections.isEmpty)
        #expect(gateway.moved["timestream_connector_write_requests_total"] == 2)
    }

    @Test("over the rate of decoded bytes: the body is not decoded; what it declares counts")
    func decodedByteRate() async throws {
        let gateway = try GatewayUnderTest(clock: PatientClock().accessClock) {
            $0.decodedBytesPerSecond = 1_000_000
            $0.decodedByteBurst = 1
            $0.maxWait = .zero
        }
        // A block that declares 4 MB and holds nothing: more than the burst passes the full bucket, and is broken.
        let declared: [UInt8] = [0x80, 0x92, 0xF4, 0x01]
        #expect(await gateway.send(FakeBody(declared)).status == 400)
        let body = FakeBody(writeBody)
        let answer = await gateway.send(body)
        #expect(answer.status == 503 && answer.fields[.retryAfter] == "4")
        #expect(answer.text.contains("decoded_bytes_per_second (1000000)"))
        #expect(body.collections.isEmpty)
        #expect(gateway.moved["gateway_requests_refused_total{reason=\"decoded_byte_rate\"}"] == 1)
        #expect(gateway.moved["gateway_throttled_total{limit=\"decoded_bytes_per_second\"}"] == 1)
    }

    @Test("over the concurrency: 503 with Retry-After; the place comes back with the answer")
    func concurrency() async throws {
        let gateway = try GatewayUnderTest {
            $0.concurrentWrites = 1
            $0.concurrentReads = 0
        }
        let answer = Locked<GatewayUnderTest.Answer?>(nil)
        let inner = FakeBody(writeBody)
        let outer = FakeBody(writeBody) {
            // While the first request reads its body, a second one comes.
            let request = IncomingRequest(
                head: HTTPRequest(method: .post, scheme: "https", authority: "g", path: "/t/a/write"),
                peer: Peer(address: "", isEncrypted: true, identity: nil),
                body: inner
            )
            let response = await gateway.responder.respond(to: request)
            let text = String(decoding: response.body, as: UTF8.self)
            answer.withLock {
                $0 = .init(status: response.status.code, text: text, fields: response.headerFields, body: [])
            }
        }
        #expect(await gateway.send(outer).status == 204)
        let second = try #require(answer.withLock { $0 })
        #expect(second.status == 503 && second.fields[.retryAfter] == "1")
        #expect(inner.collections.isEmpty)
        #expect(await gateway.send(FakeBody(writeBody)).status == 204)
        #expect(await gateway.send(FakeBody([]), to: "/read").status == 503)
        #expect(gateway.moved["gateway_requests_refused_total{reason=\"write_concurrency\"}"] == 1)
    }

    @Test("a request past its deadline is 503, and nothing is sent")
    func deadline() async throws {
        let gateway = try GatewayUnderTest { $0.requestDeadline = .zero }
        for path in ["/write", "/read"] {
            let body = path == "/write" ? writeBody : RequestBody.read([(0, "__name__", "up")])
            let answer = await gateway.send(FakeBody(body), to: path)
            #expect(answer.status == 503 && answer.fields[.retryAfter] == "5")
            #expect(answer.text.contains("request_deadline"))
        }
        #expect(gateway.store.calls.isEmpty && gateway.store.queries.isEmpty)
    }

    @Test("a cancelled request gives everything back and is not logged as the store's fault")
    func cancelled() async throws {
        let gateway = try GatewayUnderTest { $0.concurrentWrites = 1 }
        gateway.store.onWrite { _ in
            while !Task.isCancelled { await Task.yield() }
            return TimestreamError(.cancelled, message: "")
        }
        let task = Task { await gateway.send(FakeBody(writeBody)) }
        await eventually("the store is asked") { gateway.store.calls.count == 1 }
        task.cancel()
        #expect(await task.value.status == 503)
        #expect(gateway.log.all.allSatisfy { $0.level <= .debug })
        gateway.store.onWrite { _ in nil }
        #expect(await gateway.send(FakeBody(writeBody)).status == 204)
    }
}

@Suite("Memory of bodies")
struct BodyMemoryTests {
    @Test("a body is reserved as it declares, and a body that declares nothing at its limit, before it is read")
    func reserved() async throws {
        let gateway = try GatewayUnderTest { $0.maxBodyBytes = 5_000 }
        let seen = Locked<[Int]>([])
        let note: @Sendable () async -> Void = {
            let used = gateway.access.bytesInFlight.usedBytes
            seen.withLock { $0.append(used) }
        }
        #expect(await gateway.send(FakeBody(writeBody, onCollect: note)).status == 204)
        #expect(await gateway.send(FakeBody(writeBody, declared: .some(nil), onCollect: note)).status == 204)
        #expect(seen.withLock { $0 } == [writeBody.count, 5_000])
    }

    @Test("while the store works, what is reserved is what the plan needs")
    func duringTheCall() async throws {
        let gateway = try GatewayUnderTest()
        let seen = Locked<[Int]>([])
        gateway.store.onWrite { _ in
            let used = gateway.access.bytesInFlight.usedBytes
            seen.withLock { $0.append(used) }
            return nil
        }
        let message = RequestBody.message((0..<2_000).map { RequestBody.series("m", $0) })
        #expect(await gateway.send(FakeBody(SnappyBlock.encode(message))).status == 204)
        let used = seen.withLock { $0 }
        #expect(used.count == 20)
        #expect(used.allSatisfy { $0 > 0 && $0 < message.count * 20 })
        #expect(Set(used).count == 1)
    }

    @Test("no memory left: 503 with Retry-After, and no body is read")
    func spent() async throws {
        let gateway = try GatewayUnderTest(maxBytesInFlight: 1 << 20)
        let lease = try gateway.access.bytesInFlight.reserve((1 << 20) - 10, for: "another")
        let body = FakeBody(writeBody)
        let request = IncomingRequest(
            head: HTTPRequest(method: .post, scheme: "https", authority: "g", path: "/t/a/write"),
            peer: Peer(address: "", isEncrypted: true, identity: nil),
            body: body
        )
        let refused = await gateway.responder.respond(to: request)
        #expect(refused.status.code == 503 && refused.headerFields[.retryAfter] == "1")
        #expect(body.collections.isEmpty)
        #expect(gateway.access.bytesInFlight.usedBytes == (1 << 20) - 10)
        lease.release()
        #expect(await gateway.send(FakeBody(writeBody)).status == 204)
        #expect(gateway.moved["gateway_requests_refused_total{reason=\"bytes_in_flight\"}"] == 1)
    }

    @Test("a body that could never fit is 413")
    func neverFits() async throws {
        let gateway = try GatewayUnderTest(maxBytesInFlight: 1_000)
        #expect(await gateway.send(FakeBody([], declared: 1_001)).status == 413)
        // Compressed it fits, decoded it does not.
        let answer = await gateway.send(FakeBody(SnappyBlock.encode([UInt8](repeating: 0x08, count: 100_000))))
        #expect(answer.status == 413)
        #expect(gateway.moved["gateway_requests_refused_total{reason=\"over_all_bytes_in_flight\"}"] == 2)
    }

    /// One series of many samples of two bytes each: value and time are zero, and left out.
    private static func hostileBody(samples: Int) -> [UInt8] {
        var series = Message()
        series.field(1, Message.label("__name__", "m"))
        for _ in 0..<samples { series.field(2, []) }
        var request = Message()
        request.field(1, series.bytes)
        return SnappyBlock.encode(request.bytes)
    }

    @Test("many small samples are charged what they cost, not what the body declares")
    func amplification() async throws {
        let body = Self.hostileBody(samples: 50_000)
        let small = try GatewayUnderTest(maxBytesInFlight: 1 << 20)
        let refused = await small.send(FakeBody(body))
        #expect(refused.status == 413)
        #expect(small.store.calls.isEmpty)
        let large = try GatewayUnderTest(maxBytesInFlight: 64 << 20)
        #expect(await large.send(FakeBody(body)).status == 204)
        #expect(large.moved["gateway_samples_stored_total"] == 50_000)
    }

    @Test("a body of empty series costs next to nothing", .timeLimit(.minutes(1)))
    func emptySeries() async throws {
        var message: [UInt8] = []
        for _ in 0..<500_000 { message += [0x0A, 0x00] }
        let gateway = try GatewayUnderTest(maxBytesInFlight: 5 << 20)
        let answer = await gateway.send(FakeBody(SnappyBlock.encode(message)))
        #expect(answer.status == 204)
        #expect(gateway.store.calls.isEmpty)
    }
}
