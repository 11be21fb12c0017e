/// Where one tenant's calls go.
package struct TimestreamServiceConfiguration: Sendable {
    /// The value of the metric label `tenant`.
    package var tenant: String
    package var region: String
    /// Absolute URLs. `nil`: the region's own host is asked for an address (endpoint discovery).
    package var writeEndpoint: String?
    package var queryEndpoint: String?

    package init(tenant: String, region: String, writeEndpoint: String?, queryEndpoint: String?) {
        self.tenant = tenant
        self.region = region
        self.writeEndpoint = writeEndpoint
        self.queryEndpoint = queryEndpoint
    }
}

/// The two halves of the service: each has hosts, and addresses, of its own.
enum ServiceAPI: String, Sendable, CaseIterable {
    case write = "ingest"
    case query

    /// The host that answers `DescribeEndpoints`, and nothing else.
    func regionalEndpoint(_ region: String) -> String {
        "https://\(self.rawValue).timestream.\(region).amazonaws.com"
    }
}

/// The operations we call; raw values as the `X-Amz-Target` header has them.
enum ServiceOperation: String, Sendable, CaseIterable {
    case writeRecords = "WriteRecords"
    case query = "Query"
    case cancelQuery = "CancelQuery"
    case describeEndpoints = "DescribeEndpoints"
}
