package import TenantConfiguration

/// The IAM policy that lets a tenant's credentials do what the gateway does with them, and nothing else.
///
/// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon Timestream", for which
/// actions have which resources; Timestream developer guide, "How Timestream for LiveAnalytics works with IAM", for which
/// statements of SQL need which actions.
package struct AccessPolicy: Sendable, Equatable {
    /// Characters that a managed policy may have; blanks do not count.
    ///
    /// Source: IAM user guide, "IAM and AWS STS quotas".
    package static let managedPolicyCharacters = 6144

    struct Statement: Sendable, Equatable {
        var sid: String
        var actions: [String]
        var resources: [String]
    }
    let statements: [Statement]

    /// The policy for these tenants together.
    ///
    /// - Parameter account: of tenants whose credentials do not tell theirs; `nil`: any.
    package init(tenants: [TenantSettings], account: String?) {
        let tables = tenants.map { $0.tableARN(account: account) }
        let making = tenants.filter { $0.createMissing != nil }
        self.statements = [
            // Without both endpoints configured, they are asked for.
            Statement(
                sid: "RequiredDiscovery",
                actions: ["timestream:DescribeEndpoints"],
                resources: tenants.contains { $0.writeEndpoint == nil || $0.queryEndpoint == nil } ? ["*"] : []
            ),
            Statement(
                sid: "RequiredData",
                actions: ["timestream:WriteRecords", "timestream:Select"],
                resources: tables
            ),
            Statement(
                sid: "RequiredMakingTables",
                actions: ["timestream:CreateTable"],
                resources: making.map { $0.tableARN(account: account) }
            ),
            Statement(
                sid: "RequiredMakingDatabases",
                actions: ["timestream:CreateDatabase"],
                resources: making.map { $0.databaseARN(account: account) }
            ),
            // Ends the queries of readers that have gone; it has no resource.
            Statement(sid: "RecommendedEndingQueries", actions: ["timestream:CancelQuery"], resources: ["*"]),
            // The table's columns without reading a row, and what `check --connect` shows.
            Statement(sid: "RecommendedDescribing", actions: ["timestream:DescribeTable"], resources: tables),
        ].compactMap { statement in
            var known: Set<String> = []
            let resources = statement.resources.filter { known.insert($0).inserted }
            guard !resources.isEmpty else { return nil }
            return Statement(sid: statement.sid, actions: statement.actions, resources: resources)
        }
    }

    private init(_ statements: [Statement]) {
        self.statements = statements
    }

    /// The policy for whoever assumes these tenants' roles; `nil` if no tenant has one.
    package static func assuming(rolesOf tenants: [TenantSettings]) -> AccessPolicy? {
        var roles: [AssumedRoleSettings] = []
        for tenant in tenants {
            // Of roles on top of one another, the first is assumed with the gateway's own credentials.
            guard case .role(var role, var source) = tenant.credentials else { continue }
            while case .role(let next, let deeper) = source { (role, source) = (next, deeper) }
            if !roles.contains(where: { $0.arn == role.arn && $0.tags.isEmpty == role.tags.isEmpty }) {
                roles.append(role)
            }
        }
        guard !roles.isEmpty else { return nil }
        let tagged = roles.filter { !$0.tags.isEmpty }
        var statements = [
            Statement(
                sid: "RequiredAssuming",
                actions: ["sts:AssumeRole"],
                resources: roles.map(\.arn).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
            )
        ]
        if !tagged.isEmpty {
            statements.append(
                Statement(sid: "RequiredTagging", actions: ["sts:TagSession"], resources: tagged.map(\.arn))
            )
        }
        return AccessPolicy(statements)
    }

    /// As it is put into the console or the AWS command line.
    package var json: String {
        let statements = self.statements.map { statement in
            """
                {
                  "Sid": "\(statement.sid)",
                  "Effect": "Allow",
                  "Action": \(Self.list(statement.actions)),
                  "Resource": \(Self.list(statement.resources))
                }
            """
        }
        return """
            {
              "Version": "2012-10-17",
              "Statement": [
            \(statements.joined(separator: ",\n"))
              ]
            }
            """
    }

    /// As IAM counts them.
    package var characterCount: Int { self.json.unicodeScalars.count { !$0.properties.isWhitespace } }

    /// The names in it are of letters, digits and a few signs that JSON takes as they are.
    private static func list(_ texts: [String]) -> String {
        if texts.count == 1 { return "\"\(texts[0])\"" }
        return "[\n" + texts.map { "        \"\($0)\"" }.joined(separator: ",\n") + "\n      ]"
    }
}

extension TenantSettings {
    fileprivate func tableARN(account: String?) -> String {
        "\(self.databaseARN(account: account))/table/\(self.table)"
    }

    fileprivate func databaseARN(account: String?) -> String {
        let account = self.roleAccount ?? account ?? "*"
        return "arn:\(Self.partition(of: self.region)):timestream:\(self.region):\(account):database/\(self.database)"
    }

    /// The account of the role that the tenant's calls are made with.
    private var roleAccount: String? {
        guard case .role(let role, _) = self.credentials else { return nil }
        let fields = role.arn.split(separator: ":", omittingEmptySubsequences: false)
        return fields.count > 4 && !fields[4].isEmpty ? String(fields[4]) : nil
    }

    /// Source: AWS General Reference, "Amazon Resource Names (ARNs)", partitions.
    private static func partition(of region: String) -> String {
        if region.hasPrefix("cn-") { return "aws-cn" }
        if region.hasPrefix("us-gov-") { return "aws-us-gov" }
        return "aws"
    }
}
