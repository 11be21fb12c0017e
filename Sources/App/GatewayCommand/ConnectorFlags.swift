import ArgumentParser
import TenantConfiguration

/// The flags of AWS' connector, taken as they were written: what they mean is decided in one place for flags and for the
/// variables of a Lambda function.
struct ConnectorFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The database of all samples.", valueName: "name"))
    var defaultDatabase: String?

    @Option(help: ArgumentHelp("The table of all samples.", valueName: "name"))
    var defaultTable: String?

    @Option(help: "The AWS region. (default: us-east-1)")
    var region: String?

    @Option(help: ArgumentHelp("The PEM file of the server's certificate; with --tls-key.", valueName: "path"))
    var tlsCertificate: String?

    @Option(help: ArgumentHelp("The PEM file of the certificate's private key.", valueName: "path"))
    var tlsKey: String?

    @Option(
        name: .customLong("web.listen-address"),
        help: ArgumentHelp("Where to listen. (default: :9201)", valueName: "host:port")
    )
    var listenAddress: String?

    @Option(
        name: .customLong("web.telemetry-path"),
        help: ArgumentHelp("Where the metrics are, on the same port. (default: /metrics)", valueName: "path")
    )
    var telemetryPath: String?

    @Option(help: ArgumentHelp("Whether anything is logged. (default: true)", valueName: "boolean"))
    var enableLogging: String?

    @Option(
        help: ArgumentHelp(
            "Refuse requests with names that Timestream cannot hold, not only leave these out. (default: false)",
            valueName: "boolean"
        )
    )
    var failOnLongLabel: String?

    @Option(
        name: [.long, .customLong("fail-on-invalid-sample")],
        help: ArgumentHelp(
            "Refuse requests with NaN or infinities, not only leave these out. (default: false)",
            valueName: "boolean"
        )
    )
    var failOnInvalidSampleValue: String?

    @Option(
        name: [.long, .customLong("max-retries")],
        help: ArgumentHelp("How often a query is tried again. (default: 3)", valueName: "number")
    )
    var maxReadRetries: String?

    @Option(help: ArgumentHelp("How often a write is tried again. (default: 10)", valueName: "number"))
    var maxWriteRetries: String?

    @Option(
        name: .customLong("enable-sigv4-auth"),
        help: ArgumentHelp("Taken, and without effect but on AWS Lambda. (default: true)", valueName: "boolean")
    )
    var enableSigV4Auth: String?

    @Option(help: ArgumentHelp("The endpoint of queries, in place of discovery.", valueName: "url"))
    var queryBaseEndpoint: String?

    @Option(help: ArgumentHelp("The endpoint of writes, in place of discovery.", valueName: "url"))
    var writeBaseEndpoint: String?

    /// Those that were given. Logging's level and format are none of them: they go with a file as well.
    var values: [ConnectorOption: String] {
        let values: [ConnectorOption: String?] = [
            .defaultDatabase: self.defaultDatabase,
            .defaultTable: self.defaultTable,
            .region: self.region,
            .tlsCertificate: self.tlsCertificate,
            .tlsKey: self.tlsKey,
            .listenAddress: self.listenAddress,
            .telemetryPath: self.telemetryPath,
            .enableLogging: self.enableLogging,
            .failOnLongLabel: self.failOnLongLabel,
            .failOnInvalidSampleValue: self.failOnInvalidSampleValue,
            .maxReadRetries: self.maxReadRetries,
            .maxWriteRetries: self.maxWriteRetries,
            .enableSigV4Auth: self.enableSigV4Auth,
            .queryBaseEndpoint: self.queryBaseEndpoint,
            .writeBaseEndpoint: self.writeBaseEndpoint,
        ]
        return values.compactMapValues(\.self)
    }

    /// - Throws: exit code 78 (EX_CONFIG) after printing everything that is wrong.
    func load() throws -> ConnectorConfiguration {
        do {
            return try ConnectorConfiguration(self.values, from: .flags)
        } catch {
            standardError(error.description)
            standardError("nothing was started")
            throw ExitCode(78)
        }
    }
}
