import Common

/// Who signed a request, proven.
package struct VerifiedSignature: Sendable, Equatable {
    package var accessKeyID: String
    /// The region the signature is good for.
    package var region: String

    package init(accessKeyID: String, region: String) {
        self.accessKeyID = accessKeyID
        self.region = region
    }
}

/// Checks SigV4 signatures in the `Authorization` header, as an AWS service does.
package enum RequestVerifier {
    /// How far a request's time may lie from ours, either way: five minutes, as at most AWS services.
    ///
    /// Source: AWS Signature Version 4, "Troubleshoot Signature Version 4 signing".
    package static let allowedSkewSeconds: Int64 = 300

    private static let contexts = SHA256ContextPool()

    /// The access key id that a request claims, unproven; `nil` if it has no readable signature.
    package static func accessKeyID(of request: SignableRequest) -> String? {
        try? self.authorization(of: request).accessKeyID
    }

    /// Checks that one of our keys signed this request for this service, now.
    ///
    /// The signature must cover `host` and every `x-amz-` header of the request; the body's digest is computed here, so
    /// a request whose signer left the body out is refused.
    ///
    /// - Parameters:
    ///   - request: with every header as received.
    ///   - body: as received.
    ///   - service: the signing name, such as `timestream`.
    ///   - keys: the key pair of an access key id; `nil` if there is none.
    ///   - nowSeconds: our time, in seconds since 1970-01-01 UTC.
    /// - Throws: `SignatureError`; a wrong service, then the time, then the key, then its token, then the signature.
    package static func verify(
        _ request: SignableRequest,
        body: [UInt8],
        service: String,
        keys: (String) -> AccessKey?,
        nowSeconds: Int64
    ) throws(SignatureError) -> VerifiedSignature {
        let authorization = try self.authorization(of: request)
        let scope = authorization.scope
        guard scope.service == service else {
            throw SignatureError(.wrongService, "Credential should be scoped to correct service: '\(service)'.")
        }
        let headers = try self.signedHeaders(of: request, authorization)
        let time = try self.time(of: request)
        guard scope.day == time.day else {
            throw SignatureError(
                .malformed,
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                    + "'\(scope.day)' != '\(time.day)'."
            )
        }
        guard abs(time.seconds - nowSeconds) <= self.allowedSkewSeconds else {
            throw self.skewed(time, nowSeconds)
        }
        guard let key = keys(authorization.accessKeyID) else {
            throw SignatureError(.unknownKey, "The security token included in the request is invalid.")
        }
        try self.checkToken(of: request, key)

        let signature = self.contexts.withContext { context in
            context.update(body)
            let canonical = CanonicalRequest(
                method: request.method,
                target: request.target,
                headers: headers,
                bodyDigest: context.finish()
            )
            let signingKey = SigningKey(
                secret: key.secretAccessKey,
                day: scope.day,
                region: scope.region,
                service: scope.service,
                using: context
            )
            return scope.signature(of: canonical, time: time, key: signingKey, using: context)
        }
        guard constantTimeEqual(signature, authorization.signature) else {
            throw SignatureError(
                .mismatch,
                "The request signature we calculated does not match the signature you provided. "
                    + "Check your AWS Secret Access Key and signing method."
            )
        }
        return VerifiedSignature(accessKeyID: authorization.accessKeyID, region: scope.region)
    }

    private static func values(of name: String, in request: SignableRequest) -> [String] {
        request.headers.filter { Ascii.lowercased($0.name) == name }.map(\.value)
    }

    private static func authorization(of request: SignableRequest) throws(SignatureError) -> AuthorizationHeader {
        let values = self.values(of: "authorization", in: request)
        guard let value = values.first else {
            throw SignatureError(.missing, "The request has no Authorization header.")
        }
        guard values.count == 1 else {
            throw SignatureError(.malformed, "The request has more than one Authorization header.")
        }
        return try AuthorizationHeader(parsing: value)
    }

    /// The headers that the signature covers, in the request's order.
    private static func signedHeaders(
        of request: SignableRequest,
        _ authorization: AuthorizationHeader
    ) throws(SignatureError) -> [(name: String, value: String)] {
        let names = Set(authorization.signedHeaders)
        guard names.contains("host") else {
            throw SignatureError(.malformed, "'host' must be a signed header.")
        }
        var headers: [(name: String, value: String)] = []
        var missing = names
        for header in request.headers {
            let name = Ascii.lowercased(header.name)
            if names.contains(name) {
                headers.append((name, header.value))
                missing.remove(name)
            } else if name.hasPrefix("x-amz-") {
                throw SignatureError(.malformed, "The header '\(name)' is in the request but not signed.")
            }
        }
        guard missing.isEmpty else {
            throw SignatureError(
                .malformed,
                "Signed headers that the request does not have: \(missing.sorted().joined(separator: ", "))."
            )
        }
        return headers
    }

    private static func time(of request: SignableRequest) throws(SignatureError) -> SigningTime {
        let stamps = self.values(of: "x-amz-date", in: request)
        if let stamp = stamps.first {
            guard stamps.count == 1, let time = SigningTime(text: stamp) else {
                throw SignatureError(.malformed, "x-amz-date must be one time of the form yyyymmddThhmmssZ.")
            }
            return time
        }
        let dates = self.values(of: "date", in: request)
        guard dates.count == 1, let time = SigningTime(text: dates[0]) ?? SigningTime(httpDate: dates[0]) else {
            throw SignatureError(.malformed, "The request must have a valid x-amz-date or Date header.")
        }
        return time
    }

    private static func skewed(_ time: SigningTime, _ nowSeconds: Int64) -> SignatureError {
        let isEarly = time.seconds < nowSeconds
        let limit = SigningTime(seconds: nowSeconds + (isEarly ? -1 : 1) * self.allowedSkewSeconds)
        let verdict = isEarly ? "expired" : "not yet current"
        let comparison = isEarly ? "is now earlier than" : "is still later than"
        let bound = "\(limit.text) (\(SigningTime(seconds: nowSeconds).text) \(isEarly ? "-" : "+") 5 min.)"
        return SignatureError(
            .skewed(serverTimeSeconds: nowSeconds),
            "Signature \(verdict): \(time.text) \(comparison) \(bound)."
        )
    }

    private static func checkToken(of request: SignableRequest, _ key: AccessKey) throws(SignatureError) {
        let tokens = self.values(of: "x-amz-security-token", in: request)
        switch (tokens.count, key.sessionToken) {
        case (0, nil): return
        case (1, .some(let expected)):
            if Secret(tokens[0]) == expected { return }
        default: break
        }
        throw SignatureError(.token, "The security token included in the request is invalid.")
    }
}
