import Common
import Foundation
import HTTPTypes

@testable import HTTPServing

/// Answers whose body a producer writes, and what became of the producers.
final class StreamFixture: Sendable {
    struct Failure: Error {}

    /// Bytes whose `write` has returned.
    let written = Locked(0)
    /// How producers ended: `whole`, `disconnected`, `timed out`, `cancelled`.
    let ends = Notes<String>()

    /// An answer of a number of pieces of one size.
    func answer(pieces: Int, of size: Int) -> OutgoingResponse {
        OutgoingResponse(status: .ok) { sink in
            for index in 0..<pieces {
                try await self.write(Self.piece(index, size), to: sink)
            }
            self.ends.add("whole")
        }
    }

    /// Writes a piece, and notes how that ended.
    func write(_ piece: [UInt8], to sink: any OutgoingBodySink) async throws {
        do throws(OutgoingBodyError) {
            try await sink.write(piece)
            self.written.withLock { $0 += piece.count }
        } catch {
            self.ends.add(error == .timedOut ? "timed out" : Task.isCancelled ? "cancelled" : "disconnected")
            throw error
        }
    }

    static func piece(_ index: Int, _ size: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: index &* 7), count: size)
    }

    static func body(pieces: Int, of size: Int) -> [UInt8] {
        (0..<pieces).flatMap { self.piece($0, size) }
    }

    /// Waits until the producer has written something and then nothing more for a while.
    func standstill() async -> Int {
        await withCheckedContinuation { waiter in
            Thread.detachNewThread { waiter.resume(returning: self.standstillBlocking()) }
        }
    }

    func standstillBlocking() -> Int {
        var last = -1
        var unchanged = 0
        for _ in 0..<500 where unchanged < 10 {
            Thread.sleep(forTimeInterval: 0.02)
            let now = self.written.withLock { $0 }
            unchanged = now == last && now > 0 ? unchanged + 1 : 0
            last = now
        }
        return last
    }
}
