import Common
import HTTPTypes
import Logging
import TimestreamModel

/// How a failure of the store is told: to the sender, and to the operator.
struct StoreFailure {
    let error: TimestreamError
    /// The caller's own keys were used.
    let isCallers: Bool

    init(_ error: TimestreamError, isCallers: Bool) {
        self.error = error
        self.isCallers = isCallers
    }

    /// Whether the caller shows keys that AWS does not take: nobody but the caller can mend that. The time of signing is
    /// ours.
    var isForbidden: Bool { self.isCallers && self.error.code == .signature && !self.error.isAboutSigningTime }

    /// Whether the tenant's operator has to mend something. What one caller's keys may do is that caller's affair.
    var isOperatorFault: Bool {
        self.error.isOperatorFault && !(self.isCallers && [.signature, .accessDenied].contains(self.error.code))
    }

    /// In words a sender may see: neither the statement nor the service's own text.
    var words: String {
        switch self.error.code {
        case .throttling: "Timestream throttles this table"
        case .timedOut: "Timestream did not answer within the request's deadline"
        case .network: "Timestream cannot be reached"
        case .signature where self.isForbidden: "AWS does not take the keys that came as user name and password"
        case .accessDenied where self.isCallers: "the AWS keys that came as user name and password may not do this"
        case .accessDenied, .signature:
            "Timestream refuses the credentials configured for this tenant; its operator must mend them"
        case .resourceNotFound:
            "the database or table configured for this tenant does not exist; its operator must mend it"
        case .serviceQuotaExceeded: "a Timestream quota is used up; its operator must mend it"
        case .circuitOpen: "Timestream has been failing; it is tried again in a moment"
        case .cancelled: "the request was given up"
        default: "Timestream failed (\(self.error.code.rawValue))"
        }
    }

    /// An answer with `Retry-After`: when the store can tell, else soon for what passes by itself and later for what a
    /// person has to mend. 403, without it, if the caller's keys are at fault.
    func answer(_ status: HTTPResponse.Status, _ line: String) -> OutgoingResponse {
        if self.isForbidden { return .text(.forbidden, line) }
        return .text(status, line, headerFields: [.retryAfter: String(self.retryAfterSeconds)])
    }

    private var retryAfterSeconds: Int64 {
        guard let known = self.error.retryAfter else { return self.error.isOperatorFault ? 30 : 5 }
        let (seconds, attoseconds) = known.components
        return max(1, attoseconds > 0 ? seconds + 1 : seconds)
    }

    // MARK: For the log

    /// What is missing, and what mends it, as far as the service's words tell.
    var mending: Logger.Metadata {
        guard !self.isForbidden, let remedy = self.error.remedy else { return [:] }
        var metadata: Logger.Metadata = ["remedy": .string(oneLine(remedy, limitBytes: 1024))]
        if self.error.code == .accessDenied, let missing = MissingPermission(message: self.error.message) {
            metadata["iam.action"] = .string(missing.action)
            if let resource = missing.resource { metadata["iam.resource"] = .string(resource) }
        }
        return metadata
    }
}
