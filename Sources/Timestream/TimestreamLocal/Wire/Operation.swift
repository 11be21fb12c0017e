/// The operations that the engine serves, of the Write and the Query API alike: one target prefix names both.
enum Operation: String, Sendable, CaseIterable {
    case cancelQuery = "CancelQuery"
    case createDatabase = "CreateDatabase"
    case createTable = "CreateTable"
    case deleteDatabase = "DeleteDatabase"
    case deleteTable = "DeleteTable"
    case describeDatabase = "DescribeDatabase"
    case describeEndpoints = "DescribeEndpoints"
    case describeTable = "DescribeTable"
    case listDatabases = "ListDatabases"
    case listTables = "ListTables"
    case listTagsForResource = "ListTagsForResource"
    case query = "Query"
    case tagResource = "TagResource"
    case untagResource = "UntagResource"
    case updateDatabase = "UpdateDatabase"
    case updateTable = "UpdateTable"
    case writeRecords = "WriteRecords"

    static let targetPrefix = "Timestream_20181101."

    /// - Parameter target: the value of `X-Amz-Target`.
    init?(target: String) {
        guard target.hasPrefix(Self.targetPrefix) else { return nil }
        self.init(rawValue: String(target.dropFirst(Self.targetPrefix.count)))
    }
}
