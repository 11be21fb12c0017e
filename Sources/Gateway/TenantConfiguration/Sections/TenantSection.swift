/// One entry of `tenants`.
struct TenantSection {
    var settings: TenantSettings
    /// The tenant's key.
    var place: Place
    var authentication: AuthenticationSection?
    /// Where to point about endpoints and table.
    var tablePlace: Place
    var credentialsPlace: Place?
    /// Whether the tenant or the file names a region.
    var hasRegion: Bool
    /// Whether the tenant has endpoints of its own.
    var hasWriteEndpoint: Bool
    var hasQueryEndpoint: Bool

    /// What a tenant gets from the rest of the file.
    struct Inherited {
        var timestream: TimestreamSettings
        var limits: TenantLimits
        var mapping: MappingSettings
    }

    init(id: String, _ field: Field, inherited: Inherited) {
        var reader = field.mapping()
        self.place = reader.place
        if !Self.isTenantID(id) {
            reader.context.report(
                reader.place,
                "not a tenant id",
                remedy: "use 1 to 64 letters, digits, _, . and -, but not . or .. alone"
            )
        }
        let database = reader.required("database", remedy: "add database: NAME")
        let table = reader.required("table", remedy: "add table: NAME")
        self.tablePlace = table?.place ?? reader.place
        let sharedTable = reader.field("shared_table")?.boolean()
        let ownRegion = reader.field("region")?.region()
        let endpoints = ["write_endpoint", "query_endpoint"].map { reader.field($0) }
        if case .local = inherited.timestream.backend {
            for endpoint in endpoints {
                endpoint?.report("only used with backend: aws", remedy: "remove it, or write timestream.backend: aws")
            }
        }

        let createMissing = reader.field("create_missing")
        if case .local = inherited.timestream.backend {
            createMissing?.report(
                "only used with backend: aws",
                remedy: "remove it: the embedded engine makes every tenant's table"
            )
        }

        let credentials = reader.field("credentials")
        self.credentialsPlace = credentials?.place
        if credentials == nil, !reader.has("credentials"), inherited.timestream.backend == .aws {
            reader.context.report(
                reader.place.child("credentials", reader.place.mark),
                "missing: with backend: aws every tenant says what its calls are signed with",
                remedy: "add credentials: {access_key_id: \"${NAME}\", secret_access_key_file: PATH}, or "
                    + "{role_arn: ARN}, {profile: NAME} or {from: default}"
            )
        }
        let credentialSettings =
            credentials.flatMap {
                CredentialsSection($0, isLocal: inherited.timestream.backend != .aws).settings
            } ?? .generated
        let auth = reader.field("auth")
        self.authentication = auth.map { AuthenticationSection($0) }
        var authentication = self.authentication?.settings ?? Self.nobody
        if case .caller = credentialSettings {
            self.authentication?.checkBesideCallersKeys()
            authentication.awsKeys = authentication.awsKeys ?? .any
        } else {
            if auth == nil, !reader.has("auth") {
                reader.context.report(
                    reader.place.child("auth", reader.place.mark),
                    "missing: nobody could use the tenant",
                    remedy: AuthenticationSection.anyKindRemedy
                )
            }
            self.authentication?.refuseCallersKeys()
        }
        self.hasWriteEndpoint = endpoints[0] != nil
        self.hasQueryEndpoint = endpoints[1] != nil
        self.hasRegion = reader.has("region") || inherited.timestream.region != nil
        self.settings = TenantSettings(
            id: id,
            database: database?.storeName("database") ?? "",
            table: table?.storeName("table") ?? "",
            sharedTable: sharedTable ?? false,
            region: ownRegion ?? inherited.timestream.region ?? "us-east-1",
            writeEndpoint: endpoints[0].map { $0.endpoint() } ?? inherited.timestream.writeEndpoint,
            queryEndpoint: endpoints[1].map { $0.endpoint() } ?? inherited.timestream.queryEndpoint,
            credentials: credentialSettings,
            authentication: authentication,
            limits: TenantLimits(reader.mapping("limits"), inherited: inherited.limits),
            mapping: MappingSettings(reader.mapping("mapping"), inherited: inherited.mapping),
            createMissing: createMissing.map { CreateMissingSettings($0.mapping()) }
        )
        reader.finish()
    }

    private static let nobody = AuthenticationSettings(
        isOpen: false,
        clientCertificate: nil,
        basic: [],
        bearerTokenDigests: [],
        awsKeys: nil,
        requiresAll: false
    )

    static func isTenantID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "_.-".utf8.contains($0) }
    }
}

extension Field {
    /// The name of a database or table.
    ///
    /// - Source: the CloudFormation schema of AWS::Timestream, `^[a-zA-Z0-9_.-]{3,256}$`.
    func storeName(_ what: String) -> String? {
        self.text("the name of a \(what)", remedy: "use 3 to 256 letters, digits, _, . and -") { text in
            (3...256).contains(text.utf8.count)
                && text.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "_.-".utf8.contains($0) }
        }
    }
}
