import ArgumentParser
import Common
import FoundationEssentials
import Logging
import StoreInspection
import TenantConfiguration

/// `check`: reads a configuration as `serve` would, and starts nothing.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a configuration file and print what it says of every tenant.",
        discussion: """
            Prints every problem with file, line, column and how to mend it, and ends with exit code 78; or a summary of
            all tenants, and ends with 0. Secrets are never printed.

            With --connect it also looks at each tenant's store, with the tenant's own credentials: finds the endpoints,
            describes the table, and has a record without dimensions refused, which only happens to those who may write.
            No data is left. The three permissions that serving needs are enough. Exit code 0 if every tenant works, else
            1; 10 seconds for each tenant, 8 tenants at once.
            """
    )

    @Flag(help: "Look at each tenant's store too.")
    var connect = false

    @Option(help: "With --connect: a tenant, instead of all; may be given often.")
    var tenant: [String] = []

    @Flag(help: "With --connect: prove the permission to read by a SELECT, which is metered, 10 MB at least.")
    var select = false

    @OptionGroup var file: ConfigurationFile

    func validate() throws {
        if !self.connect, !self.tenant.isEmpty || self.select {
            throw ValidationError("--tenant and --select belong to --connect")
        }
    }

    func run() async throws {
        let configuration = try self.file.load()
        guard self.connect else {
            print(ConfigurationSummary.text(of: configuration))
            return
        }
        let tenants = try self.file.tenants(self.tenant, of: configuration)
        for warning in configuration.warnings { standardError("warning: \(warning.description)") }
        if case .local = configuration.timestream.backend {
            print("backend: local has nothing to connect to: serve starts the engine, and makes keys and tables")
            return
        }
        let check = ConnectionCheck(
            timestream: configuration.timestream,
            environment: ProcessInfo.processInfo.environment,
            runsSelect: self.select,
            logger: Logger(label: "timestream") { LineLogHandler(label: $0, format: .logfmt, level: .warning) }
        )
        let findings: [TenantFinding]
        do {
            findings = try await check.run(tenants)
        } catch {
            standardError("error: \(error)")
            throw ExitCode.failure
        }
        print(findings.text)
        if findings.contains(where: { !$0.problems.isEmpty }) { throw ExitCode.failure }
    }
}
