import HTTPTypes

/// One record that was not stored, while the others of its request were.
struct RejectedRecordReport: Sendable, Equatable {
    var index: Int
    var reason: String
    var existingVersion: Int64?
}

/// An error of the service, as its clients know it.
struct ServiceError: Error, Sendable {
    /// What went wrong, as a closed set: also the value of the metric label `code`.
    enum Code: String, Sendable, CaseIterable {
        case accessDenied = "access_denied"
        case conflict
        case incompleteSignature = "incomplete_signature"
        case internalServer = "internal_server"
        case invalidSignature = "invalid_signature"
        case missingAuthentication = "missing_authentication"
        case queryExecution = "query_execution"
        case rejectedRecords = "rejected_records"
        case resourceNotFound = "resource_not_found"
        case serialization
        case throttling
        case tooLarge = "too_large"
        case unknownOperation = "unknown_operation"
        case unrecognizedClient = "unrecognized_client"
        case validation
        /// A request that breaks the service's model, found before the service itself looks at it.
        case constraint

        /// Namespace and name of the exception, and the HTTP status. Source: developer guide, "API-specific error codes".
        var exception: (type: String, status: Int) {
            switch self {
            case .accessDenied: (Self.coral + "AccessDeniedException", 403)
            case .conflict: (Self.service + "ConflictException", 409)
            case .incompleteSignature: (Self.coral + "IncompleteSignatureException", 400)
            case .internalServer: (Self.service + "InternalServerException", 500)
            case .invalidSignature: (Self.coral + "InvalidSignatureException", 403)
            case .missingAuthentication: (Self.coral + "MissingAuthenticationTokenException", 403)
            case .queryExecution: (Self.service + "QueryExecutionException", 400)
            case .rejectedRecords: (Self.service + "RejectedRecordsException", 419)
            case .resourceNotFound: (Self.service + "ResourceNotFoundException", 404)
            case .serialization: (Self.coral + "SerializationException", 400)
            case .throttling: (Self.service + "ThrottlingException", 429)
            case .tooLarge: (Self.validate + "ValidationException", 413)
            case .unknownOperation: (Self.coral + "UnknownOperationException", 404)
            case .unrecognizedClient: (Self.coral + "UnrecognizedClientException", 403)
            case .validation: (Self.service + "ValidationException", 400)
            case .constraint: (Self.validate + "ValidationException", 400)
            }
        }

        private static let service = "com.amazonaws.timestream.v20181101#"
        private static let coral = "com.amazon.coral.service#"
        private static let validate = "com.amazon.coral.validate#"
    }

    var code: Code
    var message: String
    var rejected: [RejectedRecordReport]
    /// What is behind it; for the log, never for the caller.
    var cause: String?

    /// Longest message, in bytes: it may repeat what was sent, and that may be megabytes.
    private static let maximumMessage = 1000

    /// The beginning and the end of a long message: what is wrong stands at either.
    private static func shortened(_ message: String) -> String {
        guard message.utf8.count > Self.maximumMessage else { return message }
        let scalars = message.unicodeScalars
        let part = Self.maximumMessage / 2
        return String(String.UnicodeScalarView(scalars.prefix(part))) + "…"
            + String(String.UnicodeScalarView(scalars.suffix(part)))
    }

    init(_ code: Code, _ message: String, rejected: [RejectedRecordReport] = []) {
        self.code = code
        self.message = Self.shortened(message)
        self.rejected = rejected
    }

    /// The file could not be read or written.
    static func disk(_ error: SQLiteError) -> ServiceError {
        var result = ServiceError(.internalServer, "The engine could not use its file.")
        result.cause = error.description
        return result
    }

    /// A member that breaks the model, in the words of the service's model check.
    ///
    /// - Parameter path: lower camel case, list members counted from 1: `records.1.member.measureName`.
    static func constraint(_ value: String, at path: String, _ rule: String) -> ServiceError {
        ServiceError(
            .constraint,
            "1 validation error detected: Value '\(value)' at '\(path)' failed to satisfy constraint: \(rule)"
        )
    }

    static func isMissing(_ path: String) -> ServiceError {
        ServiceError(
            .constraint,
            "1 validation error detected: Value null at '\(path)' failed to satisfy constraint: "
                + "Member must not be null"
        )
    }

    var status: HTTPResponse.Status {
        let status = self.code.exception.status
        // 419 is no registered code, and has no reason phrase of its own.
        return HTTPResponse.Status(code: status, reasonPhrase: status == 419 ? "Rejected Records" : "")
    }

    /// The answer's body.
    var body: [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"__type":"#)
        json.string(self.code.exception.type)
        json.raw(#","Message":"#)
        json.string(self.message)
        if self.code == .rejectedRecords {
            json.raw(#","RejectedRecords":["#)
            for (place, record) in self.rejected.enumerated() {
                json.raw(place == 0 ? #"{"RecordIndex":"# : #",{"RecordIndex":"#)
                json.integer(Int64(record.index))
                json.raw(#","Reason":"#)
                json.string(record.reason)
                if let version = record.existingVersion {
                    json.raw(#","ExistingVersion":"#)
                    json.integer(version)
                }
                json.raw("}")
            }
            json.raw("]")
        }
        json.raw("}")
        return json.bytes
    }
}
