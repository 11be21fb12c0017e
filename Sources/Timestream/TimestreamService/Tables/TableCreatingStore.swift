package import Common
package import Logging
package import TimestreamModel

/// A tenant's store that makes the tenant's table when a write finds none, and writes again.
///
/// At most one creation is under way for each store, whatever the number of writes that found nothing; they wait for it
/// until their own deadlines. After a failure none is tried for a while, so that a missing permission costs no call for
/// each write; meanwhile writes end with what the creation ended with, which tells more than that there is no table.
/// Queries of a missing table stay what they are: a reader makes nothing.
package final class TableCreatingStore: TimestreamStore {
    /// Of one creation, its retries among it. AWS takes one a second for each account.
    private static let timeLimit: Duration = .seconds(20)
    /// How long it is left alone after a failure: one that somebody has to mend, and one that may pass by itself.
    static let pauseAfterFault: Duration = .seconds(60)
    static let pauseAfterFailure: Duration = .seconds(5)
    /// How long a table that was just made may still be unknown to writes.
    private static let settlingTime: Duration = .seconds(30)
    private static let settlingPauses: [Duration] = [.milliseconds(100), .milliseconds(400), .seconds(1), .seconds(2)]

    private enum State {
        /// Can become `creating`.
        case idle
        /// Becomes `made` or `failed`.
        case creating(Task<TimestreamError?, Never>)
        /// Becomes `creating` when a write finds no table after that time.
        case made(settledAt: ContinuousClock.Instant)
        /// Becomes `creating` after that time.
        case failed(TimestreamError, until: ContinuousClock.Instant)
    }

    private let client: TimestreamServiceClient
    private let table: TableName
    private let settings: TableSettings
    private let created: MetricCounter
    private let logger: Logger
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Locked(State.idle)

    package init(
        client: TimestreamServiceClient,
        table: TableName,
        settings: TableSettings,
        metrics: MetricRegistry,
        logger: Logger,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.client = client
        self.table = table
        self.settings = settings
        self.created = metrics.counter(
            "gateway_timestream_tables_created_total",
            help: "Tables that the gateway has made, since create_missing says so.",
            labels: [("tenant", client.configuration.tenant)]
        )
        self.logger = logger
        self.now = now
    }

    // MARK: TimestreamStore

    package func writeRecords(body: FrozenBytes, deadline: ContinuousClock.Instant) async throws(TimestreamError) {
        do throws(TimestreamError) {
            return try await self.client.writeRecords(body: body, deadline: deadline)
        } catch {
            guard error.code == .resourceNotFound else { throw error }
        }
        try await self.makeTable(deadline)
        for pause in Self.settlingPauses {
            do throws(TimestreamError) {
                return try await self.client.writeRecords(body: body, deadline: deadline)
            } catch {
                guard error.code == .resourceNotFound, ContinuousClock.now + pause < deadline else { throw error }
            }
            do {
                try await Task.sleep(for: pause)
            } catch {
                throw TimestreamError(.cancelled, message: "cancelled while a new table was not known yet")
            }
        }
        try await self.client.writeRecords(body: body, deadline: deadline)
    }

    package func query(
        _ statement: String,
        nextToken: String?,
        deadline: ContinuousClock.Instant
    ) async throws(TimestreamError) -> QueryPage {
        try await self.client.query(statement, nextToken: nextToken, deadline: deadline)
    }

    package func cancelQuery(id: String) async {
        await self.client.cancelQuery(id: id)
    }

    // MARK: Creation

    /// Returns when the table is there, whoever made it.
    private func makeTable(_ deadline: ContinuousClock.Instant) async throws(TimestreamError) {
        let now = self.now()
        let (creation, known) = self.state.withLock { state -> (Task<TimestreamError?, Never>?, TimestreamError?) in
            switch state {
            case .creating(let task): return (task, nil)
            case .made(let settledAt) where now < settledAt: return (nil, nil)
            case .failed(let error, let until) where now < until: return (nil, error)
            case .idle, .made, .failed:
                // A task of its own: it is every waiting write's, and none's deadline or cancel ends it.
                let task = Task { await self.create() }
                state = .creating(task)
                return (task, nil)
            }
        }
        if let known { throw known }
        guard let creation else { return }
        switch await Self.outcome(of: creation, until: deadline) {
        case .ended(nil): return
        case .ended(.some(let error)): throw error
        case .gaveUp:
            if Task.isCancelled { throw TimestreamError(.cancelled, message: "cancelled while the table was made") }
            throw TimestreamError(.timedOut, message: "the missing table was not made before the deadline")
        }
    }

    /// - Returns: why there is no table; `nil` if there is one now.
    private func create() async -> TimestreamError? {
        let error = await self.createdTable()
        let now = self.now()
        self.state.withLock { state in
            guard let error else {
                state = .made(settledAt: now + Self.settlingTime)
                return
            }
            let pause = error.isTransient ? Self.pauseAfterFailure : Self.pauseAfterFault
            state = .failed(error, until: now + pause)
        }
        return error
    }

    private func createdTable() async -> TimestreamError? {
        let deadline = ContinuousClock.now + Self.timeLimit
        do throws(TimestreamError) {
            do throws(TimestreamError) {
                try await self.client.createTable(self.table, self.settings, deadline: deadline)
            } catch {
                guard error.code == .resourceNotFound else { throw error }
                try await self.createDatabase(deadline)
                try await self.client.createTable(self.table, self.settings, deadline: deadline)
            }
        } catch {
            // Somebody else was faster, or an answer to us was lost.
            return error.code == .conflict ? nil : error
        }
        self.created.increment()
        self.note("made the tenant's table, which did not exist")
        return nil
    }

    private func createDatabase(_ deadline: ContinuousClock.Instant) async throws(TimestreamError) {
        do throws(TimestreamError) {
            try await self.client.createDatabase(self.table.database, deadline: deadline)
        } catch {
            guard error.code == .conflict else { throw error }
            return
        }
        self.note("made the tenant's database, which did not exist")
    }

    private func note(_ message: Logger.Message) {
        self.logger.notice(
            message,
            metadata: [
                LogKey.tenant: .string(self.client.configuration.tenant),
                "database": .string(self.table.database),
                "table": .string(self.table.table),
            ]
        )
    }

    // MARK: Waiting

    private enum Outcome {
        case ended(TimestreamError?)
        case gaveUp
    }

    private static func outcome(
        of creation: Task<TimestreamError?, Never>,
        until deadline: ContinuousClock.Instant
    ) async -> Outcome {
        let race = Race()
        let watcher = Task { race.settle(.ended(await creation.value)) }
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            race.settle(.gaveUp)
        }
        defer {
            watcher.cancel()
            timer.cancel()
        }
        return await withTaskCancellationHandler {
            await race.outcome()
        } onCancel: {
            race.settle(.gaveUp)
        }
    }

    /// What comes first: the end of the creation, the deadline or a cancel. A group of tasks would wait for the creation
    /// all the same, whose end a cancelled waiter does not hasten.
    private final class Race: Sendable {
        private struct State {
            var outcome: Outcome?
            var waiter: CheckedContinuation<Outcome, Never>?
        }
        private let state = Locked(State())

        func settle(_ outcome: Outcome) {
            let waiter = self.state.withLock { state -> CheckedContinuation<Outcome, Never>? in
                guard state.outcome == nil else { return nil }
                state.outcome = outcome
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: outcome)
        }

        func outcome() async -> Outcome {
            await withCheckedContinuation { waiter in
                let outcome = self.state.withLock { state -> Outcome? in
                    if state.outcome == nil { state.waiter = waiter }
                    return state.outcome
                }
                if let outcome { waiter.resume(returning: outcome) }
            }
        }
    }
}
