import Common

/// Keeps the pieces of a body, and may do something before it takes each.
final class FakeSink: OutgoingBodySink {
    private let pieces = Locked<[[UInt8]]>([])
    private let beforeEach: @Sendable () async throws(OutgoingBodyError) -> Void

    init(beforeEach: @escaping @Sendable () async throws(OutgoingBodyError) -> Void = {}) {
        self.beforeEach = beforeEach
    }

    var bytes: [UInt8] { self.pieces.withLock { Array($0.joined()) } }

    func write(_ bytes: [UInt8]) async throws(OutgoingBodyError) {
        try await self.beforeEach()
        self.pieces.withLock { $0.append(bytes) }
    }
}
