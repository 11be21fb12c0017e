import Common
import Testing

@testable import TenantConfiguration

private let required: [ConnectorOption: String] = [
    .defaultDatabase: "PrometheusDatabase", .defaultTable: "PrometheusMetricsTable",
]

private func load(
    _ more: [ConnectorOption: String] = [:],
    from origin: ConnectorOption.Origin = .flags
) throws(ConfigurationProblems) -> ConnectorConfiguration {
    try ConnectorConfiguration(required.merging(more) { $1 }, from: origin)
}

@Suite("The options of AWS' connector, as a configuration")
struct ConnectorConfigurationTests {
    @Test("with nothing but database and table, the connector's defaults count")
    func defaults() throws {
        let connector = try load()
        let server = connector.gateway.server
        #expect(server.listen == ListenAddress(host: "", port: 9201))
        #expect(server.tls == nil)
        #expect(server.admin.listen == nil)
        #expect(server.telemetryPath == "/metrics")
        let tenant = try #require(connector.gateway.tenants.first)
        #expect(connector.gateway.tenants.count == 1)
        #expect(connector.gateway.routing.defaultTenant == tenant.id)
        #expect(tenant.database == "PrometheusDatabase")
        #expect(tenant.table == "PrometheusMetricsTable")
        #expect(tenant.region == "us-east-1")
        #expect(tenant.retries == RetrySettings(maxWriteRetries: 10, maxReadRetries: 3))
        #expect(tenant.writeEndpoint == nil && tenant.queryEndpoint == nil)
        #expect(tenant.mapping.specialValues == .drop)
        #expect(tenant.mapping.longNames == .drop)
        #expect(tenant.authentication.awsKeys == .any)
        #expect(!tenant.authentication.isOpen)
        #expect(tenant.limits.writeRequestsPerSecond == nil && tenant.limits.samplesPerSecond == nil)
        if case .caller = tenant.credentials {} else { Issue.record("callers' keys do not sign their calls") }
        #expect(connector.isLogging)
        // Keys in the clear, from every interface: allowed as there, and said.
        #expect(connector.gateway.warnings.map(\.path) == ["--web.listen-address"])
    }

    @Test("every option arrives")
    func everyOption() throws {
        let connector = try load([
            .region: "us-west-2", .listenAddress: "127.0.0.1:3080", .telemetryPath: "/timestream-metrics",
            .enableLogging: "0", .failOnLongLabel: "true", .failOnInvalidSampleValue: "T", .maxReadRetries: "7",
            .maxWriteRetries: "0", .enableSigV4Auth: "false",
            .queryBaseEndpoint: "https://query.example", .writeBaseEndpoint: "https://write.example/",
        ])
        let tenant = try #require(connector.gateway.tenants.first)
        #expect(tenant.region == "us-west-2")
        #expect(connector.gateway.server.listen == ListenAddress(host: "127.0.0.1", port: 3080))
        #expect(connector.gateway.server.telemetryPath == "/timestream-metrics")
        #expect(!connector.isLogging)
        #expect(!connector.takesSignedCallers)
        #expect(tenant.mapping.longNames == .refuse)
        #expect(tenant.mapping.specialValues == .refuse)
        #expect(tenant.retries == RetrySettings(maxWriteRetries: 0, maxReadRetries: 7))
        #expect(tenant.queryEndpoint == "https://query.example")
        #expect(tenant.writeEndpoint == "https://write.example")
        #expect(connector.gateway.warnings.isEmpty)
    }

    @Test("booleans are spelled as Go takes them", arguments: ["1", "t", "T", "TRUE", "true", "True"])
    func isTrue(text: String) throws {
        #expect(try load([.failOnLongLabel: text]).gateway.tenants.first?.mapping.longNames == .refuse)
    }

    @Test("and so are their opposites", arguments: ["0", "f", "F", "FALSE", "false", "False"])
    func isFalse(text: String) throws {
        #expect(try !load([.enableLogging: text]).isLogging)
    }

    @Test("no other spelling is one", arguments: ["yes", "on", "tRUE", "2", "TRUE ", "nil", "null", "~"])
    func isNeither(text: String) throws {
        let error = try #require(throws: ConfigurationProblems.self) { try load([.enableLogging: text]) }
        #expect(error.problems.map(\.path) == ["--enable-logging"])
        #expect(error.description.contains("expected true or false, found"))
    }

    @Test("certificate and key go together, and belong together")
    func certificates() throws {
        let folder = try CaseFolder.shared.get()
        let pair: [ConnectorOption: String] = [
            .tlsCertificate: folder.path("server.pem"), .tlsKey: folder.path("server.key"),
        ]
        let tls = try #require(try load(pair).gateway.server.tls)
        #expect(tls.certificatePath == folder.path("server.pem"))
        #expect(tls.privateKeyPath == folder.path("server.key"))
        #expect(tls.clientAuthentication == .none)
        for option in [ConnectorOption.tlsCertificate, .tlsKey] {
            var half = pair
            half[option] = ""
            let error = try #require(throws: ConfigurationProblems.self) { try load(half) }
            #expect(error.description.contains("without --\(option.rawValue)"))
        }
        let error = try #require(throws: ConfigurationProblems.self) {
            try load([.tlsCertificate: folder.path("ca.pem"), .tlsKey: folder.path("server.key")])
        }
        #expect(error.problems.map(\.path) == ["--tls-key"])
    }

    @Test("all that is wrong is told at once, with the flag's name")
    func problems() throws {
        let error = try #require(throws: ConfigurationProblems.self) {
            try ConnectorConfiguration(
                [
                    .defaultDatabase: "", .region: "US-EAST-1", .listenAddress: "9201", .telemetryPath: "/write",
                    .maxReadRetries: "many", .maxWriteRetries: "-1", .queryBaseEndpoint: "query.example",
                    .tlsKey: "no-such-file",
                ],
                from: .flags
            )
        }
        #expect(
            Set(error.problems.map(\.path)) == [
                "--default-database", "--default-table", "--region", "--web.listen-address", "--web.telemetry-path",
                "--max-read-retries", "--max-write-retries", "--query-base-endpoint", "--tls-key",
            ]
        )
        #expect(error.description.contains("must be set through the flag --default-database"))
    }

    @Test("a Lambda function's variables are the same options in snake case, but for those of a listener")
    func environment() throws {
        let values = ConnectorOption.values(of: [
            "default_database": "PrometheusDatabase", "default_table": "PrometheusMetricsTable",
            "region": "eu-west-1", "log_level": "debug", "enable_sigv4_auth": "false", "max_retries": "5",
            "fail_on_long_label": "true", "web_listen_address": ":1", "tls_key": "x", "PATH": "/bin",
        ])
        #expect(
            values == [
                .defaultDatabase: "PrometheusDatabase", .defaultTable: "PrometheusMetricsTable",
                .region: "eu-west-1", .logLevel: "debug", .enableSigV4Auth: "false", .maxReadRetries: "5",
                .failOnLongLabel: "true",
            ]
        )
        let connector = try ConnectorConfiguration(values, from: .environment)
        #expect(connector.gateway.tenants.first?.retries.maxReadRetries == 5)
        #expect(connector.gateway.server.telemetryPath == nil)
        #expect(connector.gateway.warnings.isEmpty)
        let error = try #require(throws: ConfigurationProblems.self) {
            try ConnectorConfiguration([:], from: .environment)
        }
        #expect(error.problems.map(\.path) == ["default_database", "default_table"])
    }

    @Test("callers that AWS has authenticated get the function's role, and nobody else does")
    func signedCallers() throws {
        let connector = try load(from: .environment)
        #expect(connector.takesSignedCallers)
        let tenant = try #require(connector.forSignedCallers.tenants.first)
        if case .found(.environment) = tenant.credentials {} else { Issue.record("not the function's role") }
        #expect(tenant.authentication.isOpen)
        #expect(tenant.authentication.awsKeys == nil)
        let own = try #require(connector.gateway.tenants.first)
        #expect(!own.authentication.isOpen)
        #expect(own.database == tenant.database && own.table == tenant.table)
    }
}
