/// The two services that share protocol and signing name, each with its own hosts.
enum TimestreamAPI: Sendable, CaseIterable {
    case write
    case query

    /// The host that names the cell's host.
    ///
    /// Source: AWS General Reference, "Amazon Timestream endpoints and quotas".
    func regionalAddress(_ region: String) -> String {
        switch self {
        case .write: "ingest.timestream.\(region).amazonaws.com"
        case .query: "query.timestream.\(region).amazonaws.com"
        }
    }
}

/// Where calls are sent.
struct Endpoint: Sendable, Hashable {
    /// Scheme and authority, such as `https://ingest-cell1.timestream.eu-west-1.amazonaws.com`.
    var origin: String
    /// The `Host` header.
    var authority: String
    /// `/`, unless the configured endpoint has a path.
    var path: String

    /// - Parameter address: with `http://` or `https://` in front; without either it is `https`.
    init(_ address: String) {
        let lowercased = address.lowercased()
        let scheme = ["http://", "https://"].first { lowercased.hasPrefix($0) }
        let rest = address.dropFirst(scheme?.count ?? 0)
        let authority = rest.prefix { $0 != "/" }
        self.authority = String(authority)
        self.origin = (scheme ?? "https://") + authority
        self.path = rest.count > authority.count ? String(rest.dropFirst(authority.count)) : "/"
    }
}
