import Common

/// The threads that read the file, and connections for them.
final class ReaderPool: Sendable {
    private let queue: WorkQueue<@Sendable () -> Void>
    private let idle = Locked<[SQLiteConnection]>([])
    private let path: String
    private let metrics: LocalMetrics
    private let ended: [EndSignal]

    private static let threads = 4
    private static let maximumWaiting = 256
    /// Connections kept for the next query; others are closed.
    private static let maximumIdle = 8

    /// - Throws: `LocalEngineError` if the system gives no thread.
    init(path: String, metrics: LocalMetrics) throws(LocalEngineError) {
        self.queue = WorkQueue(maximumCount: Self.maximumWaiting)
        self.path = path
        self.metrics = metrics
        self.ended = (0..<Self.threads).map { _ in EndSignal() }
        for ended in self.ended {
            let isStarted = WorkerThread.start { [queue = self.queue] in
                while let work = queue.take(maximumCount: 1) {
                    for work in work { work() }
                }
                ended.signal()
            }
            guard isStarted else {
                self.queue.close()
                throw LocalEngineError("the system gives no thread")
            }
        }
    }

    /// Runs work on one of the threads.
    ///
    /// - Throws: what `work` throws; `ThrottlingException` if the queue is full.
    func perform<Output: Sendable>(
        _ work: @escaping @Sendable () throws(ServiceError) -> Output
    ) async throws(ServiceError) -> Output {
        let result: Result<Output, ServiceError> = await withCheckedContinuation { continuation in
            let outcome = self.queue.add {
                do throws(ServiceError) {
                    continuation.resume(returning: .success(try work()))
                } catch { continuation.resume(returning: .failure(error)) }
            }
            switch outcome {
            case .queued:
                self.metrics.readerQueue.set(self.queue.count)
            case .full:
                self.metrics.readerRefused.increment()
                continuation.resume(returning: .failure(ServiceError(.throttling, "Request rate limit exceeded")))
            case .closed:
                let error = ServiceError(.internalServer, "The engine is shutting down.")
                continuation.resume(returning: .failure(error))
            }
        }
        self.metrics.readerQueue.set(self.queue.count)
        return try result.get()
    }

    /// Runs work with a connection and a snapshot that end with it.
    func read<Output: Sendable>(
        _ work: @escaping @Sendable (SQLiteConnection) throws(SQLiteError) -> Result<Output, ServiceError>
    ) async throws(ServiceError) -> Output {
        try await self.perform { () throws(ServiceError) in
            do throws(SQLiteError) {
                let connection = try self.takeConnection()
                try connection.execute("BEGIN")
                let result = try work(connection)
                try connection.execute("COMMIT")
                self.giveBack(connection)
                return result
            } catch { throw .disk(error) }
        }.get()
    }

    /// Finishes cursors away from the caller's thread; if the queue is full, here.
    func finish(_ cursors: [QueryCursor]) {
        guard !cursors.isEmpty else { return }
        let work: @Sendable () -> Void = {
            for cursor in cursors {
                if let connection = cursor.finish() { self.giveBack(connection) }
            }
        }
        if self.queue.add(work) != .queued { work() }
    }

    func takeConnection() throws(SQLiteError) -> SQLiteConnection {
        if let connection = self.idle.withLock({ $0.popLast() }) { return connection }
        return try StoreSchema.openReader(path: self.path)
    }

    func giveBack(_ connection: SQLiteConnection) {
        self.idle.withLock { idle in
            if idle.count < Self.maximumIdle { idle.append(connection) }
        }
    }

    /// Does what waits, then ends the threads and closes the idle connections.
    func close() async {
        self.queue.close()
        for ended in self.ended { await ended.wait() }
        self.idle.withLock { $0 = [] }
    }
}
