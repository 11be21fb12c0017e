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
            end it: requests under way are finished within server.timeouts.drain. SIGHUP reloads the configuration.
            """
    )

    @OptionGroup var file: ConfigurationFile
    @OptionGroup var log: LogOptions

    func run() async throws {
        let source = self.file.source
        let loaded = source.load()
        let configuration = try ConfigurationFile.checked(loaded)
        let logger = self.log.makeLogger("configuration")
        for warning in configuration.warnings { logger.warning("\(warning.description)") }
        do {
            try await GatewayServer.run(
                configuration,
                version: GatewayVersion.current,
                reloading: ConfigurationOrigin(source: source, files: loaded.files),
                makeLogger: self.log.makeLogger
            )
        } catch {
            standardError("error: \(error)")
            throw ExitCode.failure
        }
    }
}
