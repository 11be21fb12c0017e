public import ArgumentParser
import Common
import Foundation
public import Logging
import TenantConfiguration

/// `--config`, and what loading it can end in.
struct ConfigurationFile: ParsableArguments {
    @Option(name: .customLong("config"), help: "The configuration file.")
    var path = "tenants.yaml"

    /// - Throws: exit code 78 (EX_CONFIG) after printing every problem of the file.
    func load() throws -> GatewayConfiguration {
        try Self.checked(self.source.load())
    }

    var source: ConfigurationSource {
        ConfigurationSource(path: self.path, environment: ProcessInfo.processInfo.environment)
    }

    static func checked(_ loaded: LoadedConfiguration) throws -> GatewayConfiguration {
        do {
            return try loaded.result.get()
        } catch {
            standardError(error.description)
            standardError("nothing was started")
            throw ExitCode(78)
        }
    }
}

/// How much is logged, and in which form.
struct LogOptions: ParsableArguments {
    @Option(name: .customLong("log.level"), help: "trace, debug, info, notice, warning, error or critical.")
    var level: Logger.Level = .info

    @Option(name: .customLong("log.format"), help: "logfmt or json, one line an event, on standard error.")
    var format: LineLogHandler.Format = .logfmt

    var makeLogger: @Sendable (String) -> Logger {
        let (format, level) = (self.format, self.level)
        return { label in
            Logger(label: label) { LineLogHandler(label: $0, format: format, level: level) }
        }
    }
}

/// Of another module, whose level has no text form of its own.
extension Logger.Level: @retroactive ExpressibleByArgument {}
extension LineLogHandler.Format: ExpressibleByArgument {}

/// A line on standard error.
func standardError(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}
