import Common
import Foundation
import HTTPTypes
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import HTTPServing

@Suite("The listener")
struct ListenerTests {
    @Test("connections over the limit are closed at once, and counted")
    func maxConnections() async throws {
        try await TestServer.with(maxConnections: 2) { server in
            try await blocking {
                let first = try RawClient(server.address)
                let second = try RawClient(server.address)
                for client in [first, second] {
                    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    _ = try client.receive(until: "GET / ")
                }
                let third = try RawClient(server.address)
                #expect((try? third.receiveAll()) ?? "" == "")
                withExtendedLifetime((first, second)) {}
            }
            let refused = "gateway_listener_connections_refused_total{listener=\"test\",reason=\"max_connections\"}"
            #expect(server.metric(refused) == 1)
            #expect(
                await TestServer.eventually { server.metric("gateway_listener_connections{listener=\"test\"}") == 0 }
            )
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET /again HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try client.receive(until: "GET /again ")
            }
        }
    }

    @Test("a drain closes idle connections, lets requests under way finish, and releases the port")
    func drain() async throws {
        let notes = Notes<String>()
        let gate = Gate()
        try await TestServer.with(handler: { request in
            notes.add("begun")
            if request.head.path == "/slow" { await gate.wait() }
            return OutgoingResponse(status: .ok, body: Array("done".utf8))
        }) { server in
            let idle = try RawClient(server.address)
            idle.send("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
            let busy = try RawClient(server.address)
            busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await TestServer.eventually { notes.all.count == 2 })
            async let drained: Void = server.listener.drain(timeout: .seconds(10))
            let answers = try await blocking {
                // The end of the idle connection tells that the drain has begun.
                let first = try idle.receiveAll()
                gate.open()
                return [first, try busy.receiveAll()]
            }
            await drained
            #expect(answers[0].hasSuffix("done"))
            #expect(answers[1].hasSuffix("done") && answers[1].lowercased().contains("connection: close"))
            #expect(throws: RawClient.Failure.self) { try RawClient(server.address) }
        }
    }

    @Test("a drain cuts what does not finish in time, and cancels its task")
    func drainTimeout() async throws {
        let notes = Notes<String>()
        try await TestServer.with(handler: { _ in
            notes.add("begun")
            do { try await Task.sleep(for: .seconds(30)) } catch { notes.add("cancelled") }
            return OutgoingResponse(status: .ok)
        }) { server in
            let client = try RawClient(server.address)
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await TestServer.eventually { notes.all == ["begun"] })
            await server.listener.drain(timeout: .milliseconds(50))
            #expect(await TestServer.eventually { notes.all == ["begun", "cancelled"] })
            withExtendedLifetime(client) {}
        }
    }

    @Test("without a host it listens on every interface", arguments: ["127.0.0.1", "::1"])
    func everyInterface(host: String) async throws {
        let listener = try await HTTPListener.start(
            configuration: HTTPListenerConfiguration(name: "test", host: "", port: 0),
            responder: TestResponder(handler: TestServer.echo),
            group: MultiThreadedEventLoopGroup.singleton,
            metrics: MetricRegistry(),
            logger: TestServer.silentLogger
        )
        let port = try #require(listener.localAddress.split(separator: ":").last.flatMap { Int($0) })
        do {
            let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: host, port: port).get()
            try await client.close()
        } catch {
            // A machine without IPv6 has no ::1; there must be IPv4.
            #expect(host == "::1")
        }
        await listener.drain(timeout: .milliseconds(200))
    }

    @Test("a port in use is an error")
    func portInUse() async throws {
        try await TestServer.with { server in
            let port = try #require(server.address.split(separator: ":").last.flatMap { Int($0) })
            await #expect(throws: (any Error).self) {
                try await HTTPListener.start(
                    configuration: HTTPListenerConfiguration(name: "second", host: "127.0.0.1", port: port),
                    responder: TestResponder(handler: TestServer.echo),
                    group: MultiThreadedEventLoopGroup.singleton,
                    metrics: MetricRegistry(),
                    logger: TestServer.silentLogger
                )
            }
        }
    }

    @Test("answers run on the connection's event loop, before and after a change of executor")
    func runsOnEventLoop() async throws {
        let onLoop = Notes<Bool>()
        let handler: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
            onLoop.add(MultiThreadedEventLoopGroup.currentEventLoop != nil)
            await elsewhere()
            onLoop.add(MultiThreadedEventLoopGroup.currentEventLoop != nil)
            _ = try? await request.body.collect(limitBytes: 10)
            onLoop.add(MultiThreadedEventLoopGroup.currentEventLoop != nil)
            return OutgoingResponse(status: .ok)
        }
        try await TestServer.with(handler: handler) { server in
            try await blocking {
                let client = try RawClient(server.address)
                client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
                client.send("ab")
                _ = try client.receiveAll()
            }
            #expect(onLoop.all == [true, true, true])
        }
    }

    @Test("metrics are there at zero from the start, and count requests by version")
    func metrics() async throws {
        try await TestServer.with { server in
            #expect(server.metric("gateway_listener_connections{listener=\"test\"}") == 0)
            for reason in ListenerMetrics.ConnectionRefusal.allCases {
                let series =
                    "gateway_listener_connections_refused_total{listener=\"test\",reason=\"\(reason.rawValue)\"}"
                #expect(server.metric(series) == 0)
            }
            #expect(!server.metrics.exposition().contains("gateway_tls_handshakes_total"))
            try await blocking {
                let client = try RawClient(server.address)
                client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                _ = try client.receiveAll()
            }
            #expect(server.metric("gateway_listener_requests_total{listener=\"test\",version=\"1\"}") == 1)
            #expect(server.metric("gateway_listener_requests_total{listener=\"test\",version=\"2\"}") == 0)
            #expect(server.metric("gateway_listener_connections_accepted_total{listener=\"test\"}") == 1)
        }
    }
}

@concurrent
private func elsewhere() async {
    await Task.yield()
}
