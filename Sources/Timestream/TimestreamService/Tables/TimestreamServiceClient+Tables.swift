import Common
package import TimestreamModel

/// The calls about tables themselves; retried as any other.
extension TimestreamServiceClient {
    /// - Throws: `TimestreamError`; `.conflict` if there is such a table, `.resourceNotFound` if the database is missing.
    package func createTable(
        _ table: TableName,
        _ settings: TableSettings,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) {
        try await self.call(.createTable, .write, RequestBody.createTable(table, settings), deadline) {
            (answer: [UInt8]) throws(JSONError) in
            try ServiceAnswer.checkObject(answer)
        }
    }

    /// - Throws: `TimestreamError`; `.conflict` if there is such a database.
    package func createDatabase(_ name: String, deadline: ContinuousClock.Instant) async throws(TimestreamError) {
        try await self.call(.createDatabase, .write, RequestBody.createDatabase(name), deadline) {
            (answer: [UInt8]) throws(JSONError) in
            try ServiceAnswer.checkObject(answer)
        }
    }

    /// - Throws: `TimestreamError`; `.resourceNotFound` if the table or its database is missing.
    package func describeTable(
        _ table: TableName,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> TableDescription {
        try await self.call(.describeTable, .write, RequestBody.describeTable(table), deadline) {
            (answer: [UInt8]) throws(JSONError) in
            try TableDescription(answer)
        }
    }

    /// Where calls of the Write API go, as `host[:port]`: as configured, else as discovered.
    package func writeHost(deadline: ContinuousClock.Instant) async throws(TimestreamError) -> String {
        try await self.host(.write, deadline)
    }

    /// The same, of the Query API.
    package func queryHost(deadline: ContinuousClock.Instant) async throws(TimestreamError) -> String {
        try await self.host(.query, deadline)
    }

    private func host(
        _ api: TimestreamAPI,
        _ deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> String {
        do throws(Failure) {
            return try await self.endpoint(api, deadline).authority
        } catch {
            throw error.error
        }
    }
}

extension RequestBody {
    static func createDatabase(_ name: String) -> FrozenBytes {
        self.made { json in self.append("DatabaseName", name, to: &json) }
    }

    static func describeTable(_ table: TableName) -> FrozenBytes {
        self.made { json in self.append(table, to: &json) }
    }

    static func createTable(_ table: TableName, _ settings: TableSettings) -> FrozenBytes {
        self.made { json in
            self.append(table, to: &json)
            json += ",\"RetentionProperties\":{\"MemoryStoreRetentionPeriodInHours\":\(settings.memoryStoreHours)".utf8
            json += ",\"MagneticStoreRetentionPeriodInDays\":\(settings.magneticStoreDays)}".utf8
            json += ",\"MagneticStoreWriteProperties\":{\"EnableMagneticStoreWrites\":".utf8
            json += "\(settings.magneticStoreWrites)}".utf8
            guard let key = settings.partitionKey else { return }
            json += ",\"Schema\":{\"CompositePartitionKey\":[{\"Type\":\"DIMENSION\",".utf8
            self.append("Name", key.dimension, to: &json)
            json += ",\"EnforcementInRecord\":\"\(key.isRequired ? "REQUIRED" : "OPTIONAL")\"}]}".utf8
        }
    }

    private static func append(_ table: TableName, to json: inout [UInt8]) {
        self.append("DatabaseName", table.database, to: &json)
        json.append(UInt8(ascii: ","))
        self.append("TableName", table.table, to: &json)
    }

    private static func append(_ name: String, _ text: String, to json: inout [UInt8]) {
        JSONText.append(name, to: &json)
        json.append(UInt8(ascii: ":"))
        JSONText.append(text, to: &json)
    }

    private static func made(_ fill: (inout [UInt8]) -> Void) -> FrozenBytes {
        var json: [UInt8] = [UInt8(ascii: "{")]
        fill(&json)
        json.append(UInt8(ascii: "}"))
        return FrozenBytes(json)
    }
}

extension TableDescription {
    private static let answerMembers = MemberNames(["Table"])
    private static let tableMembers = MemberNames([
        "TableStatus", "RetentionProperties", "MagneticStoreWriteProperties", "Schema",
    ])
    private static let retentionMembers = MemberNames([
        "MemoryStoreRetentionPeriodInHours", "MagneticStoreRetentionPeriodInDays",
    ])
    private static let writeMembers = MemberNames(["EnableMagneticStoreWrites"])
    private static let schemaMembers = MemberNames(["CompositePartitionKey"])
    private static let keyMembers = MemberNames(["Type", "Name"])

    /// - Throws: `JSONError` if the answer describes no table.
    init(_ answer: [UInt8]) throws(JSONError) {
        var table: TableDescription?
        var reader = try JSONReader(answer)
        try reader.document(Self.answerMembers) { (reader, _) throws(JSONError) in
            var found = TableDescription()
            try reader.object(Self.tableMembers) { (reader, member) throws(JSONError) in
                try found.read(member, &reader)
            }
            table = found
        }
        guard let table else { throw reader.expected("a table") }
        self = table
    }

    private mutating func read(_ member: Int, _ reader: inout JSONReader) throws(JSONError) {
        switch member {
        case 0: self.status = try reader.string()
        case 1:
            try reader.object(Self.retentionMembers) { (reader, member) throws(JSONError) in
                let value = try reader.number().flatMap { Int(exactly: $0) }
                if member == 0 { self.memoryStoreHours = value } else { self.magneticStoreDays = value }
            }
        case 2:
            try reader.object(Self.writeMembers) { (reader, _) throws(JSONError) in
                self.magneticStoreWrites = try reader.boolean()
            }
        default:
            try reader.object(Self.schemaMembers) { (reader, _) throws(JSONError) in
                try reader.array { (reader) throws(JSONError) in
                    var type: String?
                    var name: String?
                    try reader.object(Self.keyMembers) { (reader, member) throws(JSONError) in
                        if member == 0 { type = try reader.string() } else { name = try reader.string() }
                    }
                    if type == "DIMENSION" { self.partitionDimension = name }
                }
            }
        }
    }
}
