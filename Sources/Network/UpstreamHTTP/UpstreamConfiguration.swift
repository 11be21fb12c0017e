/// How the gateway reaches its upstreams.
package struct UpstreamConfiguration: Sendable {
    /// PEM file of the certificate authorities to trust; `nil` is the system's.
    package var caBundlePath: String?
    /// Proxy URL for all upstreams but loopback and link-local metadata addresses; `nil` is none, whatever the
    /// environment says.
    package var proxy: String?
    /// Bound on name look-up, connect and TLS handshake together.
    package var connectTimeout: Duration
    /// Transfers to one scheme, host and port at a time; more of them wait for their turn.
    package var maxConnectionsPerHost: Int
    /// Transfers that run and wait, all together; one more is refused.
    package var maxTransfers: Int
    /// A longer response body is an error.
    package var maxResponseBytes: Int

    package init(
        caBundlePath: String? = nil,
        proxy: String? = nil,
        connectTimeout: Duration = .seconds(5),
        maxConnectionsPerHost: Int = 256,
        maxTransfers: Int = 8192,
        maxResponseBytes: Int = 8 << 20
    ) {
        self.caBundlePath = caBundlePath
        self.proxy = proxy
        self.connectTimeout = connectTimeout
        self.maxConnectionsPerHost = maxConnectionsPerHost
        self.maxTransfers = maxTransfers
        self.maxResponseBytes = maxResponseBytes
    }
}
