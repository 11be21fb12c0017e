package import RequestSigning
package import TimestreamModel

/// Where a tenant's access key comes from; asked for each call, so it must answer from memory as a rule.
package protocol CredentialSource: Sendable {
    /// - Throws: `TimestreamError`, `.signature` if there is no key to be had.
    func accessKey() async throws(TimestreamError) -> AccessKey
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
