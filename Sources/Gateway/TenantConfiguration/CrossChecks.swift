import Common

/// Checks that need more than one section; run after all sections were read, each tenant once.
struct CrossChecks {
    let context: LoadContext
    let server: ServerSection
    let routing: RoutingSection
    let timestream: TimestreamSection
    let tenants: [TenantSection]

    func run() {
        if self.context.isForLambda { self.checkBackend() } else { self.checkListeners() }
        self.checkClientAuthentication()
        self.checkMemory()
        self.checkReplicas()
        self.checkDefaultTenant()
        self.checkRegions()
        self.checkTables()
        self.checkAccessKeys()
        self.warnAboutOpenDoors()
        self.warnAboutClearAdminSecrets()
        self.warnAboutForeignEndpoints()
    }

    // MARK: Listeners

    private func checkListeners() {
        var listeners = [("server.listen", self.server.settings.listen, self.server.listenPlace)]
        if let admin = self.server.settings.admin.listen {
            listeners.append(("server.admin.listen", admin, self.server.adminPlace))
        }
        if case .local(let engine) = self.timestream.settings.backend {
            listeners.append(("timestream.local.listen", engine.listen, self.timestream.localListenPlace))
        }
        for (index, (_, address, place)) in listeners.enumerated() where address.port != 0 {
            guard let other = listeners[..<index].first(where: { Self.collide($0.1, address) }) else { continue }
            self.context.report(
                place,
                "\(address) is taken by \(other.0)",
                remedy: "give each listener a port of its own"
            )
        }
    }

    private static func collide(_ left: ListenAddress, _ right: ListenAddress) -> Bool {
        let everywhere = ["", "0.0.0.0", "::"]
        return left.port == right.port
            && (left.host == right.host || everywhere.contains(left.host) || everywhere.contains(right.host))
    }

    private func checkBackend() {
        guard case .local = self.timestream.settings.backend else { return }
        self.context.report(
            self.timestream.place,
            "the local engine's data would be gone with each environment of the function",
            remedy: "write backend: aws"
        )
    }

    private func checkClientAuthentication() {
        guard !self.context.isForLambda else {
            self.checkForwardedCertificates()
            return
        }
        let tls = self.server.settings.tls
        let hasTenantCA = self.tenants.contains { $0.settings.authentication.clientCertificate?.caPath != nil }
        if let tls, tls.clientAuthentication != .none, tls.clientCAPath == nil, !hasTenantCA {
            self.context.report(
                self.server.clientAuthenticationPlace,
                "client certificates are asked for, but there is no CA to check them against",
                remedy: "add server.tls.client_ca, or a tenant's auth.client_certificate.ca"
            )
        }
        for tenant in self.tenants {
            guard let place = tenant.authentication?.certificatePlace,
                let certificate = tenant.settings.authentication.clientCertificate
            else { continue }
            if tls == nil {
                self.context.report(place, "client certificates need TLS", remedy: "add server.tls with client_ca")
            } else if tls?.clientAuthentication == TLSSettings.ClientAuthentication.none {
                self.context.report(
                    place,
                    "the listener does not ask for client certificates",
                    remedy: "add server.tls.client_ca, or write server.tls.client_auth: request"
                )
            } else if tls?.clientCAPath == nil, certificate.caPath == nil {
                self.context.report(
                    place,
                    "there is no CA that the certificates could come from",
                    remedy: "add server.tls.client_ca, or ca beside the names"
                )
            }
        }
    }

    /// Another server has the handshake: what counts is an authority to check against.
    private func checkForwardedCertificates() {
        guard self.server.settings.tls?.clientCAPath == nil else { return }
        for tenant in self.tenants {
            guard let place = tenant.authentication?.certificatePlace,
                tenant.settings.authentication.clientCertificate?.caPath == nil
            else { continue }
            self.context.report(
                place,
                "there is no CA that the certificates could come from",
                remedy: "add ca beside the names: nothing listens on Lambda, so there is no server.tls"
            )
        }
    }

    /// A share of nobody knows how many would be the whole, and the fleet would let through many times the limit.
    private func checkReplicas() {
        guard !self.server.hasReplicas,
            let tenant = self.tenants.first(where: { $0.settings.limits.per == .fleet })
        else { return }
        self.context.report(
            self.server.replicasPlace,
            "missing, and the limits of the tenant \(Quotation.pathElement(tenant.settings.id)) are per: fleet",
            remedy: "write how many gateways run, such as replicas: 2: each takes its share"
        )
    }

    /// A request that no budget could ever hold would be refused for ever, so the largest must fit.
    private func checkMemory() {
        let budget = self.server.settings.limits.maxBytesInFlight
        func need(_ tenant: TenantSection) -> Int {
            tenant.settings.limits.maxBodyBytes + tenant.settings.limits.maxDecodedBytes
        }
        guard let largest = self.tenants.max(by: { need($0) < need($1) }), need(largest) > budget else { return }
        self.context.report(
            self.server.maxBytesInFlightPlace,
            "max_bytes_in_flight (\(budget)) cannot hold one request of the tenant "
                + "\(Quotation.pathElement(largest.settings.id)): max_body_bytes and max_decoded_bytes are \(need(largest))",
            remedy: "raise server.limits.max_bytes_in_flight, or lower the tenant's limits"
        )
    }

    // MARK: Tenants

    private func checkDefaultTenant() {
        guard let id = self.routing.settings.defaultTenant, !self.tenants.contains(where: { $0.settings.id == id })
        else { return }
        let nearest = Spelling.nearest(to: id, among: self.tenants.map(\.settings.id))
        self.context.report(
            self.routing.defaultTenantPlace,
            "no tenant has this id",
            remedy: nearest.map { "did you mean \"\($0)\"?" } ?? "name a tenant of this file"
        )
    }

    private func checkRegions() {
        guard case .aws = self.timestream.settings.backend else { return }
        let without = self.tenants.filter { !$0.hasRegion }
        guard let first = without.first else { return }
        self.context.report(
            self.timestream.place.child("region", self.timestream.place.mark),
            "missing, and \(without.count) of \(self.tenants.count) tenants name none "
                + "(the first: \(Quotation.pathElement(first.settings.id)))",
            remedy: "add timestream.region: eu-west-1, or a region to each tenant"
        )
    }

    private func checkTables() {
        struct Table: Hashable {
            var region: String
            var database: String
            var table: String
        }
        var owners: [Table: TenantSection] = [:]
        for tenant in self.tenants where !tenant.settings.database.isEmpty && !tenant.settings.table.isEmpty {
            let settings = tenant.settings
            let table = Table(region: settings.region, database: settings.database, table: settings.table)
            guard let owner = owners[table] else {
                owners[table] = tenant
                continue
            }
            guard !(owner.settings.sharedTable && settings.sharedTable) else { continue }
            self.context.report(
                tenant.tablePlace,
                "\(settings.database).\(settings.table) in \(settings.region) is the table of the tenant "
                    + "\(Quotation.pathElement(owner.settings.id)) as well",
                remedy: "give each tenant a table of its own, or write shared_table: true in both: each then sees the "
                    + "other's data"
            )
        }
    }

    /// One access key id has one secret; the local engine could not tell two apart.
    private func checkAccessKeys() {
        var known: [String: (tenant: String, secret: Secret)] = [:]
        for tenant in self.tenants {
            guard case .keyPair(let id, let secret, _) = tenant.settings.credentials,
                let place = tenant.credentialsPlace
            else { continue }
            guard let other = known[id] else {
                known[id] = (tenant.settings.id, secret)
                continue
            }
            guard other.secret != secret else { continue }
            self.context.report(
                place,
                "the tenant \(Quotation.pathElement(other.tenant)) has the same access_key_id with another secret",
                remedy: "one of the two secrets is wrong"
            )
        }
    }

    // MARK: Warnings

    private func warnAboutOpenDoors() {
        let server = self.server.settings
        let isPlainAndFar = server.tls == nil && !server.listen.isLoopback
        for tenant in self.tenants {
            let settings = tenant.settings.authentication
            let place = tenant.authentication?.place ?? tenant.place
            if settings.isOpen {
                self.context.warn(
                    place,
                    "none: everybody who reaches \(Self.reach(of: server.listen)) can write and read this tenant's data",
                    remedy: "list client_certificate, basic or bearer"
                )
            }
            if isPlainAndFar, settings.takesSecrets {
                self.context.warn(
                    place,
                    "passwords, tokens and AWS keys cross the network in the clear: \(server.listen) is plain HTTP",
                    remedy: "add server.tls, or listen on 127.0.0.1"
                )
            }
        }
    }

    private func warnAboutClearAdminSecrets() {
        guard let place = self.server.adminAuthenticationPlace, let listen = self.server.settings.admin.listen,
            !listen.isLoopback
        else { return }
        self.context.warn(
            place,
            "passwords and tokens cross the network in the clear: \(Self.reach(of: listen)) is plain HTTP",
            remedy: "listen on 127.0.0.1, with a proxy that speaks TLS before it where others need the pages"
        )
    }

    private static func reach(of listen: ListenAddress) -> String {
        listen.host.isEmpty ? "port \(listen.port)" : "\(listen)"
    }

    /// An endpoint belongs to one region, and takes signatures for no other.
    private func warnAboutForeignEndpoints() {
        let timestream = self.timestream.settings
        guard let region = timestream.region else { return }
        for tenant in self.tenants where tenant.settings.region != region {
            let inheritsWrite = timestream.writeEndpoint != nil && !tenant.hasWriteEndpoint
            let inheritsQuery = timestream.queryEndpoint != nil && !tenant.hasQueryEndpoint
            guard inheritsWrite || inheritsQuery else { continue }
            self.context.warn(
                tenant.place,
                "the tenant signs for \(tenant.settings.region), but uses the endpoints of timestream, which is in \(region)",
                remedy: "give the tenant write_endpoint and query_endpoint of its region"
            )
        }
    }
}
