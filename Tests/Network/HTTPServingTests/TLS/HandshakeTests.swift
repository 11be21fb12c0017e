import Foundation
import TLSTransport
import TestSupport
import Testing

@testable import HTTPServing

@Suite("TLS handshakes")
struct HandshakeTests {
    @Test(
        "a peer that says nothing, or half of something, is closed at the time-out",
        arguments: [[], [0x16, 0x03, 0x01] as [UInt8]]
    )
    func timeout(bytes: [UInt8]) async throws {
        let pki = try await TestPKI.standard()
        let timeouts = HTTPTimeouts(handshake: .milliseconds(150))
        try await TestServer.with(tls: try TestServer.context(pki), timeouts: timeouts) { server in
            try await blocking {
                let client = try RawClient(server.address)
                if !bytes.isEmpty { client.send(bytes) }
                #expect(try client.receiveAll().isEmpty)
            }
            #expect(server.handshakes(.timedOut) == 1)
        }
    }

    @Test("plain HTTP and noise on a TLS port are told apart")
    func noTLS() async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try TestServer.context(pki)) { server in
            try await blocking {
                let plain = try RawClient(server.address)
                plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try plain.receiveAll()
                let noise = try RawClient(server.address)
                noise.send(Array(repeating: 0xAA, count: 200))
                _ = try noise.receiveAll()
            }
            #expect(server.handshakes(.plainHTTP) == 1 && server.handshakes(.protocolError) == 1)
        }
    }

    @Test("a peer that leaves before the end is counted as gone")
    func disconnect() async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try TestServer.context(pki)) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send([0x16, 0x03, 0x01])
                client.endOutput()
                _ = try client.receiveAll()
                let other = try RawClient(server.address)
                other.reset()
            }
            #expect(await TestServer.eventually { server.handshakes(.disconnected) == 2 })
        }
    }

    @Test("one peer's failed handshake leaves nothing behind for the next on the same thread")
    func errorQueueIsCleared() async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try TestServer.context(pki), handler: TestServer.whoAmI) { server in
            for _ in 0..<5 {
                async let bad = server.sClient(pki, certificate: "stranger")
                async let good = server.sClient(pki, certificate: "client")
                let answer4 = try await good
                #expect(answer4.output.contains("cn=client"))
                let answer5 = try await bad
                #expect(answer5.errors.contains("SSL alert number 48"))
            }
        }
    }

    @Test("old versions and foreign application protocols are refused")
    func nothingInCommon() async throws {
        let pki = try await TestPKI.standard()
        let tls = try TestServer.context(pki, minimumVersion: .tls13)
        try await TestServer.with(tls: tls, handler: TestServer.whoAmI) { server in
            let answer6 = try await server.sClient(pki, ["-tls1_2"])
            #expect(answer6.errors.contains("SSL alert number 70"))
            let answer7 = try await server.sClient(pki, ["-alpn", "spdy/1"])
            #expect(answer7.errors.contains("SSL alert number 120"))
            #expect(server.handshakes(.nothingInCommon) == 2)
            let agreed = try await server.sClient(pki, ["-alpn", "spdy/1,http/1.1"])
            #expect(agreed.output.contains("ALPN protocol: http/1.1") && agreed.output.contains("nobody"))
        }
    }

    @Test("a client that does not trust us is told apart")
    func refusedByPeer() async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try TestServer.context(pki)) { server in
            let client = try await run(
                "curl",
                ["-sS", "--cacert", pki.certificate("other"), "https://\(server.address)/"]
            )
            #expect(client.status == 60)
            #expect(await TestServer.eventually { server.handshakes(.refusedByPeer) == 1 })
        }
    }

    @Test("handshake bytes that drip in one at a time make a connection")
    func dripFed() async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try TestServer.context(pki), handler: TestServer.whoAmI) { server in
            let proxy = try DripProxy(target: server.address)
            let client = try await run(
                "curl",
                ["-sS", "--http1.1", "--cacert", pki.certificate("ca"), "https://127.0.0.1:\(proxy.port)/"]
            )
            proxy.stop()
            #expect(client.output == "nobody")
        }
    }

    @Test("over the handshake rate, connections are closed before any work, and counted")
    func rate() async throws {
        let pki = try await TestPKI.standard()
        let tls = try TestServer.context(pki)
        try await TestServer.with(tls: tls, handshakesPerSecond: 2) { server in
            try await blocking {
                let clients = try (0..<12).map { _ in try RawClient(server.address) }
                var closed = 0
                for client in clients.suffix(8) {
                    if let bytes = try? client.receive(), bytes.isEmpty { closed += 1 }
                }
                #expect(closed == 8)
            }
            let refused = "gateway_listener_connections_refused_total{listener=\"test\",reason=\"handshake_rate\"}"
            #expect((server.metric(refused) ?? 0) >= 8)
        }
    }
}
