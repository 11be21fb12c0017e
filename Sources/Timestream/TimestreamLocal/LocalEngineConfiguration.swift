package import RequestSigning
package import TimestreamModel

/// An access key that the engine knows, and the only tables it is good for.
package struct LocalEngineKey: Sendable {
    package var key: AccessKey
    package var tables: [TableName]

    package init(key: AccessKey, tables: [TableName]) {
        self.key = key
        self.tables = tables
    }
}

/// How a local engine is set up.
package struct LocalEngineConfiguration: Sendable {
    /// Where the database file is; made if it is not there. One engine at a time may use it.
    package var directory: String
    /// The `host:port` that `DescribeEndpoints` answers with.
    package var ownAddress: String
    /// Empty: any signature is accepted, none too, and every table is open to everybody.
    package var keys: [LocalEngineKey]
    /// If set: a page of a query has at most so many rows, and the first is always empty. Clients break on both.
    package var pageRows: Int?

    package init(directory: String, ownAddress: String, keys: [LocalEngineKey], pageRows: Int?) {
        self.directory = directory
        self.ownAddress = ownAddress
        self.keys = keys
        self.pageRows = pageRows
    }
}

/// Why an engine could not be opened.
package struct LocalEngineError: Error, Sendable, CustomStringConvertible {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}
