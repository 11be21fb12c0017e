import Common

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
    private var hasRetention = false
    private var hasMagneticSwitch = false

    private static let names = MemberNames([
        "DatabaseName", "TableName", "KmsKeyId", "NextToken", "MaxResults", "RetentionProperties",
        "MagneticStoreWriteProperties", "Schema", "Tags", "TagKeys", "ResourceARN",
    ])
    private static let retentionNames = MemberNames([
        "MemoryStoreRetentionPeriodInHours", "MagneticStoreRetentionPeriodInDays",
    ])
    private static let magneticNames = MemberNames(["EnableMagneticStoreWrites"])
    private static let tagNames = MemberNames(["Key", "Value"])
    private static let maximumTags = 200

    /// - Throws: `SerializationException` for what is not JSON, or not of the right kind; `ValidationException` for what
    ///   is out of bounds.
    init(_ body: [UInt8]) throws(ServiceError) {
        self = try JSONReader.request(body) { (reader) throws(JSONError) in
            var request = ControlRequest()
            try request.read(&reader)
            return request
        }
        try self.check()
    }

    private init() {}

    private mutating func read(_ reader: inout JSONReader) throws(JSONError) {
        try reader.document(Self.names) { (reader, member) throws(JSONError) in
            switch member {
            case 0: self.database = try reader.string()
            case 1: self.table = try reader.string()
            case 2: self.kmsKeyID = try reader.string()
            case 3: self.nextToken = try reader.string()
            case 4: self.maxResults = try reader.integer()
            case 5:
                self.hasRetention = true
                try reader.object(Self.retentionNames) { (reader, member) throws(JSONError) in
                    let value = try reader.integer()
                    if member == 0 { self.properties.memoryHours = value } else { self.properties.magneticDays = value }
                }
            case 6: try self.readMagneticWrites(&reader)
            case 7: self.properties.partitionSchema = String(decoding: try Self.rawObject(&reader), as: UTF8.self)
            case 8: try self.readTags(&reader)
            case 9:
                try reader.array { (reader) throws(JSONError) in
                    self.tagKeys.append(try reader.string())
                }
            default: self.resourceARN = try reader.string()
            }
        }
    }

    /// Kept as given, and given back: the engine has one store only.
    private mutating func readMagneticWrites(_ reader: inout JSONReader) throws(JSONError) {
        let json = try Self.rawObject(&reader)
        var inner = try JSONReader(json)
        var isEnabled: Bool?
        try inner.document(Self.magneticNames) { (reader, _) throws(JSONError) in isEnabled = try reader.boolean() }
        self.hasMagneticSwitch = isEnabled != nil
        self.properties.magneticWrites = String(decoding: json, as: UTF8.self)
    }

    private static func rawObject(_ reader: inout JSONReader) throws(JSONError) -> [UInt8] {
        let json = try reader.raw()
        var inner = try JSONReader(json)
        try inner.document(.none) { (_, _) throws(JSONError) in }
        return json
    }

    private mutating func readTags(_ reader: inout JSONReader) throws(JSONError) {
        try reader.array { (reader) throws(JSONError) in
            var tag = Catalogue.Tag(key: "", value: "")
            try reader.object(Self.tagNames) { (reader, member) throws(JSONError) in
                let text = try reader.string()
                if member == 0 { tag.key = text } else { tag.value = text }
            }
            self.tags.append(tag)
        }
    }

    // MARK: Bounds

    private func check() throws(ServiceError) {
        if let count = self.maxResults, !(1...20).contains(count) {
            throw .constraint("\(count)", at: "maxResults", "Member must have value between 1 and 20")
        }
        if self.hasRetention { try self.checkRetention() }
        guard self.hasMagneticSwitch || self.properties.magneticWrites == nil else {
            throw .isMissing("magneticStoreWriteProperties.enableMagneticStoreWrites")
        }
        try self.checkTags()
    }

    private func checkRetention() throws(ServiceError) {
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

    private func checkTags() throws(ServiceError) {
        guard self.tags.count <= Self.maximumTags, self.tagKeys.count <= Self.maximumTags else {
            throw .constraint(
                "[tags]",
                at: "tags",
                "Member must have length less than or equal to \(Self.maximumTags)"
            )
        }
        for (index, tag) in self.tags.enumerated() {
            let path = "tags.\(index + 1).member"
            guard (1...128).contains(tag.key.unicodeScalars.count) else {
                throw .constraint(tag.key, at: "\(path).key", "Member must have length between 1 and 128")
            }
            guard tag.value.unicodeScalars.count <= 256 else {
                throw .constraint(tag.value, at: "\(path).value", "Member must have length less than or equal to 256")
            }
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
