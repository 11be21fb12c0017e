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
        let prefixes: [StaticString] = ["http://", "https://"]
        guard let prefix = prefixes.first(where: { url.startsIgnoringCase($0) }) else { return nil }
        let start = url.index(url.startIndex, offsetBy: prefix.utf8CodeUnitCount)
        let end = url[start...].firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? url.endIndex
        return start == end ? nil : self.url[..<end].lowercased()
    }

    /// Whether nothing in the method and the URL could end a line early.
    var hasCleanTarget: Bool { self.method.isToken && self.url.hasNoControls }
}

/// An upstream's answer, complete.
package struct UpstreamResponse: Sendable {
    package var status: Int
    /// In the order received, names in lower case, values without blanks around them; no trailers.
    package var headers: [(name: String, value: String)] { Self.parse(self.head) }
    package var body: [UInt8]
    /// The header lines as they came: most answers' are never looked at.
    private let head: [UInt8]

    package init(status: Int, head: [UInt8], body: [UInt8]) {
        self.status = status
        self.head = head
        self.body = body
    }

    /// The first value of a header, by its lower-case name.
    package func header(_ name: String) -> String? {
        self.headers.first { $0.name == name }?.value
    }

    private static func parse(_ head: [UInt8]) -> [(name: String, value: String)] {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var headers: [(name: String, value: String)] = []
        for line in head.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            var value = line[(colon + 1)...].drop(while: isBlank)
            while let last = value.last, isBlank(last) { value.removeLast() }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            headers.append((name, String(decoding: value, as: UTF8.self)))
        }
        return headers
    }
}

extension String.UTF8View {
    /// Whether the text starts with lower-case ASCII letters, in either case.
    func startsIgnoringCase(_ prefix: StaticString) -> Bool {
        guard self.count >= prefix.utf8CodeUnitCount else { return false }
        return prefix.withUTF8Buffer { prefix in
            var index = self.startIndex
            for place in prefix.indices {
                let byte = self[index]
                let wanted = unsafe prefix[place]
                let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(wanted)
                guard byte == wanted || isLetter && byte | 0x20 == wanted else { return false }
                index = self.index(after: index)
            }
            return true
        }
    }
}

extension String {
    /// Whether no byte could end a line of the head early; tabs are allowed.
    var hasNoControls: Bool {
        let bytes = self.utf8Span.span
        for index in bytes.indices where bytes[index] < 0x20 && bytes[index] != 0x09 || bytes[index] == 0x7F {
            return false
        }
        return true
    }

    /// Whether it can name a header or a method.
    var isToken: Bool {
        let bytes = self.utf8Span.span
        for index in bytes.indices {
            let byte = bytes[index]
            if byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: ":") { return false }
        }
        return !bytes.isEmpty
    }
}
