import ArgumentParser

/// `timestream-gateway`: the process' arguments and exit codes, and nothing else.
@main
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "timestream-gateway",
        abstract: "A multi-tenant gateway between Prometheus servers and Amazon Timestream.",
        discussion: """
            It takes remote write and remote read over (mutual) TLS, finds each request's tenant, proves the caller,
            holds the tenant to its limits, and writes to and reads from that tenant's own database and table with that
            tenant's own AWS credentials. Without an AWS account it keeps the data in its embedded local engine.

            First steps:
              timestream-gateway check                       look at ./tenants.yaml without starting anything
              timestream-gateway check --connect             and at each tenant's store
              timestream-gateway policy                      print the IAM policy that they need
              timestream-gateway                             serve ./tenants.yaml
              timestream-gateway explain --help              see the SQL that a query becomes
              curl http://127.0.0.1:9202/metrics             what it does

            Exit codes: 0 all is well, 1 it could not start or run, 64 wrong arguments, 78 the configuration is bad,
            130 and 143 a second SIGINT or SIGTERM has cut it short.
            """,
        version: GatewayVersion.current,
        subcommands: [
            Serve.self, Check.self, Policy.self, Explain.self, Local.self, Lambda.self, Health.self, Version.self,
        ],
        defaultSubcommand: Serve.self
    )

    static func main() async {
        CoreDumps.forbid()
        await Self.main(nil)
    }
}

/// What `version` and the status page tell.
enum GatewayVersion {
    static let current = "0.1.0"
}

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() {
        print("timestream-gateway \(GatewayVersion.current)")
    }
}
