import Common
import HTTPTypes
import Logging
import NIOPosix
import TLSTransport

@testable import HTTPServing

/// A responder made of a closure.
struct TestResponder: HTTPResponder {
    let handler: @Sendable (IncomingRequest) async -> OutgoingResponse

    func respond(to request: IncomingRequest) async -> OutgoingResponse {
        await self.handler(request)
    }
}

/// Values of a test that several threads note.
final class Notes<Value: Sendable>: Sendable {
    private let values = Locked<[Value]>([])
    func add(_ value: Value) { self.values.withLock { $0.append(value) } }
    var all: [Value] { self.values.withLock { $0 } }
}

/// Lets nobody pass until it is opened.
final class Gate: Sendable {
    private let (stream, opener) = AsyncStream.makeStream(of: Void.self)
    func open() { self.opener.finish() }
    func wait() async { for await _ in self.stream {} }
}

/// A listener on a free port of the loopback address, and its metrics.
struct TestServer: Sendable {
    let listener: HTTPListener
    let metrics: MetricRegistry

    var address: String { self.listener.localAddress }

    static var silentLogger: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    /// Runs the body against a listener, and drains it at the end.
    static func with(
        tls: TLSServerContext? = nil,
        maxConnections: Int = 4096,
        handshakesPerSecond: Int = 10_000,
        concurrentHandshakes: Int = 1_000,
        timeouts: HTTPTimeouts = HTTPTimeouts(),
        handler: @escaping @Sendable (IncomingRequest) async -> OutgoingResponse = echo,
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let metrics = MetricRegistry()
        let listener = try await HTTPListener.start(
            configuration: HTTPListenerConfiguration(
                name: "test",
                host: "127.0.0.1",
                port: 0,
                tls: tls,
                maxConnections: maxConnections,
                handshakesPerSecond: handshakesPerSecond,
                concurrentHandshakes: concurrentHandshakes,
                timeouts: timeouts
            ),
            responder: TestResponder(handler: handler),
            group: MultiThreadedEventLoopGroup.singleton,
            metrics: metrics,
            logger: Self.silentLogger
        )
        do {
            try await body(TestServer(listener: listener, metrics: metrics))
        } catch {
            await listener.drain(timeout: .milliseconds(200))
            throw error
        }
        await listener.drain(timeout: .milliseconds(200))
    }

    /// Answers with method, path and body; 413 and the like for bodies that did not arrive.
    static let echo: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
        do throws(IncomingBodyError) {
            let body = try await request.body.collect(limitBytes: 1 << 25)
            let head = "\(request.head.method.rawValue) \(request.head.path ?? "") "
            return OutgoingResponse(status: .ok, body: Array(head.utf8) + body)
        } catch .tooLarge {
            return .text(.contentTooLarge, "too large")
        } catch .timedOut {
            return .text(.requestTimeout, "timed out")
        } catch {
            return .text(.requestTimeout, "disconnected")
        }
    }

    /// A body that repeats itself only at a length which no buffer has.
    static func bytes(_ count: Int) -> [UInt8] {
        var bytes = (0..<min(count, 65_521)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        while bytes.count < count { bytes += bytes.prefix(count - bytes.count) }
        return bytes
    }

    /// The value of one series of the exposition, `name{labels}`.
    func metric(_ series: String) -> Int? {
        for line in self.metrics.exposition().split(separator: "\n") where line.hasPrefix(series + " ") {
            return Int(line.dropFirst(series.count + 1))
        }
        return nil
    }

    /// Waits until something holds, for things that happen soon but at no definite time.
    static func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
        for _ in 0..<1000 {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return condition()
    }
}
