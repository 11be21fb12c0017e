import Common
import TimestreamModel
import UpstreamHTTP

/// What the service's answers mean.
///
/// Source: AWS JSON 1.0 protocol (Smithy specification), "Operation error serialization"; Timestream developer guide,
/// "API-specific error codes".
enum ServiceAnswer {
    /// The members of an error's body; all may be missing.
    private struct ErrorBody {
        var type: String?
        var code: String?
        var message: String?
        var rejected: [RejectedRecord] = []
    }

    /// The error that an answer other than 200 reports.
    static func error(in response: UpstreamResponse) -> TimestreamError {
        let body = try? self.readErrorBody(response.body)
        let names = [body?.type, response.header("x-amzn-errortype"), body?.code]
        let name = names.compactMap { $0.map(self.shortName) }.first { !$0.isEmpty }
        let code = name.flatMap(self.code) ?? self.code(status: response.status, isReadable: body != nil)
        let text = body?.message ?? "no message"
        guard code == .rejectedRecords else {
            let known = name.map { "\($0): " } ?? ""
            return TimestreamError(code, name: name, message: "\(known)\(text)", status: response.status)
        }
        guard let body else {
            // Records that are not listed count as stored, so an unreadable list must not look like an empty one.
            let message = "the list of rejected records is unreadable"
            return TimestreamError(.malformedResponse, message: message, status: response.status)
        }
        let listed = body.rejected.isEmpty ? [RejectedRecord(index: nil, reason: text)] : body.rejected
        return TimestreamError(code, name: name, message: text, status: response.status, rejected: listed)
    }

    /// The part of an error type that names it: `com.amazonaws…#Name:http://…` is `Name`.
    private static func shortName(_ type: String) -> String {
        let end = type.split(separator: "#", omittingEmptySubsequences: false).last ?? ""
        return String(end.split(separator: ":", omittingEmptySubsequences: false).first ?? "")
    }

    private static func code(_ name: String) -> TimestreamError.Code? {
        switch name {
        case "AccessDeniedException", "AccessDenied", "NotAuthorized", "OptInRequired": .accessDenied
        case "ConflictException": .conflict
        case "InternalServerException", "InternalFailure", "InternalServerError", "InternalError", "ServiceUnavailable",
            "ServiceUnavailableException":
            .internalServer
        case "InvalidEndpointException": .invalidEndpoint
        case "QueryExecutionException": .queryExecution
        case "RejectedRecordsException": .rejectedRecords
        case "ResourceNotFoundException": .resourceNotFound
        case "ServiceQuotaExceededException": .serviceQuotaExceeded
        case "ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled", "RequestThrottledException",
            "TooManyRequestsException", "RequestLimitExceeded", "SlowDown":
            .throttling
        case "UnknownOperationException", "UnknownOperation", "InvalidAction": .unknownOperation
        case "ValidationException", "ValidationError", "SerializationException": .validation
        case "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException",
            "InvalidClientTokenId", "InvalidAccessKeyId", "IncompleteSignature", "IncompleteSignatureException",
            "MissingAuthenticationToken", "MissingAuthenticationTokenException", "ExpiredToken",
            "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "RequestTimeTooSkewed", "AuthFailure":
            .signature
        default: nil
        }
    }

    /// - Parameter isReadable: whether the body is an object at all, as the service's are.
    private static func code(status: Int, isReadable: Bool) -> TimestreamError.Code {
        switch status {
        case 400, 413: .validation
        case 401: .signature
        case 402: .serviceQuotaExceeded
        case 403: .accessDenied
        case 404: isReadable ? .resourceNotFound : .unknownOperation
        case 409: .conflict
        case 419: .rejectedRecords
        case 421: .invalidEndpoint
        case 429: .throttling
        case 500...599: .internalServer
        default: .malformedResponse
        }
    }

    private static let errorMembers = MemberNames(["__type", "code", "Message", "message", "RejectedRecords"])
    private static let rejectedMembers = MemberNames(["RecordIndex", "Reason", "ExistingVersion"])
    private static let discoveryMembers = MemberNames(["Endpoints"])
    private static let endpointMembers = MemberNames(["Address", "CachePeriodInMinutes"])

    private static func readErrorBody(_ bytes: [UInt8]) throws(JSONError) -> ErrorBody {
        var body = ErrorBody()
        var reader = try JSONReader(bytes)
        try reader.document(Self.errorMembers) { (reader, member) throws(JSONError) in
            switch member {
            case 0: body.type = try reader.string()
            case 1: body.code = try reader.string()
            case 2, 3: body.message = try reader.string()
            default:
                try reader.array { (reader) throws(JSONError) in
                    body.rejected.append(try Self.readRejected(&reader))
                }
            }
        }
        return body
    }

    private static func readRejected(_ reader: inout JSONReader) throws(JSONError) -> RejectedRecord {
        var record = RejectedRecord(index: nil, reason: "no reason given")
        try reader.object(Self.rejectedMembers) { (reader, member) throws(JSONError) in
            switch member {
            case 0: record.index = try reader.number().flatMap { Int(exactly: $0) }
            case 1: record.reason = try reader.string()
            default: record.existingVersion = try reader.number().flatMap { Int(exactly: $0) }
            }
        }
        return record
    }

    /// Whether the body is one JSON object, whole: a 200 of something else acknowledges nothing.
    static func checkObject(_ bytes: [UInt8]) throws(JSONError) {
        var reader = try JSONReader(bytes)
        try reader.document(.none) { (_, _) throws(JSONError) in }
    }

    /// The first endpoint that `DescribeEndpoints` names, and for how many minutes.
    static func endpoint(in bytes: [UInt8]) throws(JSONError) -> (address: String, minutes: Int) {
        var found: (address: String, minutes: Int)?
        var reader = try JSONReader(bytes)
        try reader.document(Self.discoveryMembers) { (reader, _) throws(JSONError) in
            try reader.array { (reader) throws(JSONError) in
                var address: String?
                var minutes: Int?
                try reader.object(Self.endpointMembers) { (reader, member) throws(JSONError) in
                    if member == 0 {
                        address = try reader.string()
                    } else {
                        minutes = try reader.number().flatMap { Int(exactly: $0) }
                    }
                }
                if found == nil, let address, let minutes { found = (address, minutes) }
            }
        }
        guard let found else { throw reader.expected("an endpoint with its cache period") }
        return found
    }

    /// What a transfer without an answer means.
    static func error(for failure: UpstreamError) -> TimestreamError {
        let code: TimestreamError.Code =
            switch failure.code {
            case .connectFailed, .connectionLost, .nameResolution, .tlsFailed, .tlsVerification, .library, .shutDown:
                .network
            case .timedOut: .timedOut
            case .cancelled: .cancelled
            case .malformedResponse, .responseTooLarge: .malformedResponse
            case .overloaded: .throttling
            // As with an operation that the host does not know: the configured endpoint or key has to be mended.
            case .invalidRequest: .unknownOperation
            }
        return TimestreamError(code, message: failure.description)
    }
}
