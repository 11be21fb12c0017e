import Glibc

/// The name under which the requests of one place count together: an IPv4 address, or the /64 network of an IPv6 one, in
/// which one host can have any number of addresses.
enum PeerSource {
    /// - Parameter address: as `Peer.address`; text that is no address stands for itself.
    static func name(of address: String) -> String {
        var host = address[...]
        if host.utf8.first == UInt8(ascii: "["), let end = host.utf8.firstIndex(of: UInt8(ascii: "]")) {
            host = host[host.utf8.index(after: host.startIndex)..<end]
        } else if let colon = host.utf8.lastIndex(of: UInt8(ascii: ":")) {
            host = host[..<colon]
        }
        return Self.network(String(host)) ?? String(host)
    }

    private static func network(_ host: String) -> String? {
        guard host.utf8.contains(UInt8(ascii: ":")) else { return nil }
        // A zone says on which of our interfaces, not from where.
        let plain = String(host.prefix { $0 != "%" })
        var address = in6_addr()
        guard unsafe inet_pton(AF_INET6, plain, &address) == 1 else { return nil }
        let bytes = unsafe withUnsafeBytes(of: &address) { unsafe Array($0) }
        // An IPv4 peer of a listener for both: ::ffff:192.0.2.1.
        if bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] {
            return bytes.suffix(4).map { String($0) }.joined(separator: ".")
        }
        return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    }
}
