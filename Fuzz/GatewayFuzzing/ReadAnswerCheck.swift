import Common
import Foundation
import TimestreamModel

@testable import Translator

/// Answers read requests from a table of the local engine, and holds the answers to the series that were written to it.
///
/// The SQL may find more than the matchers want, but never less; and what is found too much must be gone in the answer.
enum ReadAnswerCheck {
    static func check(_ request: ReadRequest, _ message: [UInt8]) {
        guard request.responseType(supported: [.samples]) != nil else { return }
        // Twice: the second time the reader knows the table's columns.
        let reader = TableReader(table: EngineTable.name)
        for _ in 0..<2 {
            let answer = self.waitFor { () throws(ReadError) in
                try await reader.read(
                    SnappyBlock.encode(message),
                    from: self.table,
                    limits: ReadLimits(maxSamples: 10_000, maxSeries: 10_000),
                    deadline: .now + .seconds(8),
                    reserve: { _ in }
                )
            }
            let results: [[ReferenceReadResponse.Series]]
            do {
                // Streams have tests of their own; here only what they are made of is looked at.
                guard case .samples(let block, _) = try answer.get() else { return }
                let body = try SnappyBlock.decode(block, limitBytes: 1 << 20)
                results = try ReferenceReadResponse(body).results
            } catch {
                fatalError("not answered: \(error)")
            }
            require(results.count == request.queries.count, "\(results.count) results")
            for (query, found) in zip(request.queries, results) {
                require(found == self.expected(query), "other series: \(found)")
            }
        }
    }

    private static func expected(_ query: ReadRequest.Query) -> [ReferenceReadResponse.Series] {
        guard let range = query.range else { return [] }
        return self.series.compactMap { series in
            let isWanted = query.matchers.allSatisfy { matcher in
                matcher.matches(series.labels.first { $0.name == matcher.name }?.value ?? [])
            }
            var series = series
            series.samples.removeAll { !range.contains($0.timestamp) }
            return isWanted && !series.samples.isEmpty ? series : nil
        }
    }

    private final class Box: @unchecked Sendable {
        // Safe because: written before the semaphore is signalled, read afterwards.
        var result: Result<ReadAnswer, ReadError>?
    }

    private static func waitFor(
        _ work: @escaping @Sendable () async throws(ReadError) -> ReadAnswer
    ) -> Result<ReadAnswer, ReadError> {
        let box = Box()
        let isDone = DispatchSemaphore(value: 0)
        Task.detached {
            do throws(ReadError) {
                box.result = .success(try await work())
            } catch {
                box.result = .failure(error)
            }
            isDone.signal()
        }
        isDone.wait()
        guard let result = box.result else { fatalError("no result") }
        return result
    }

    // MARK: The table

    private static let series: [ReferenceReadResponse.Series] = {
        let labels: [[(String, String)]] = [
            [("__name__", "up"), ("job", "node"), ("instance", "a")],
            [("__name__", "up"), ("job", "node"), ("instance", "b%_'\"")],
            [("__name__", "up"), ("job", "api")],
            [("__name__", "up")],
            [("__name__", "job:up:sum"), ("job", "é")],
            [("__name__", "promx_up"), ("time", "x"), ("_", "y")],
            [("__name__", "time"), ("é", "e\u{301}"), ("job", "\n")],
            [("__name__", "with blank"), ("promx_metric", "up"), ("Job", "node")],
        ]
        return labels.enumerated().map { index, labels in
            ReferenceReadResponse.Series(
                labels: labels.map { .init(name: Array($0.utf8), value: Array($1.utf8)) }.sorted(),
                samples: [
                    .init(timestamp: Int64(index), bits: (-0.5).bitPattern),
                    .init(timestamp: 10, bits: index % 2 == 0 ? 0x7FF0_0000_0000_0002 : 0),
                ]
            )
        }
        .sorted(by: ReferenceReadResponse.comesBefore)
    }()

    private static let table: EngineTable = {
        var request: [UInt8] = []
        for series in ReadAnswerCheck.series {
            var message: [UInt8] = []
            for label in series.labels {
                var part: [UInt8] = []
                ProtobufMessage.append(1, label.name, to: &part)
                ProtobufMessage.append(2, label.value, to: &part)
                ProtobufMessage.append(1, part, to: &message)
            }
            for sample in series.samples {
                var part: [UInt8] = []
                ProtobufMessage.append(1, fixed64: sample.bits, to: &part)
                ProtobufMessage.append(2, varint: UInt64(sample.timestamp), to: &part)
                ProtobufMessage.append(2, part, to: &message)
            }
            ProtobufMessage.append(1, message, to: &request)
        }
        let options = WriteOptions(
            table: EngineTable.name,
            dropsSpecialValues: false,
            dropsLongNames: false,
            maxLabelsPerSeries: 64
        )
        guard let plan = try? WritePlan.plan(request, options: options) else {
            fatalError("the table cannot be written")
        }
        return EngineTable((0..<plan.batchCount).map { plan.body(ofBatch: $0).array })
    }()
}
