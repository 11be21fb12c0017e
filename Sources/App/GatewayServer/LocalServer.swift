import Common
import HTTPServing
package import Logging
import NIOPosix
package import RequestSigning
import ServiceLifecycle
import TimestreamLocal
package import TimestreamModel

/// The local engine behind a listener of its own: embedded in `serve`, or alone as `local`.
package enum LocalServer {
    /// Serves the engine alone until SIGTERM or SIGINT.
    ///
    /// - Parameter keys: each with the table it is good for; empty: any signature is accepted.
    package static func run(
        host: String,
        port: Int,
        directory: String,
        keys: [(AccessKey, TableName)],
        pageRows: Int?,
        makeLogger: @escaping @Sendable (String) -> Logger
    ) async throws {
        let tables = Dictionary(grouping: keys, by: \.0)
        let service = Alone(
            host: host,
            port: port,
            directory: directory,
            keys: tables.map { LocalEngineKey(key: $0.key, tables: $0.value.map(\.1)) },
            pageRows: pageRows,
            logger: makeLogger("local")
        )
        try await GatewayServer.runUntilSignal(service, logger: makeLogger("lifecycle"))
    }

    /// Opens the engine, and a listener in front of it.
    static func start(
        host: String,
        port: Int,
        directory: String,
        keys: [LocalEngineKey],
        pageRows: Int?,
        metrics: MetricRegistry,
        logger: Logger
    ) async throws -> (LocalEngine, HTTPListener) {
        let engine = try await LocalEngine.open(
            LocalEngineConfiguration(
                directory: directory,
                ownAddress: "\(host):\(port)",
                keys: keys,
                pageRows: pageRows
            ),
            metrics: metrics,
            logger: logger
        )
        let listener = try await HTTPListener.start(
            configuration: HTTPListenerConfiguration(name: "local", host: host, port: port, maxConnections: 512),
            responder: engine,
            group: MultiThreadedEventLoopGroup.singleton,
            metrics: metrics,
            logger: logger
        )
        return (engine, listener)
    }

    private struct Alone: Service {
        let host: String
        let port: Int
        let directory: String
        let keys: [LocalEngineKey]
        let pageRows: Int?
        let logger: Logger

        func run() async throws {
            let (engine, listener) = try await LocalServer.start(
                host: self.host,
                port: self.port,
                directory: self.directory,
                keys: self.keys,
                pageRows: self.pageRows,
                metrics: MetricRegistry(),
                logger: self.logger
            )
            self.logger.notice(
                "serving",
                metadata: [
                    LogKey.listener: .string("http://\(listener.localAddress)"),
                    "directory": .string(self.directory),
                    "keys": .string(self.keys.isEmpty ? "any signature is accepted" : "\(self.keys.count)"),
                ]
            )
            let manager = ServiceManager(logger: self.logger)
            manager.tell(.ready(status: "serving"))
            try? await gracefulShutdown()
            self.logger.notice("draining")
            manager.tell(.stopping(within: .seconds(15)))
            await listener.drain(timeout: .seconds(5))
            await engine.close()
            self.logger.notice("stopped")
        }
    }
}
