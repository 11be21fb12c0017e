extension TimestreamError {
    /// What an operator does about it, as far as the service's words tell; `nil` if nothing is to be done, or nothing known.
    package var remedy: String? {
        if self.isClosedToNewCustomers {
            return
                "Amazon Timestream for LiveAnalytics is closed to new customers since 20 June 2025, and this AWS account "
                + "is not an existing one: no policy mends that; use an account that is, or backend: local"
        }
        switch self.code {
        case .accessDenied: return MissingPermission(message: self.message)?.remedy
        case .resourceNotFound:
            return "make the tenant's database and table in its region, name those that exist, or let the gateway make "
                + "them: create_missing: {}"
        case .serviceQuotaExceeded: return "ask AWS to raise the quota that the message names"
        case .unknownOperation:
            return "the endpoint is not one of Timestream's cells: mend or remove write_endpoint and query_endpoint"
        case .signature: return "mend the tenant's keys, or this machine's clock"
        default: return nil
        }
    }
}
