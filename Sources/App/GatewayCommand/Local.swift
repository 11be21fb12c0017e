import ArgumentParser
import Common
import GatewayServer
import RequestSigning
import TimestreamModel

/// `local`: runs the Timestream-compatible engine alone.
struct Local: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the local engine alone: a Timestream-compatible server for AWS tools and tests.",
        discussion: """
            aws timestream-query query --endpoint-url http://127.0.0.1:9203 --query-string 'SHOW DATABASES'

            Without --key any signature is accepted; with keys, each is good for its table alone.
            """
    )

    @Option(help: "Where to listen.")
    var listen = "127.0.0.1:9203"

    @Option(help: "Where the data is kept.")
    var directory = "var/timestream"

    @Option(
        name: .customLong("key"),
        help: ArgumentHelp(
            "A key pair and the table it is good for; may be given often.",
            valueName: "id:secret:db/table"
        )
    )
    var keys: [LocalKeyArgument] = []

    @Option(help: "Rows a query page has at most; for trying how a client follows pages.")
    var pageRows: Int?

    @OptionGroup var log: LogOptions

    func validate() throws {
        if let pageRows, !(1...1000).contains(pageRows) {
            throw ValidationError("--page-rows takes 1 to 1000, found \(pageRows)")
        }
        _ = try self.address()
    }

    private func address() throws -> (host: String, port: Int) {
        guard let colon = self.listen.lastIndex(of: ":"),
            let port = Int(self.listen[self.listen.index(after: colon)...]),
            (0...65535).contains(port)
        else { throw ValidationError("--listen takes host:port, found \"\(self.listen)\"") }
        var host = String(self.listen[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return (host, port)
    }

    func run() async throws {
        let address = try self.address()
        do {
            try await LocalServer.run(
                host: address.host,
                port: address.port,
                directory: self.directory,
                keys: self.keys.map { ($0.key, $0.table) },
                pageRows: self.pageRows,
                makeLogger: self.log.makeLogger
            )
        } catch {
            standardError("error: \(error)")
            throw ExitCode.failure
        }
    }
}

/// `ACCESS_KEY_ID:SECRET:DATABASE/TABLE`.
struct LocalKeyArgument: ExpressibleByArgument {
    var key: AccessKey
    var table: TableName

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        let names = parts[2].split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2, !names[0].isEmpty, !names[1].isEmpty else { return nil }
        self.key = AccessKey(accessKeyID: String(parts[0]), secretAccessKey: Secret(String(parts[1])))
        self.table = TableName(database: String(names[0]), table: String(names[1]))
    }
}
