/// `server`: the listeners, their TLS, limits and time-outs.
struct ServerSection {
    var settings: ServerSettings
    /// Where to point when listeners do not go together.
    var listenPlace: Place
    var adminPlace: Place
    /// Absent without `server.admin.auth`.
    var adminAuthenticationPlace: Place?
    var clientAuthenticationPlace: Place
    var maxBytesInFlightPlace: Place
    /// Where `replicas` is, or belongs; and whether it is there.
    var replicasPlace: Place
    var hasReplicas: Bool

    init(_ reader: consuming MappingReader) {
        let listen = reader.field("listen")
        self.listenPlace = listen?.place ?? reader.place
        let address = listen?.listenAddress() ?? ListenAddress(host: "", port: 9201)

        let tls = reader.field("tls")
        var tlsReader = tls?.mapping()
        self.clientAuthenticationPlace = tls?.place ?? reader.place
        var tlsSettings: TLSSettings?
        if var section = tlsReader.take() {
            tlsSettings = TLSSection.settings(&section, &self.clientAuthenticationPlace)
            section.finish()
        }

        var admin = reader.mapping("admin")
        self.adminPlace = admin.place
        var adminSettings = AdminSettings(listen: ListenAddress(host: "127.0.0.1", port: 9202))
        if let field = admin.field("listen") {
            self.adminPlace = field.place
            adminSettings.listen = Self.isNone(field) ? nil : field.listenAddress()
        }
        adminSettings.reload = admin.field("reload")?.boolean() ?? false
        if let field = admin.field("auth") {
            self.adminAuthenticationPlace = field.place
            adminSettings.authentication = AuthenticationSection.ofOperators(field.mapping())
        }
        admin.finish()

        var limits = reader.mapping("limits")
        self.maxBytesInFlightPlace = limits.place
        let limitSettings = Self.limits(&limits, &self.maxBytesInFlightPlace)
        limits.finish()

        let replicas = reader.field("replicas")
        self.hasReplicas = replicas != nil
        self.replicasPlace = replicas?.place ?? reader.place.child("replicas", reader.place.mark)
        let replicaCount = replicas?.integer(in: 1...10_000) ?? 1

        var timeouts = reader.mapping("timeouts")
        let timeoutSettings = Self.timeouts(&timeouts)
        timeouts.finish()
        var watchInterval: Duration? = .seconds(5)
        if let field = reader.field("watch_interval") {
            watchInterval = Self.isNone(field) ? nil : field.duration(in: .milliseconds(100)...Duration.seconds(3600))
        }
        reader.finish()

        self.settings = ServerSettings(
            listen: address,
            tls: tlsSettings,
            admin: adminSettings,
            limits: limitSettings,
            timeouts: timeoutSettings,
            replicas: replicaCount,
            watchInterval: watchInterval
        )
    }

    private static func isNone(_ field: Field) -> Bool {
        if case .scalar(let scalar) = field.node.content { scalar.text == "none" } else { false }
    }

    // MARK: Limits and time-outs

    private static func limits(_ reader: inout MappingReader, _ maxBytesInFlightPlace: inout Place) -> ServerLimits {
        let maxBytesInFlight = reader.field("max_bytes_in_flight")
        if let maxBytesInFlight { maxBytesInFlightPlace = maxBytesInFlight.place }
        let usual = ServerLimits.builtIn
        return ServerLimits(
            maxBytesInFlight: maxBytesInFlight?.integer(in: 1_048_576...1_099_511_627_776) ?? usual.maxBytesInFlight,
            maxConnections: reader.integer("max_connections", in: 1...1_000_000, default: usual.maxConnections),
            handshakesPerSecond: reader.integer(
                "handshakes_per_second",
                in: 1...1_000_000,
                default: usual.handshakesPerSecond
            ),
            concurrentHandshakes: reader.integer(
                "concurrent_handshakes",
                in: 1...10_000,
                default: usual.concurrentHandshakes
            ),
            failedPasswordsPerSecond: reader.limit(
                "failed_passwords_per_second",
                in: 1...1_000_000,
                default: usual.failedPasswordsPerSecond
            )
        )
    }

    private static func timeouts(_ reader: inout MappingReader) -> ServerTimeouts {
        let wire = Duration.milliseconds(100)...Duration.seconds(600)
        let usual = ServerTimeouts.builtIn
        return ServerTimeouts(
            handshake: reader.duration("handshake", in: wire, default: usual.handshake),
            header: reader.duration("header", in: wire, default: usual.header),
            body: reader.duration("body", in: wire, default: usual.body),
            idle: reader.duration("idle", in: .seconds(1)...Duration.seconds(86_400), default: usual.idle),
            drain: reader.duration("drain", in: .zero...Duration.seconds(3600), default: usual.drain)
        )
    }
}

extension ServerLimits {
    /// What counts where the file says nothing.
    static let builtIn = ServerLimits(maxBytesInFlight: 268_435_456, maxConnections: 4096, handshakesPerSecond: 500)
}

extension ServerTimeouts {
    /// What counts where the file says nothing.
    static let builtIn = ServerTimeouts(
        handshake: .seconds(10),
        header: .seconds(10),
        body: .seconds(20),
        idle: .seconds(360),
        drain: .seconds(30)
    )
}
