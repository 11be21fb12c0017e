import Common
import Testing

@testable import TenantAccess

/// A clock that stands still until it is told to go on.
final class TestClock: Sendable {
    private struct Sleeper {
        var until: Int64
        var continuation: CheckedContinuation<Bool, Never>
    }
    private struct State {
        var now: Int64 = 1_000
        var unixSeconds: Int64 = 1_700_000_000
        var chance = 0.0
        var sleepers: [Int: Sleeper] = [:]
        var cancelled: Set<Int> = []
        var nextID = 0
        /// Every wait that was asked for.
        var waits: [Duration] = []
    }
    private let state = Locked(State())

    var now: Int64 { self.state.withLock { $0.now } }
    var waits: [Duration] { self.state.withLock { $0.waits } }
    var sleeperCount: Int { self.state.withLock { $0.sleepers.count } }

    var accessClock: AccessClock {
        AccessClock(
            nanoseconds: { self.now },
            unixSeconds: { self.state.withLock { $0.unixSeconds } },
            sleep: { try await self.sleep($0) },
            chance: { self.state.withLock { $0.chance } }
        )
    }

    func set(unixSeconds: Int64) {
        self.state.withLock { $0.unixSeconds = unixSeconds }
    }

    func set(chance: Double) {
        self.state.withLock { $0.chance = chance }
    }

    /// Lets time pass, and wakes whoever has slept long enough.
    func advance(by duration: Duration) {
        let woken = self.state.withLock { state in
            state.now += duration.wholeNanoseconds
            let ids = state.sleepers.filter { $0.value.until <= state.now }.map(\.key)
            return ids.compactMap { state.sleepers.removeValue(forKey: $0)?.continuation }
        }
        for continuation in woken { continuation.resume(returning: true) }
    }

    private func sleep(_ duration: Duration) async throws {
        let id = self.state.withLock { state in
            state.nextID += 1
            state.waits.append(duration)
            return state.nextID
        }
        let isComplete = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isCancelled = self.state.withLock { state in
                    if state.cancelled.remove(id) != nil { return true }
                    let until = state.now + duration.wholeNanoseconds
                    state.sleepers[id] = Sleeper(until: until, continuation: continuation)
                    return false
                }
                if isCancelled { continuation.resume(returning: false) }
            }
        } onCancel: {
            let sleeper = self.state.withLock { state in
                let sleeper = state.sleepers.removeValue(forKey: id)
                if sleeper == nil { state.cancelled.insert(id) }
                return sleeper
            }
            sleeper?.continuation.resume(returning: false)
        }
        if !isComplete { throw CancellationError() }
    }
}

/// Lets other tasks run until something is so; an issue if it is not within ten seconds.
func eventually(
    _ what: Comment,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () -> Bool
) async {
    let end = ContinuousClock.now + .seconds(10)
    while !condition() {
        guard ContinuousClock.now < end else {
            Issue.record("never happened: \(what)", sourceLocation: sourceLocation)
            return
        }
        await Task.yield()
    }
}
