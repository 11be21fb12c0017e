import Glibc
package import Logging
import ServiceLifecycle
package import TenantConfiguration
import UnixSignals

/// Where a configuration came from, and what its files held then.
package struct ConfigurationOrigin: Sendable {
    package var source: ConfigurationSource
    package var files: ConfigurationFiles

    package init(source: ConfigurationSource, files: ConfigurationFiles) {
        self.source = source
        self.files = files
    }
}

/// The gateway as a whole, from a checked configuration to the end of the process.
package enum GatewayServer {
    /// Serves until SIGTERM or SIGINT, then drains within `server.timeouts.drain`; a second one ends the process at once.
    ///
    /// - Parameters:
    ///   - reloading: where the configuration came from, to take its changes; absent: it never changes.
    ///   - makeLogger: by the name that stands as `caller` in each line.
    /// - Throws: what keeps it from starting: a port in use, a certificate that OpenSSL refuses, a directory that cannot
    ///   be written.
    package static func run(
        _ configuration: GatewayConfiguration,
        version: String,
        reloading: ConfigurationOrigin? = nil,
        makeLogger: @escaping @Sendable (String) -> Logger
    ) async throws {
        let service = GatewayService(
            configuration: configuration,
            version: version,
            origin: reloading,
            makeLogger: makeLogger
        )
        try await self.runUntilSignal(service, logger: makeLogger("lifecycle"))
    }

    /// Runs one service. The first SIGTERM or SIGINT lets it finish what it is about, the second ends the process at once.
    static func runUntilSignal(_ service: some Service, logger: Logger) async throws {
        var quiet = logger
        // The group's own lines tell of its inner workings; ours tell what an operator wants to know.
        quiet.logLevel = .warning
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: NamedService(service), successTerminationBehavior: .gracefullyShutdownGroup)
                ],
                logger: quiet
            )
        )
        // Not the group's own, which takes no notice of a second one.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                var isEnding = false
                for await signal in signals {
                    guard !isEnding else { self.endAtOnce(signal, logger) }
                    isEnding = true
                    await group.triggerGracefulShutdown()
                }
            }
            defer { tasks.cancelAll() }
            try await group.run()
        }
    }

    /// Not by the signal itself, which the first process of a container does not get.
    private static func endAtOnce(_ signal: UnixSignal, _ logger: Logger) -> Never {
        logger.warning("a second signal: ending at once, requests under way are cut")
        // As a shell shows a process that a signal has ended.
        _exit(128 + signal.rawValue)
    }
}

/// A service that says no more of itself than its type. The group asks each for its description, which would otherwise be
/// a text of everything in it, with a configuration of thousands of tenants.
private struct NamedService<Wrapped: Service>: Service, CustomStringConvertible {
    private let wrapped: Wrapped

    init(_ wrapped: Wrapped) {
        self.wrapped = wrapped
    }

    var description: String { "\(Wrapped.self)" }

    func run() async throws {
        try await self.wrapped.run()
    }
}
