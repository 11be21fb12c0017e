import ArgumentParser
import StoreInspection
import TenantConfiguration

/// `policy`: prints the IAM policy that the tenants' credentials need.
struct Policy: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the IAM policy that the tenants' credentials need.",
        discussion: """
            Statements whose names begin with Required are needed; those that begin with Recommended save money or tell
            more. Put the policy on the user or role whose credentials the tenant has; --assume prints what those need
            who assume the tenants' roles.
            """
    )

    @Option(help: "A tenant, instead of all; may be given often.")
    var tenant: [String] = []

    @Option(help: "The AWS account, 12 digits, of tenants without a role; default: any.")
    var account: String?

    @Flag(help: "The policy for whoever assumes the tenants' roles.")
    var assume = false

    @OptionGroup var file: ConfigurationFile

    func validate() throws {
        if let account, account.utf8.count != 12 || !account.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            throw ValidationError("--account takes 12 digits, found \"\(account)\"")
        }
    }

    func run() throws {
        let tenants = try self.file.tenants(self.tenant, of: try self.file.load())
        let policy: AccessPolicy
        if self.assume {
            guard let assuming = AccessPolicy.assuming(rolesOf: tenants) else {
                standardError("error: --assume: no tenant has a role_arn")
                throw ExitCode.validationFailure
            }
            policy = assuming
        } else {
            policy = AccessPolicy(tenants: tenants, account: self.account)
        }
        print(policy.json)
        if policy.characterCount > AccessPolicy.managedPolicyCharacters {
            standardError(
                "warning: \(policy.characterCount) characters, and a managed policy has at most "
                    + "\(AccessPolicy.managedPolicyCharacters): give tenants roles of their own, and print each with --tenant"
            )
        }
    }
}

extension ConfigurationFile {
    /// The named tenants, in the file's order; all of them if none is named.
    func tenants(_ names: [String], of configuration: GatewayConfiguration) throws -> [TenantSettings] {
        for name in names where !configuration.tenants.contains(where: { $0.id == name }) {
            let known = configuration.tenants.prefix(20).map(\.id).joined(separator: ", ")
            standardError("error: --tenant: \(self.path) has no tenant \"\(name)\"; it has \(known)")
            throw ExitCode.validationFailure
        }
        return names.isEmpty ? configuration.tenants : configuration.tenants.filter { names.contains($0.id) }
    }
}
