import Common
import NIOCore

/// Where a request's task takes its answer: an HTTP/1 exchange or an HTTP/2 stream, on the connection's event loop.
protocol AnswerTarget: AnyObject {
    /// The responder has answered.
    ///
    /// - Returns: where the answer's producer writes; absent if it has none, or nobody takes what it would write.
    func answered(_ response: OutgoingResponse) -> StreamedAnswer?
    /// Hands a piece on to the peer; `BodyOutbox.madeRoom` asks for the next one.
    func carry(_ piece: [UInt8])
    /// The producer has returned, or thrown.
    func produced(_ failure: (any Error)?)
}

/// The event loop's end of one streamed answer.
final class BodyOutbox {
    private var waiter: CheckedContinuation<Result<Void, OutgoingBodyError>, Never>?
    private var failure: OutgoingBodyError?
    /// Not kept alive: it keeps the outbox.
    private weak var target: (any AnswerTarget)?

    init(_ target: any AnswerTarget) {
        self.target = target
    }

    /// Whether `write` waits for the peer to take what was written.
    var isWaiting: Bool { self.waiter != nil }
    /// Whether every piece was handed on, so that an answer which ends now is whole.
    var isWhole: Bool { self.waiter == nil && self.failure == nil }

    func write(_ piece: [UInt8], _ waiter: CheckedContinuation<Result<Void, OutgoingBodyError>, Never>) {
        guard self.waiter == nil else { preconditionFailure("a streamed answer is written one piece at a time") }
        if let failure = self.failure { return waiter.resume(returning: .failure(failure)) }
        // An empty chunk would be the last one.
        guard !piece.isEmpty else { return waiter.resume(returning: .success(())) }
        self.waiter = waiter
        guard let target = self.target else { return self.fail(.disconnected) }
        target.carry(piece)
    }

    /// The last piece was handed on, and there is room for another.
    func madeRoom() {
        self.resume(.success(()))
    }

    /// Nothing more can be written; the first reason counts.
    func fail(_ error: OutgoingBodyError) {
        let failure = self.failure ?? error
        self.failure = failure
        self.resume(.failure(failure))
    }

    private func resume(_ result: Result<Void, OutgoingBodyError>) {
        let waiter = self.waiter
        self.waiter = nil
        waiter?.resume(returning: result)
    }
}

@available(*, unavailable)
extension BodyOutbox: Sendable {}

/// The producer's end of one streamed answer; may be used from any task, one call at a time.
///
/// At most about 128 KiB beyond the piece at hand wait for the peer. `.timedOut` is thrown when it makes no room for
/// `HTTPTimeouts.body`; `.disconnected` also when the calling task is cancelled, which breaks the answer off for good.
struct StreamedAnswer: OutgoingBodySink {
    private let eventLoop: any EventLoop
    private let outbox: NIOLoopBound<BodyOutbox>

    init(_ outbox: BodyOutbox, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.outbox = NIOLoopBound(outbox, eventLoop: eventLoop)
    }

    func write(_ bytes: [UInt8]) async throws(OutgoingBodyError) {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                self.onLoop { $0.write(bytes, waiter) }
            }
        } onCancel: {
            // A cancel that comes first leaves its note in the outbox, and `write` finds it.
            self.onLoop { $0.fail(.disconnected) }
        }
        try result.get()
    }

    private func onLoop(_ work: @escaping @Sendable (BodyOutbox) -> Void) {
        if self.eventLoop.inEventLoop { return work(self.outbox.value) }
        self.eventLoop.execute { work(self.outbox.value) }
    }
}
