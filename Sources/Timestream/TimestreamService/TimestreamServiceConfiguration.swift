/// One tenant's way to Amazon Timestream, or to what speaks its protocol.
package struct TimestreamServiceConfiguration: Sendable {
    /// For metrics and logs.
    package var tenant: String
    /// The region that calls are signed for, and whose hosts are asked for endpoints.
    package var region: String
    /// With it, calls of the Write API go there and nothing is discovered. `https` unless it says `http://`.
    package var writeEndpoint: String?
    /// The same for the Query API.
    package var queryEndpoint: String?

    var retries = RetryPolicy()
    /// The host to ask for endpoints; tests put a loopback address here.
    var discoveryAddress: @Sendable (TimestreamAPI, String) -> String = { $0.regionalAddress($1) }

    package init(tenant: String, region: String, writeEndpoint: String?, queryEndpoint: String?) {
        self.tenant = tenant
        self.region = region
        self.writeEndpoint = writeEndpoint
        self.queryEndpoint = queryEndpoint
    }

    func configuredEndpoint(_ api: TimestreamAPI) -> Endpoint? {
        switch api {
        case .write: self.writeEndpoint.map { Endpoint($0) }
        case .query: self.queryEndpoint.map { Endpoint($0) }
        }
    }
}
