import HTTPTypes

/// What a path on the data listener means (the tenant's part already taken off).
enum Route: String, Sendable, CaseIterable {
    case write
    case read
    case healthy
    case ready

    /// - Returns: nil for a path that is none of ours.
    init?(path: some StringProtocol) {
        switch path {
        case "/write", "/api/v1/write", "/api/v1/push": self = .write
        case "/read", "/api/v1/read": self = .read
        case "/-/healthy": self = .healthy
        case "/-/ready": self = .ready
        default: return nil
        }
    }

    /// Whether it concerns a tenant's data.
    var needsTenant: Bool { self == .write || self == .read }

    /// The methods that the route takes.
    var methods: [HTTPRequest.Method] { self.needsTenant ? [.post] : [.get, .head] }

    /// The same, as an `Allow` header has them.
    var allow: String { self.methods.map(\.rawValue).joined(separator: ", ") }
}
