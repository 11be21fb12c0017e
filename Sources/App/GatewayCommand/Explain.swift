import ArgumentParser
import FoundationEssentials
import QueryExplaining
import TenantConfiguration
import TimestreamModel
import Translator

/// `explain`: prints what a remote read would ask the tenant's table for, and sends nothing.
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the SQL that a query's selector becomes; nothing is sent.",
        discussion: """
            timestream-gateway explain --tenant payments --query 'up{job=~"api|web",zone!=""}' --from -6h

            Prints the statement, and of each matcher what the statement says: all of it, a wider condition, or nothing.
            Regular expressions are never sent; the gateway checks all matchers again on what comes back. Prometheus asks
            for each selector of an expression by itself, over the expression's range and its own look-back (5 minutes).
            """
    )

    @Option(help: "The tenant whose table is asked.")
    var tenant: String

    @Option(help: ArgumentHelp("A PromQL selector, without range, offset or functions.", valueName: "selector"))
    var query: String

    @Option(
        parsing: .unconditional,
        help: "The first time: RFC 3339, Unix seconds, or relative to now, as -1h or -1d12h."
    )
    var from = "-1h"

    @Option(parsing: .unconditional, help: "The last time, in the same forms.")
    var to = "now"

    @OptionGroup var file: ConfigurationFile

    func run() throws {
        let now = Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down))
        let start = try self.time(self.from, "--from", now: now)
        let end = try self.time(self.to, "--to", now: now)
        guard start <= end else {
            throw self.refusal("--from (\(TimeArgument.text(start))) is after --to (\(TimeArgument.text(end)))")
        }
        let selector: Selector
        do throws(SelectorError) {
            selector = try Selector(self.query)
        } catch { throw self.refusal("--query: \(error.description)") }
        let configuration = try self.file.load()
        guard let settings = configuration.tenants.first(where: { $0.id == self.tenant }) else {
            let known = configuration.tenants.map(\.id).joined(separator: ", ")
            throw self.refusal("--tenant: \(self.file.path) has no tenant \"\(self.tenant)\"; it has \(known)")
        }
        let subject = ExplanationText.Subject(
            tenant: settings.id,
            table: TableName(database: settings.database, table: settings.table),
            region: settings.region
        )
        do throws(ReadError) {
            print(try ExplanationText.make(selector, range: start...end, of: subject))
        } catch { throw self.refusal("--query: \(error.description)") }
    }

    private func time(_ text: String, _ option: String, now: Int64) throws -> Int64 {
        do throws(TimeArgument.Problem) {
            return try TimeArgument.milliseconds(text, now: now)
        } catch { throw self.refusal("\(option): \(error.description)") }
    }

    /// Tells what is wrong with the arguments.
    private func refusal(_ message: String) -> ExitCode {
        standardError("error: \(message)")
        return .validationFailure
    }
}
