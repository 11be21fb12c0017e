/// The members that any request of the control plane has.
struct ControlRequest: Sendable {
    var database: String?
    var table: String?
    var kmsKeyID: String?
    var nextToken: String?
    var maxResults: Int64?
    var properties = TableProperties()
    var tags: [Catalogue.Tag] = []
    var tagKeys: [String] = []
    var resourceARN: String?

    private static let names = MemberNames([
        "DatabaseName", "TableName", "KmsKeyId", "NextToken", "MaxResults", "RetentionProperties",
        "MagneticStoreWriteProperties", "Schema", "Tags", "TagKeys", "ResourceARN",
    ])
    private static let maximumTags = 200

    init(_ body: [UInt8]) throws(ServiceError) {
        var reader = try JSONReader(body)
        try reader.document(Self.names) { (reader, member) throws(ServiceError) in
            switch member {
            case 0: self.database = try reader.string()
            case 1: self.table = try reader.string()
            case 2: self.kmsKeyID = try reader.string()
            case 3: self.nextToken = try reader.string()
            case 4: self.maxResults = try reader.integer()
            case 5: try self.readRetention(&reader)
            case 6: self.properties.magneticWrites = try Self.magneticWrites(&reader)
            case 7: self.properties.partitionSchema = try Self.partitionSchema(&reader)
            case 8: try self.readTags(&reader)
            case 9:
                try reader.array { (reader) throws(ServiceError) in
                    self.tagKeys.append(try reader.string())
                }
            default: self.resourceARN = try reader.string()
            }
        }
        if let count = self.maxResults, !(1...20).contains(count) {
            throw .constraint("\(count)", at: "maxResults", "Member must have value between 1 and 20")
        }
        guard self.tags.count <= Self.maximumTags, self.tagKeys.count <= Self.maximumTags else {
            throw .constraint(
                "[tags]",
                at: "tags",
                "Member must have length less than or equal to \(Self.maximumTags)"
            )
        }
    }

    private static let retentionNames = MemberNames([
        "MemoryStoreRetentionPeriodInHours", "MagneticStoreRetentionPeriodInDays",
    ])

    private mutating func readRetention(_ reader: inout JSONReader) throws(ServiceError) {
        try reader.object(Self.retentionNames) { (reader, member) throws(ServiceError) in
            let value = try reader.integer()
            if member == 0 { self.properties.memoryHours = value } else { self.properties.magneticDays = value }
        }
        let path = "retentionProperties"
        guard let hours = self.properties.memoryHours else {
            throw .isMissing("\(path).memoryStoreRetentionPeriodInHours")
        }
        guard let days = self.properties.magneticDays else {
            throw .isMissing("\(path).magneticStoreRetentionPeriodInDays")
        }
        // Source: developer guide, "Quotas".
        guard (1...8766).contains(hours) else {
            throw .constraint(
                "\(hours)",
                at: "\(path).memoryStoreRetentionPeriodInHours",
                "Member must have value between 1 and 8766"
            )
        }
        guard (1...73_000).contains(days) else {
            throw .constraint(
                "\(days)",
                at: "\(path).magneticStoreRetentionPeriodInDays",
                "Member must have value between 1 and 73000"
            )
        }
    }

    /// Kept as given, and given back: the engine has one store only.
    private static func magneticWrites(_ reader: inout JSONReader) throws(ServiceError) -> String {
        let json = try reader.raw()
        var isEnabled: Bool?
        var inner = try JSONReader(json)
        try inner.document(MemberNames(["EnableMagneticStoreWrites"])) { (reader, _) throws(ServiceError) in
            isEnabled = try reader.boolean()
        }
        guard isEnabled != nil else { throw .isMissing("magneticStoreWriteProperties.enableMagneticStoreWrites") }
        return String(decoding: json, as: UTF8.self)
    }

    private static func partitionSchema(_ reader: inout JSONReader) throws(ServiceError) -> String {
        let json = try reader.raw()
        var inner = try JSONReader(json)
        try inner.document(MemberNames([])) { (_, _) throws(ServiceError) in }
        return String(decoding: json, as: UTF8.self)
    }

    private mutating func readTags(_ reader: inout JSONReader) throws(ServiceError) {
        try reader.array { (reader) throws(ServiceError) in
            var tag = Catalogue.Tag(key: "", value: "")
            try reader.object(MemberNames(["Key", "Value"])) { (reader, member) throws(ServiceError) in
                let text = try reader.string()
                if member == 0 { tag.key = text } else { tag.value = text }
            }
            let path = "tags.\(self.tags.count + 1).member"
            guard (1...128).contains(tag.key.unicodeScalars.count) else {
                throw .constraint(tag.key, at: "\(path).key", "Member must have length between 1 and 128")
            }
            guard tag.value.unicodeScalars.count <= 256 else {
                throw .constraint(tag.value, at: "\(path).value", "Member must have length less than or equal to 256")
            }
            self.tags.append(tag)
        }
    }

    // MARK: Required members

    func requiredDatabase() throws(ServiceError) -> String {
        guard let database = self.database else { throw .isMissing("databaseName") }
        return database
    }

    func requiredTable() throws(ServiceError) -> String {
        guard let table = self.table else { throw .isMissing("tableName") }
        return table
    }

    /// For names that are to be made.
    static func checkName(_ name: String, at path: String) throws(ServiceError) {
        guard RecordRules.isResourceName(name) else {
            throw .constraint(
                name,
                at: path,
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+, and have length between 3 and 256"
            )
        }
    }
}
