import Common

/// A streamed answer whose beginning has been read: what fails from now on can only break it off.
package struct StreamedRead: Sendable {
    /// Frames are handed on when there are so many bytes of them.
    private static let pieceBytes = 64 << 10
    private static let maximumPieceBytes = 1 << 20

    private let runs: SeriesRuns
    /// Taken out when it is sent, so that it goes then.
    private let first: Locked<SeriesRun?>

    /// Kept until the answer is sent.
    private let lease: QuerySlots.Lease

    init(beginning runs: SeriesRuns, lease: QuerySlots.Lease) async throws(ReadError) {
        self.lease = lease
        var runs = runs
        let first = try await runs.next()
        self.first = Locked(first)
        self.runs = runs
    }

    /// Sends the answer; at most once.
    ///
    /// Reads on when what was read has been sent, and one page ahead while it reads.
    ///
    /// - Parameter send: returns when there is room for more.
    /// - Returns: what was sent, and what is missing.
    /// - Throws: what `send` throws; `ReadError` if the rest cannot be read. The answer is not complete then.
    @concurrent
    package func write(to send: @Sendable ([UInt8]) async throws -> Void) async throws -> ReadCounts {
        var runs = self.runs
        var writer = FrameWriter()
        var counts = ReadCounts()
        var next = self.first.withLock { first in
            defer { first = nil }
            return first
        }
        while next != nil {
            try await Self.write(&next, &writer, runs.budget, send, &counts)
            next = try await runs.next(besides: writer.memoryBytes)
        }
        try await Self.send(&writer, send)
        return counts
    }

    /// Sends a run, and lets go of it before the next one is read.
    private static func write(
        _ next: inout SeriesRun?,
        _ writer: inout FrameWriter,
        _ budget: ReadBudget,
        _ send: @Sendable ([UInt8]) async throws -> Void,
        _ counts: inout ReadCounts
    ) async throws {
        guard let run = next.take() else { return }
        counts.add(run.set)
        for series in run.set.series {
            if !run.continues { writer.begin(series, in: run.set, queryIndex: run.queryIndex) }
            try writer.append(series, in: run.set)
            if !run.isContinued { try writer.end(isListed: run.isListOnly) }
            try budget.require(run.memoryBytes + writer.memoryBytes)
            if writer.pendingBytes >= Self.pieceBytes { try await Self.send(&writer, send) }
        }
    }

    private static func send(
        _ writer: inout FrameWriter,
        _ send: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        for piece in writer.take() {
            if Task.isCancelled { throw CancellationError() }
            guard piece.count > Self.maximumPieceBytes else {
                try await send(piece)
                continue
            }
            for start in stride(from: 0, to: piece.count, by: Self.maximumPieceBytes) {
                try await send(Array(piece[start..<min(start + Self.maximumPieceBytes, piece.count)]))
            }
        }
    }
}
