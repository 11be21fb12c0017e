import Common

/// The one line of text that an answer to a sender is.
///
/// Prometheus logs the first 1,024 bytes of it, so it tells the tenant, the reason, the counts and the request's id, and
/// never a secret, a statement or another tenant's name.
enum AnswerLine {
    /// With the line feed at its end.
    static let maximumBytes = 1024

    /// - Parameter tenant: only after the caller has proven itself.
    static func make(_ message: String, tenant: String? = nil, requestID: String) -> String {
        let suffix = "\(tenant.map { " tenant=\($0)" } ?? "") request=\(requestID)"
        return oneLine(message, limitBytes: Self.maximumBytes - 1 - suffix.utf8.count) + suffix
    }
}
