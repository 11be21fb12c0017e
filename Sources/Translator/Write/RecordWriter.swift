import Common
package import TimestreamModel

/// Sends a plan's calls to the store, several at a time, and says what became of every sample.
package struct RecordWriter: Sendable {
    /// Calls of one request under way at once.
    package static let concurrentCalls = 16
    /// Calls spent on finding the records of one batch that the service calls invalid.
    private static let extraCalls = 16

    private let store: any TimestreamStore
    private let dimensions: TableDimensions?

    /// - Parameter dimensions: what is known of the table's columns; nil to let the store refuse what it has no room for.
    package init(store: any TimestreamStore, dimensions: TableDimensions? = nil) {
        self.store = store
        self.dimensions = dimensions
    }

    /// What became of a request's records.
    package struct Outcome: Sendable {
        /// Floats that the store has acknowledged.
        package var stored = 0
        /// Native histograms of which it has acknowledged every part.
        package var storedHistograms = 0
        /// Samples that no retry can store.
        package var refusals = RefusalSummary()
        /// Why some samples are not stored although a retry may store them; nil if there are none such.
        package var failure: TimestreamError?
        /// Samples that `failure` concerns.
        package var failed = 0
        /// Records that the table has no room for, since it has too many dimensions.
        fileprivate var withoutRoom: [Int] = []

        package init() {}

        fileprivate mutating func noteStored(_ records: Range<Int>, of plan: WritePlan) {
            let samples = plan.samples(in: records)
            if plan.histogram(ofRecord: records.lowerBound) != nil {
                self.storedHistograms += samples
            } else {
                self.stored += samples
            }
        }
    }

    /// Sends every batch; returns when all calls have ended.
    ///
    /// After a failure that a retry may mend no new call is started: the sender will repeat the whole request, and what
    /// is stored already is accepted again.
    package func write(_ plan: WritePlan, deadline: ContinuousClock.Instant) async -> Outcome {
        var outcome = await self.writeOnce(plan, deadline: deadline)
        var plan = plan
        // Other writers may have used the table's room up. Once for their columns, once for the overflow column's own.
        for _ in 0..<2 {
            plan.lease?.end(isStored: outcome.stored + outcome.storedHistograms > 0)
            guard !outcome.withoutRoom.isEmpty, outcome.failure == nil, let dimensions = self.dimensions else { break }
            let records = outcome.withoutRoom.sorted()
            guard await dimensions.reload(self.store, deadline: deadline) else {
                let message = "the table has no room for a dimension, and does not tell which it has"
                outcome.failure = TimestreamError(.serviceQuotaExceeded, message: message)
                outcome.failed += plan.samples(of: records)
                outcome.withoutRoom = []
                break
            }
            guard let next = plan.overflowing(records, dimensions) else { break }
            outcome.withoutRoom = []
            Self.merge(await self.writeOnce(next, deadline: deadline), into: &outcome)
            plan = next
        }
        plan.lease?.end(isStored: outcome.failure == nil)
        if outcome.failure != nil {
            outcome.failed += plan.samples(of: outcome.withoutRoom)
        } else if !outcome.withoutRoom.isEmpty {
            let first = outcome.withoutRoom.reduce(outcome.withoutRoom[0], min)
            outcome.refusals.add(
                .tooManyDimensions,
                samples: plan.samples(of: outcome.withoutRoom),
                detail: "\(plan.origin(ofRecord: first)): the table has all the dimensions that it can have"
            )
        }
        return outcome
    }

    private func writeOnce(_ plan: WritePlan, deadline: ContinuousClock.Instant) async -> Outcome {
        var outcome = Outcome()
        outcome.refusals = plan.refusals
        if plan.batchCount == 1 {
            Self.merge(await self.writeBatch(0, of: plan, deadline: deadline), into: &outcome)
            return outcome
        }
        await withTaskGroup(of: Outcome.self) { group in
            var next = 0
            while next < min(plan.batchCount, Self.concurrentCalls) {
                let batch = next
                group.addTask { await self.writeBatch(batch, of: plan, deadline: deadline) }
                next += 1
            }
            while let part = await group.next() {
                Self.merge(part, into: &outcome)
                if outcome.failure == nil, next < plan.batchCount {
                    let batch = next
                    group.addTask { await self.writeBatch(batch, of: plan, deadline: deadline) }
                    next += 1
                }
            }
            for batch in next..<max(plan.batchCount, next) {
                outcome.failed += plan.samples(in: plan.records(ofBatch: batch))
            }
        }
        return outcome
    }

    private static func merge(_ part: Outcome, into outcome: inout Outcome) {
        outcome.stored += part.stored
        outcome.storedHistograms += part.storedHistograms
        outcome.failed += part.failed
        outcome.refusals.add(part.refusals)
        outcome.withoutRoom += part.withoutRoom
        // An operator's fault tells more than a time-out that came with it.
        if let failure = part.failure, outcome.failure == nil || failure.isOperatorFault { outcome.failure = failure }
    }

    private func writeBatch(_ batch: Int, of plan: WritePlan, deadline: ContinuousClock.Instant) async -> Outcome {
        var outcome = Outcome()
        // Ranges still to send; the whole batch first.
        var pending = [plan.records(ofBatch: batch)]
        var extraCalls = -1
        while let range = pending.popLast() {
            guard extraCalls < Self.extraCalls else {
                outcome.refusals.add(
                    .invalidForStore,
                    samples: plan.samples(in: range),
                    detail:
                        "\(plan.origin(ofRecord: range.lowerBound)) and \(range.count - 1) more: invalid for Timestream"
                )
                continue
            }
            extraCalls += 1
            do throws(TimestreamError) {
                try await self.store.writeRecords(body: plan.body(of: range, ofBatch: batch), deadline: deadline)
                outcome.noteStored(range, of: plan)
            } catch {
                switch error.code {
                case .rejectedRecords:
                    self.note(error.rejected, range, plan, &outcome)
                case .validation where Self.namesTable(error.message):
                    outcome.failure = TimestreamError(.resourceNotFound, message: error.message, status: error.status)
                    outcome.failed += ([range] + pending).reduce(0) { $0 + plan.samples(in: $1) }
                    return outcome
                case .validation where self.dimensions != nil && Self.isAboutDimensions(error.message):
                    outcome.withoutRoom += range
                case .validation where range.count == 1:
                    outcome.refusals.add(
                        .invalidForStore,
                        samples: plan.samples(in: range),
                        detail: "\(plan.origin(ofRecord: range.lowerBound)): invalid for Timestream"
                    )
                case .validation:
                    pending += Self.narrowed(range, error.message)
                default:
                    outcome.failure = error
                    outcome.failed += ([range] + pending).reduce(0) { $0 + plan.samples(in: $1) }
                    return outcome
                }
            }
        }
        return outcome
    }

    /// The records listed are lost, the others are stored.
    private func note(
        _ rejected: [RejectedRecord],
        _ range: Range<Int>,
        _ plan: WritePlan,
        _ outcome: inout Outcome
    ) {
        var lost = Set<Int>()
        var lostHistograms = Set<Int>()
        var unnamed = 0
        for record in rejected {
            if let index = record.index, index >= 0, index < range.count {
                let number = range.lowerBound + index
                guard lost.insert(number).inserted else { continue }
                if self.dimensions != nil, Self.isAboutDimensions(record.reason) {
                    outcome.withoutRoom.append(number)
                    if let histogram = plan.histogram(ofRecord: number) { lostHistograms.insert(histogram) }
                    continue
                }
                // A histogram is lost with any of its parts, and once.
                if let histogram = plan.histogram(ofRecord: number) {
                    guard lostHistograms.insert(histogram).inserted else { continue }
                }
                outcome.refusals.add(
                    .rejectedByStore,
                    samples: 1,
                    detail: "\(plan.origin(ofRecord: number)): \(record.reason)"
                )
            } else {
                unnamed += 1
                outcome.refusals.add(.rejectedByStore, samples: 1, detail: record.reason)
            }
        }
        // An answer that lists nothing tells nothing about what is stored.
        if rejected.isEmpty {
            outcome.failure = TimestreamError(.malformedResponse, message: "RejectedRecordsException without a list")
            outcome.failed += plan.samples(in: range)
            return
        }
        for number in range where !lost.contains(number) {
            if let histogram = plan.histogram(ofRecord: number), lostHistograms.contains(histogram) { continue }
            outcome.noteStored(number..<number + 1, of: plan)
        }
        outcome.stored = max(0, outcome.stored - unnamed)
    }

    /// The parts to try after the service called a range invalid: the record that its text names apart from the
    /// others, else two halves. What is tried first comes last.
    private static func narrowed(_ range: Range<Int>, _ message: String) -> [Range<Int>] {
        if let member = self.namedRecord(in: message), member >= 1, member <= range.count {
            let bad = range.lowerBound + member - 1
            return [range.lowerBound..<bad, bad + 1..<range.upperBound, bad..<bad + 1].filter { !$0.isEmpty }
        }
        let middle = range.lowerBound + range.count / 2
        return [middle..<range.upperBound, range.lowerBound..<middle]
    }

    /// Whether the service says that a table cannot have another dimension; its words are not documented.
    static func isAboutDimensions(_ message: String) -> Bool {
        let text = message.lowercased()
        return text.contains("dimension")
            && ["128", "exceed", "limit", "maximum", "most", "too many"].contains { text.contains($0) }
    }

    /// Whether the service calls the configured database or table invalid: no record is at fault then, and none is lost.
    private static func namesTable(_ message: String) -> Bool {
        ["'databaseName'", "'tableName'"].contains { message.contains($0) }
    }

    /// The number in `records.7.member`, counted from one.
    static func namedRecord(in message: String) -> Int? {
        let bytes = Array(message.utf8)
        let marker = Array("records.".utf8)
        guard bytes.count > marker.count else { return nil }
        for start in 0..<bytes.count - marker.count where bytes[start..<start + marker.count].elementsEqual(marker) {
            let digits = bytes[(start + marker.count)...].prefix { (0x30...0x39).contains($0) }
            let rest = bytes[digits.endIndex...]
            if !digits.isEmpty, digits.count < 5, rest.starts(with: ".member".utf8) {
                return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            }
        }
        return nil
    }
}
