import Common
import HTTPTypes

extension AdminConsole {
    /// What the console tells of reloads, and how it asks for one.
    package struct Reloading: Sendable {
        package struct Status: Sendable, Equatable {
            /// Of the last attempt.
            package var isSuccessful: Bool
            /// When the configuration in use was loaded; ISO 8601.
            package var loadedAt: String
            package var attemptedAt: String
            /// Of the configuration in use.
            package var hash: String
            /// Why the last attempt failed.
            package var problems: [String]

            package init(isSuccessful: Bool, loadedAt: String, attemptedAt: String, hash: String, problems: [String]) {
                self.isSuccessful = isSuccessful
                self.loadedAt = loadedAt
                self.attemptedAt = attemptedAt
                self.hash = hash
                self.problems = problems
            }
        }

        static let path = "/-/reload"
        static let statusPath = "/api/v1/status/reload"
        static let fetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .origin

        package var status: @Sendable () -> Status
        /// Reloads, and tells how it went; absent: that is not allowed.
        package var trigger: (@Sendable () async -> Status)?

        package init(
            status: @escaping @Sendable () -> Status,
            trigger: (@Sendable () async -> Status)?
        ) {
            self.status = status
            self.trigger = trigger
        }

        /// The status as JSON, in the form of Prometheus' own status pages.
        func statusAnswer() -> OutgoingResponse {
            let status = self.status()
            var body = Array(#"{"status":"success","data":{"lastReloadSuccessful":"#.utf8)
            body += Array("\(status.isSuccessful)".utf8)
            for (key, value) in [
                ("loadedAt", status.loadedAt), ("attemptedAt", status.attemptedAt), ("hash", status.hash),
            ] {
                body += Array(#","\#(key)":"#.utf8)
                JSONText.append(value, to: &body)
            }
            body += Array(#","problems":["#.utf8)
            for (index, problem) in status.problems.enumerated() {
                if index > 0 { body.append(UInt8(ascii: ",")) }
                JSONText.append(problem, to: &body)
            }
            body += Array("]}}".utf8)
            return OutgoingResponse(
                status: .ok,
                headerFields: [.contentType: "application/json", .xContentTypeOptions: "nosniff"],
                body: body
            )
        }
    }
}
