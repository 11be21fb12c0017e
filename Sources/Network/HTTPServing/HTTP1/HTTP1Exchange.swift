import Common
import HTTPTypes

/// One request of an HTTP/1 connection, and its answer.
final class HTTP1Exchange {
    private weak var connection: HTTP1ConnectionHandler?
    let inbox: BodyInbox
    let isHead: Bool
    /// HTTP/1.0.
    let isOld: Bool
    var expectsContinue: Bool
    var task: Task<Void, Never>?
    /// There while the answer's producer runs.
    var outbox: BodyOutbox?

    init(_ head: HTTP1RequestHead, declaredLength: Int?, connection: HTTP1ConnectionHandler) {
        self.connection = connection
        self.inbox = BodyInbox(declaredLength: declaredLength)
        self.isHead = head.request.method == .head
        self.isOld = head.isOld
        self.expectsContinue = head.expectsContinue
        self.inbox.source = self
    }

    /// The peer is gone, or gets another answer.
    func giveUp() {
        self.inbox.fail(.disconnected)
        self.outbox?.fail(.disconnected)
        self.task?.cancel()
    }
}

extension HTTP1Exchange: BodySource {
    func bodyWanted(limitBytes: Int) {
        self.connection?.bodyWanted(self)
    }
}

extension HTTP1Exchange: AnswerTarget {
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
extension HTTP1Exchange: Sendable {}
