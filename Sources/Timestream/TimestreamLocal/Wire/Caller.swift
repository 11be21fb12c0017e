import HTTPTypes
import RequestSigning
import TimestreamModel

/// Who makes a call, and what it may touch.
struct Caller: Sendable {
    var keyID: String
    /// The region of the signature; part of the names of resources.
    var region: String
    /// `nil`: everything.
    var tables: Set<TableName>?

    static let account = "000000000000"

    func mayUse(_ table: TableName) -> Bool {
        self.tables?.contains(table) != false
    }

    /// Whether the caller may know of the database: one of its tables is there.
    func maySee(database: String) -> Bool {
        self.tables?.contains { $0.database == database } != false
    }

    func arn(database: String) -> String {
        "arn:aws:timestream:\(self.region):\(Self.account):database/\(database)"
    }

    func arn(_ table: TableName) -> String {
        "\(self.arn(database: table.database))/table/\(table.table)"
    }

    /// - Throws: `AccessDeniedException`, whether or not there is such a table.
    func require(_ action: String, on table: TableName) throws(ServiceError) {
        guard self.mayUse(table) else { throw self.denied(action, self.arn(table)) }
    }

    func require(_ action: String, onDatabase database: String) throws(ServiceError) {
        guard self.maySee(database: database) else { throw self.denied(action, self.arn(database: database)) }
    }

    /// For what changes a whole database, in which others may have tables: no key of one table may.
    func requireEverything(_ action: String, onDatabase database: String) throws(ServiceError) {
        guard self.tables == nil else { throw self.denied(action, self.arn(database: database)) }
    }

    func denied(_ action: String, _ resource: String) -> ServiceError {
        let user = "arn:aws:iam::\(Self.account):user/\(self.keyID)"
        return ServiceError(
            .accessDenied,
            "User: \(user) is not authorized to perform: timestream:\(action) on resource: \(resource)"
        )
    }
}

/// Finds out who makes a call.
struct CallerCheck: Sendable {
    private let keys: [String: LocalEngineKey]

    /// - Parameter keys: entries of one key id are one key with all their tables.
    init(keys: [LocalEngineKey]) {
        var known: [String: LocalEngineKey] = [:]
        for key in keys {
            known[key.key.accessKeyID, default: LocalEngineKey(key: key.key, tables: [])].tables += key.tables
        }
        self.keys = known
    }

    /// - Parameter nowSeconds: since 1970-01-01 UTC.
    /// - Throws: what AWS answers to a request without a good signature. Without keys, nothing.
    func caller(_ head: HTTPRequest, body: [UInt8], nowSeconds: Int64) throws(ServiceError) -> Caller {
        var headers = head.headerFields.map { (name: $0.name.rawName, value: $0.value) }
        if let host = head.authority { headers.append((name: "host", value: host)) }
        let request = SignableRequest(method: head.method.rawValue, target: head.path ?? "/", headers: headers)
        guard !self.keys.isEmpty else {
            return Caller(
                keyID: RequestVerifier.accessKeyID(of: request) ?? "anonymous",
                region: Self.region(of: head) ?? "us-east-1",
                tables: nil
            )
        }
        do throws(SignatureError) {
            let signature = try RequestVerifier.verify(
                request,
                body: body,
                service: "timestream",
                keys: { self.keys[$0]?.key },
                nowSeconds: nowSeconds
            )
            return Caller(
                keyID: signature.accessKeyID,
                region: signature.region,
                tables: Set(self.keys[signature.accessKeyID]?.tables ?? [])
            )
        } catch { throw Self.serviceError(error) }
    }

    private static func serviceError(_ error: SignatureError) -> ServiceError {
        switch error.code {
        case .missing: ServiceError(.missingAuthentication, "Missing Authentication Token")
        case .malformed: ServiceError(.incompleteSignature, error.message)
        case .unknownKey, .token: ServiceError(.unrecognizedClient, error.message)
        case .wrongService, .skewed, .mismatch: ServiceError(.invalidSignature, error.message)
        }
    }

    /// The region of an unproven signature: `Credential=<key id>/<date>/<region>/...`.
    private static func region(of head: HTTPRequest) -> String? {
        guard let value = head.headerFields[.authorization], let start = value.firstRange(of: "Credential=") else {
            return nil
        }
        let parts = value[start.upperBound...].prefix { $0 != "," && $0 != " " }.split(separator: "/")
        guard parts.count == 5, parts[2].utf8.count <= 32 else { return nil }
        return String(parts[2])
    }
}
