import Common
import CredentialProviders
import GatewayServer
import RequestSigning
import TenantConfiguration
import TimestreamModel
import TimestreamService

/// The look at one tenant's store: its credentials, its endpoints, its table, and whether it can be read and written.
struct TenantInspection: Sendable {
    let tenant: TenantSettings
    let surroundings: CredentialSurroundings
    let runsSelect: Bool
    let makeClient: @Sendable (AccessKey) -> TimestreamServiceClient

    var table: TableName { TableName(database: self.tenant.database, table: self.tenant.table) }

    func run(deadline: ContinuousClock.Instant) async -> TenantFinding {
        var finding = TenantFinding(
            tenant: self.tenant.id,
            database: self.tenant.database,
            table: self.tenant.table,
            region: self.tenant.region
        )
        if case .caller = self.tenant.credentials {
            await self.inspectForCallers(&finding, deadline)
            return finding
        }
        guard let key = await self.key(&finding, deadline) else { return finding }
        let client = self.makeClient(key)
        let hosts = await self.hosts(of: client, deadline)
        finding.cell = hosts.text
        // Both APIs, and both permissions, have troubles of their own.
        async let described = hosts.write.isFound ? self.describe(client, deadline) : nil
        async let written = hosts.write.isFound ? self.probeWriting(client, deadline) : nil
        async let read = hosts.query.isFound ? self.probeReading(client, deadline) : nil
        for (step, host) in [
            ("discovering the write endpoint", hosts.write), ("discovering the query endpoint", hosts.query),
        ] {
            if case .failure(let error) = host { finding.report(step, error) }
        }
        let results = (described: await described, read: await read, written: await written)
        if let description = results.described { self.take(description, &finding) }
        if let reading = results.read { self.take(reading, &finding) }
        if let writing = results.written { self.take(writing, &finding) }
        self.takeMissing(
            isTable: [results.read?.isMissing, results.written?.isMissing].contains(true)
                || results.described?.code == .resourceNotFound,
            &finding
        )
        return finding
    }

    // MARK: Credentials

    private func key(_ finding: inout TenantFinding, _ deadline: ContinuousClock.Instant) async -> AccessKey? {
        guard !self.isMadeByEngine else {
            finding.credentials = "made by serve"
            finding.report(
                "credentials",
                "the embedded engine's key is made when serve starts",
                remedy: "give the tenant a key pair"
            )
            return nil
        }
        do {
            let found = try await self.tenant.credentials.provider(in: self.surroundings).fetch(deadline: deadline)
            finding.credentials = found.origin.rawValue.replacing("_", with: " ")
            if let expiration = found.expiration {
                finding.expires = TimeText.text(expiration)
            } else if found.key.sessionToken == nil {
                finding.expires = "never"
            }
            return found.key
        } catch {
            finding.report("credentials", oneLine(error.message, limitBytes: 512), remedy: Self.remedy(error.code))
            return nil
        }
    }

    private var isMadeByEngine: Bool {
        if case .generated = self.tenant.credentials { true } else { false }
    }

    private static func remedy(_ code: CredentialError.Code) -> String? {
        switch code {
        case .refused: "docs/credentials.md says what each refusal means; the role's trust policy is the usual place"
        case .notConfigured, .misconfigured: "see docs/credentials.md"
        case .unreachable, .malformed, .cancelled: nil
        }
    }

    // MARK: Endpoints

    private struct Hosts {
        var write: Result<String, TimestreamError>
        var query: Result<String, TimestreamError>

        var text: String {
            let (write, query) = (self.write.cell, self.query.cell)
            return write == query ? write : "\(write)/\(query)"
        }
    }

    private func hosts(of client: TimestreamServiceClient, _ deadline: ContinuousClock.Instant) async -> Hosts {
        async let write = Result { () async throws(TimestreamError) in try await client.writeHost(deadline: deadline) }
        async let query = Result { () async throws(TimestreamError) in try await client.queryHost(deadline: deadline) }
        return Hosts(write: await write, query: await query)
    }

    // MARK: Callers' keys

    /// Nobody's keys are at hand: a made-up one is refused by a service that is there.
    private func inspectForCallers(_ finding: inout TenantFinding, _ deadline: ContinuousClock.Instant) async {
        finding.credentials = "caller's own"
        finding.note("callers bring their own AWS keys: only that Timestream answers was checked")
        let client = self.makeClient(AccessKey(accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: Secret("none")))
        let hosts = await self.hosts(of: client, deadline)
        finding.cell = hosts.text
        let write = await Result { () async throws(TimestreamError) in
            _ = try hosts.write.get()
            _ = try await client.describeTable(self.table, deadline: deadline)
        }
        let query = await Result { () async throws(TimestreamError) in
            _ = try hosts.query.get()
            _ = try await client.query("SHOW DATABASES", nextToken: nil, deadline: deadline)
        }
        for (step, result) in [("reaching the write endpoint", write), ("reaching the query endpoint", query)] {
            guard case .failure(let error) = result else { continue }
            switch error.code {
            case .signature where error.status != nil, .accessDenied, .resourceNotFound: break
            default: finding.report(step, error)
            }
        }
    }

    // MARK: What is found

    private func take(_ description: TableProbe.Description, _ finding: inout TenantFinding) {
        switch description {
        case .success(let table):
            finding.magneticWrites = table.magneticStoreWrites.map { $0 ? "on" : "off" } ?? TenantFinding.unknown
            if let hours = table.memoryStoreHours, let days = table.magneticStoreDays {
                finding.retention = "\(hours) h + \(days) d"
                if table.magneticStoreWrites == false {
                    finding.note(
                        "samples older than the memory store's \(hours) h are refused: magnetic writes are off"
                    )
                }
            }
            if let status = table.status, status != "ACTIVE" {
                finding.report("describing the table", "its status is \(status)", remedy: "wait until it is ACTIVE")
            }
        case .failure(let error) where error.code == .accessDenied && !error.isClosedToNewCustomers:
            finding.note(
                "timestream:DescribeTable is not allowed, which would tell retention, magnetic writes and dimensions; "
                    + "nothing else needs it"
            )
        case .failure(let error) where error.code == .resourceNotFound: break
        case .failure(let error): finding.report("describing the table", error)
        }
    }

    private func take(_ reading: TableProbe.Reading, _ finding: inout TenantFinding) {
        if let count = reading.dimensions {
            finding.dimensions = "\(reading.isCountUpperBound ? "at most " : "")\(count) of 128"
            if count >= self.tenant.mapping.maxDimensions, !reading.isCountUpperBound {
                finding.note("labels without a column of their own share one: max_dimensions is reached")
            }
        }
        switch reading.outcome {
        case .selected: finding.reading = "ok"
        case .described:
            finding.reading = "described"
            finding.note("that timestream:Select is allowed was not proven, since a SELECT is metered: add --select")
        case .missing: finding.reading = "no table"
        case .failed(let error):
            finding.reading = "fails"
            finding.report("reading", error)
        }
    }

    private func take(_ writing: TableProbe.Writing, _ finding: inout TenantFinding) {
        switch writing {
        case .allowed: finding.writing = "ok"
        case .missing: finding.writing = "no table"
        case .taken:
            finding.writing = "?"
            finding.report(
                "writing",
                "a record without dimensions was taken: this is not Timestream",
                remedy: "mend or remove write_endpoint"
            )
        case .failed(let error):
            finding.writing = "fails"
            finding.report("writing", error)
        }
    }

    private func takeMissing(isTable isMissing: Bool, _ finding: inout TenantFinding) {
        guard isMissing else { return }
        // A record may be refused before anybody looks for the table.
        if finding.writing == "ok" { finding.writing = "no table" }
        if self.tenant.createMissing != nil {
            finding.note(
                "the table is made at the first write (create_missing); whether timestream:CreateTable is allowed was not "
                    + "tried"
            )
        } else {
            finding.report(
                "table",
                "\(self.tenant.database).\(self.tenant.table) does not exist in \(self.tenant.region)",
                remedy: TimestreamError(.resourceNotFound, message: "").remedy
            )
        }
    }
}

extension TenantFinding {
    fileprivate mutating func report(_ step: String, _ error: TimestreamError) {
        // What differs between the steps is how long each took.
        let message =
            error.code == .timedOut
            ? "no answer within the time for one tenant" : error.message.replacing(/\ after \d+ ms\b/, with: "")
        self.report(step, oneLine(message, limitBytes: 512), remedy: error.remedy)
    }
}

extension Result where Failure == TimestreamError {
    fileprivate init(_ body: () async throws(TimestreamError) -> Success) async {
        do throws(TimestreamError) {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }

    fileprivate var isFound: Bool { if case .success = self { true } else { false } }
}

extension Result<String, TimestreamError> {
    /// `cell2` of `ingest-cell2.timestream.eu-west-1.amazonaws.com`; any other host as it is.
    fileprivate var cell: String {
        guard case .success(let host) = self else { return TenantFinding.unknown }
        let first = host.prefix { $0 != "." }
        guard host.hasSuffix(".amazonaws.com"), let dash = first.firstIndex(of: "-") else { return host }
        return String(first[first.index(after: dash)...])
    }
}
