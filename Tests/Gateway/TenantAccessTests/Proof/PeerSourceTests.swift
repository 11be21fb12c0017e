import Testing

@testable import TenantAccess

@Suite("Where requests come from")
struct PeerSourceTests {
    @Test(
        "an IPv4 address, or the network of an IPv6 one, without the port",
        arguments: [
            ("192.0.2.1:40000", "192.0.2.1"), ("192.0.2.1:1", "192.0.2.1"),
            ("[2001:db8:0:1::1]:1", "20:1:d:b8:0:0:0:1/64"),
            ("[2001:db8:0:1:ffff:ffff:ffff:ffff]:9", "20:1:d:b8:0:0:0:1/64"),
            ("[2001:db8:0:2::1]:1", "20:1:d:b8:0:0:0:2/64"), ("[::1]:40000", "0:0:0:0:0:0:0:0/64"),
            ("[fe80::1%eth0]:1", "fe:80:0:0:0:0:0:0/64"),
            ("[::ffff:192.0.2.1]:1", "192.0.2.1"), ("[::ffff:c000:202]:1", "192.0.2.2"),
        ]
    )
    func addresses(address: String, source: String) {
        #expect(PeerSource.name(of: address) == source)
    }

    @Test(
        "what is no address stands for itself",
        arguments: ["", "/run/gateway.sock", "[", "[]", "[x]:1", ":", "a:b:c"]
    )
    func others(address: String) {
        let name = PeerSource.name(of: address)
        #expect(address.contains(name) && !name.hasSuffix("/64"))
        #expect(name == PeerSource.name(of: address))
    }

    @Test("many sources are remembered, never more than the bound")
    func bound() {
        var failures = SourceFailures(perSecond: 1, capacity: 100)
        for _ in 0..<SourceFailures.burst { failures.note("first", now: 0) }
        let limited = failures.wait("first", now: 0)
        #expect(limited == 1_000_000_000)
        for number in 0..<1_000 { failures.note("\(number)", now: 0) }
        let forgotten = failures.wait("first", now: 0)
        let unknown = failures.wait("unknown", now: 0)
        #expect(forgotten == 0 && unknown == 0)
    }
}
