import Common
import HTTPTypes

@testable import TenantAccess
@testable import TenantConfiguration

/// bcrypt of "abc", of "a" and of the empty password, cost 6: from the test vectors of jBCrypt.
let hashOfABC = Secret("$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i")
let hashOfA = Secret("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe")
let hashOfNothing = Secret("$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.")

func makeLimits(_ change: (inout TenantLimits) -> Void = { _ in }) -> TenantLimits {
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
        maxDecodedBytes: 1 << 20,
        maxLabelsPerSeries: 64,
        maxSamplesPerRead: 1_000,
        maxSeriesPerRead: 100,
        mode: .enforce,
        throttleStatus: 503
    )
    change(&limits)
    return limits
}

func makeAuthentication(
    isOpen: Bool = false,
    certificate: AuthenticationSettings.ClientCertificate? = nil,
    basic: [(String, Secret)] = [],
    tokens: [String] = [],
    awsKeys: AuthenticationSettings.AWSKeys? = nil,
    requiresAll: Bool = false
) -> AuthenticationSettings {
    AuthenticationSettings(
        isOpen: isOpen,
        clientCertificate: certificate,
        basic: basic.map { .init(username: $0.0, passwordHash: $0.1) },
        bearerTokenDigests: tokens.map { sha256(Array($0.utf8)) },
        awsKeys: awsKeys,
        requiresAll: requiresAll
    )
}

func makeCertificate(
    commonNames: [String] = [],
    dns: [String] = [],
    uris: [String] = [],
    emails: [String] = [],
    ca: String? = nil
) -> AuthenticationSettings.ClientCertificate {
    .init(subjectCommonNames: commonNames, dnsNames: dns, uris: uris, emails: emails, caPath: ca)
}

func makeTenant(
    _ id: String,
    _ authentication: AuthenticationSettings,
    _ limits: TenantLimits = makeLimits()
) -> TenantSettings {
    TenantSettings(
        id: id,
        database: "\(id)-database",
        table: "\(id)-table",
        sharedTable: false,
        region: "us-east-1",
        writeEndpoint: nil,
        queryEndpoint: nil,
        credentials: .generated,
        authentication: authentication,
        limits: limits,
        mapping: MappingSettings(specialValues: .store, longNames: .refuse, maxDimensions: 120)
    )
}

func makeConfiguration(
    _ tenants: [TenantSettings],
    header: String = "X-Scope-OrgID",
    pathPrefix: String = "/t/",
    defaultTenant: String? = nil,
    clientCA: String? = nil,
    maxBytesInFlight: Int = 1_000
) -> GatewayConfiguration {
    let tls = TLSSettings(
        certificatePath: "/server.pem",
        privateKeyPath: "/server.key",
        clientCAPath: clientCA,
        clientAuthentication: .request,
        minimumVersion: .tls12,
        certificateRevocationListPath: nil
    )
    return GatewayConfiguration(
        server: ServerSettings(
            listen: ListenAddress(host: "127.0.0.1", port: 9201),
            tls: tls,
            admin: AdminSettings(listen: nil),
            limits: ServerLimits(maxBytesInFlight: maxBytesInFlight, maxConnections: 10, handshakesPerSecond: 10),
            timeouts: ServerTimeouts(
                handshake: .seconds(1),
                header: .seconds(1),
                body: .seconds(1),
                idle: .seconds(1),
                drain: .seconds(1)
            )
        ),
        routing: RoutingSettings(
            header: header,
            pathPrefix: pathPrefix,
            pathSuffix: "",
            defaultTenant: defaultTenant
        ),
        timestream: TimestreamSettings(
            backend: .aws,
            region: "us-east-1",
            writeEndpoint: nil,
            queryEndpoint: nil,
            caBundlePath: nil,
            proxy: nil
        ),
        tenants: tenants,
        warnings: []
    )
}

/// A request head: `tenants` are the values of the tenant header, one field each.
func makeHead(
    _ path: String = "/api/v1/write",
    tenants: [String] = [],
    authorization: String? = nil
) -> HTTPRequest {
    var head = HTTPRequest(method: .post, scheme: "https", authority: "gateway", path: path)
    if let name = HTTPField.Name("X-Scope-OrgID") {
        for tenant in tenants { head.headerFields.append(HTTPField(name: name, value: tenant)) }
    }
    if let authorization { head.headerFields[.authorization] = authorization }
    return head
}

func makeIdentity(
    commonName: String? = nil,
    dns: [String] = [],
    uris: [String] = [],
    emails: [String] = [],
    chain: [[UInt8]] = [[1], [2]],
    notAfter: Int64 = 1_800_000_000
) -> PeerIdentity {
    PeerIdentity(
        commonName: commonName,
        dnsNames: dns,
        uris: uris,
        emails: emails,
        chainDigests: chain,
        notAfterSeconds: notAfter
    )
}

func makePeer(_ identity: PeerIdentity? = nil) -> Peer {
    Peer(address: "192.0.2.1:40000", isEncrypted: true, identity: identity)
}

/// RFC 4648 base64, written apart from the decoder under test.
func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        var bits = group.reduce(0) { $0 << 8 | Int($1) }
        bits <<= (3 - group.count) * 8
        for place in 0..<4 {
            text.append(place <= group.count ? digits[bits >> (18 - place * 6) & 63] : "=")
        }
    }
    return text
}

func basic(_ username: String, _ password: String) -> String {
    "Basic " + base64(Array("\(username):\(password)".utf8))
}
