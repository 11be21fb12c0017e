public import ArgumentParser
import Common
import FoundationEssentials
public import Logging
import TenantConfiguration

/// `--config`, and what loading it can end in.
struct ConfigurationFile: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: ArgumentHelp("The configuration file. (default: tenants.yaml)", valueName: "path")
    )
    var named: String?

    var path: String { self.named ?? "tenants.yaml" }

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

    var makeLogger: @Sendable (String) -> Logger { self.makeLogger(isLogging: true) }

    func makeLogger(isLogging: Bool) -> @Sendable (String) -> Logger {
        Self.makeLogger(level: self.level, format: self.format, isLogging: isLogging)
    }

    /// - Parameter isLogging: if not, nothing is written at all.
    static func makeLogger(
        level: Logger.Level,
        format: LineLogHandler.Format,
        isLogging: Bool
    ) -> @Sendable (String) -> Logger {
        guard isLogging else { return { Logger(label: $0) { _ in SwiftLogNoOpLogHandler() } } }
        return { label in
            Logger(label: label) { LineLogHandler(label: $0, format: format, level: level) }
        }
    }
}

/// Of another module, whose level has no text form of its own.
extension Logger.Level: @retroactive ExpressibleByArgument {
    public init?(argument: String) {
        // As AWS' connector spells it.
        self.init(rawValue: argument == "warn" ? "warning" : argument)
    }
}
extension LineLogHandler.Format: ExpressibleByArgument {}

/// A line on standard error.
func standardError(_ line: String) {
    StandardError.write(Array((line + "\n").utf8))
}
