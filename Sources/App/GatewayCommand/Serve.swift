import ArgumentParser
import Common
import GatewayServer
import Logging
import TenantConfiguration

/// `serve`: runs the gateway until SIGTERM or SIGINT.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve remote write and remote read (the default).",
        discussion: """
            Reads the configuration, checks all of it, and starts nothing if anything in it is wrong. SIGTERM and SIGINT
            end it: requests under way are finished within server.timeouts.drain; a second one ends it at once. SIGHUP
            reloads the configuration.

            With a flag of AWS' Prometheus connector it takes that connector's place: no file is read, everything goes to
            one table, and the AWS keys in each request's basic authentication sign its calls.
            """
    )

    @OptionGroup var file: ConfigurationFile
    @OptionGroup var log: LogOptions
    @OptionGroup(title: "Flags of the AWS connector, in place of a file") var connector: ConnectorFlags

    func validate() throws {
        guard self.file.named == nil || self.connector.values.isEmpty else {
            throw ValidationError("--config and the flags of the AWS connector exclude each other")
        }
    }

    func run() async throws {
        // A function's bootstrap is started without arguments.
        if Lambda.isCalledFor, self.file.named == nil, self.connector.values.isEmpty {
            return try await Lambda().run()
        }
        let configuration: GatewayConfiguration
        let makeLogger: @Sendable (String) -> Logger
        var origin: ConfigurationOrigin?
        if self.connector.values.isEmpty {
            let source = self.file.source
            let loaded = source.load()
            configuration = try ConfigurationFile.checked(loaded)
            origin = ConfigurationOrigin(source: source, files: loaded.files)
            makeLogger = self.log.makeLogger
        } else {
            let loaded = try self.connector.load()
            configuration = loaded.gateway
            makeLogger = self.log.makeLogger(isLogging: loaded.isLogging)
        }
        let logger = makeLogger("configuration")
        for warning in configuration.warnings { logger.warning("\(warning.description)") }
        do {
            try await GatewayServer.run(
                configuration,
                version: GatewayVersion.current,
                reloading: origin,
                makeLogger: makeLogger
            )
        } catch {
            standardError("error: \(error)")
            throw ExitCode.failure
        }
    }
}
