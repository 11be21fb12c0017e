import Common
import HTTPTypes

/// What goes out for one `OutgoingResponse`: its fields completed, and its body as far as one is sent.
struct AnswerHead {
    var status: HTTPResponse.Status
    var fields: HTTPFields
    /// Empty for HEAD and for statuses that have no body; open if a producer writes it.
    var body: AnswerBody
    /// The responder asked for the connection to be closed.
    var closesConnection: Bool

    /// - Parameter isHead: the request was HEAD: lengths are told, bytes are not.
    /// - Source: RFC 9110, section 8.6 (Content-Length), section 7.6.1 (Connection), section 6.6.1 (Date).
    init(_ response: OutgoingResponse, isHead: Bool, date: String) {
        self.status = response.status
        self.fields = response.headerFields
        self.closesConnection =
            self.fields[.connection]?.split(separator: ",").contains {
                $0.trimmingSpaces().lowercased() == "close"
            } ?? false
        // What concerns the connection is the listener's to say.
        self.fields[.connection] = nil
        self.fields[.transferEncoding] = nil
        self.fields[.contentLength] = nil
        if self.fields[.date] == nil { self.fields[.date] = date }
        let code = response.status.code
        let mayHaveBody = code != 204 && code != 304 && code >= 200
        if response.producer != nil {
            self.body = mayHaveBody && !isHead ? .open : AnswerBody([])
        } else {
            if mayHaveBody { self.fields[.contentLength] = String(response.body.count) }
            self.body = AnswerBody(mayHaveBody && !isHead ? response.body : [])
        }
    }
}

/// The bytes of a body that have not been handed to the channel, in slices, so that a large answer exists only once.
struct AnswerBody {
    private var bytes: [UInt8]
    private var offset = 0
    /// Whether pieces may be added.
    private(set) var isOpen = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A body that is made piece by piece.
    static var open: AnswerBody {
        var body = AnswerBody([])
        body.isOpen = true
        return body
    }

    /// Whether there is nothing to hand on now.
    var isEmpty: Bool { self.offset == self.bytes.count }
    /// Whether there never will be.
    var isFinished: Bool { self.isEmpty && !self.isOpen }

    mutating func next() -> ArraySlice<UInt8>? {
        guard !self.isEmpty else { return nil }
        let end = min(self.offset + HTTPLimits.answerSlice, self.bytes.count)
        let slice = self.bytes[self.offset..<end]
        self.offset = end
        return slice
    }

    /// Adds a piece, once the last one was handed on.
    mutating func add(_ piece: [UInt8]) {
        precondition(self.isOpen && self.isEmpty, "one piece at a time")
        self.bytes = piece
        self.offset = 0
    }

    mutating func end() {
        self.isOpen = false
    }
}

extension Substring {
    /// Without the spaces and tabs that HTTP allows around a list's members.
    func trimmingSpaces() -> Substring {
        var rest = self
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
