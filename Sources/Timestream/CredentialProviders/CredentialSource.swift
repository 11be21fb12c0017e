package import RequestSigning
package import TimestreamModel

/// Where a tenant's access key comes from; asked for each call, so it answers from memory as a rule.
package protocol CredentialSource: Sendable {
    /// - Throws: `TimestreamError`, `.signature` if there is no key to be had.
    func accessKey() async throws(TimestreamError) -> AccessKey

    /// The same, for a caller that waits until its own deadline and no longer.
    ///
    /// - Throws: as `accessKey()`; `.timedOut` at the deadline, `.cancelled` when the calling task is cancelled.
    func accessKey(deadline: ContinuousClock.Instant) async throws(TimestreamError) -> AccessKey

    /// The service called this key expired or unknown: sources that can get another one do so, soon. May be called for
    /// each refused request.
    func accessKeyWasRefused(_ key: AccessKey)
}

extension CredentialSource {
    package func accessKey(deadline: ContinuousClock.Instant) async throws(TimestreamError) -> AccessKey {
        try await self.accessKey()
    }

    package func accessKeyWasRefused(_ key: AccessKey) {}
}

/// A key pair from the configuration.
package struct StaticCredentialSource: CredentialSource {
    private let key: AccessKey

    package init(_ key: AccessKey) {
        self.key = key
    }

    package func accessKey() async throws(TimestreamError) -> AccessKey {
        self.key
    }
}
