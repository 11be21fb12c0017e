import ArgumentParser
import TenantConfiguration

/// `check`: reads a configuration as `serve` would, and starts nothing.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a configuration file and print what it says of every tenant.",
        discussion: """
            Prints every problem with file, line, column and how to mend it, and ends with exit code 78; or a summary of
            all tenants, and ends with 0. Secrets are never printed.
            """
    )

    @OptionGroup var file: ConfigurationFile

    func run() throws {
        let configuration = try self.file.load()
        print(ConfigurationSummary.text(of: configuration))
    }
}
