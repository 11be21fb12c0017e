import Common
import Foundation
import HTTPTypes
import TLSTransport
import TestSupport
import Testing

@testable import HTTPServing

@Suite("Real clients of streamed answers")
struct StreamClientTests {
    @Test("curl gets every byte over every version", arguments: ["--http2", "--http1.1", "--http1.0"], [1, 40_000])
    func curl(option: String, size: Int) async throws {
        let pki = try await TestPKI.standard()
        let fixture = StreamFixture()
        // Nobody negotiates HTTP/1.0.
        let isEncrypted = option != "--http1.0"
        let tls = isEncrypted ? try TestServer.context(pki) : nil
        try await TestServer.with(tls: tls, handler: { _ in fixture.answer(pieces: 500, of: size) }) { server in
            let options = [option, "-o", pki.path("back"), "-w", "%{http_code}"]
            let result = try await server.curl(isEncrypted ? pki : nil, options)
            #expect(result.status == 0 && result.output == "200")
            let back = try Data(contentsOf: URL(fileURLWithPath: pki.path("back")))
            let isWhole = [UInt8](back) == StreamFixture.body(pieces: 500, of: size)
            #expect(isWhole, "\(back.count)")
            #expect(fixture.ends.all == ["whole"])
        }
    }

    @Test(
        "curl sees that an answer was broken off",
        arguments: [("--http1.1", true, 18), ("--http2", true, 92), ("--http1.1", false, 18), ("--http1.0", false, 56)]
            as [(String, Bool, Int32)]
    )
    func brokenOff(option: String, isEncrypted: Bool, status: Int32) async throws {
        let pki = try await TestPKI.standard()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { _ in
            OutgoingResponse(status: .ok) { sink in
                for index in 0..<10 { try await sink.write(StreamFixture.piece(index, 20_000)) }
                throw StreamFixture.Failure()
            }
        }
        let tls = isEncrypted ? try TestServer.context(pki) : nil
        try await TestServer.with(tls: tls, handler: handler) { server in
            let result = try await server.curl(isEncrypted ? pki : nil, [option, "-o", "/dev/null"])
            #expect(result.status == status)
        }
    }

    @Test(
        "a TLS client that reads no further makes the producer stand still, then gets every byte",
        arguments: ["--http2", "--http1.1"]
    )
    func backPressure(option: String) async throws {
        let pki = try await TestPKI.standard()
        let fixture = StreamFixture()
        let (pieces, size) = (600, 100_000)
        let tls = try TestServer.context(pki)
        try await TestServer.with(tls: tls, handler: { _ in fixture.answer(pieces: pieces, of: size) }) { server in
            let go = pki.path("go")
            // curl's output goes into a pipe that nobody reads until the file is there.
            let url = "https://localhost:\(server.address.split(separator: ":").last ?? "")/"
            let command = """
                curl -sS --max-time 25 --cacert '\(pki.certificate("ca"))' \(option) '\(url)' \
                | (while [ ! -e '\(go)' ]; do sleep 0.02; done; sha256sum)
                """
            async let result = run("sh", ["-c", command], timeout: 30)
            let standing = await fixture.standstill()
            #expect(standing < 30_000_000 && fixture.ends.all.isEmpty)
            try Data().write(to: URL(fileURLWithPath: go))
            let digest = hexadecimal(sha256(StreamFixture.body(pieces: pieces, of: size)))
            #expect(try await result.output == "\(digest)  -\n")
            #expect(fixture.ends.all == ["whole"])
        }
    }

    @Test("a client that is ended cancels the producer", arguments: ["--http2", "--http1.1"])
    func endedClient(option: String) async throws {
        let pki = try await TestPKI.standard()
        let fixture = StreamFixture()
        let tls = try TestServer.context(pki)
        try await TestServer.with(tls: tls, handler: { _ in fixture.answer(pieces: 100_000, of: 50_000) }) { server in
            let url = "https://localhost:\(server.address.split(separator: ":").last ?? "")/"
            let curl = "curl -sS --max-time 20 --cacert '\(pki.certificate("ca"))' \(option) '\(url)'"
            let result = try await run("sh", ["-c", "\(curl) | head -c 1000000 | wc -c"])
            #expect(result.output == "1000000\n")
            #expect(await TestServer.eventually { fixture.ends.all.count == 1 })
            #expect(["disconnected", "cancelled"].contains(fixture.ends.all.first))
        }
    }

    @Test("h2load gets whole answers on many streams at once", arguments: [["-c2", "-m16"], ["--h1", "-c8", "-m1"]])
    func h2load(options: [String]) async throws {
        let pki = try await TestPKI.standard()
        let fixture = StreamFixture()
        let tls = try TestServer.context(pki)
        try await TestServer.with(tls: tls, handler: { _ in fixture.answer(pieces: 20, of: 10_000) }) { server in
            let result = try await run("h2load", options + ["-n400", "https://\(server.address)/"], timeout: 60)
            #expect(result.output.contains("400 total, 400 started, 400 done, 400 succeeded, 0 failed, 0 errored"))
            #expect(result.output.contains("status codes: 400 2xx, 0 3xx, 0 4xx, 0 5xx"))
            #expect(fixture.ends.all.count == 400 && Set(fixture.ends.all) == ["whole"])
        }
    }

    @Test("Python's http.client reads the chunks, and tells a broken answer from a whole one")
    func python() async throws {
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            OutgoingResponse(status: .ok) { sink in
                for index in 0..<100 { try await sink.write(StreamFixture.piece(index, 999)) }
                if request.head.path == "/broken" { throw StreamFixture.Failure() }
            }
        }
        let script = """
            import hashlib, http.client, sys
            connection = http.client.HTTPConnection(sys.argv[1], timeout=10)
            for _ in range(2):
                connection.request("GET", "/whole")
                answer = connection.getresponse()
                print(answer.chunked, hashlib.sha256(answer.read()).hexdigest())
            connection.request("GET", "/broken")
            try:
                connection.getresponse().read()
            except http.client.IncompleteRead as error:
                print("incomplete", len(error.partial))
            """
        try await TestServer.with(handler: handler) { server in
            let result = try await run("python3", ["-c", script, server.address])
            let digest = hexadecimal(sha256(StreamFixture.body(pieces: 100, of: 999)))
            #expect(result.output == "True \(digest)\nTrue \(digest)\nincomplete 99900\n")
        }
    }
}
