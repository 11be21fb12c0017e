import TimestreamModel

/// Databases, tables and tags.
extension LocalEngine {
    func control(
        _ operation: Operation,
        _ body: [UInt8],
        _ caller: Caller,
        _ call: inout Call
    ) async throws(ServiceError) -> [UInt8] {
        let request = try ControlRequest(body)
        call.database = request.database
        call.table = request.table
        switch operation {
        case .createDatabase: return try await self.createDatabase(request, caller)
        case .describeDatabase: return try await self.describeDatabase(request, caller)
        case .listDatabases: return try await self.listDatabases(request, caller)
        case .updateDatabase: return try await self.updateDatabase(request, caller)
        case .deleteDatabase: return try await self.deleteDatabase(request, caller)
        case .createTable: return try await self.createTable(request, caller)
        case .describeTable: return try await self.describeTable(request, caller)
        case .listTables: return try await self.listTables(request, caller)
        case .updateTable: return try await self.updateTable(request, caller)
        case .deleteTable: return try await self.deleteTable(request, caller)
        case .tagResource, .untagResource, .listTagsForResource:
            return try await self.tags(operation, request, caller)
        case .writeRecords, .query, .cancelQuery, .describeEndpoints:
            throw ServiceError(.unknownOperation, "The operation is not one of the control plane.")
        }
    }

    // MARK: Databases

    private func createDatabase(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        let name = try request.requiredDatabase()
        try ControlRequest.checkName(name, at: "databaseName")
        try caller.require("CreateDatabase", onDatabase: name)
        return try await self.writer.perform(cost: 0) { (writer) throws(SQLiteError) in
            guard try writer.catalogue.database(name) == nil else {
                return .failure(ServiceError(.conflict, "The database \(name) already exists."))
            }
            try writer.catalogue.createDatabase(name, kmsKeyID: request.kmsKeyID, tags: request.tags)
            return try Self.databaseAnswer(name, writer.catalogue, caller)
        }
    }

    private func describeDatabase(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        let name = try request.requiredDatabase()
        try caller.require("DescribeDatabase", onDatabase: name)
        return try await self.readers.read { (connection) throws(SQLiteError) in
            try Self.databaseAnswer(name, Catalogue(connection: connection), caller)
        }
    }

    private func updateDatabase(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        let name = try request.requiredDatabase()
        guard let kmsKeyID = request.kmsKeyID else { throw .isMissing("kmsKeyId") }
        try caller.requireEverything("UpdateDatabase", onDatabase: name)
        return try await self.writer.perform(cost: 0) { (writer) throws(SQLiteError) in
            try writer.catalogue.updateDatabase(name, kmsKeyID: kmsKeyID)
            return try Self.databaseAnswer(name, writer.catalogue, caller)
        }
    }

    private func deleteDatabase(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        let name = try request.requiredDatabase()
        try caller.requireEverything("DeleteDatabase", onDatabase: name)
        return try await self.writer.perform(cost: 0) { (writer) throws(SQLiteError) in
            guard try writer.catalogue.database(name) != nil else { return .failure(Catalogue.databaseNotFound(name)) }
            guard try writer.catalogue.tables(inDatabase: name, after: TableName(database: "", table: "")).isEmpty
            else {
                return .failure(
                    ServiceError(.validation, "The database \(name) has tables; only an empty one can be deleted.")
                )
            }
            try writer.catalogue.deleteDatabase(name)
            return .success(Array("{}".utf8))
        }
    }

    private func listDatabases(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        try await self.readers.read { (connection) throws(SQLiteError) in
            let catalogue = Catalogue(connection: connection)
            let found = try catalogue.databases(after: request.nextToken ?? "").filter {
                caller.maySee(database: $0.name)
            }
            let page = found.prefix(Int(request.maxResults ?? 20))
            var json = JSONWriter()
            json.raw(#"{"Databases":["#)
            for (index, entry) in page.enumerated() {
                if index > 0 { json.raw(",") }
                try Self.write(entry, catalogue, caller, to: &json)
            }
            json.raw("]")
            if page.count < found.count, let last = page.last {
                json.raw(#","NextToken":"#)
                json.string(last.name)
            }
            json.raw("}")
            return .success(json.bytes)
        }
    }

    private static func databaseAnswer(
        _ name: String,
        _ catalogue: Catalogue,
        _ caller: Caller
    ) throws(SQLiteError) -> Result<[UInt8], ServiceError> {
        guard let entry = try catalogue.database(name) else { return .failure(Catalogue.databaseNotFound(name)) }
        var json = JSONWriter()
        json.raw(#"{"Database":"#)
        try Self.write(entry, catalogue, caller, to: &json)
        json.raw("}")
        return .success(json.bytes)
    }

    private static func write(
        _ entry: DatabaseEntry,
        _ catalogue: Catalogue,
        _ caller: Caller,
        to json: inout JSONWriter
    ) throws(SQLiteError) {
        let tables = try catalogue.tables(inDatabase: entry.name, after: TableName(database: "", table: ""))
        json.raw(#"{"Arn":"#)
        json.string(caller.arn(database: entry.name))
        json.raw(#","DatabaseName":"#)
        json.string(entry.name)
        json.raw(#","TableCount":"#)
        json.integer(Int64(tables.count { caller.mayUse($0.name) }))
        json.raw(#","KmsKeyId":"#)
        json.string(entry.kmsKeyID)
        json.raw(#","CreationTime":"#)
        json.timestamp(milliseconds: entry.createdMilliseconds)
        json.raw(#","LastUpdatedTime":"#)
        json.timestamp(milliseconds: entry.updatedMilliseconds)
        json.raw("}")
    }

    // MARK: Tables

    private func name(
        _ action: String,
        _ request: ControlRequest,
        _ caller: Caller
    ) throws(ServiceError) -> TableName {
        let name = TableName(database: try request.requiredDatabase(), table: try request.requiredTable())
        try caller.require(action, on: name)
        return name
    }

    private func createTable(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        try ControlRequest.checkName(try request.requiredDatabase(), at: "databaseName")
        try ControlRequest.checkName(try request.requiredTable(), at: "tableName")
        let name = try self.name("CreateTable", request, caller)
        return try await self.writer.perform(cost: 0) { (writer) throws(SQLiteError) in
            guard try writer.catalogue.database(name.database) != nil else {
                return .failure(Catalogue.databaseNotFound(name.database))
            }
            guard try writer.catalogue.table(name) == nil else {
                return .failure(ServiceError(.conflict, "The table \(name.table) already exists."))
            }
            try writer.catalogue.createTable(name, request.properties, tags: request.tags)
            return try Self.tableAnswer(name, writer.catalogue, caller)
        }
    }

    private func describeTable(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        let name = try self.name("DescribeTable", request, caller)
        return try await self.readers.read { (connection) throws(SQLiteError) in
            try Self.tableAnswer(name, Catalogue(connection: connection), caller)
        }
    }

    private func updateTable(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        let name = try self.name("UpdateTable", request, caller)
        return try await self.writer.perform(cost: 0) { (writer) throws(SQLiteError) in
            if let entry = try writer.catalogue.table(name) {
                try writer.catalogue.updateTable(entry.id, request.properties)
            }
            return try Self.tableAnswer(name, writer.catalogue, caller)
        }
    }

    private func deleteTable(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        let name = try self.name("DeleteTable", request, caller)
        return try await self.writer.perform(cost: 0) { (writer) throws(SQLiteError) in
            guard let entry = try writer.catalogue.table(name) else {
                return .failure(try writer.catalogue.notFound(name))
            }
            // Its statements must be gone before the tables can be dropped.
            writer.forget()
            try writer.catalogue.deleteTable(entry)
            return .success(Array("{}".utf8))
        }
    }

    private func listTables(_ request: ControlRequest, _ caller: Caller) async throws(ServiceError) -> [UInt8] {
        if let database = request.database { try caller.require("ListTables", onDatabase: database) }
        let parts = (request.nextToken ?? "").split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let after = TableName(
            database: parts.first.map(String.init) ?? "",
            table: parts.count > 1 ? String(parts[1]) : ""
        )
        return try await self.readers.read { (connection) throws(SQLiteError) in
            let catalogue = Catalogue(connection: connection)
            if let database = request.database, try catalogue.database(database) == nil {
                return .failure(Catalogue.databaseNotFound(database))
            }
            let found = try catalogue.tables(inDatabase: request.database, after: after).filter {
                caller.mayUse($0.name)
            }
            let page = found.prefix(Int(request.maxResults ?? 20))
            var json = JSONWriter()
            json.raw(#"{"Tables":["#)
            for (index, entry) in page.enumerated() {
                if index > 0 { json.raw(",") }
                Self.write(entry, caller, to: &json)
            }
            json.raw("]")
            if page.count < found.count, let last = page.last {
                json.raw(#","NextToken":"#)
                json.string(TaggedResource.table(last.name).key)
            }
            json.raw("}")
            return .success(json.bytes)
        }
    }

    private static func tableAnswer(
        _ name: TableName,
        _ catalogue: Catalogue,
        _ caller: Caller
    ) throws(SQLiteError) -> Result<[UInt8], ServiceError> {
        guard let entry = try catalogue.table(name) else { return .failure(try catalogue.notFound(name)) }
        var json = JSONWriter()
        json.raw(#"{"Table":"#)
        Self.write(entry, caller, to: &json)
        json.raw("}")
        return .success(json.bytes)
    }

    private static func write(_ entry: TableEntry, _ caller: Caller, to json: inout JSONWriter) {
        json.raw(#"{"Arn":"#)
        json.string(caller.arn(entry.name))
        json.raw(#","TableName":"#)
        json.string(entry.name.table)
        json.raw(#","DatabaseName":"#)
        json.string(entry.name.database)
        json.raw(#","TableStatus":"ACTIVE","RetentionProperties":{"MemoryStoreRetentionPeriodInHours":"#)
        json.integer(entry.properties.memoryHours ?? TableProperties.defaultMemoryHours)
        json.raw(#","MagneticStoreRetentionPeriodInDays":"#)
        json.integer(entry.properties.magneticDays ?? TableProperties.defaultMagneticDays)
        json.raw(#"},"CreationTime":"#)
        json.timestamp(milliseconds: entry.createdMilliseconds)
        json.raw(#","LastUpdatedTime":"#)
        json.timestamp(milliseconds: entry.updatedMilliseconds)
        json.raw(#","MagneticStoreWriteProperties":"#)
        json.raw((entry.properties.magneticWrites ?? #"{"EnableMagneticStoreWrites":false}"#).utf8)
        json.raw(#","Schema":"#)
        json.raw((entry.properties.partitionSchema ?? #"{"CompositePartitionKey":[{"Type":"MEASURE"}]}"#).utf8)
        json.raw("}")
    }

    // MARK: Tags

    private func tags(
        _ operation: Operation,
        _ request: ControlRequest,
        _ caller: Caller
    ) async throws(ServiceError) -> [UInt8] {
        guard let arn = request.resourceARN else { throw .isMissing("resourceARN") }
        guard let resource = TaggedResource(arn: arn) else {
            throw ServiceError(.validation, "'\(arn)' is not the ARN of a database or table.")
        }
        switch resource {
        case .table(let name): try caller.require(operation.rawValue, on: name)
        case .database(let name) where operation == .listTagsForResource:
            try caller.require(operation.rawValue, onDatabase: name)
        case .database(let name): try caller.requireEverything(operation.rawValue, onDatabase: name)
        }
        guard operation != .listTagsForResource else {
            return try await self.readers.read { (connection) throws(SQLiteError) in
                let catalogue = Catalogue(connection: connection)
                if let missing = try Self.missing(resource, catalogue) { return .failure(missing) }
                return .success(Self.tagAnswer(try catalogue.tags(of: resource.key)))
            }
        }
        return try await self.writer.perform(cost: 0) { (writer) throws(SQLiteError) in
            if let missing = try Self.missing(resource, writer.catalogue) { return .failure(missing) }
            if operation == .tagResource {
                let keys = Set(try writer.catalogue.tags(of: resource.key).map(\.key)).union(request.tags.map(\.key))
                guard keys.count <= 200 else {
                    return .failure(ServiceError(.validation, "A resource can have at most 200 tags."))
                }
                try writer.catalogue.setTags(request.tags, of: resource.key)
            } else {
                try writer.catalogue.removeTags(request.tagKeys, of: resource.key)
            }
            return .success(Array("{}".utf8))
        }
    }

    private static func missing(
        _ resource: TaggedResource,
        _ catalogue: Catalogue
    ) throws(SQLiteError) -> ServiceError? {
        switch resource {
        case .database(let name): try catalogue.database(name) == nil ? Catalogue.databaseNotFound(name) : nil
        case .table(let name): try catalogue.table(name) == nil ? try catalogue.notFound(name) : nil
        }
    }

    private static func tagAnswer(_ tags: [Catalogue.Tag]) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"Tags":["#)
        for (index, tag) in tags.enumerated() {
            json.raw(index == 0 ? #"{"Key":"# : #",{"Key":"#)
            json.string(tag.key)
            json.raw(#","Value":"#)
            json.string(tag.value)
            json.raw("}")
        }
        json.raw("]}")
        return json.bytes
    }
}
