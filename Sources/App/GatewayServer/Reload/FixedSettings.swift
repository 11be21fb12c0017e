import TenantConfiguration

/// The settings that a running process cannot change: what it listens on, and what it stores to.
enum FixedSettings {
    /// One problem for each of them that differs, with the old and the new value.
    static func problems(
        replacing old: GatewayConfiguration,
        with new: GatewayConfiguration,
        file: String
    ) -> [ConfigurationProblem] {
        zip(Self.values(of: old), Self.values(of: new)).compactMap { old, new in
            guard old.text != new.text else { return nil }
            return ConfigurationProblem(
                file: file,
                line: nil,
                column: nil,
                path: old.path,
                message: "changed from \(old.text) to \(new.text), which the running process cannot take",
                remedy: "restart the gateway, or put \(old.text) back"
            )
        }
    }

    private static func values(of configuration: GatewayConfiguration) -> [(path: String, text: String)] {
        let server = configuration.server
        let timestream = configuration.timestream
        var values: [(String, String)] = [
            ("server.listen", "\(server.listen)"),
            ("server.tls", server.tls == nil ? "plain HTTP" : "TLS"),
            ("server.admin.listen", server.admin.listen.map { "\($0)" } ?? "none"),
            ("server.admin.reload", "\(server.admin.reload)"),
            ("server.watch_interval", server.watchInterval.map { "\($0)" } ?? "none"),
            ("server.limits.max_connections", "\(server.limits.maxConnections)"),
            ("server.limits.handshakes_per_second", "\(server.limits.handshakesPerSecond)"),
            ("server.limits.concurrent_handshakes", "\(server.limits.concurrentHandshakes)"),
            ("server.timeouts.handshake", "\(server.timeouts.handshake)"),
            ("server.timeouts.header", "\(server.timeouts.header)"),
            ("server.timeouts.body", "\(server.timeouts.body)"),
            ("server.timeouts.idle", "\(server.timeouts.idle)"),
            ("timestream.ca_bundle", timestream.caBundlePath ?? "none"),
            ("timestream.proxy", timestream.proxy ?? "none"),
            ("timestream.sts_endpoint", timestream.stsEndpoint ?? "none"),
            ("timestream.metadata_endpoint", timestream.metadataEndpoint ?? "none"),
            ("timestream.dual_stack", "\(timestream.isDualStack)"),
            ("timestream.fips", "\(timestream.isFIPS)"),
        ]
        switch timestream.backend {
        case .aws:
            values += [
                ("timestream.backend", "aws"), ("timestream.local.directory", "none"),
                ("timestream.local.listen", "none"),
            ]
        case .local(let engine):
            values += [
                ("timestream.backend", "local"), ("timestream.local.directory", engine.directory),
                ("timestream.local.listen", "\(engine.listen)"),
            ]
        }
        return values
    }
}
