import Common
import HTTPTypes
import NIOHPACK

/// A request from an HTTP/2 header block, which the HTTP/2 handler has found well-formed.
struct HTTP2RequestHead {
    var request: HTTPRequest
    var declaredLength: Int?
    var expectsContinue: Bool

    /// - Source: RFC 9113, section 8.3.1.
    init(_ headers: HPACKHeaders, isComplete: Bool) throws(HTTP1Refusal) {
        guard headers.count <= HTTPLimits.headerFields else { throw .headersTooLarge }
        var method: HTTPRequest.Method?
        var scheme: String?
        var authority: String?
        var path: String?
        var hosts: [String] = []
        var fields = HTTPFields()
        fields.reserveCapacity(headers.count)
        for (name, value, _) in headers {
            switch name {
            case ":method": method = HTTPRequest.Method(value)
            case ":scheme": scheme = value
            case ":authority": authority = value
            case ":path": path = value
            case "host": hosts.append(value)
            default:
                guard let name = HTTPField.Name(name) else { throw .malformed("bad header field name") }
                guard HTTPField.isValidValue(value) else { throw .malformed("bad header field value") }
                fields.append(HTTPField(name: name, value: value))
            }
        }
        guard let method, method != .connect else { throw .refused(.methodNotAllowed, "this is no proxy") }
        guard let path, path.hasPrefix("/") || (path == "*" && method == .options),
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") })
        else { throw .malformed("bad request target") }
        // Nobody may find a request line of its own in it.
        guard scheme == "https" || scheme == "http" else { throw .malformed("the scheme is neither https nor http") }
        guard hosts.count <= 1, authority == nil || hosts.isEmpty || hosts[0] == authority else {
            throw .malformed("the Host field differs from the authority")
        }
        guard let authority = authority ?? hosts.first, HTTP1RequestHead.isAuthority(authority[...]) else {
            throw .malformed("the authority is missing or bad")
        }

        self.declaredLength = isComplete ? 0 : nil
        let lengths = fields[values: .contentLength]
        if let text = lengths.first, !isComplete {
            guard lengths.count == 1, !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let length = Int(text)
            else { throw .malformed("bad Content-Length") }
            self.declaredLength = length
        }
        self.expectsContinue = !isComplete && fields[.expect]?.lowercased() == "100-continue"
        self.request = HTTPRequest(
            method: method,
            scheme: scheme,
            authority: authority,
            path: path,
            headerFields: fields
        )
    }
}
