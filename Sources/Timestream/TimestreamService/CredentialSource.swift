package import RequestSigning
package import TimestreamModel

/// Where a tenant's access key comes from; asked once for every try of a call.
package protocol CredentialSource: Sendable {
    /// - Throws: `TimestreamError` with the code `.signature` if there is no usable key.
    func accessKey() async throws(TimestreamError) -> AccessKey
}

/// A key pair from the configuration.
package struct StaticCredentialSource: CredentialSource {
    private let key: AccessKey

    package init(_ key: AccessKey) {
        self.key = key
    }

    package func accessKey() async throws(TimestreamError) -> AccessKey { self.key }
}
