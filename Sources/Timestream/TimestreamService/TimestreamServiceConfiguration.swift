import Glibc

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
    /// Which hosts are asked for endpoints that are not configured.
    package var hosts: RegionalHosts

    /// Tries of a call of the Write API after the first; absent: as the policy says.
    package var maxWriteRetries: Int?
    /// The same for the Query API.
    package var maxQueryRetries: Int?

    var retries = RetryPolicy()
    var budget = RetryBudget.Policy()
    var circuit = CircuitBreaker.Policy()
    var concurrency = AdaptiveLimit.Policy()
    /// The host to ask for endpoints instead of the region's; tests put a loopback address here.
    var discoveryAddress: (@Sendable (TimestreamAPI, String) -> String)?
    /// Seconds since 1970-01-01 UTC, as this machine has it.
    var wallClock: @Sendable () -> Int64 = { Int64(time(nil)) }

    package init(
        tenant: String,
        region: String,
        writeEndpoint: String?,
        queryEndpoint: String?,
        hosts: RegionalHosts = RegionalHosts(),
        maxWriteRetries: Int? = nil,
        maxQueryRetries: Int? = nil
    ) {
        self.tenant = tenant
        self.region = region
        self.writeEndpoint = writeEndpoint
        self.queryEndpoint = queryEndpoint
        self.hosts = hosts
        self.maxWriteRetries = maxWriteRetries
        self.maxQueryRetries = maxQueryRetries
    }

    func maxRetries(_ api: TimestreamAPI) -> Int {
        switch api {
        case .write: self.maxWriteRetries ?? self.retries.maxRetries
        case .query: self.maxQueryRetries ?? self.retries.maxRetries
        }
    }

    /// The same, for a person who waits for the answer: a call that fails is tried again twice, not ten times.
    package func withFewRetries() -> Self {
        var configuration = self
        configuration.retries.maxRetries = 2
        return configuration
    }

    func configuredEndpoint(_ api: TimestreamAPI) -> Endpoint? {
        switch api {
        case .write: self.writeEndpoint.map { Endpoint($0) }
        case .query: self.queryEndpoint.map { Endpoint($0) }
        }
    }

    func regionalEndpoint(_ api: TimestreamAPI) -> Endpoint {
        Endpoint(self.discoveryAddress?(api, self.region) ?? self.hosts.address(api, region: self.region))
    }
}
