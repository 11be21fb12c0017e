import Common

/// What the options of AWS' connector say, as a configuration of one tenant that needs no file.
///
/// Defaults are the connector's: all interfaces, port 9201, `/metrics` on the same port, us-east-1, no limits of rate,
/// NaN and infinities and too long names left out. Each caller's AWS keys in basic auth sign that caller's calls.
package struct ConnectorConfiguration: Sendable {
    package var gateway: GatewayConfiguration
    package var isLogging: Bool
    /// Whether callers that AWS has authenticated by their signature (IAM authorization in front of a Lambda function)
    /// may use the function's own role.
    package var takesSignedCallers: Bool

    /// - Parameter values: as they were written; an empty one counts as absent, as it does in the connector.
    /// - Throws: every option that is missing or wrong.
    package init(
        _ values: [ConnectorOption: String],
        from origin: ConnectorOption.Origin
    ) throws(ConfigurationProblems) {
        let file = origin == .flags ? "command line" : "environment"
        let context = LoadContext(file: file, environment: [:])
        let reader = ConnectorReader(values: values, origin: origin, context: context)
        let isLogging = reader.boolean(.enableLogging) ?? true
        let takesSignedCallers = reader.boolean(.enableSigV4Auth) ?? true
        let server = reader.server()
        let tenant = reader.tenant()
        if origin == .flags, server.tls == nil, !server.listen.isLoopback {
            context.warn(
                reader.place(.listenAddress),
                "AWS keys cross the network in the clear: \(server.listen) is plain HTTP",
                remedy: "add --tls-certificate and --tls-key, or listen on 127.0.0.1"
            )
        }
        guard context.problems.isEmpty else { throw ConfigurationProblems(context.problems) }
        self.isLogging = isLogging
        self.takesSignedCallers = takesSignedCallers
        self.gateway = GatewayConfiguration(
            server: server,
            // Neither header nor path names a tenant, since there they have no meaning.
            routing: RoutingSettings(header: "", pathPrefix: "", pathSuffix: "", defaultTenant: tenant.id),
            timestream: TimestreamSettings(backend: .aws, region: tenant.region),
            tenants: [tenant],
            warnings: context.warnings,
            isConnector: origin == .flags
        )
        if origin == .environment { self.gateway.waitForNothing() }
    }

    /// The same table for callers that AWS has authenticated: calls are signed with the function's own role, and there is
    /// nothing left to prove. To be used for nobody else.
    package var forSignedCallers: GatewayConfiguration {
        var configuration = self.gateway
        for index in configuration.tenants.indices {
            configuration.tenants[index].credentials = .found(.environment)
            configuration.tenants[index].authentication.isOpen = true
            configuration.tenants[index].authentication.awsKeys = nil
        }
        return configuration
    }
}

/// Reads the options one by one, and reports what is wrong with each.
struct ConnectorReader {
    let values: [ConnectorOption: String]
    let origin: ConnectorOption.Origin
    let context: LoadContext

    func place(_ option: ConnectorOption) -> Place {
        Place(path: self.origin.name(option), mark: nil)
    }

    /// - Returns: nil for an option that is absent or empty.
    private func field(_ option: ConnectorOption) -> Field? {
        guard let text = self.values[option], !text.isEmpty else { return nil }
        let mark = Mark(line: 1, column: 1)
        let scalar = YAMLScalar(text: text, isPlain: Int(text) != nil)
        return Field(
            node: YAMLNode(content: .scalar(scalar), mark: mark, size: 1),
            place: self.place(option),
            keyMark: mark,
            context: self.context
        )
    }

    /// As Go's `strconv.ParseBool` takes it.
    func boolean(_ option: ConnectorOption) -> Bool? {
        guard let field = self.field(option) else { return nil }
        let remedy = "write one of 1, t, T, TRUE, true, True, 0, f, F, FALSE, false, False"
        guard let scalar = field.scalar("true or false", remedy: remedy) else { return nil }
        switch scalar.text {
        case "1", "t", "T", "TRUE", "true", "True": return true
        case "0", "f", "F", "FALSE", "false", "False": return false
        default:
            field.reportWrong("true or false", scalar, remedy: remedy)
            return nil
        }
    }

    // MARK: Server

    func server() -> ServerSettings {
        ServerSettings(
            listen: self.field(.listenAddress)?.listenAddress() ?? ListenAddress(host: "", port: 9201),
            tls: self.tls(),
            admin: AdminSettings(listen: nil),
            limits: .builtIn,
            timeouts: .builtIn,
            telemetryPath: self.origin == .flags ? self.telemetryPath() : nil
        )
    }

    private func telemetryPath() -> String {
        let routes = ["/write", "/read", "/api/v1/write", "/api/v1/push", "/api/v1/read", "/-/healthy", "/-/ready"]
        return self.field(.telemetryPath)?.text(
            "a path that starts with / and is no route",
            remedy: "write --web.telemetry-path=/metrics",
            where: { $0.hasPrefix("/") && !routes.contains($0) && !$0.contains(where: { "?# ".contains($0) }) }
        ) ?? "/metrics"
    }

    private func tls() -> TLSSettings? {
        let (certificate, key) = (self.field(.tlsCertificate), self.field(.tlsKey))
        guard let certificate, let key else {
            // The connector then serves plain HTTP and says nothing, which nobody who names a certificate can want.
            (certificate ?? key)?.report(
                "without \(self.origin.name(certificate == nil ? .tlsCertificate : .tlsKey))",
                remedy: "TLS needs both; name neither for plain HTTP"
            )
            return nil
        }
        let certificateFile = certificate.pemFile(.certificates)
        let keyFile = key.pemFile(.privateKey)
        if case .certificates(let certificates) = certificateFile?.content {
            if certificates.hasExpired {
                self.context.warn(
                    certificate.place,
                    "the server's certificate has expired: clients will refuse it",
                    remedy: "renew it"
                )
            }
            if case .privateKey(let privateKey) = keyFile?.content, !certificates.belongs(to: privateKey) {
                key.report(
                    "the key does not belong to the first certificate of --tls-certificate",
                    remedy: "give the key it was made with, and put the server's own certificate first in its file"
                )
            }
        }
        return TLSSettings(
            certificatePath: certificateFile?.path ?? "",
            privateKeyPath: keyFile?.path ?? "",
            clientCAPath: nil,
            clientAuthentication: .none,
            minimumVersion: .tls12,
            certificateRevocationListPath: nil
        )
    }

    // MARK: Tenant

    func tenant() -> TenantSettings {
        var limits = TenantLimits.builtIn
        // The connector has none; what the process can hold at a time stays bounded all the same.
        limits.writeRequestsPerSecond = nil
        limits.samplesPerSecond = nil
        limits.readRequestsPerSecond = nil
        // All that a table can have.
        limits.maxLabelsPerSeries = 128
        var mapping = MappingSettings.builtIn
        mapping.specialValues = self.boolean(.failOnInvalidSampleValue) == true ? .refuse : .drop
        mapping.longNames = self.boolean(.failOnLongLabel) == true ? .refuse : .drop
        return TenantSettings(
            id: "default",
            database: self.storeName(.defaultDatabase, "database"),
            table: self.storeName(.defaultTable, "table"),
            sharedTable: true,
            region: self.field(.region)?.region() ?? "us-east-1",
            writeEndpoint: self.endpoint(.writeBaseEndpoint),
            queryEndpoint: self.endpoint(.queryBaseEndpoint),
            credentials: .caller,
            authentication: AuthenticationSettings(
                isOpen: false,
                clientCertificate: nil,
                basic: [],
                bearerTokenDigests: [],
                awsKeys: .any,
                requiresAll: false
            ),
            limits: limits,
            mapping: mapping,
            retries: RetrySettings(
                maxWriteRetries: self.field(.maxWriteRetries)?.integer(in: 0...1000) ?? 10,
                maxReadRetries: self.field(.maxReadRetries)?.integer(in: 0...1000) ?? 3
            )
        )
    }

    private func storeName(_ option: ConnectorOption, _ what: String) -> String {
        guard let field = self.field(option) else {
            let place = self.place(option)
            let remedy =
                switch self.origin {
                case .flags: "The default \(what) value must be set through the flag \(place.path)"
                case .environment:
                    "The environment variables default_database and default_table must be specified in the Lambda function"
                }
            self.context.report(place, "missing", remedy: remedy)
            return ""
        }
        return field.storeName(what) ?? ""
    }

    private func endpoint(_ option: ConnectorOption) -> String? {
        self.field(option)?.endpoint()
    }
}
