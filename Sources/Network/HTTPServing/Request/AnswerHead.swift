import Common
import HTTPTypes

/// What goes out for one `OutgoingResponse`: its fields completed, and its body as far as one is sent.
struct AnswerHead {
    var status: HTTPResponse.Status
    var fields: HTTPFields
    /// Empty for HEAD and for statuses that have no body.
    var body: [UInt8]
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
        if self.fields[.date] == nil { self.fields[.date] = date }
        let code = response.status.code
        if code == 204 || code == 304 || code < 200 {
            self.fields[.contentLength] = nil
            self.body = []
        } else {
            self.fields[.contentLength] = String(response.body.count)
            self.body = isHead ? [] : response.body
        }
    }
}

/// The bytes of a body that have not been handed to the channel, in slices, so that a large answer exists only once.
struct AnswerBody {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isEmpty: Bool { self.offset == self.bytes.count }

    mutating func next() -> ArraySlice<UInt8> {
        let end = min(self.offset + HTTPLimits.answerSlice, self.bytes.count)
        defer { self.offset = end }
        return self.bytes[self.offset..<end]
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
