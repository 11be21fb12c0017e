extension Field {
    // MARK: Listeners

    /// `host:port`, `:port` for all interfaces, `[IPv6]:port`.
    func listenAddress() -> ListenAddress? {
        let expected = "an address as host:port"
        let remedy = "write 127.0.0.1:9201 for this machine alone, or \":9201\" for all interfaces"
        guard let scalar = self.scalar(expected, remedy: remedy) else { return nil }
        if let address = Self.address(scalar.text) { return address }
        let looksLikeIPv6 =
            scalar.text.utf8.count { $0 == UInt8(ascii: ":") } > 1
            && scalar.text.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || $0 == UInt8(ascii: ":") }
        self.reportWrong(
            expected,
            scalar,
            remedy: looksLikeIPv6 ? "put an IPv6 address in brackets, and both in quotes: \"[::1]:9201\"" : remedy
        )
        return nil
    }

    private static func address(_ text: String) -> ListenAddress? {
        guard let colon = text.lastIndex(of: ":"), let port = Self.port(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon]
        if host.isEmpty { return ListenAddress(host: "", port: port) }
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.utf8.count > 3 else { return nil }
            let inner = host.dropFirst().dropLast()
            guard inner.contains(":"), inner.utf8.allSatisfy({ ASCII.isLetterOrDigit($0) || ":.%".utf8.contains($0) })
            else { return nil }
            return ListenAddress(host: String(inner), port: port)
        }
        guard Self.isHostName(host) else { return nil }
        return ListenAddress(host: String(host), port: port)
    }

    private static func port(_ digits: Substring) -> Int? {
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy(ASCII.isDigit), let port = Int(digits),
            port <= 65_535
        else { return nil }
        return port
    }

    /// A DNS name or an IPv4 address.
    private static func isHostName(_ text: Substring) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "-._".utf8.contains($0) }
    }

    // MARK: URLs

    /// `https://host[:port]` and nothing behind it; `http` is taken too, with a warning off loopback.
    ///
    /// - Parameters:
    ///   - traffic: what the warning says goes there.
    ///   - example: of such a URL.
    func endpoint(
        carrying traffic: String = "samples and queries",
        such example: String = "https://vpce-1.timestream.eu-west-1.vpce.amazonaws.com"
    ) -> String? {
        let url = self.url(
            "a URL such as \(example)",
            remedy: "give scheme, host and port only: no path, no query, no user"
        )
        if let url, url.hasPrefix("http://"), Self.hostAndPort(url.dropFirst("http://".count))?.isLoopback != true {
            self.context.warn(
                self.place,
                "\(traffic) cross the network in the clear: the endpoint is plain HTTP",
                remedy: "use https"
            )
        }
        return url
    }

    /// The same for a service of this host or link, which is plain HTTP as a rule.
    func metadataEndpoint() -> String? {
        self.url(
            "a URL such as http://169.254.169.254",
            remedy: "give scheme, host and port only: no path, no query, no user"
        )
    }

    /// `http://host:port` or `https://host:port`.
    func proxy() -> String? {
        self.url(
            "a URL such as http://proxy.example:3128",
            remedy: "give scheme, host and port only; a proxy with user and password is not supported yet"
        )
    }

    private func url(_ expected: String, remedy: String) -> String? {
        // With an @ there is a user in it, and perhaps a password: it is not repeated.
        var field = self
        if case .scalar(let scalar) = self.node.content, scalar.text.contains("@") { field.isSecret = true }
        return field.text(expected, remedy: remedy) { text in
            let text = text.hasSuffix("/") ? text.dropLast() : text[...]
            guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else { return false }
            return Self.hostAndPort(text.dropFirst(scheme.count)) != nil
        }
        .map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
    }

    /// What may follow `://`; the port may be absent.
    private static func hostAndPort(_ text: Substring) -> ListenAddress? {
        guard !text.hasPrefix(":") else { return nil }
        let hasPort = text.hasPrefix("[") ? !text.hasSuffix("]") : text.contains(":")
        return Self.address(hasPort ? String(text) : "\(text):0")
    }
}
