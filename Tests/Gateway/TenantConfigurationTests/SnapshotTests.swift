import Common
import Testing

@testable import TenantConfiguration

@Suite("The snapshot of a good file")
struct SnapshotTests {
    private func load(_ name: String) throws -> GatewayConfiguration {
        try TenantsFile.load(
            path: try CaseFolder.shared.get().path("\(name).yaml"),
            environment: CaseFolder.environment
        )
    }

    @Test("every key of the server arrives")
    func server() throws {
        let folder = try CaseFolder.shared.get()
        let server = try self.load("good-full").server
        #expect(server.listen == ListenAddress(host: "", port: 19201))
        #expect(server.admin.listen == nil)
        #expect(server.admin.reload)
        let operators = try #require(server.admin.authentication)
        #expect(operators.basic.map(\.username) == ["operator"])
        #expect(operators.basic.map(\.passwordHash.revealed) == [CaseFolder.bcryptHash])
        #expect(operators.bearerTokenDigests == [sha256(Array("HUSH-token".utf8))])
        #expect(!operators.isOpen && !operators.requiresAll && operators.clientCertificate == nil)
        #expect(server.tls?.certificatePath == folder.path("server.pem"))
        #expect(server.tls?.privateKeyPath == folder.path("server.key"))
        #expect(server.tls?.clientCAPath == folder.path("ca.pem"))
        #expect(server.tls?.certificateRevocationListPath == folder.path("crl.pem"))
        #expect(server.tls?.clientAuthentication == .require)
        #expect(server.tls?.minimumVersion == .tls13)
        #expect(server.tls?.sessionTickets == false)
        #expect(server.limits.maxBytesInFlight == 536_870_912)
        #expect(server.limits.maxConnections == 100)
        #expect(server.limits.handshakesPerSecond == 50)
        #expect(server.limits.concurrentHandshakes == 20)
        #expect(server.limits.failedPasswordsPerSecond == 7)
        #expect(server.replicas == 3)
        #expect(server.timeouts.handshake == .milliseconds(250))
        #expect(server.timeouts.header == .seconds(5))
        #expect(server.timeouts.body == .seconds(60))
        #expect(server.timeouts.idle == .seconds(3600))
        #expect(server.timeouts.drain == .zero)
    }

    @Test("every key of routing and store arrives")
    func routingAndStore() throws {
        let configuration = try self.load("good-full")
        #expect(configuration.routing.header == "X-Tenant")
        #expect(configuration.routing.pathPrefix == "/tenants/")
        #expect(configuration.routing.pathSuffix == "/metrics")
        #expect(configuration.routing.defaultTenant == "payments")
        #expect(configuration.timestream.backend == .aws)
        #expect(configuration.timestream.region == "us-east-1")
        // A slash at the end would double the one of the request's path.
        #expect(configuration.timestream.writeEndpoint == "https://write.example:8443")
        #expect(configuration.timestream.queryEndpoint == "https://[2001:db8::1]:8443")
        #expect(configuration.timestream.caBundlePath == (try CaseFolder.shared.get().path("ca.pem")))
        #expect(configuration.timestream.proxy == "http://proxy.example:3128")
    }

    @Test("every key of a tenant arrives, secrets from files without their line break")
    func tenant() throws {
        let tenants = try self.load("good-full").tenants
        #expect(tenants.map(\.id) == ["payments", "audit"])
        let payments = try #require(tenants.first)
        #expect(payments.database == "payments")
        #expect(payments.table == "prometheus")
        #expect(payments.sharedTable)
        #expect(payments.region == "eu-west-1")
        #expect(payments.writeEndpoint == "http://127.0.0.1:9203")
        #expect(payments.queryEndpoint == "http://127.0.0.1:9203")
        guard case .keyPair("AKIAEXAMPLE", let secret, let token) = payments.credentials else {
            Issue.record("no key pair")
            return
        }
        #expect(secret.revealed == "HUSH/inline+key=")
        #expect(token?.revealed == "HUSH-token")
        guard case .keyPair("AKIAOTHER", let otherSecret, nil) = tenants[1].credentials else {
            Issue.record("no key pair")
            return
        }
        #expect(otherSecret.revealed == "HUSH/from+file=")
        #expect(tenants[1].writeEndpoint == "https://write.example:8443")
    }

    @Test("every kind of proof arrives")
    func proof() throws {
        let tenants = try self.load("good-full").tenants
        let proof = try #require(tenants.first).authentication
        #expect(!proof.isOpen)
        #expect(proof.requiresAll)
        #expect(proof.clientCertificate?.subjectCommonNames == ["payments"])
        #expect(proof.clientCertificate?.dnsNames == ["payments.example"])
        #expect(proof.clientCertificate?.uris == ["spiffe://example/payments"])
        #expect(proof.clientCertificate?.emails == ["payments@example.org"])
        #expect(proof.clientCertificate?.caPath == (try CaseFolder.shared.get().path("ca.pem")))
        #expect(proof.basic.map(\.username) == ["payments", "payments"])
        #expect(proof.basic.allSatisfy { $0.passwordHash.revealed == CaseFolder.bcryptHash })
        #expect(proof.bearerTokenDigests.isEmpty)
        let audit = tenants[1].authentication
        #expect(!audit.requiresAll && audit.basic.isEmpty)
        #expect(audit.bearerTokenDigests.count == 2)
        #expect(audit.bearerTokenDigests[0] == sha256(Array("HUSH-token".utf8)))
        #expect(hexadecimal(audit.bearerTokenDigests[1]).hasPrefix("9f86d081884c7d65"))
    }

    @Test("limits and mapping are inherited field by field")
    func inheritance() throws {
        let tenants = try self.load("good-full").tenants
        let limits = tenants[0].limits
        #expect(limits.writeRequestsPerSecond == 10)
        #expect(limits.writeRequestBurst == 20)
        #expect(limits.samplesPerSecond == 1_000_000_000)
        #expect(limits.sampleBurst == 40)
        #expect(limits.readRequestsPerSecond == 50)
        #expect(limits.readRequestBurst == 60)
        #expect(limits.concurrentWrites == 9)
        #expect(limits.concurrentReads == 8)
        #expect(limits.maxWait == .milliseconds(100))
        #expect(limits.requestDeadline == .seconds(10))
        #expect(limits.maxBodyBytes == 1024)
        #expect(limits.maxDecodedBytes == 4096)
        #expect(limits.maxLabelsPerSeries == 12)
        #expect(limits.maxSamplesPerRead == 13)
        #expect(limits.maxSeriesPerRead == 14)
        #expect(limits.mode == .enforce)
        #expect(limits.throttleStatus == 429)
        #expect(limits.decodedBytesPerSecond == 41)
        #expect(limits.decodedByteBurst == 42)
        #expect(limits.per == .replica && tenants[1].limits.per == .fleet)
        var guards = CardinalityLimits(
            maxLabelNameBytes: 15,
            maxLabelValueBytes: 16,
            maxSeriesPerRequest: 17,
            maxSampleAge: .seconds(18 * 3600),
            maxSampleFuture: .seconds(19),
            dropping: Set(CardinalityLimits.Guard.allCases)
        )
        #expect(tenants[1].limits.cardinality == guards)
        guards.maxSampleAge = nil
        guards.dropping.remove(.labelNameBytes)
        #expect(limits.cardinality == guards)
        #expect(tenants[1].limits.mode == .observe)
        #expect(tenants[1].limits.samplesPerSecond == 30)
        #expect(tenants[0].mapping.specialValues == .drop)
        #expect(tenants[0].mapping.longNames == .refuse)
        #expect(tenants[0].mapping.maxDimensions == 100)
        #expect(tenants[1].mapping.longNames == .drop)
    }

    @Test("unlimited lifts a limit, and a tenant can take it back")
    func unlimited() throws {
        let tenants = try self.load("good-unlimited").tenants
        #expect(tenants[0].limits.samplesPerSecond == nil)
        #expect(tenants[0].limits.writeRequestsPerSecond == nil)
        #expect(tenants[0].limits.readRequestsPerSecond == nil)
        #expect(tenants[0].limits.concurrentWrites == nil)
        #expect(tenants[0].limits.concurrentReads == nil)
        #expect(tenants[1].limits.samplesPerSecond == 1)
        #expect(tenants[1].limits.concurrentReads == nil)
    }

    @Test("values of the environment are taken as they are, and never read again")
    func environment() throws {
        let tenant = try #require(try self.load("good-environment").tenants.first)
        let names = try #require(tenant.authentication.clientCertificate).subjectCommonNames
        #expect(names == ["{a: [b, *c]} # d", "${WORD}", "$5", "${WORD}"])
        guard case .keyPair("AKIAHUSH", let secret, nil) = tenant.credentials else {
            Issue.record("no key pair")
            return
        }
        #expect(secret.revealed == "HUSH/secret")
        #expect(tenant.limits.samplesPerSecond == 250)
    }

    @Test("an alias is what it stands for, with the tenant's own path")
    func aliases() throws {
        let tenants = try self.load("good-aliases").tenants
        #expect(tenants.map(\.database) == ["metrics", "metrics", "metrics"])
        #expect(tenants[1].authentication.basic.map(\.username) == ["alice", "bob"])
        #expect(tenants[1].limits.samplesPerSecond == 10)
        #expect(tenants[2].authentication.basic.map(\.username) == ["alice"])
    }

    @Test("only 127.x.x.x, ::1 and localhost are loopback")
    func loopback() {
        for host in ["127.0.0.1", "127.1.2.3", "::1", "localhost"] {
            #expect(ListenAddress(host: host, port: 1).isLoopback)
        }
        for host in ["", "0.0.0.0", "10.0.0.1", "127.example.com", "128.0.0.1", "::"] {
            #expect(!ListenAddress(host: host, port: 1).isLoopback)
        }
    }
}
