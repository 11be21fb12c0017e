import Common
import NIOCore
import NIOHTTP2

/// One request of an HTTP/2 connection.
final class HTTP2Stream {
    let id: HTTP2StreamID
    let timer: DeadlineTimer
    private weak var connection: HTTP2ConnectionHandler?
    private(set) var inbox: BodyInbox
    let declaredLength: Int?
    let isHead: Bool
    var expectsContinue: Bool
    var task: Task<Void, Never>?
    var isRequestComplete: Bool
    private var receivedBytes = 0
    /// What the peer may still send, as the HTTP/2 handler counts it.
    var inboundWindow = HTTP2Limits.streamWindow
    /// The most that `collect` takes; absent until it was called.
    private var limitBytes: Int?
    /// The answer, from its head on.
    var answer: AnswerBody?
    var isAnswered = false
    /// Answer bytes that have not reached the socket.
    var bytesUnderWay = 0
    /// There while the answer's producer runs.
    var outbox: BodyOutbox?

    init(
        id: HTTP2StreamID,
        connection: HTTP2ConnectionHandler,
        eventLoop: any EventLoop,
        declaredLength: Int?,
        isHead: Bool,
        expectsContinue: Bool,
        isRequestComplete: Bool
    ) {
        self.id = id
        self.connection = connection
        self.timer = DeadlineTimer(eventLoop)
        self.declaredLength = declaredLength
        self.isHead = isHead
        self.expectsContinue = expectsContinue
        self.isRequestComplete = isRequestComplete
        self.inbox = BodyInbox(declaredLength: declaredLength)
        self.inbox.source = self
    }

    func receive(_ buffer: ByteBuffer) {
        self.receivedBytes += buffer.readableBytes
        self.inbox.receive(buffer)
    }

    func requestEnded() {
        self.isRequestComplete = true
        self.timer.clear()
        self.inbox.end()
    }

    /// By how much to open the stream's window now; 0: not yet.
    func windowIncrement() -> Int {
        guard let limit = self.limitBytes, !self.isRequestComplete else { return 0 }
        let expected = max(0, (self.declaredLength ?? limit) - self.receivedBytes)
        let target = min(expected, HTTP2Limits.wantedStreamWindow)
        // In steps of half a window, so that not every frame is answered by an update.
        guard self.inboundWindow <= target / 2 || (self.inboundWindow < target && target == expected) else { return 0 }
        return target - self.inboundWindow
    }

    func cancel() {
        self.timer.stop()
        self.answer = nil
        self.inbox.fail(.disconnected)
        self.outbox?.fail(.disconnected)
        self.task?.cancel()
    }
}

extension HTTP2Stream: BodySource {
    func bodyWanted(limitBytes: Int) {
        self.limitBytes = limitBytes
        self.connection?.bodyWanted(self)
    }
}

extension HTTP2Stream: AnswerTarget {
    func answered(_ response: OutgoingResponse) -> StreamedAnswer? {
        self.connection?.answered(response, self)
    }

    func carry(_ piece: [UInt8]) {
        self.connection?.carry(piece, self)
    }

    func produced(_ failure: (any Error)?) {
        self.connection?.produced(failure, self)
    }
}

@available(*, unavailable)
extension HTTP2Stream: Sendable {}
