import Common
import Testing
import TimestreamModel

@testable import TimestreamService

/// Time that a test moves.
private final class MovedTime: Sendable {
    private let instant = Locked(ContinuousClock.now)
    var now: ContinuousClock.Instant { self.instant.withLock { $0 } }

    func move(by duration: Duration) {
        self.instant.withLock { $0 += duration }
    }
}

@Suite("Looking endpoints up anew")
struct EndpointRefreshTests {
    private let time = MovedTime()
    private let calls = Locked(0)
    private let isDown = Locked(false)

    private func discover() async throws(TimestreamError) -> (address: String, minutes: Int) {
        let number = self.calls.withLock { calls in
            calls += 1
            return calls
        }
        if self.isDown.withLock({ $0 }) { throw TimestreamError(.network, message: "down") }
        return ("cell\(number)", 100)
    }

    /// The endpoint that a call uses, with the refresh that it starts done at once.
    private func use(_ directory: EndpointDirectory) async throws -> String {
        var isToRefresh = false
        let endpoint = try await directory.endpoint(
            deadline: .now + .seconds(10),
            discover: { () async throws(TimestreamError) -> (address: String, minutes: Int) in
                try await self.discover()
            },
            refresh: { isToRefresh = true }
        )
        if isToRefresh {
            await directory.refresh { () async throws(TimestreamError) -> (address: String, minutes: Int) in
                try await self.discover()
            }
        }
        return endpoint.authority
    }

    private func directory() -> EndpointDirectory {
        EndpointDirectory { [time = self.time] in time.now }
    }

    @Test("the call that notices uses the old endpoint, the next one the new")
    func refreshes() async throws {
        let directory = self.directory()
        #expect(try await self.use(directory) == "cell1")
        self.time.move(by: .seconds(60 * 79))
        #expect(try await self.use(directory) == "cell1")
        self.time.move(by: .seconds(60))
        #expect(try await self.use(directory) == "cell1")
        #expect(try await self.use(directory) == "cell2")
        #expect(self.calls.withLock { $0 } == 2)
    }

    @Test("while discovery is down the old endpoint serves on, long after its time, and is asked for once a minute")
    func outage() async throws {
        let directory = self.directory()
        #expect(try await self.use(directory) == "cell1")
        self.isDown.withLock { $0 = true }
        self.time.move(by: .seconds(60 * 80))
        for _ in 0..<60 {
            for _ in 0..<5 { #expect(try await self.use(directory) == "cell1") }
            self.time.move(by: .seconds(60))
        }
        #expect(self.calls.withLock { $0 } == 61)
        self.isDown.withLock { $0 = false }
        _ = try await self.use(directory)
        #expect(try await self.use(directory) == "cell62")
    }

    @Test("without any endpoint a failed discovery fails the call")
    func nothingKnown() async {
        let directory = self.directory()
        self.isDown.withLock { $0 = true }
        await #expect(throws: TimestreamError.self) { try await self.use(directory) }
    }
}
