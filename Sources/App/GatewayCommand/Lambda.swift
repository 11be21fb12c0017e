import ArgumentParser
import Common
import FoundationEssentials
import GatewayServer
import Logging
import TenantConfiguration

/// `lambda`: serves the events of an AWS Lambda function.
struct Lambda: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve events of AWS Lambda; what a function's bootstrap does by itself.",
        discussion: """
            The runtime API is where AWS_LAMBDA_RUNTIME_API says. The configuration is the file that TENANTS_FILE names;
            else the variables of AWS' connector (default_database, default_table, region and others); else tenants.yaml
            in the function's package.
            """
    )

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        guard let address = environment[Self.addressVariable], !address.isEmpty else {
            standardError("error: \(Self.addressVariable) is not set: this is no environment of AWS Lambda")
            throw ExitCode.validationFailure
        }
        let setup: Setup
        do {
            setup = try Setup(environment)
        } catch {
            standardError("\(error)")
            try? await LambdaGateway.reportFailure("\(error)", runtimeAPI: address)
            throw ExitCode(78)
        }
        let logger = setup.makeLogger("configuration")
        for warning in setup.configuration.warnings { logger.warning("\(warning.description)") }
        do {
            try await LambdaGateway.run(
                runtimeAPI: address,
                setup.configuration,
                signed: setup.signed,
                makeLogger: setup.makeLogger
            )
        } catch {
            standardError("error: \(error)")
            throw ExitCode.failure
        }
    }

    static let addressVariable = "AWS_LAMBDA_RUNTIME_API"

    /// Whether this process is a function's, and its command line says nothing else.
    static var isCalledFor: Bool { ProcessInfo.processInfo.environment[Self.addressVariable]?.isEmpty == false }
}

/// What the function's environment says.
private struct Setup {
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    var configuration: GatewayConfiguration
    /// For callers that AWS has authenticated.
    var signed: GatewayConfiguration?
    var makeLogger: @Sendable (String) -> Logger

    init(_ environment: [String: String]) throws {
        let options = ConnectorOption.values(of: environment)
        let file = environment["TENANTS_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        let packaged = "\(environment["LAMBDA_TASK_ROOT"] ?? ".")/tenants.yaml"
        let isConnector = options[.defaultDatabase] != nil || options[.defaultTable] != nil
        guard file == nil || !isConnector else {
            throw Problem(description: "TENANTS_FILE and default_database, default_table exclude each other")
        }
        var isLogging = true
        if file != nil || (!isConnector && FileManager.default.fileExists(atPath: packaged)) {
            self.configuration = try TenantsFile.load(
                path: file ?? packaged,
                environment: environment,
                isForLambda: true
            )
        } else {
            let connector = try ConnectorConfiguration(options, from: .environment)
            self.configuration = connector.gateway
            self.signed = connector.takesSignedCallers ? connector.forSignedCallers : nil
            isLogging = connector.isLogging
        }
        guard let level = Logger.Level(argument: options[.logLevel] ?? "info") else {
            throw Problem(description: "log_level takes debug, info, warn or error")
        }
        guard let format = LineLogHandler.Format(argument: options[.logFormat] ?? "logfmt") else {
            throw Problem(description: "log_format takes logfmt or json")
        }
        self.makeLogger = LogOptions.makeLogger(level: level, format: format, isLogging: isLogging)
    }
}
