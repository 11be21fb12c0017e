import Common

/// The queries whose next page is still to be fetched; bounded in number and in the time they may wait.
///
/// An entry is *waiting* (with its cursor), *running* (the cursor is with a call), or *over* (the last page is kept, in case
/// its answer was lost on the way). Waiting and running alternate; over is final, and so is cancelled.
final class CursorTable: Sendable {
    /// Whose query it is, and which: both must be the same for the next page.
    struct Owner: Hashable, Sendable {
        var keyID: String
        var statementDigest: [UInt8]
    }

    private enum Phase {
        case waiting(QueryCursor)
        case running(RunControl)
        case over
        case cancelled
    }

    private struct Entry {
        var owner: Owner
        var phase: Phase
        /// The number in the token that fetches the next page.
        var next: Int
        /// The answer to the token before; the same token gives the same page.
        var lastAnswer: [UInt8]
        var usedNanoseconds: Int64

        var isOpen: Bool {
            switch phase {
            case .waiting, .running: true
            case .over, .cancelled: false
            }
        }
    }

    private let entries = Locked<[String: Entry]>([:])
    private let metrics: LocalMetrics

    static let maximumOpen = 64
    static let maximumOpenOfKey = 16
    private static let maximumEntries = 128
    /// A cursor holds a snapshot, and the log cannot be copied back past one: nobody may keep it for long.
    private static let idleNanoseconds: Int64 = 60_000_000_000
    /// A cursor that waited so long may give way to a new one.
    private static let evictableNanoseconds: Int64 = 10_000_000_000

    init(metrics: LocalMetrics) {
        self.metrics = metrics
    }

    /// What a token says.
    struct Token {
        var queryID: String
        var number: Int

        init(queryID: String, number: Int) {
            self.queryID = queryID
            self.number = number
        }

        init?(_ text: String) {
            let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let number = Int(parts[1]), String(number) == parts[1] else { return nil }
            self.init(queryID: String(parts[0]), number: number)
        }

        var text: String { "\(self.queryID)-\(self.number)" }
    }

    // MARK: Pages

    enum OnTake {
        case run(QueryCursor)
        case answer([UInt8])
        case busy
        case cancelled
        case invalid
    }

    /// Takes a cursor out to read its next page.
    func take(_ token: Token, owner: Owner, now: Int64) -> OnTake {
        self.entries.withLock { entries in
            guard var entry = entries[token.queryID], entry.owner == owner else { return .invalid }
            entry.usedNanoseconds = now
            let outcome: OnTake
            switch entry.phase {
            case .cancelled: outcome = .cancelled
            case .running: outcome = token.number == entry.next ? .busy : .invalid
            case .waiting, .over:
                if token.number > 0, token.number == entry.next - 1 {
                    outcome = .answer(entry.lastAnswer)
                } else if token.number == entry.next, case .waiting(let cursor) = entry.phase {
                    entry.phase = .running(cursor.control)
                    outcome = .run(cursor)
                } else {
                    outcome = .invalid
                }
            }
            entries[token.queryID] = entry
            return outcome
        }
    }

    enum OnAdd {
        case added
        case refused
    }

    /// Enters a query that has more pages; token number 1 fetches the next.
    ///
    /// - Parameter evicted: gets cursors that must be finished.
    func add(
        _ cursor: QueryCursor,
        owner: Owner,
        now: Int64,
        evicted: inout [QueryCursor]
    ) -> OnAdd {
        var gone: [QueryCursor] = []
        let outcome: OnAdd = self.entries.withLock { entries in
            Self.purge(&entries, now, &gone)
            let ofKey = entries.values.count { $0.isOpen && $0.owner.keyID == owner.keyID }
            let open = entries.values.count { $0.isOpen }
            if ofKey >= Self.maximumOpenOfKey {
                guard Self.evict(&entries, now, &gone, where: { $0.owner.keyID == owner.keyID }) else {
                    return .refused
                }
            } else if open >= Self.maximumOpen {
                guard Self.evict(&entries, now, &gone, where: { _ in true }) else { return .refused }
            }
            Self.dropOldest(&entries)
            entries[cursor.id] = Entry(
                owner: owner,
                phase: .waiting(cursor),
                next: 1,
                lastAnswer: [],
                usedNanoseconds: now
            )
            return .added
        }
        self.metrics.cursorsExpired.increment(by: gone.count)
        self.count()
        evicted += gone
        return outcome
    }

    /// Puts a cursor back after a page, with the answer that was given.
    ///
    /// - Returns: `false` if the query was cancelled meanwhile: the cursor must be finished, and the page is not sent.
    func putBack(_ cursor: QueryCursor, isOver: Bool, answer: [UInt8], now: Int64) -> Bool {
        defer { self.count() }
        return self.entries.withLock { entries in
            guard var entry = entries[cursor.id], case .running = entry.phase else { return false }
            entry.phase = isOver ? .over : .waiting(cursor)
            entry.next += 1
            entry.lastAnswer = answer
            entry.usedNanoseconds = now
            entries[cursor.id] = entry
            return true
        }
    }

    /// Puts a cursor back that was not used.
    ///
    /// - Returns: `false` if the query was cancelled meanwhile: the cursor must be finished.
    func giveBack(_ cursor: QueryCursor, now: Int64) -> Bool {
        self.entries.withLock { entries in
            guard var entry = entries[cursor.id], case .running = entry.phase else { return false }
            entry.phase = .waiting(cursor)
            entry.usedNanoseconds = now
            entries[cursor.id] = entry
            return true
        }
    }

    /// Forgets a query that failed.
    func remove(_ id: String) {
        self.entries.withLock { entries in
            if case .cancelled? = entries[id]?.phase { return }
            entries[id] = nil
        }
        self.count()
    }

    // MARK: Ends

    enum OnCancel {
        /// To be finished, if there is a cursor.
        case cancelled(QueryCursor?)
        case alreadyCancelled
        case unknown
    }

    func cancel(_ id: String, keyID: String, now: Int64) -> OnCancel {
        defer { self.count() }
        return self.entries.withLock { entries in
            guard var entry = entries[id], entry.owner.keyID == keyID else { return .unknown }
            let outcome: OnCancel
            switch entry.phase {
            case .waiting(let cursor): outcome = .cancelled(cursor)
            case .running(let control):
                control.cancel()
                outcome = .cancelled(nil)
            case .cancelled: return .alreadyCancelled
            case .over: return .unknown
            }
            entry.phase = .cancelled
            entry.lastAnswer = []
            entry.usedNanoseconds = now
            entries[id] = entry
            return outcome
        }
    }

    /// Takes out what has waited too long.
    func expired(now: Int64) -> [QueryCursor] {
        var gone: [QueryCursor] = []
        self.entries.withLock { Self.purge(&$0, now, &gone) }
        guard !gone.isEmpty else { return [] }
        self.metrics.cursorsExpired.increment(by: gone.count)
        self.count()
        return gone
    }

    /// Takes everything out, and stops what runs.
    func removeAll() -> [QueryCursor] {
        let gone = self.entries.withLock { entries in
            var gone: [QueryCursor] = []
            for entry in entries.values {
                if case .waiting(let cursor) = entry.phase { gone.append(cursor) }
                if case .running(let control) = entry.phase { control.cancel() }
            }
            entries = [:]
            return gone
        }
        self.count()
        return gone
    }

    private func count() {
        self.metrics.cursors.set(self.entries.withLock { entries in entries.values.count { $0.isOpen } })
    }

    private static func purge(_ entries: inout [String: Entry], _ now: Int64, _ gone: inout [QueryCursor]) {
        for (id, entry) in entries where now - entry.usedNanoseconds >= Self.idleNanoseconds {
            if case .running = entry.phase { continue }
            if case .waiting(let cursor) = entry.phase { gone.append(cursor) }
            entries[id] = nil
        }
    }

    /// Makes room: the cursor that has waited longest goes, if it has waited long enough.
    private static func evict(
        _ entries: inout [String: Entry],
        _ now: Int64,
        _ gone: inout [QueryCursor],
        where isCandidate: (Entry) -> Bool
    ) -> Bool {
        var oldest: (id: String, cursor: QueryCursor, used: Int64)?
        for (id, entry) in entries where isCandidate(entry) {
            guard case .waiting(let cursor) = entry.phase else { continue }
            if entry.usedNanoseconds < oldest?.used ?? .max { oldest = (id, cursor, entry.usedNanoseconds) }
        }
        guard let oldest, now - oldest.used >= Self.evictableNanoseconds else { return false }
        entries[oldest.id] = nil
        gone.append(oldest.cursor)
        return true
    }

    /// Keeps the number of entries that only remember something within bounds.
    private static func dropOldest(_ entries: inout [String: Entry]) {
        guard entries.count >= Self.maximumEntries else { return }
        let closed = entries.filter { !$0.value.isOpen }
        if let oldest = closed.min(by: { $0.value.usedNanoseconds < $1.value.usedNanoseconds }) {
            entries[oldest.key] = nil
        }
    }
}
