import Common
import NIOCore

/// What reads a body's bytes from the peer: an HTTP/1 connection or an HTTP/2 stream.
protocol BodySource: AnyObject {
    /// `collect` waits for bytes that have not arrived: let the peer send them.
    ///
    /// - Parameter limitBytes: the most that will be taken.
    func bodyWanted(limitBytes: Int)
}

/// The event loop's end of one request body.
final class BodyInbox {
    private var machine: BodyMachine
    private var waiter: CheckedContinuation<Result<[UInt8], IncomingBodyError>, Never>?
    /// Bytes that were received before anybody asked, and still take up room.
    private(set) var heldBytes = 0
    /// Not kept alive: it keeps the inbox.
    weak var source: (any BodySource)?

    init(declaredLength: Int?) {
        self.machine = BodyMachine(declaredLength: declaredLength)
    }

    /// Whether `collect` waits for more bytes.
    var isWaiting: Bool { self.waiter != nil }

    func collect(limitBytes: Int, _ waiter: CheckedContinuation<Result<[UInt8], IncomingBodyError>, Never>) {
        let action = self.machine.collect(limitBytes: limitBytes)
        self.heldBytes = 0
        switch action {
        case .deliver(let bytes): waiter.resume(returning: .success(bytes))
        case .fail(let error): waiter.resume(returning: .failure(error))
        case .wait:
            self.waiter = waiter
            self.source?.bodyWanted(limitBytes: limitBytes)
        }
    }

    func receive(_ buffer: ByteBuffer) {
        switch self.machine.receive(buffer) {
        case .hold: self.heldBytes += buffer.readableBytes
        case .wantMore, .discard: ()
        case .fail(let error): self.resume(.failure(error))
        }
    }

    func end() {
        self.run(self.machine.end())
    }

    func fail(_ error: IncomingBodyError) {
        self.heldBytes = 0
        self.run(self.machine.fail(error))
    }

    func abandon() {
        self.heldBytes = 0
        self.run(self.machine.abandon())
    }

    private func run(_ action: BodyMachine.OnEnd) {
        switch action {
        case .nothing: ()
        case .deliver(let bytes): self.resume(.success(bytes))
        case .fail(let error): self.resume(.failure(error))
        }
    }

    private func resume(_ result: Result<[UInt8], IncomingBodyError>) {
        let waiter = self.waiter
        self.waiter = nil
        waiter?.resume(returning: result)
    }
}

@available(*, unavailable)
extension BodyInbox: Sendable {}

/// The responder's end of one request body; may be used from any task.
struct StreamedBody: IncomingBody {
    let declaredLength: Int?
    private let eventLoop: any EventLoop
    private let inbox: NIOLoopBound<BodyInbox>

    init(declaredLength: Int?, inbox: BodyInbox, eventLoop: any EventLoop) {
        self.declaredLength = declaredLength
        self.eventLoop = eventLoop
        self.inbox = NIOLoopBound(inbox, eventLoop: eventLoop)
    }

    func collect(limitBytes: Int) async throws(IncomingBodyError) -> [UInt8] {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                self.onLoop { $0.collect(limitBytes: limitBytes, waiter) }
            }
        } onCancel: {
            // A cancel that comes first leaves its note in the inbox, and `collect` finds it.
            self.onLoop { $0.fail(.disconnected) }
        }
        return try result.get()
    }

    private func onLoop(_ work: @escaping @Sendable (BodyInbox) -> Void) {
        if self.eventLoop.inEventLoop { return work(self.inbox.value) }
        self.eventLoop.execute { work(self.inbox.value) }
    }
}
