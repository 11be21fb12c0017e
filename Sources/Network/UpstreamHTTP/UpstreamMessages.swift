package import Common

/// One request to an upstream.
package struct UpstreamRequest: Sendable {
    package var method: String
    /// Absolute, `http` or `https`; its path and query are sent as they stand.
    package var url: String
    /// Sent as they are; only `Content-Length`, and `Host` where it is not among them, are added.
    package var headers: [(name: String, value: String)]
    /// Kept, and not copied, until the transfer has ended.
    package var body: FrozenBytes?

    package init(method: String, url: String, headers: [(name: String, value: String)], body: FrozenBytes?) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }

    /// Scheme, host and port as they stand in the URL; `nil` unless it is `http` or `https` with a host.
    var origin: String? {
        let url = self.url.utf8
        let prefixes = ["http://", "https://"]
        guard let prefix = prefixes.first(where: { self.url.prefix($0.count).lowercased() == $0 }) else { return nil }
        let start = url.index(url.startIndex, offsetBy: prefix.utf8.count)
        let end = url[start...].firstIndex { [0x2F, 0x3F, 0x23].contains($0) } ?? url.endIndex
        return start == end ? nil : self.url[..<end].lowercased()
    }

    /// Whether nothing in the head could end a line early.
    var hasCleanHead: Bool {
        func isClean(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 } }
        func isToken(_ text: String) -> Bool {
            !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
        }
        return isToken(self.method) && isClean(self.url)
            && self.headers.allSatisfy { isToken($0.name) && isClean($0.value) }
    }
}

/// An upstream's answer, complete.
package struct UpstreamResponse: Sendable {
    package var status: Int
    /// In the order received, names in lower case, values without blanks around them; no trailers.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of a header, by its lower-case name.
    package func header(_ name: String) -> String? {
        self.headers.first { $0.name == name }?.value
    }
}
