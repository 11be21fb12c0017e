import Common
import HTTPTypes
import NIOHTTP1

/// Why an HTTP/1 request gets no further than its head.
struct HTTP1Refusal: Error, Equatable {
    var status: HTTPResponse.Status
    /// One line for the peer.
    var message: String
    var fault: PeerFault?

    static func malformed(_ what: String) -> HTTP1Refusal {
        HTTP1Refusal(status: .badRequest, message: what, fault: .malformed)
    }
    static let headersTooLarge = HTTP1Refusal(
        status: .requestHeaderFieldsTooLarge,
        message: "the header may have \(HTTPLimits.headerBytes) bytes in \(HTTPLimits.headerFields) fields",
        fault: .headersTooLarge
    )
    static let headersTimedOut = HTTP1Refusal(
        status: .requestTimeout,
        message: "the request's head did not arrive in time",
        fault: .headersTimedOut
    )

    /// What the decoder's error means to the peer.
    init(decoding error: HTTPParserError) {
        switch error {
        case .headerOverflow: self = .headersTooLarge
        default: self = .malformed("the request is not well-formed HTTP/1.1")
        }
    }

    private init(status: HTTPResponse.Status, message: String, fault: PeerFault?) {
        self.status = status
        self.message = message
        self.fault = fault
    }

    static func refused(_ status: HTTPResponse.Status, _ message: String) -> HTTP1Refusal {
        HTTP1Refusal(status: status, message: message, fault: nil)
    }
}

/// A request head that has passed every check that keeps two parties from seeing different requests in the same bytes.
///
/// The decoder (llhttp, strict) already refuses bare line feeds, folded lines, spaces before colons, repeated
/// Content-Length, and Content-Length beside Transfer-Encoding; what stands here is what it lets through.
struct HTTP1RequestHead {
    enum Framing: Equatable {
        case none
        case length(Int)
        case chunked
    }

    var request: HTTPRequest
    var framing: Framing
    /// The peer waits for `100 Continue` before it sends the body.
    var expectsContinue: Bool
    var keepsAlive: Bool
    /// HTTP/1.0, which knows no chunks.
    var isOld: Bool

    /// - Source: RFC 9112, section 3.2 (Host, request target), section 6.1 and 6.3 (framing); RFC 9110, section 10.1.1.
    init(_ head: HTTPRequestHead, isEncrypted: Bool) throws(HTTP1Refusal) {
        let isOld = head.version.major == 1 && head.version.minor == 0
        self.isOld = isOld
        self.framing = try Self.framing(head.headers, isOld: isOld)
        self.keepsAlive = head.isKeepAlive && !isOld && !head.headers.contains(name: "upgrade")
        self.expectsContinue = false
        let expectations = head.headers["expect"]
        // An HTTP/1.0 client cannot mean it: RFC 9110, section 10.1.1.
        if !expectations.isEmpty && !isOld {
            guard expectations.count == 1, expectations[0].lowercased() == "100-continue" else {
                throw .refused(.expectationFailed, "the only expectation is 100-continue")
            }
            self.expectsContinue = self.framing != .none
        }

        guard let method = HTTPRequest.Method(head.method.rawValue) else { throw .malformed("bad method") }
        guard method != .connect else { throw .refused(.methodNotAllowed, "this is no proxy") }
        let (targetAuthority, path) = try Self.target(head.uri, method: method)
        let host = try Self.host(head.headers, isOld: isOld)

        var fields = HTTPFields()
        fields.reserveCapacity(head.headers.count)
        for (name, value) in head.headers {
            guard let name = HTTPField.Name(name) else { throw .malformed("bad header field name") }
            guard HTTPField.isValidValue(value) else { throw .malformed("bad header field value") }
            if name.canonicalName == "host" { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        self.request = HTTPRequest(
            method: method,
            scheme: isEncrypted ? "https" : "http",
            authority: targetAuthority ?? host,
            path: path,
            headerFields: fields
        )
    }

    private static func framing(_ headers: HTTPHeaders, isOld: Bool) throws(HTTP1Refusal) -> Framing {
        let codings = headers["transfer-encoding"]
        let lengths = headers["content-length"]
        if !codings.isEmpty {
            guard lengths.isEmpty else { throw .malformed("Content-Length beside Transfer-Encoding") }
            guard !isOld else { throw .malformed("Transfer-Encoding in HTTP/1.0") }
            guard codings.count == 1, codings[0].lowercased() == "chunked" else {
                throw .refused(.notImplemented, "the only transfer coding is chunked")
            }
            return .chunked
        }
        guard let text = lengths.first else { return .none }
        guard lengths.count == 1, !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(text)
        else { throw .malformed("bad Content-Length") }
        return length == 0 ? .none : .length(length)
    }

    /// The authority that an absolute target names, and the path with its query.
    private static func target(
        _ target: String,
        method: HTTPRequest.Method
    ) throws(HTTP1Refusal) -> (authority: String?, path: String) {
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw .malformed("bad request target")
        }
        if target.hasPrefix("/") { return (nil, target) }
        if target == "*", method == .options { return (nil, target) }
        let lowercased = target.prefix(8).lowercased()
        for scheme in ["http://", "https://"] where lowercased.hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.count)
            let authority = rest.prefix { $0 != "/" && $0 != "?" }
            guard Self.isAuthority(authority), !authority.isEmpty else { break }
            let path = rest.dropFirst(authority.count)
            return (String(authority), path.hasPrefix("/") ? String(path) : "/" + path)
        }
        throw .malformed("bad request target")
    }

    private static func host(_ headers: HTTPHeaders, isOld: Bool) throws(HTTP1Refusal) -> String? {
        let hosts = headers["host"]
        guard hosts.count == 1 || (isOld && hosts.isEmpty) else {
            throw .malformed(hosts.isEmpty ? "the Host field is missing" : "more than one Host field")
        }
        guard let host = hosts.first else { return nil }
        guard Self.isAuthority(host[...]) else { throw .malformed("bad Host field") }
        return host
    }

    /// Whether a text is made of what a host and a port may have; user names are not among it.
    static func isAuthority(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "["),
                UInt8(ascii: "]"), UInt8(ascii: "%"), UInt8(ascii: "~"):
                true
            default: false
            }
        }
    }
}
