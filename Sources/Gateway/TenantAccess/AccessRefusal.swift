package import HTTPTypes

/// Why a request may not go on, and what its sender is told.
///
/// Before proof, nothing in it depends on whether a tenant exists: unknown tenant and wrong proof give equal values.
package struct AccessRefusal: Error, Sendable, Equatable {
    /// What was decided; the `reason` label of `gateway_requests_refused_total`.
    package enum Reason: String, Sendable, CaseIterable {
        /// The tenant header came more than once.
        case repeatedTenantHeader = "repeated_tenant_header"
        /// The header's value or the path's segment cannot be a tenant id.
        case invalidTenant = "invalid_tenant"
        /// No source named a tenant.
        case noTenant = "no_tenant"
        /// Two sources named different tenants.
        case sourcesDisagree = "sources_disagree"
        /// The connection's client certificate has expired since the handshake.
        case certificateExpired = "certificate_expired"
        /// The connection's client certificate was revoked, or its CA is not trusted any more, since the handshake.
        case certificateUntrusted = "certificate_untrusted"
        /// Nothing that could prove the tenant came with the request.
        case noCredentials = "no_credentials"
        /// An `Authorization` field that cannot be read, or several.
        case malformedCredentials = "malformed_credentials"
        /// Credentials that are not this tenant's.
        case wrongCredentials = "wrong_credentials"
        /// Too many password checks are waiting.
        case passwordQueueFull = "password_queue_full"
        /// Too many passwords from this address were wrong lately.
        case passwordFailures = "password_failures"
        /// Over `write_requests_per_second`.
        case writeRate = "write_rate"
        /// Over `read_requests_per_second`.
        case readRate = "read_rate"
        /// Over `samples_per_second`.
        case sampleRate = "sample_rate"
        /// Over `decoded_bytes_per_second`.
        case decodedByteRate = "decoded_byte_rate"
        /// Over `concurrent_writes`.
        case writeConcurrency = "write_concurrency"
        /// Over `concurrent_reads`.
        case readConcurrency = "read_concurrency"
        /// Too many requests of the tenant wait for their rate limit.
        case throttleQueueFull = "throttle_queue_full"
        /// `max_bytes_in_flight` is spent for now.
        case bytesInFlight = "bytes_in_flight"
        /// `max_bytes_in_flight` runs short, and the tenant has more than its fair share of it.
        case bytesInFlightShare = "bytes_in_flight_share"
        /// One request needs more than all of `max_bytes_in_flight`.
        case overAllBytesInFlight = "over_all_bytes_in_flight"
        /// The peer went away, or the gateway stops, while the request waited.
        case cancelled
    }

    /// The HTTP status.
    package var status: Int
    package var reason: Reason
    /// One line of plain text for the sender, without secrets and without values that the sender sent.
    package var message: String
    /// The whole seconds of `Retry-After`, at least 1; `nil`: no such field.
    package var retryAfterSeconds: Int?
    /// Whether the answer carries `WWW-Authenticate`; exactly the 401s do.
    package var needsAuthenticateHeader: Bool
    /// Whether the connection can serve no further request, whatever is sent on it: its certificate has expired.
    package var closesConnection: Bool

    init(
        _ status: Int,
        _ reason: Reason,
        _ message: String,
        retryAfterSeconds: Int? = nil,
        closesConnection: Bool = false
    ) {
        self.status = status
        self.reason = reason
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
        self.needsAuthenticateHeader = status == 401
        self.closesConnection = closesConnection
    }

    /// `WWW-Authenticate` and `Retry-After`, where the answer needs them.
    package var headerFields: HTTPFields {
        var fields: HTTPFields = [:]
        if self.needsAuthenticateHeader { fields[.wwwAuthenticate] = "Basic realm=\"timestream-gateway\"" }
        if let retryAfterSeconds { fields[.retryAfter] = String(retryAfterSeconds) }
        return fields
    }
}

extension AccessRefusal {
    /// The one answer to missing or wrong proof: the same text for every tenant, known or not.
    static func unauthorized(_ reason: Reason) -> AccessRefusal {
        AccessRefusal(401, reason, "unauthorized: no valid proof for the tenant came with the request")
    }

    /// Missing or wrong proof on the admin listener.
    static func operatorUnauthorized(_ reason: Reason) -> AccessRefusal {
        AccessRefusal(401, reason, "unauthorized: this page needs the proof that server.admin.auth asks for")
    }

    static let certificateExpired = AccessRefusal(
        401,
        .certificateExpired,
        "unauthorized: the connection's client certificate has expired; connect again with a valid one",
        closesConnection: true
    )

    static let certificateUntrusted = AccessRefusal(
        401,
        .certificateUntrusted,
        "unauthorized: the connection's client certificate is not trusted any more; connect again with a valid one",
        closesConnection: true
    )

    static let passwordQueueFull = AccessRefusal(
        503,
        .passwordQueueFull,
        "too many password checks are waiting; try again later",
        retryAfterSeconds: 1
    )

    /// The same whether the tenant exists or not, and whether the password is right or not: it was not looked at.
    static func passwordFailures(retryAfterSeconds: Int) -> AccessRefusal {
        AccessRefusal(
            503,
            .passwordFailures,
            "too many passwords from this address were wrong; try again later",
            retryAfterSeconds: retryAfterSeconds
        )
    }

    static let cancelled = AccessRefusal(
        503,
        .cancelled,
        "the request was cancelled while it waited",
        retryAfterSeconds: 1
    )

    /// Whole seconds for `Retry-After`: rounded up, then up to a quarter and at least a second more by chance; from 1 to
    /// 300.
    ///
    /// Senders that were refused at one moment must not all come back at another. Prometheus obeys the field without a cap
    /// of its own, so we cap what a large debt would make of it.
    ///
    /// - Parameter chance: from 0 up to 1, without it.
    static func retryAfterSeconds(nanoseconds: Int64, chance: Double) -> Int {
        let whole = nanoseconds / 1_000_000_000 + (nanoseconds % 1_000_000_000 > 0 ? 1 : 0)
        let seconds = Int(min(max(whole, 1), 240))
        return seconds + Int(Double(max(seconds / 4, 1) + 1) * min(max(chance, 0), 0.999_999))
    }
}
