package import Common

/// Signs requests with AWS Signature Version 4, in the `Authorization` header.
///
/// One signer serves all tenants: derived keys are cached by day, region and access key. May be called from any thread.
package final class RequestSigner: Sendable {
    private let service: String
    private let keys: SigningKeyCache
    private let contexts = SHA256ContextPool()

    /// - Parameter service: the signing name, such as `timestream`.
    package init(service: String) {
        self.service = service
        self.keys = SigningKeyCache(service: service)
    }

    /// The headers that make a request signed, to be added to those it has.
    ///
    /// - Parameters:
    ///   - request: its headers are all signed, `host` must be among them; `x-amz-date`, `x-amz-security-token` and
    ///     `authorization` must not.
    ///   - body: signed by its SHA-256; `nil` is the empty body.
    ///   - seconds: the time of signing, since 1970-01-01 UTC; services refuse it if it is five minutes off.
    /// - Returns: `x-amz-date`, `x-amz-security-token` if the key has a token, `authorization`.
    package func sign(
        _ request: SignableRequest,
        body: FrozenBytes?,
        key: AccessKey,
        region: String,
        at seconds: Int64
    ) -> [(name: String, value: String)] {
        let time = SigningTime(seconds: seconds)
        let scope = CredentialScope(day: time.day, region: region, service: self.service)
        var added: [(name: String, value: String)] = [("x-amz-date", time.text)]
        if let token = key.sessionToken { added.append(("x-amz-security-token", token.revealed)) }

        let headers = request.headers.map { (name: Ascii.lowercased($0.name), value: $0.value) } + added
        let authorization = self.contexts.withContext { context in
            if let body { unsafe body.withUnsafeBytes { unsafe context.update($0) } }
            let canonical = CanonicalRequest(
                method: request.method,
                target: request.target,
                headers: headers,
                bodyDigest: context.finish()
            )
            let signingKey = self.keys.key(for: key, day: scope.day, region: region, using: context)
            let signature = scope.signature(of: canonical, time: time, key: signingKey, using: context)
            return "\(CredentialScope.algorithm) Credential=\(key.accessKeyID)/\(scope.text), "
                + "SignedHeaders=\(canonical.signedHeaders), Signature=\(hexadecimal(signature))"
        }
        added.append(("authorization", authorization))
        return added
    }
}
