package import Common

/// What is counted about one tenant's credentials.
package final class CredentialMetrics: Sendable {
    private let tenant: String
    private let registry: MetricRegistry
    private let successes: MetricCounter
    private let failures: [CredentialError.Code: MetricCounter]
    private let shown = Locked<CredentialOrigin?>(nil)

    package init(tenant: String, registry: MetricRegistry) {
        self.tenant = tenant
        self.registry = registry
        func refreshes(_ result: String) -> MetricCounter {
            registry.counter(
                "gateway_credentials_refreshes_total",
                help: "Times that a tenant's credentials were fetched, by result.",
                labels: [("tenant", tenant), ("result", result)]
            )
        }
        self.successes = refreshes("ok")
        self.failures = Dictionary(
            uniqueKeysWithValues: CredentialError.Code.allCases.map { ($0, refreshes($0.rawValue)) }
        )
    }

    func fetched(_ credentials: Credentials) {
        self.successes.increment()
        let before = self.shown.withLock { shown in
            let before = shown
            shown = credentials.origin
            return before
        }
        if let before, before != credentials.origin { Self.expiry(self.registry, self.tenant, before).set(0) }
        Self.expiry(self.registry, self.tenant, credentials.origin).set(Int(credentials.expiration ?? 0))
    }

    func failed(_ error: CredentialError) {
        self.failures[error.code]?.increment()
    }

    private static func expiry(
        _ registry: MetricRegistry,
        _ tenant: String,
        _ origin: CredentialOrigin
    ) -> MetricGauge {
        registry.gauge(
            "gateway_credentials_expiry_timestamp_seconds",
            help: "When a tenant's credentials expire; 0 if they do not, or are no longer in use.",
            labels: [("tenant", tenant), ("source", origin.rawValue)]
        )
    }

    /// Shows a key pair of the configuration, which never changes.
    package static func showKeyPair(tenant: String, registry: MetricRegistry) {
        Self.expiry(registry, tenant, .configuration).set(0)
    }
}
