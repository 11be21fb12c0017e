/// An option of AWS' Prometheus connector: a flag of its server, a variable of its Lambda function.
///
/// - Source: README of awslabs/amazon-timestream-connector-prometheus, "Configuration Options".
package enum ConnectorOption: String, Sendable, CaseIterable {
    case defaultDatabase = "default-database"
    case defaultTable = "default-table"
    case region
    case tlsCertificate = "tls-certificate"
    case tlsKey = "tls-key"
    case listenAddress = "web.listen-address"
    case telemetryPath = "web.telemetry-path"
    case enableLogging = "enable-logging"
    case failOnLongLabel = "fail-on-long-label"
    case failOnInvalidSampleValue = "fail-on-invalid-sample-value"
    case maxReadRetries = "max-read-retries"
    case maxWriteRetries = "max-write-retries"
    case logLevel = "log.level"
    case logFormat = "log.format"
    case enableSigV4Auth = "enable-sigv4-auth"
    case queryBaseEndpoint = "query-base-endpoint"
    case writeBaseEndpoint = "write-base-endpoint"

    /// Other names of it: of earlier versions, and one that only the documentation has.
    package var formerNames: [String] {
        switch self {
        case .maxReadRetries: ["max-retries"]
        case .failOnInvalidSampleValue: ["fail-on-invalid-sample"]
        default: []
        }
    }

    /// Where an option comes from, and how it is written there.
    package enum Origin: Sendable {
        case flags, environment

        func name(_ option: ConnectorOption) -> String {
            switch self {
            case .flags: "--\(option.rawValue)"
            case .environment: Self.variable(option.rawValue)
            }
        }

        fileprivate static func variable(_ name: String) -> String {
            String(name.map { $0 == "-" || $0 == "." ? "_" : $0 })
        }
    }

    /// Whether it means something on Lambda, where nothing listens.
    private var isForLambda: Bool {
        switch self {
        case .tlsCertificate, .tlsKey, .listenAddress, .telemetryPath: false
        default: true
        }
    }

    /// The options that a Lambda function's variables set.
    package static func values(of environment: [String: String]) -> [ConnectorOption: String] {
        var values: [ConnectorOption: String] = [:]
        for option in Self.allCases where option.isForLambda {
            let names = [option.rawValue] + option.formerNames
            values[option] = names.lazy.compactMap { environment[Origin.variable($0)] }.first
        }
        return values
    }
}
