import Common
import HTTPServing
import Logging
import RequestHandling
import TLSTransport
import TenantConfiguration
import UnixSignals

/// Takes a changed configuration while the gateway serves: all of it, or nothing.
///
/// One attempt at a time; one that is asked for while another runs comes after it.
actor Reloader {
    enum Trigger: String { case signal, request, watch }

    private let source: ConfigurationSource
    private let builder: ConfigurationBuilder
    private let responder: GatewayResponder
    private let listener: HTTPListener
    private let logger: Logger
    nonisolated let state: ReloadState
    private let manager: ServiceManager
    private(set) var running: RunningConfiguration
    /// What the last attempt was made of, successful or not.
    private var attempted: ConfigurationFiles
    private var last: Task<Void, Never>?

    init(
        origin: ConfigurationOrigin,
        running: RunningConfiguration,
        builder: ConfigurationBuilder,
        responder: GatewayResponder,
        listener: HTTPListener,
        state: ReloadState,
        manager: ServiceManager,
        logger: Logger
    ) {
        self.source = origin.source
        self.attempted = origin.files
        self.running = running
        self.builder = builder
        self.responder = responder
        self.listener = listener
        self.state = state
        self.manager = manager
        self.logger = logger
    }

    /// Reloads once, and returns when that has succeeded or failed; `state` tells which.
    func reload(_ trigger: Trigger) async {
        let previous = self.last
        let task = Task {
            await previous?.value
            await self.attempt(trigger)
        }
        self.last = task
        await task.value
    }

    // MARK: One attempt

    private func attempt(_ trigger: Trigger) async {
        let start = ContinuousClock.now
        self.manager.tell(.reloading)
        let loaded = await Blocking.run { [source] in source.load() }
        self.attempted = loaded.files
        do {
            let next = try await self.prepare(loaded)
            self.take(next, hash: loaded.files.hash, trigger, ContinuousClock.now - start)
            self.manager.tell(.ready(status: "serving, tenants: \(next.tenants.count)"))
        } catch {
            let problems = Self.problems(of: error)
            self.state.noteFailure(problems)
            for problem in problems {
                self.logger.error(
                    "configuration not taken: \(problem)",
                    metadata: ["trigger": .string(trigger.rawValue)]
                )
            }
            self.logger.error(
                "the configuration stays as it was",
                metadata: [
                    "trigger": .string(trigger.rawValue), "problems": .stringConvertible(problems.count),
                ]
            )
            self.manager.tell(
                .ready(status: "serving, tenants: \(self.running.tenants.count); the last reload failed, see the log")
            )
        }
    }

    private func prepare(_ loaded: LoadedConfiguration) async throws -> RunningConfiguration {
        let configuration = try loaded.result.get()
        let fixed = FixedSettings.problems(
            replacing: self.running.configuration,
            with: configuration,
            file: self.source.path
        )
        guard fixed.isEmpty else { throw ConfigurationProblems(fixed) }
        let isUnchanged: @Sendable () async -> Bool = {
            await Blocking.run { loaded.files.readAgain().holdTheSame(as: loaded.files) }
        }
        return try await self.builder.build(configuration, from: self.running, isUnchanged: isUnchanged)
    }

    private func take(_ next: RunningConfiguration, hash: Int, _ trigger: Trigger, _ duration: Duration) {
        let old = self.running
        var next = next
        // Between the two replacements below a request may meet the new rules with what the old ones made of its
        // certificate. This is how the responder can tell.
        next.snapshot.trustGeneration = next.tls.map { self.listener.trustGeneration(with: $0) } ?? 0
        self.running = next
        self.responder.replace(with: next.snapshot)
        if let tls = next.tls { self.listener.replaceTLS(with: tls) }
        self.state.noteSuccess(hash: hash)

        for warning in next.configuration.warnings { self.logger.warning("\(warning.description)") }
        let removed = old.tenants.keys.filter { next.tenants[$0] == nil }
        self.builder.metrics.removeSeries(label: "tenant", values: removed)
        var (added, changed) = (0, 0)
        for tenant in next.configuration.tenants {
            guard let service = next.tenants[tenant.id]?.service else { continue }
            guard let before = old.tenants[tenant.id]?.service else {
                added += 1
                tenant.logConnection(to: self.builder.makeLogger("gateway"), isConnector: false)
                continue
            }
            if before !== service { changed += 1 }
        }
        self.logger.notice(
            "configuration reloaded",
            metadata: [
                "trigger": .string(trigger.rawValue),
                "tenants": .stringConvertible(next.tenants.count),
                "added": .stringConvertible(added),
                "changed": .stringConvertible(changed),
                "removed": .stringConvertible(removed.count),
                LogKey.durationSeconds: .stringConvertible(duration / .seconds(1)),
            ]
        )
    }

    private static func problems(of error: any Error) -> [String] {
        switch error {
        case let problems as ConfigurationProblems: problems.problems.map(\.description)
        default: ["\(error)"]
        }
    }

    // MARK: What asks for it

    /// Reloads on each SIGHUP, until the task is cancelled.
    nonisolated func watchSignals(_ signals: UnixSignalsSequence) async {
        for await _ in signals { await self.reload(.signal) }
    }

    /// Looks at the files again and again, and reloads when one has other content in two looks that agree; until the task
    /// is cancelled.
    nonisolated func watchFiles(every interval: Duration) async {
        var pending: ConfigurationFiles?
        var known = await self.attempted
        while (try? await Task.sleep(for: interval)) != nil {
            let attempted = await self.attempted
            if !known.holdTheSame(as: attempted) { known = attempted }
            let seen = await Blocking.run { [known] in known.readAgain() }
            if seen.holdTheSame(as: known) {
                // Newer stamps of the same content spare the next look its reading.
                known = seen
                pending = nil
            } else if let before = pending, seen.holdTheSame(as: before) {
                pending = nil
                await self.reload(.watch)
                known = await self.attempted
            } else {
                pending = seen
            }
        }
    }
}
