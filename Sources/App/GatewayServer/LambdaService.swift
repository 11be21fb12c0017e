import Common
import FoundationEssentials
import LambdaRuntime
package import Logging
import RequestHandling
import ServiceLifecycle
import TLSTransport
package import TenantConfiguration
import UpstreamHTTP

/// The gateway as a function of AWS Lambda: the same parts as behind a listener, fed with events.
package enum LambdaGateway {
    /// Serves events until AWS ends the environment.
    ///
    /// - Parameters:
    ///   - runtimeAPI: host and port of the runtime API.
    ///   - signed: what serves callers that AWS has authenticated by their signature, in place of `configuration`.
    /// - Throws: after telling the runtime API that the function cannot be made ready, or when that API fails for good.
    package static func run(
        runtimeAPI address: String,
        _ configuration: GatewayConfiguration,
        signed: GatewayConfiguration?,
        makeLogger: @escaping @Sendable (String) -> Logger
    ) async throws {
        let api = RuntimeAPI(address: address, upstream: try self.makeClient())
        let logger = makeLogger("lambda")
        do {
            let own = try await LambdaParts(configuration, makeLogger: makeLogger)
            var others: LambdaParts?
            if let signed { others = try await LambdaParts(signed, makeLogger: makeLogger) }
            let loop = LambdaLoop(
                api: api,
                responder: own.responder,
                signedResponder: others?.responder,
                certificates: try self.certificates(configuration),
                logger: logger
            )
            configuration.logConnections(to: logger)
            let service = LambdaService(loop: loop)
            try await GatewayServer.runUntilSignal(service, logger: makeLogger("lifecycle"))
            await own.close()
            await others?.close()
        } catch let failure as RuntimeAPI.Failure {
            throw failure
        } catch {
            try await api.failInitialization(type: "Gateway.InitializationFailed", message: "\(error)")
            throw error
        }
    }

    /// Tells the runtime API why there is nothing to serve with.
    package static func reportFailure(_ message: String, runtimeAPI address: String) async throws {
        let api = RuntimeAPI(address: address, upstream: try self.makeClient())
        try await api.failInitialization(type: "Gateway.ConfigurationInvalid", message: message)
    }

    /// A client for the runtime API alone: an event with its body is up to 6 MB.
    private static func makeClient() throws -> UpstreamClient {
        try UpstreamClient(UpstreamConfiguration(maxResponseBytes: 16 << 20), metrics: MetricRegistry())
    }

    private static func certificates(_ configuration: GatewayConfiguration) throws -> ForwardedCertificates? {
        let tenants = configuration.tenants.compactMap(\.authentication.clientCertificate?.caPath)
        let paths = Set(tenants + [configuration.server.tls?.clientCAPath].compactMap(\.self)).sorted()
        return paths.isEmpty ? nil : try ForwardedCertificates(authorityPaths: paths)
    }
}

private struct LambdaService: Service {
    let loop: LambdaLoop

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.loop.run() }
    }
}

/// What one configuration is served with.
private struct LambdaParts {
    let responder: GatewayResponder
    private let running: RunningConfiguration
    private let credentials: TenantCredentials
    private let upstream: UpstreamClient

    init(_ configuration: GatewayConfiguration, makeLogger: @escaping @Sendable (String) -> Logger) async throws {
        // Nobody scrapes a function; the counters of two configurations must not mix either way.
        let metrics = MetricRegistry()
        var upstreamConfiguration = configuration.timestream.upstreamConfiguration
        // libcurl looks where this machine's distribution keeps the authorities, which is not where Lambda's does; the
        // package brings its own and says so in the way of OpenSSL.
        if upstreamConfiguration.caBundlePath == nil {
            upstreamConfiguration.caBundlePath = ProcessInfo.processInfo.environment["SSL_CERT_FILE"]
        }
        self.upstream = try UpstreamClient(upstreamConfiguration, metrics: metrics)
        self.credentials = TenantCredentials(
            timestream: configuration.timestream,
            upstream: self.upstream,
            metrics: metrics,
            logger: makeLogger("credentials")
        )
        let builder = ConfigurationBuilder(
            upstream: self.upstream,
            credentials: self.credentials,
            engine: nil,
            engineURL: nil,
            metrics: metrics,
            makeLogger: makeLogger
        )
        self.running = try await builder.build(configuration, from: nil)
        self.responder = GatewayResponder(
            snapshot: self.running.snapshot,
            metrics: metrics,
            logger: makeLogger("http")
        )
    }

    func close() async {
        await self.running.closeCredentials()
        await self.credentials.close()
        await self.upstream.shutdown()
    }
}
