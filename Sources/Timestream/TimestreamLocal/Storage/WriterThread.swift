import Common

/// The thread that changes the file. Calls that wait together are stored in one transaction, and each is answered after
/// its commit: that is when the log is on disk.
final class WriterThread: Sendable {
    /// A call that waits for its turn.
    private struct Job: Sendable {
        /// Does the work inside the open transaction; what it returns is called after the commit.
        var run: @Sendable (StoreWriter) throws(SQLiteError) -> @Sendable () -> Void
        var fail: @Sendable (ServiceError) -> Void
    }

    private let queue: WorkQueue<Job>
    private let metrics: LocalMetrics
    private let ended = EndSignal()

    /// Bodies that wait, in bytes; what stands for the memory they take.
    private static let maximumWaitingBytes = 64 << 20
    private static let maximumWaitingCalls = 4096
    /// One transaction's share: a commit that takes long keeps everybody waiting.
    private static let callsPerCommit = 256
    private static let bytesPerCommit = 2 << 20

    /// Opens the file.
    ///
    /// - Throws: `SQLiteError` if it cannot be opened; `LocalEngineError` if the system gives no thread.
    init(path: String, metrics: LocalMetrics) throws {
        self.queue = WorkQueue(maximumCount: Self.maximumWaitingCalls, maximumCost: Self.maximumWaitingBytes)
        self.metrics = metrics
        // Checked here, so that a file that cannot be used is an error of `open`; the thread then makes its own.
        _ = try StoreSchema.openWriter(path: path)
        let isStarted = WorkerThread.start { [self] in
            self.loop(path: path)
            self.ended.signal()
        }
        guard isStarted else { throw LocalEngineError("the system gives no thread") }
    }

    /// Runs work in a transaction and returns its result once that is on disk.
    ///
    /// - Parameters:
    ///   - cost: the bytes that the work holds while it waits.
    ///   - work: must not change anything when it answers with a failure: the transaction is shared.
    /// - Throws: what `work` answers; `ThrottlingException` if the queue is full, `InternalServerException` if SQLite
    ///   fails, and then nothing of it is stored.
    func perform<Output: Sendable>(
        cost: Int,
        _ work: @escaping @Sendable (StoreWriter) throws(SQLiteError) -> Result<Output, ServiceError>
    ) async throws(ServiceError) -> Output {
        let result: Result<Output, ServiceError> = await withCheckedContinuation { continuation in
            let job = Job(
                run: { (writer) throws(SQLiteError) in
                    let result = try work(writer)
                    return { continuation.resume(returning: result) }
                },
                fail: { continuation.resume(returning: .failure($0)) }
            )
            switch self.queue.add(job, cost: cost) {
            case .queued:
                self.metrics.writerQueue.set(self.queue.count)
            case .full:
                self.metrics.writerRefused.increment()
                job.fail(ServiceError(.throttling, "Request rate limit exceeded"))
            case .closed:
                job.fail(ServiceError(.internalServer, "The engine is shutting down."))
            }
        }
        return try result.get()
    }

    /// Does what waits, then ends the thread.
    func close() async {
        self.queue.close()
        await self.ended.wait()
    }

    private func loop(path: String) {
        var opened: StoreWriter?
        while let jobs = self.queue.take(maximumCount: Self.callsPerCommit, maximumCost: Self.bytesPerCommit) {
            self.metrics.writerQueue.set(self.queue.count)
            do throws(SQLiteError) {
                if opened == nil { opened = try StoreWriter(path: path) }
                if let opened { self.commit(jobs, opened) }
            } catch {
                self.fail(jobs, error)
            }
        }
    }

    private func commit(_ jobs: [Job], _ writer: StoreWriter) {
        let start = MonotonicTime.nanoseconds()
        var answers: [@Sendable () -> Void] = []
        answers.reserveCapacity(jobs.count)
        do throws(SQLiteError) {
            try writer.connection.execute("BEGIN IMMEDIATE")
            for job in jobs { answers.append(try job.run(writer)) }
            try writer.connection.execute("COMMIT")
        } catch {
            // After some errors SQLite has rolled back by itself.
            if writer.connection.isInTransaction { try? writer.connection.execute("ROLLBACK") }
            writer.forget()
            self.fail(jobs, error)
            return
        }
        self.metrics.commits.increment()
        self.metrics.commitDuration.observe(Double(MonotonicTime.nanoseconds() - start) / 1e9)
        for answer in answers { answer() }
    }

    private func fail(_ jobs: [Job], _ error: SQLiteError) {
        for job in jobs { job.fail(.disk(error)) }
    }
}

/// Says once, to whoever waits, that something has ended.
final class EndSignal: Sendable {
    private struct State {
        var hasEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Locked(State())

    func signal() {
        let waiters = self.state.withLock { state in
            state.hasEnded = true
            let waiters = state.waiters
            state.waiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { waiter in
            let hasEnded = self.state.withLock { state in
                if !state.hasEnded { state.waiters.append(waiter) }
                return state.hasEnded
            }
            if hasEnded { waiter.resume() }
        }
    }
}
