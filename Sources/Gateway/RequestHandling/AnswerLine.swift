/// The one line of text that an answer to a sender is.
///
/// Prometheus logs the first 1,024 bytes of it, so it tells the tenant, the reason, the counts and the request's id, and
/// never a secret, a statement or another tenant's name.
struct AnswerLine {
    static let maximumBytes = 1024

    /// - Parameter tenant: only after the caller has proven itself.
    static func make(_ message: String, tenant: String? = nil, requestID: String) -> String {
        let suffix = "\(tenant.map { " tenant=\($0)" } ?? "") request=\(requestID)"
        var line = ""
        for scalar in message.unicodeScalars {
            // One byte of the bound is the line feed's.
            guard line.utf8.count + suffix.utf8.count < Self.maximumBytes - 5 else { break }
            if scalar.value < 0x20 || scalar.value == 0x7F {
                line += " "
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
        return line + suffix
    }
}
