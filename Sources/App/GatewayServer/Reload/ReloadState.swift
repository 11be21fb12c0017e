import AdminConsole
import Common
import FoundationEssentials
import TenantConfiguration

/// How the last reload went, for metrics and the admin pages.
final class ReloadState: Sendable {
    private let successful: MetricGauge
    private let successTime: MetricGauge
    private let hash: MetricGauge
    private let attempts: [Bool: MetricCounter]
    private let last: Locked<AdminConsole.Reloading.Status>

    /// - Parameter hash: of the configuration that the process starts with.
    init(hash: Int, metrics: MetricRegistry) {
        self.successful = metrics.gauge(
            "gateway_config_last_reload_successful",
            help: "Whether the last attempt to load the configuration succeeded."
        )
        self.successTime = metrics.gauge(
            "gateway_config_last_reload_success_timestamp_seconds",
            help: "When the configuration that is in use was loaded."
        )
        self.hash = metrics.gauge(
            "gateway_config_hash",
            help: "A number that is equal for equal configurations; secrets are not part of it."
        )
        var attempts: [Bool: MetricCounter] = [:]
        for isSuccess in [true, false] {
            attempts[isSuccess] = metrics.counter(
                "gateway_config_reloads_total",
                help: "Attempts to reload the configuration.",
                labels: [("result", isSuccess ? "success" : "failure")]
            )
        }
        self.attempts = attempts
        let now = Date()
        self.last = Locked(
            .init(
                isSuccessful: true,
                loadedAt: Self.text(now),
                attemptedAt: Self.text(now),
                hash: Self.text(hash),
                problems: []
            )
        )
        self.show(hash, now)
    }

    var status: AdminConsole.Reloading.Status { self.last.withLock { $0 } }

    func noteSuccess(hash: Int) {
        let now = Date()
        self.attempts[true]?.increment()
        self.show(hash, now)
        self.last.withLock { last in
            last = .init(
                isSuccessful: true,
                loadedAt: Self.text(now),
                attemptedAt: Self.text(now),
                hash: Self.text(hash),
                problems: []
            )
        }
    }

    func noteFailure(_ problems: [String]) {
        self.attempts[false]?.increment()
        self.successful.set(0)
        self.last.withLock { last in
            last.isSuccessful = false
            last.attemptedAt = Self.text(Date())
            last.problems = problems
        }
    }

    private func show(_ hash: Int, _ time: Date) {
        self.successful.set(1)
        self.successTime.set(Int(time.timeIntervalSince1970))
        self.hash.set(hash)
    }

    private static func text(_ time: Date) -> String { time.formatted(.iso8601) }
    private static func text(_ hash: Int) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}
