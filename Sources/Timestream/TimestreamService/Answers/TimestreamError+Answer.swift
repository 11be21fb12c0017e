import TimestreamModel
import UpstreamHTTP

extension TimestreamError {
    /// What an answer that is no success says.
    ///
    /// The error's name is the part of `__type` after `#` and before `:`; some layers in front of the service send it in
    /// a header or as `code` instead. Without a name that we know, the status decides.
    init(answer: UpstreamResponse) {
        var parts = Parts()
        do throws(JSONFault) {
            try parts.read(answer.body)
        } catch {
            // Not JSON: a proxy's page, or nothing. Status and header say what there is to say.
            parts = Parts()
        }
        let name = Self.shortName(parts.type ?? answer.header("x-amzn-errortype") ?? parts.code ?? "")
        let code = Self.code(named: name) ?? Self.code(ofStatus: answer.status)
        var message = parts.message ?? "HTTP \(answer.status) without a message"
        if !name.isEmpty { message = "\(name): \(message)" }
        self.init(code, message: message, status: answer.status, rejected: parts.rejected)
    }

    private static func shortName(_ type: String) -> String {
        let afterHash = type.split(separator: "#", omittingEmptySubsequences: false).last ?? ""
        return String(afterHash.prefix { $0 != ":" })
    }

    /// - Source: "API Timestream-specific errors" of the developer guide; "Common errors" of the AWS APIs.
    private static func code(named name: String) -> Code? {
        switch name {
        case "AccessDeniedException", "AccessDenied", "NotAuthorized", "OptInRequired": .accessDenied
        case "ConflictException": .conflict
        case "InternalServerException", "InternalServerError", "InternalFailure", "InternalFailureException",
            "ServiceUnavailable", "ServiceUnavailableException":
            .internalServer
        case "InvalidEndpointException": .invalidEndpoint
        case "QueryExecutionException": .queryExecution
        case "RejectedRecordsException": .rejectedRecords
        case "ResourceNotFoundException": .resourceNotFound
        case "ServiceQuotaExceededException": .serviceQuotaExceeded
        case "ThrottlingException", "Throttling", "ThrottledException", "RequestLimitExceeded",
            "TooManyRequestsException":
            .throttling
        case "UnknownOperationException": .unknownOperation
        case "ValidationException", "SerializationException", "ValidationError": .validation
        case "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException",
            "InvalidClientTokenId", "InvalidAccessKeyId", "IncompleteSignatureException", "IncompleteSignature",
            "MissingAuthenticationTokenException", "MissingAuthenticationToken", "ExpiredTokenException",
            "ExpiredToken", "RequestExpired", "AuthFailure":
            .signature
        default: nil
        }
    }

    private static func code(ofStatus status: Int) -> Code {
        switch status {
        case 401: .signature
        case 402: .serviceQuotaExceeded
        case 403: .accessDenied
        case 404: .resourceNotFound
        case 409: .conflict
        case 419: .rejectedRecords
        case 421: .invalidEndpoint
        case 429: .throttling
        case 408, 500...599: .internalServer
        case 400...499: .validation
        default: .malformedResponse
        }
    }

    /// What the transport says.
    init(_ error: UpstreamError) {
        let code: Code =
            switch error.code {
            case .cancelled, .shutDown: .cancelled
            case .timedOut: .timedOut
            case .malformedResponse, .responseTooLarge: .malformedResponse
            case .tlsVerification: .untrustedEndpoint
            case .invalidRequest: .unknownOperation
            case .nameResolution, .connectFailed, .connectionLost, .tlsFailed, .overloaded, .library: .network
            }
        self.init(code, message: error.description)
    }

    /// The members of an error's body.
    private struct Parts {
        var type: String?
        var code: String?
        var message: String?
        var rejected: [RejectedRecord] = []

        mutating func read(_ body: [UInt8]) throws(JSONFault) {
            var reader = JSONReader(body)
            var key: [UInt8] = []
            var isFirst = true
            try reader.take(UInt8(ascii: "{"))
            while try reader.nextMember(&key, &isFirst) {
                switch String(decoding: key, as: UTF8.self) {
                case "__type": self.type = try Self.text(&reader)
                case "code": self.code = try Self.text(&reader)
                case "Message", "message": self.message = try Self.text(&reader) ?? self.message
                case "RejectedRecords": try self.readRejected(&reader)
                default: try reader.skipValue()
                }
            }
            try reader.end()
        }

        /// A string; of anything else nil.
        private static func text(_ reader: inout JSONReader) throws(JSONFault) -> String? {
            guard reader.peek() == UInt8(ascii: "\"") else {
                try reader.skipValue()
                return nil
            }
            return try reader.string()
        }

        private mutating func readRejected(_ reader: inout JSONReader) throws(JSONFault) {
            if try reader.takeNull() { return }
            var isFirst = true
            try reader.take(UInt8(ascii: "["))
            while try reader.nextElement(&isFirst) {
                var record = RejectedRecord(index: nil, reason: "no reason given")
                var key: [UInt8] = []
                var isFirstMember = true
                try reader.take(UInt8(ascii: "{"))
                while try reader.nextMember(&key, &isFirstMember) {
                    switch String(decoding: key, as: UTF8.self) {
                    case "RecordIndex": record.index = try reader.takeNull() ? nil : try reader.integer()
                    case "Reason": record.reason = try Self.text(&reader) ?? record.reason
                    case "ExistingVersion": record.existingVersion = try reader.takeNull() ? nil : try reader.integer()
                    default: try reader.skipValue()
                    }
                }
                self.rejected.append(record)
            }
        }
    }
}
