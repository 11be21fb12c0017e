/// Why a call to Timestream failed.
package struct TimestreamError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// What went wrong, as a closed set: also the value of the metric label `error`.
    package enum Code: String, Sendable, CaseIterable {
        case accessDenied = "access_denied"
        case conflict
        case internalServer = "internal_server"
        case invalidEndpoint = "invalid_endpoint"
        case queryExecution = "query_execution"
        case rejectedRecords = "rejected_records"
        case resourceNotFound = "resource_not_found"
        case serviceQuotaExceeded = "service_quota_exceeded"
        case throttling
        case unknownOperation = "unknown_operation"
        case validation
        /// The signature, the key id or the clock was refused.
        case signature
        /// No answer within the deadline.
        case timedOut = "timed_out"
        /// No connection, or it broke.
        case network
        /// An answer that is not of this protocol.
        case malformedResponse = "malformed_response"
        case cancelled
        /// Not sent: the endpoint has been failing for a while, and is left alone for a moment.
        case circuitOpen = "circuit_open"
    }

    package var code: Code
    /// The service's own name of the error, such as `ThrottlingException`, if it gave one.
    package var name: String?
    /// The service's own words; for logs and for the local operator, never for a tenant's sender.
    package var message: String
    /// The HTTP status, if there was an answer.
    package var status: Int?
    /// With `.rejectedRecords`: which, and why. Records not listed are stored.
    package var rejected: [RejectedRecord]
    /// When a repeat may succeed, if that is known.
    package var retryAfter: Duration?

    package init(
        _ code: Code,
        name: String? = nil,
        message: String,
        status: Int? = nil,
        rejected: [RejectedRecord] = [],
        retryAfter: Duration? = nil
    ) {
        self.code = code
        self.name = name
        self.message = message
        self.status = status
        self.rejected = rejected
        self.retryAfter = retryAfter
    }

    /// Whether the same call may succeed later without anybody changing it or the configuration.
    package var isTransient: Bool {
        switch self.code {
        case .internalServer, .throttling, .timedOut, .network, .invalidEndpoint, .malformedResponse, .circuitOpen:
            true
        default: false
        }
    }

    /// Whether the operator has to mend something: credentials, permission, table, quota, endpoint.
    package var isOperatorFault: Bool {
        switch self.code {
        case .accessDenied, .resourceNotFound, .serviceQuotaExceeded, .unknownOperation, .signature: true
        default: false
        }
    }

    /// Whether a signature was refused for the time it was made at, by the error's name or, as Timestream's front does, by
    /// its words.
    package var isAboutSigningTime: Bool {
        guard self.code == .signature else { return false }
        switch self.name {
        case "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture": return true
        default: break
        }
        let text = self.message.lowercased()
        return ["signature expired", "signature not yet current", "time too skewed", "is now earlier than"]
            .contains { text.contains($0) }
    }

    /// Safe to show to a tenant: the code only.
    package var description: String { "Timestream: \(self.code.rawValue)" }
    package var debugDescription: String {
        "Timestream: \(self.code.rawValue)\(self.status.map { " (HTTP \($0))" } ?? ""): \(self.message)"
    }
}
