package import HTTPTypes

/// What answers requests: the gateway's routes, the admin console, the local engine. The listener and the Lambda loop
/// call it alike.
package protocol HTTPResponder: Sendable {
    /// Answers one request.
    ///
    /// Called as soon as the request head is complete; nothing of the body has been read or buffered then, and nothing
    /// will be until `request.body.collect` is called. Runs on the connection's event loop: it must not block. The task
    /// is cancelled when the peer goes away.
    func respond(to request: IncomingRequest) async -> OutgoingResponse
}

/// One request: the head, the peer it came from, and a body that waits to be asked for.
package struct IncomingRequest: Sendable {
    package var head: HTTPRequest
    package var peer: Peer
    package var body: any IncomingBody

    package init(head: HTTPRequest, peer: Peer, body: any IncomingBody) {
        self.head = head
        self.peer = peer
        self.body = body
    }
}

/// A request body that is read only on demand.
package protocol IncomingBody: Sendable {
    /// The `Content-Length`, if the peer sent one.
    var declaredLength: Int? { get }

    /// Reads the whole body; at most once. Answers `Expect: 100-continue` first, if the peer asked for it.
    ///
    /// - Parameter limitBytes: a longer body, declared or actual, ends in `.tooLarge`.
    func collect(limitBytes: Int) async throws(IncomingBodyError) -> [UInt8]
}

package enum IncomingBodyError: Error, Sendable, Equatable {
    /// The body has, or declares, more bytes than allowed. `declared` is the `Content-Length`, if there was one.
    case tooLarge(limitBytes: Int, declared: Int?)
    /// The body did not arrive within the listener's body time-out.
    case timedOut
    /// The peer closed or reset before the body was complete.
    case disconnected
}

/// Where a streamed answer's body goes, piece by piece.
package protocol OutgoingBodySink: Sendable {
    /// Sends a piece; returns when the connection has room for the next one, so that nothing piles up here.
    ///
    /// - Throws: `OutgoingBodyError` when the peer is gone or takes nothing within the listener's time-out.
    func write(_ bytes: [UInt8]) async throws(OutgoingBodyError)
}

package enum OutgoingBodyError: Error, Sendable, Equatable {
    /// The peer closed or reset.
    case disconnected
    /// The peer read nothing for too long.
    case timedOut
}

/// One answer. The listener adds `Content-Length`, `Date` and what the connection needs.
package struct OutgoingResponse: Sendable {
    /// Writes a body whose length nobody knows yet. Runs in the request's task after `respond` has returned; when it
    /// throws, the answer is broken off so that the peer cannot take it for complete.
    package typealias Producer = @Sendable (any OutgoingBodySink) async throws -> Void

    package var status: HTTPResponse.Status
    package var headerFields: HTTPFields
    package var body: [UInt8]
    /// If set, the body comes from it, and `body` is empty.
    package var producer: Producer?

    package init(status: HTTPResponse.Status, headerFields: HTTPFields = [:], body: [UInt8] = []) {
        self.status = status
        self.headerFields = headerFields
        self.body = body
    }

    package init(status: HTTPResponse.Status, headerFields: HTTPFields = [:], producer: @escaping Producer) {
        self.status = status
        self.headerFields = headerFields
        self.body = []
        self.producer = producer
    }

    /// A one-line plain-text answer; a line feed is added.
    package static func text(
        _ status: HTTPResponse.Status,
        _ line: String,
        headerFields: HTTPFields = [:]
    ) -> OutgoingResponse {
        var fields = headerFields
        fields[.contentType] = "text/plain; charset=utf-8"
        fields[.xContentTypeOptions] = "nosniff"
        return OutgoingResponse(status: status, headerFields: fields, body: Array((line + "\n").utf8))
    }
}
