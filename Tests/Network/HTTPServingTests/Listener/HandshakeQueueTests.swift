import NIOCore
import Testing

@testable import HTTPServing

private let second: Int64 = 1_000_000_000
private let (flood, good, other): (PeerNetwork, PeerNetwork, PeerNetwork) = (.v4(1), .v4(2), .v4(3))

private func queue(perSecond: Int = 1000, concurrent: Int = 1000) -> HandshakeQueue<Int> {
    HandshakeQueue(limits: .init(perSecond: perSecond, concurrent: concurrent))
}

@Suite("Which handshakes may begin")
struct HandshakeQueueTests {
    @Test("what is within the bounds begins at once, and nothing waits")
    func within() {
        var queue = queue()
        for id in 0..<500 { #expect(queue.arrived(id, from: flood, now: 0) == [.begin(id)]) }
        #expect(queue.underWayCount == 500 && queue.waitingCount == 0 && queue.nextTurn(now: 0) == nil)
        for id in 0..<500 {
            queue.ended(id)
            queue.ended(id)
        }
        #expect(queue.underWayCount == 0)
    }

    @Test("over the rate a network waits for itself alone: a new one is next, however long the other's line is")
    func fairRate() {
        var queue = queue(perSecond: 10)
        for id in 0..<10 { #expect(queue.arrived(id, from: flood, now: 0) == [.begin(id)]) }
        for id in 10..<20 { #expect(queue.arrived(id, from: flood, now: 0) == []) }
        // Its line is as long as could be served in time.
        #expect(queue.arrived(20, from: flood, now: 0) == [.refuse(20, .rate)])
        #expect(queue.arrived(100, from: good, now: 0) == [])
        #expect(queue.arrived(200, from: other, now: 0) == [])
        #expect(queue.nextTurn(now: 0) == second / 10)
        // One token each tenth of a second: the networks take turns.
        var begun: [Int] = []
        for turn in 1...5 {
            for case .begin(let id) in queue.proceed(now: Int64(turn) * second / 10) { begun.append(id) }
        }
        #expect(begun == [10, 100, 200, 11, 12])
    }

    @Test("who has waited too long is closed, and says so")
    func patience() {
        var queue = queue(perSecond: 1000, concurrent: 1)
        #expect(queue.arrived(1, from: flood, now: 0) == [.begin(1)])
        #expect(queue.arrived(2, from: flood, now: 0) == [])
        #expect(queue.proceed(now: second - 1) == [])
        #expect(queue.nextTurn(now: second - 1) == second + 999_999)
        #expect(queue.proceed(now: second) == [.refuse(2, .underWay)])
        #expect(queue.waitingCount == 0 && queue.nextTurn(now: second) == nil)
        queue.ended(1)
        #expect(queue.arrived(3, from: flood, now: second) == [.begin(3)])
    }

    @Test("a place that comes free goes to the next in line")
    func placeComesFree() {
        var queue = queue(concurrent: 2)
        _ = queue.arrived(1, from: flood, now: 0)
        _ = queue.arrived(2, from: flood, now: 0)
        #expect(queue.arrived(3, from: flood, now: 0) == [])
        #expect(queue.proceed(now: 1) == [])
        queue.ended(2)
        #expect(queue.proceed(now: 2) == [.begin(3)])
        #expect(queue.underWayCount == 2)
    }

    @Test("handshakes that do not get on give way to another network's, the oldest first, and not at once")
    func displacement() {
        var queue = queue(concurrent: 3)
        for id in 1...3 { #expect(queue.arrived(id, from: flood, now: Int64(id)) == [.begin(id)]) }
        #expect(queue.arrived(10, from: good, now: 4) == [])
        // They may have just begun like anybody's.
        let turn = queue.nextTurn(now: 4)
        #expect(turn == second / 2 + 1)
        #expect(queue.proceed(now: second / 2 + 1) == [.displace(1), .begin(10)])
        // The flood's own waiters displace nobody: it has more than anybody else.
        #expect(queue.arrived(4, from: flood, now: second) == [])
        #expect(queue.underWayCount == 3)
        queue.ended(1)
        #expect(queue.underWayCount == 3)
    }

    @Test("a waiting network of less is served before one that floods and was there first")
    func poorestFirst() {
        var queue = queue(concurrent: 4)
        for id in 1...4 { _ = queue.arrived(id, from: flood, now: 0) }
        for id in 5...8 { #expect(queue.arrived(id, from: flood, now: 1) == []) }
        #expect(queue.arrived(10, from: good, now: 1) == [])
        #expect(queue.proceed(now: second / 2) == [.displace(1), .begin(10)])
        #expect(queue.proceed(now: second / 2) == [])
    }

    @Test("equal networks displace nobody: who came last waits, and is closed")
    func equals() {
        var queue = queue(concurrent: 2)
        _ = queue.arrived(1, from: flood, now: 0)
        _ = queue.arrived(2, from: good, now: 0)
        #expect(queue.arrived(3, from: good, now: 0) == [])
        #expect(queue.proceed(now: second * 3 / 4) == [])
        #expect(queue.proceed(now: second) == [.refuse(3, .underWay)])
    }

    @Test("as many networks as there are places keep nobody out: who has none takes the oldest place")
    func newcomer() {
        var queue = queue(concurrent: 2)
        _ = queue.arrived(1, from: flood, now: 0)
        _ = queue.arrived(2, from: good, now: 0)
        #expect(queue.arrived(3, from: other, now: 0) == [])
        #expect(queue.proceed(now: second / 4) == [])
        #expect(queue.proceed(now: second * 3 / 4) == [.displace(1), .begin(3)])
    }

    @Test("ever new networks make no longer queue than there is room for")
    func manyNetworks() {
        var queue = queue(perSecond: 1000, concurrent: 1)
        _ = queue.arrived(0, from: .v6(0), now: 0)
        for id in 1...5000 { _ = queue.arrived(id, from: .v6(UInt64(id)), now: Int64(id) * 1000) }
        #expect(queue.waitingCount <= 512 && queue.lineCount == queue.waitingCount)
        _ = queue.proceed(now: 10 * second)
        #expect(queue.waitingCount == 0 && queue.lineCount == 0)
    }

    @Test("lines are bounded, and the more networks wait the shorter each")
    func boundedLines() {
        var queue = queue(perSecond: 100, concurrent: 1)
        _ = queue.arrived(0, from: .v6(0), now: 0)
        var refused = 0
        var id = 0
        for _ in 0..<100 {
            for network in 1...20 {
                id += 1
                refused += queue.arrived(id, from: .v6(UInt64(network)), now: 0).count
            }
        }
        // A hundred could be served in time: five of each network.
        #expect(queue.waitingCount < 200 && refused == 2000 - queue.waitingCount)
        let waiting = queue.close()
        #expect(waiting.count == 2000 - refused && queue.waitingCount == 0)
        #expect(queue.proceed(now: 1) == [])
    }

    @Test("a flood of many networks leaves nothing behind")
    func nothingLeaks() {
        var queue = queue(perSecond: 10, concurrent: 2)
        var open: Set<Int> = []
        for id in 0..<5_000 {
            let now = Int64(id) * 1_000_000
            for action in queue.arrived(id, from: .v6(UInt64(id % 100)), now: now) {
                switch action {
                case .begin(let id): open.insert(id)
                case .displace(let id): #expect(open.remove(id) != nil)
                case .refuse: ()
                }
            }
            #expect(open.count <= 2 && queue.waitingCount <= 100)
            if id % 50 == 0, let done = open.first {
                open.remove(done)
                queue.ended(done)
            }
        }
        for id in open { queue.ended(id) }
        _ = queue.proceed(now: 1_000_000 * second)
        #expect(queue.waitingCount == 0 && queue.underWayCount == 0)
    }

    @Test(
        "an IPv4 peer is one network in both forms; IPv6 counts by /64",
        arguments: [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::1", "0.0.0.0", false),
        ]
    )
    func networks(first: String, second: String, isSame: Bool) throws {
        let networks = try [first, second].map { PeerNetwork(try SocketAddress(ipAddress: $0, port: 1)) }
        #expect((networks[0] == networks[1]) == isSame)
        #expect(PeerNetwork(nil) == .unknown && networks[0] != .unknown)
    }
}
