package import Common

/// Everything `tenants.yaml` says, checked as a whole and never changed afterwards.
package struct GatewayConfiguration: Sendable {
    package var server: ServerSettings
    package var routing: RoutingSettings
    package var timestream: TimestreamSettings
    /// In the order of the file; ids are unique.
    package var tenants: [TenantSettings]
    /// What is allowed but unwise: `auth: none`, passwords over plain HTTP off loopback, keys that others can read, an
    /// expired certificate. In the file's order.
    package var warnings: [ConfigurationProblem]
    /// Whether it comes from the flags or variables of AWS' connector, whose log lines and metrics page are expected then.
    package var isConnector = false

    mutating func waitForNothing() {
        for index in self.tenants.indices { self.tenants[index].limits.maxWait = .zero }
    }
}

/// Where a listener binds.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A host name or IP address; empty for all interfaces.
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var isLoopback: Bool {
        // Letters after 127. would make it a host name of somebody's choice.
        self.host == "localhost" || self.host == "::1"
            || (self.host.hasPrefix("127.")
                && self.host.utf8.allSatisfy { ASCII.isDigit($0) || $0 == UInt8(ascii: ".") })
    }
    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}

package struct ServerSettings: Sendable {
    package var listen: ListenAddress
    /// Absent: plain HTTP.
    package var tls: TLSSettings?
    package var admin: AdminSettings
    package var limits: ServerLimits
    package var timeouts: ServerTimeouts
    /// Where the data listener serves the metrics; absent: only the admin listener does.
    package var telemetryPath: String?
    /// How many gateways share the limits that are `per: fleet`.
    package var replicas = 1
    /// How often the files are looked at for changes; absent: never (`watch_interval: none`).
    package var watchInterval: Duration?
}

package struct TLSSettings: Sendable {
    package enum ClientAuthentication: String, Sendable, CaseIterable { case none, request, require }
    package enum Version: String, Sendable, CaseIterable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }
    /// Absolute paths of PEM files.
    package var certificatePath: String
    package var privateKeyPath: String
    package var clientCAPath: String?
    package var clientAuthentication: ClientAuthentication
    package var minimumVersion: Version
    package var certificateRevocationListPath: String?
    /// Certificate and private key for clients that ask for other names.
    package var furtherCertificates: [CertificateFiles] = []
    /// In order of preference; empty: all that are good.
    package var cipherSuites: [String] = []
    package var groups: [String] = []
    package var sessionTickets = true

    package struct CertificateFiles: Sendable {
        package var certificatePath: String
        package var privateKeyPath: String
    }
}

package struct AdminSettings: Sendable {
    /// Absent: no admin listener (`admin: {listen: none}`).
    package var listen: ListenAddress?
    /// Whether `POST /-/reload` is answered.
    package var reload = false
    /// What proves an operator: passwords and tokens alone. Absent: the pages are for the machine itself.
    package var authentication: AuthenticationSettings?
}

package struct ServerLimits: Sendable {
    package var maxBytesInFlight: Int
    package var maxConnections: Int
    package var handshakesPerSecond: Int
    /// Under way at once.
    package var concurrentHandshakes = 128
    /// Of one peer address; `nil`: unlimited.
    package var failedPasswordsPerSecond: Int? = 5
}

package struct ServerTimeouts: Sendable, Equatable {
    package var handshake: Duration
    package var header: Duration
    package var body: Duration
    package var idle: Duration
    package var drain: Duration
}

package struct RoutingSettings: Sendable {
    /// The header that names the tenant.
    package var header: String
    /// What stands before and after `{tenant}` in the path; the suffix is usually empty.
    package var pathPrefix: String
    package var pathSuffix: String
    package var defaultTenant: String?
}

package struct TimestreamSettings: Sendable {
    package enum Backend: Sendable, Equatable {
        case local(LocalEngineSettings)
        case aws
    }
    package var backend: Backend
    package var region: String?
    package var writeEndpoint: String?
    package var queryEndpoint: String?
    package var caBundlePath: String?
    package var proxy: String?
    /// Of the Security Token Service, in place of each region's own.
    package var stsEndpoint: String?
    /// Of the instance metadata service, in place of the usual one.
    package var metadataEndpoint: String?
    /// Which of a region's hosts are asked for endpoints that are not configured.
    package var isDualStack = false
    package var isFIPS = false
}

package struct LocalEngineSettings: Sendable, Equatable {
    /// Absolute path.
    package var directory: String
    package var listen: ListenAddress
}

/// One tenant, with all defaults filled in.
package struct TenantSettings: Sendable {
    package var id: String
    package var database: String
    package var table: String
    package var sharedTable: Bool
    /// Never empty: the tenant's, else the file's, else `us-east-1` for the local engine.
    package var region: String
    /// The tenant's, else the file's; absent: discovered, or the local engine.
    package var writeEndpoint: String?
    package var queryEndpoint: String?
    package var credentials: CredentialSettings
    package var authentication: AuthenticationSettings
    package var limits: TenantLimits
    package var mapping: MappingSettings
    /// How the table and its database are made if they are missing; absent: that is an operator's fault.
    package var createMissing: CreateMissingSettings?
    package var retries = RetrySettings()
}

/// How a table is made that is not there.
package struct CreateMissingSettings: Sendable, Equatable {
    package struct PartitionKey: Sendable, Equatable {
        package var dimension: String
        /// Whether records without it are refused.
        package var isRequired: Bool
    }
    /// What the memory store keeps.
    package var memoryStoreHours: Int
    package var magneticStoreDays: Int
    /// Whether samples older than what the memory store keeps are taken.
    package var magneticStoreWrites: Bool
    /// Absent: the measure name.
    package var partitionKey: PartitionKey?
}

/// How often calls of the store are tried again; absent: as often as the client does by itself.
package struct RetrySettings: Sendable, Equatable {
    package var maxWriteRetries: Int?
    package var maxReadRetries: Int?
}

/// What can be an AWS key, in a file or from a caller.
package enum AccessKeyForm {
    /// An access key id stands in the `Authorization` header between slashes and commas.
    package static func isID(_ bytes: [UInt8]) -> Bool {
        (1...128).contains(bytes.count) && bytes.allSatisfy { ASCII.isLetterOrDigit($0) || "-_".utf8.contains($0) }
    }

    /// Visible ASCII, as AWS and HTTP have it.
    package static func isSecret(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy(ASCII.isVisible)
    }
}

/// What a tenant's calls are signed with.
package indirect enum CredentialSettings: Sendable, Equatable {
    /// Where a program of AWS would look for credentials of its own.
    package enum Origin: Sendable, Equatable {
        /// All of the others, and the shared files, in the order of AWS' SDKs.
        case defaultChain
        case environment, container, instance, webIdentity
    }
    /// A long-lived or temporary key pair from the file or the files it names.
    case keyPair(accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret?)
    /// No credentials given, local backend: a key pair is made for this tenant's table alone.
    case generated
    /// The AWS keys that each caller shows in basic auth sign that caller's calls.
    case caller
    /// A profile of the shared config and credentials files.
    case profile(String)
    case found(Origin)
    /// A role, assumed with other credentials, which may be a role again; never `generated`.
    case role(AssumedRoleSettings, source: CredentialSettings)
}

package struct AssumedRoleSettings: Sendable, Equatable {
    package struct Tag: Sendable, Equatable {
        package var key: String
        package var value: String
    }
    package var arn: String
    package var externalID: String?
    package var sessionName: String?
    /// 15 minutes to 12 hours; absent: what the service does by itself.
    package var duration: Duration?
    /// In the order of the file.
    package var tags: [Tag]
    /// Names of tags that roles assumed with this one inherit.
    package var transitiveTagKeys: [String]
}

package struct AuthenticationSettings: Sendable {
    package struct ClientCertificate: Sendable {
        package var subjectCommonNames: [String]
        package var dnsNames: [String]
        package var uris: [String]
        package var emails: [String]
        /// A CA of this tenant's own; absent: the listener's `client_ca`.
        package var caPath: String?
        /// The revocation lists of that CA.
        package var crlPath: String?
    }
    /// Whose AWS keys are taken in basic auth; AWS itself checks them with each call.
    package enum AWSKeys: Sendable, Equatable {
        case any
        case accessKeyIDs(Set<String>)
    }
    package struct BasicUser: Sendable {
        package var username: String
        /// A crypt(3) string, bcrypt.
        package var passwordHash: Secret
    }
    /// `auth: none`: anybody may act for the tenant.
    package var isOpen: Bool
    package var clientCertificate: ClientCertificate?
    package var basic: [BasicUser]
    /// SHA-256 digests of accepted bearer tokens.
    package var bearerTokenDigests: [[UInt8]]
    /// Present exactly if the tenant's credentials are `.caller`.
    package var awsKeys: AWSKeys?
    /// `require: all`: every listed kind of proof is needed, not just one.
    package var requiresAll: Bool

    /// Whether callers send a secret with each request.
    var takesSecrets: Bool { !self.basic.isEmpty || !self.bearerTokenDigests.isEmpty || self.awsKeys != nil }
}

package struct TenantLimits: Sendable, Equatable {
    package enum Mode: String, Sendable, CaseIterable { case enforce, observe }
    /// Whether rates, bursts and concurrency hold for each gateway, or are divided by `server.replicas`.
    package enum Scope: String, Sendable, CaseIterable { case replica, fleet }
    /// `nil` is unlimited, in every field that is optional.
    package var writeRequestsPerSecond: Int?
    package var writeRequestBurst: Int
    package var samplesPerSecond: Int?
    package var sampleBurst: Int
    /// Of remote write bodies, as they declare them.
    package var decodedBytesPerSecond: Int? = nil
    package var decodedByteBurst = 67_108_864
    package var readRequestsPerSecond: Int?
    package var readRequestBurst: Int
    package var concurrentWrites: Int?
    package var concurrentReads: Int?
    package var maxWait: Duration
    package var requestDeadline: Duration
    package var maxBodyBytes: Int
    package var maxDecodedBytes: Int
    package var maxLabelsPerSeries: Int
    package var maxSamplesPerRead: Int
    package var maxSeriesPerRead: Int
    package var mode: Mode
    /// 503 or 429.
    package var throttleStatus: Int
    package var per = Scope.replica
    /// What series and samples may be, beside what Timestream demands.
    package var cardinality = CardinalityLimits()
}

/// Guards against series and samples that no table should have.
package struct CardinalityLimits: Sendable, Equatable {
    /// A guard as it is written in the file, where it can be told what becomes of a violation.
    package enum Guard: String, Sendable, CaseIterable {
        case labelsPerSeries = "max_labels_per_series"
        case labelNameBytes = "max_label_name_bytes"
        case labelValueBytes = "max_label_value_bytes"
        case seriesPerRequest = "max_series_per_request"
        case sampleAge = "max_sample_age"
        case sampleFuture = "max_sample_future"
    }
    package enum Violation: String, Sendable, CaseIterable {
        /// 400 with counts and reasons, once the rest is stored.
        case refuse
        /// Left out and counted, as if the sender had not sent it.
        case drop
    }
    /// `nil` is unlimited, in every field.
    package var maxLabelNameBytes: Int?
    package var maxLabelValueBytes: Int?
    package var maxSeriesPerRequest: Int?
    package var maxSampleAge: Duration?
    package var maxSampleFuture: Duration?
    /// The guards whose violations are dropped; all others refuse.
    package var dropping: Set<Guard> = []
}

package struct MappingSettings: Sendable, Equatable {
    package enum SpecialValues: String, Sendable, CaseIterable { case store, drop, refuse }
    package enum LongNames: String, Sendable, CaseIterable { case refuse, drop }
    package enum Colons: String, Sendable, CaseIterable { case raw, escape }
    package var specialValues: SpecialValues
    package var longNames: LongNames
    package var maxDimensions: Int
    /// Recording rules' colons in measure names.
    package var colons = Colons.raw
    /// The label names that may become dimensions; nil for all.
    package var dimensions: [String]?
}
