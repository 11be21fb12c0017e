/// Where STS is.
///
/// Source: AWS general reference, "AWS Security Token Service endpoints and quotas"; the rules of the service's endpoint
/// rule set.
struct STSEndpoints: Sendable {
    private let configured: String?
    private let usesFIPS: Bool
    private let usesDualStack: Bool

    init(configured: String?, environment: [String: String]) {
        var configured = configured ?? environment["AWS_ENDPOINT_URL_STS"]
        if configured?.hasSuffix("/") == true { configured?.removeLast() }
        self.configured = configured?.isEmpty == true ? nil : configured
        self.usesFIPS = environment["AWS_USE_FIPS_ENDPOINT"]?.lowercased() == "true"
        self.usesDualStack = environment["AWS_USE_DUALSTACK_ENDPOINT"]?.lowercased() == "true"
    }

    /// `scheme://host[:port]`, without a path.
    func endpoint(region: String) -> String {
        if let configured { return configured }
        let partition = Partition(region: region)
        if self.usesFIPS, !self.usesDualStack, partition == .government {
            // The ordinary ones are FIPS endpoints there.
            return "https://sts.\(region).\(partition.suffix)"
        }
        let suffix = self.usesDualStack ? partition.dualStackSuffix : partition.suffix
        return "https://sts\(self.usesFIPS ? "-fips" : "").\(region).\(suffix)"
    }

    private enum Partition {
        case standard, china, government, iso, isoB

        init(region: String) {
            self =
                if region.hasPrefix("cn-") {
                    .china
                } else if region.hasPrefix("us-gov-") {
                    .government
                } else if region.hasPrefix("us-iso-") {
                    .iso
                } else if region.hasPrefix("us-isob-") {
                    .isoB
                } else {
                    .standard
                }
        }

        var suffix: String {
            switch self {
            case .standard, .government: "amazonaws.com"
            case .china: "amazonaws.com.cn"
            case .iso: "c2s.ic.gov"
            case .isoB: "sc2s.sgov.gov"
            }
        }

        var dualStackSuffix: String {
            switch self {
            case .standard, .government: "api.aws"
            case .china: "api.amazonwebservices.com.cn"
            case .iso: "api.aws.ic.gov"
            case .isoB: "api.aws.scloud"
            }
        }
    }
}
