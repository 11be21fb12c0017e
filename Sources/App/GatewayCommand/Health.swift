import ArgumentParser
import Common
import GatewayServer

/// `health`: asks a running gateway whether it is healthy; for containers, whose images have no curl.
struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a running gateway whether it is healthy; exit code 0 if so.",
        discussion: "Meant for HEALTHCHECK and liveness probes in images without curl."
    )

    @Option(help: "The health page of the admin listener.")
    var url = "http://127.0.0.1:9202/-/healthy"

    func run() async throws {
        do {
            let status = try await HealthProbe.status(of: self.url)
            guard status == 200 else {
                standardError("\(self.url) answered \(status)")
                throw ExitCode.failure
            }
            print("healthy")
        } catch let error as HealthProbe.Failure {
            standardError("\(self.url): \(error)")
            throw ExitCode.failure
        }
    }
}
