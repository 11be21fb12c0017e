import Glibc

/// The three kinds of time that decisions depend on, and chance; tests bring their own.
package struct AccessClock: Sendable {
    /// Nanoseconds since some fixed moment of this process; never goes back.
    package var nanoseconds: @Sendable () -> Int64
    /// Seconds since 1970-01-01 UTC, for certificates.
    package var unixSeconds: @Sendable () -> Int64
    /// Waits; throws as soon as the task is cancelled.
    package var sleep: @Sendable (Duration) async throws -> Void
    /// A number from 0 up to 1, without it: spreads the moments at which senders come back.
    package var chance: @Sendable () -> Double

    package init(
        nanoseconds: @escaping @Sendable () -> Int64,
        unixSeconds: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        chance: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.nanoseconds = nanoseconds
        self.unixSeconds = unixSeconds
        self.sleep = sleep
        self.chance = chance
    }

    /// The machine's own clocks.
    package static let system: AccessClock = {
        let start = ContinuousClock.now
        return AccessClock(
            nanoseconds: { (ContinuousClock.now - start).wholeNanoseconds },
            unixSeconds: { Int64(time(nil)) },
            sleep: { try await Task.sleep(for: $0) }
        )
    }()
}

extension Duration {
    /// The duration in nanoseconds, rounded down; at most `Int64.max`, at least 0.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = self.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .max }
        let (sum, sumOverflow) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return sumOverflow ? .max : sum
    }
}
