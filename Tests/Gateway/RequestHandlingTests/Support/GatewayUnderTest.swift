import Common
import HTTPTypes
import Logging
import Testing
import TimestreamModel

@testable import RequestHandling
@testable import TenantAccess
@testable import TenantConfiguration

/// Log lines of a gateway under test.
final class LogLines: Sendable {
    struct Line: Sendable {
        var level: Logger.Level
        var message: String
        var metadata: [String: String]
    }
    private let lines = Locked<[Line]>([])
    var all: [Line] { self.lines.withLock { $0 } }

    private struct Handler: LogHandler {
        let sink: LogLines
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).mapValues(\.description)
            let line = Line(level: event.level, message: event.message.description, metadata: metadata)
            self.sink.lines.withLock { $0.append(line) }
        }
    }

    var logger: Logger { Logger(label: "test") { _ in Handler(sink: self) } }
}

/// A gateway with the tenants `a`, open, and `locked`, which takes a bearer token; both in front of scripted stores.
final class GatewayUnderTest: Sendable {
    static let database = "SECRET-DATABASE"
    static let table = "SECRET-TABLE"
    static let token = "SECRET-TOKEN"

    let registry = MetricRegistry()
    let log = LogLines()
    let store = ScriptedStore()
    let access: AccessControl
    let responder: GatewayResponder
    let services: [String: TenantService]

    init(
        maxBytesInFlight: Int = 16 << 20,
        specialValues: MappingSettings.SpecialValues = .store,
        longNames: MappingSettings.LongNames = .refuse,
        clock: AccessClock = .system,
        trustGeneration: Int = 0,
        _ change: (inout TenantLimits) -> Void = { _ in }
    ) throws {
        var limits = TenantLimits(
            writeRequestsPerSecond: nil,
            writeRequestBurst: 1,
            samplesPerSecond: nil,
            sampleBurst: 1,
            readRequestsPerSecond: nil,
            readRequestBurst: 1,
            concurrentWrites: nil,
            concurrentReads: nil,
            maxWait: .seconds(5),
            requestDeadline: .seconds(25),
            maxBodyBytes: 1 << 20,
            maxDecodedBytes: 8 << 20,
            maxLabelsPerSeries: 64,
            maxSamplesPerRead: 1_000,
            maxSeriesPerRead: 100,
            mode: .enforce,
            throttleStatus: 503
        )
        change(&limits)
        let tenants = ["a", "locked"].map { id in
            TenantSettings(
                id: id,
                database: Self.database,
                table: Self.table,
                sharedTable: true,
                region: "us-east-1",
                writeEndpoint: nil,
                queryEndpoint: nil,
                credentials: .generated,
                authentication: AuthenticationSettings(
                    isOpen: id == "a",
                    clientCertificate: nil,
                    basic: [],
                    bearerTokenDigests: id == "a" ? [] : [sha256(Array(Self.token.utf8))],
                    awsKeys: nil,
                    requiresAll: false
                ),
                limits: limits,
                mapping: MappingSettings(specialValues: specialValues, longNames: longNames, maxDimensions: 120)
            )
        }
        let configuration = GatewayConfiguration(
            server: ServerSettings(
                listen: ListenAddress(host: "127.0.0.1", port: 0),
                tls: nil,
                admin: AdminSettings(listen: nil),
                limits: ServerLimits(maxBytesInFlight: maxBytesInFlight, maxConnections: 1, handshakesPerSecond: 1),
                timeouts: ServerTimeouts(
                    handshake: .seconds(1),
                    header: .seconds(1),
                    body: .seconds(1),
                    idle: .seconds(1),
                    drain: .seconds(1)
                )
            ),
            routing: RoutingSettings(header: "X-Scope-OrgID", pathPrefix: "/t/", pathSuffix: "", defaultTenant: nil),
            timestream: TimestreamSettings(
                backend: .aws,
                region: nil,
                writeEndpoint: nil,
                queryEndpoint: nil,
                caBundlePath: nil,
                proxy: nil
            ),
            tenants: tenants,
            warnings: []
        )
        var clock = clock
        clock.chance = { 0 }
        self.access = try AccessControl(configuration: configuration, metrics: self.registry, clock: clock)
        let store = self.store
        let registry = self.registry
        let services = tenants.map { TenantService(settings: $0, stores: { .own(store) }, metrics: registry) }
        self.services = Dictionary(uniqueKeysWithValues: services.map { ($0.settings.id, $0) })
        var snapshot = GatewaySnapshot(access: self.access, tenants: services)
        snapshot.trustGeneration = trustGeneration
        self.responder = GatewayResponder(
            snapshot: snapshot,
            metrics: registry,
            logger: self.log.logger
        )
    }

    /// One answer, with what every answer must be checked.
    struct Answer {
        var status: Int
        var text: String
        var fields: HTTPFields
        var body: [UInt8]
    }

    func send(
        _ body: any IncomingBody,
        to path: String = "/api/v1/write",
        method: HTTPRequest.Method = .post,
        tenant: String? = "a",
        fields: HTTPFields = [:],
        peer: Peer = Peer(address: "192.0.2.1:40000", isEncrypted: true, identity: nil),
        reservedElsewhere: Int = 0
    ) async -> Answer {
        var head = HTTPRequest(method: method, scheme: "https", authority: "gateway", path: path, headerFields: fields)
        if let tenant, let name = HTTPField.Name("X-Scope-OrgID") { head.headerFields[name] = tenant }
        var response = await self.responder.respond(to: IncomingRequest(head: head, peer: peer, body: body))
        if let producer = response.producer {
            let sink = FakeSink()
            await #expect(throws: Never.self) { try await producer(sink) }
            response.body = sink.bytes
        }
        let text = String(decoding: response.body, as: UTF8.self)
        if response.status.code >= 300 { self.checkRefusal(response, text) }
        let reserved = self.access.bytesInFlight.usedBytes
        #expect(reserved == reservedElsewhere, "bytes are still reserved after the answer")
        return Answer(status: response.status.code, text: text, fields: response.headerFields, body: response.body)
    }

    /// One plain line of at most 1,024 bytes, without secrets; `Retry-After` where a sender is to come again.
    private func checkRefusal(_ response: OutgoingResponse, _ text: String) {
        #expect(response.headerFields[.contentType] == "text/plain; charset=utf-8")
        #expect(response.body.count <= 1024)
        #expect(response.body.last == UInt8(ascii: "\n"))
        #expect(response.body.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7F })
        for secret in [Self.database, Self.table, Self.token, "SECRET", "SELECT", "measure_"] {
            #expect(!text.contains(secret), "an answer holds \(secret)")
        }
        let status = response.status.code
        #expect((response.headerFields[.wwwAuthenticate] != nil) == (status == 401))
        if status == 503, !text.hasPrefix("draining") { #expect(response.headerFields[.retryAfter] != nil) }
        if status == 429 { #expect(response.headerFields[.retryAfter] != nil) }
        if let wait = response.headerFields[.retryAfter] { #expect(Int(wait).map { $0 >= 1 && $0 <= 300 } == true) }
    }

    /// All counters, and the numbers of observations of all histograms, that are not zero; `tenant="a"` is left out.
    var moved: [String: Int] {
        var result: [String: Int] = [:]
        for line in self.registry.exposition().split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ")
            let isCounted = parts[0].contains("_total") || parts[0].contains("_seconds_count")
            guard isCounted, let value = Int(parts[1]), value != 0 else { continue }
            let name = String(parts[0]).replacing("{tenant=\"a\"}", with: "").replacing("tenant=\"a\",", with: "")
            result[name] = value
        }
        return result
    }
}

/// Lets other tasks run until something is so; an issue if it is not within ten seconds.
func eventually(
    _ what: Comment,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () -> Bool
) async {
    let end = ContinuousClock.now + .seconds(10)
    while !condition() {
        guard ContinuousClock.now < end else {
            Issue.record("never happened: \(what)", sourceLocation: sourceLocation)
            return
        }
        await Task.yield()
    }
}
