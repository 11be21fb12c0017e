/// The two services that share protocol and signing name, each with its own hosts.
enum TimestreamAPI: String, Sendable, CaseIterable {
    case write
    case query
}

/// Which of a region's hosts are asked for endpoints.
///
/// Source: AWS General Reference, "Amazon Timestream endpoints and quotas"; the SDKs' endpoint rules.
package struct RegionalHosts: Sendable, Hashable {
    /// Hosts that have IPv6 addresses too.
    package var isDualStack: Bool
    /// Hosts whose cryptography is validated by FIPS 140.
    package var isFIPS: Bool

    package init(isDualStack: Bool = false, isFIPS: Bool = false) {
        self.isDualStack = isDualStack
        self.isFIPS = isFIPS
    }

    func address(_ api: TimestreamAPI, region: String) -> String {
        let name =
            switch api {
            case .write: "ingest"
            case .query: "query"
            }
        if self.isDualStack {
            return "timestream-\(name)\(self.isFIPS ? "-fips" : "").\(region).api.aws"
        }
        // The plain hosts of GovCloud are the FIPS hosts.
        let suffix = self.isFIPS && !region.hasPrefix("us-gov-") ? "-fips" : ""
        return "\(name).timestream\(suffix).\(region).amazonaws.com"
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
