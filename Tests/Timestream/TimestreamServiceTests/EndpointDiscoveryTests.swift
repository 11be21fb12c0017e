import Foundation
import Synchronization
import TestSupport
import Testing
import TimestreamModel
import UpstreamHTTP

@testable import TimestreamService

@Suite("Where calls go")
struct EndpointTests {
    @Test(
        "an address is https unless it says otherwise, and keeps port and path",
        arguments: [
            (
                "ingest-cell1.timestream.eu-west-1.amazonaws.com",
                "https://ingest-cell1.timestream.eu-west-1.amazonaws.com", "/"
            ),
            ("https://h:8443/", "https://h:8443", "/"), ("http://127.0.0.1:9203", "http://127.0.0.1:9203", "/"),
            ("HTTP://h/base/x", "http://h", "/base/x"), ("h/base", "https://h", "/base"), ("", "https://", "/"),
        ]
    )
    func addresses(address: String, origin: String, path: String) {
        let endpoint = Endpoint(address)
        #expect(endpoint.origin == origin)
        #expect(endpoint.path == path)
        #expect(endpoint.origin.hasSuffix("://" + endpoint.authority))
    }

    @Test(
        "the regional hosts are those of the service",
        arguments: [
            ("us-east-1", false, false, "ingest.timestream.us-east-1.amazonaws.com"),
            ("eu-west-1", true, false, "timestream-ingest.eu-west-1.api.aws"),
            ("us-west-2", false, true, "ingest.timestream-fips.us-west-2.amazonaws.com"),
            ("us-east-2", true, true, "timestream-ingest-fips.us-east-2.api.aws"),
            ("us-gov-west-1", false, false, "ingest.timestream.us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", false, true, "ingest.timestream.us-gov-west-1.amazonaws.com"),
        ]
    )
    func regional(region: String, isDualStack: Bool, isFIPS: Bool, address: String) {
        let hosts = RegionalHosts(isDualStack: isDualStack, isFIPS: isFIPS)
        #expect(hosts.address(.write, region: region) == address)
        #expect(hosts.address(.query, region: region) == address.replacing("ingest", with: "query"))
    }
}

@Suite("The memory of discovered endpoints")
struct EndpointCacheTests {
    private let start = ContinuousClock.now
    private let cell1 = Endpoint("cell1")
    private let cell2 = Endpoint("cell2")

    @Test("one caller looks it up, others wait, and it is used until its time is over")
    func period() {
        var cache = EndpointCache()
        #expect(cache.lookUp(now: self.start) == .lead)
        #expect(cache.lookUp(now: self.start) == .wait)
        cache.found(self.cell1, minutes: 100, now: self.start)
        #expect(cache.lookUp(now: self.start + .seconds(60 * 79)) == .use(self.cell1))
        #expect(cache.lookUp(now: self.start + .seconds(60 * 100)) == .lead)
        cache.found(self.cell2, minutes: 2, now: self.start + .seconds(60 * 100))
        #expect(cache.lookUp(now: self.start + .seconds(60 * 101)) == .use(self.cell2))
    }

    @Test("before its time is over one caller looks it up anew, and all go on using it")
    func refresh() {
        var cache = EndpointCache()
        _ = cache.lookUp(now: self.start)
        cache.found(self.cell1, minutes: 100, now: self.start)
        let due = self.start + .seconds(60 * 80)
        #expect(cache.lookUp(now: due) == .refresh(self.cell1))
        #expect(cache.lookUp(now: due) == .use(self.cell1))
        // A look-up that takes until the end is waited for.
        #expect(cache.lookUp(now: self.start + .seconds(60 * 100)) == .wait)
        cache.found(self.cell2, minutes: 100, now: due + .seconds(1))
        #expect(cache.lookUp(now: due + .seconds(2)) == .use(self.cell2))
    }

    @Test("a refresh that fails is repeated after a minute, and takes nothing from the period")
    func failedRefresh() {
        var cache = EndpointCache()
        _ = cache.lookUp(now: self.start)
        cache.found(self.cell1, minutes: 100, now: self.start)
        let due = self.start + .seconds(60 * 80)
        #expect(cache.lookUp(now: due) == .refresh(self.cell1))
        #expect(cache.failed(now: due) == self.cell1)
        #expect(cache.lookUp(now: due + .seconds(59)) == .use(self.cell1))
        #expect(cache.lookUp(now: due + .seconds(60)) == .refresh(self.cell1))
    }

    @Test("a failed look-up lets the old endpoint stand in for a minute, if there is one")
    func stale() {
        var cache = EndpointCache()
        #expect(cache.lookUp(now: self.start) == .lead)
        #expect(cache.failed(now: self.start) == nil)
        #expect(cache.lookUp(now: self.start) == .lead)
        cache.found(self.cell1, minutes: 1, now: self.start)
        let later = self.start + .seconds(61)
        #expect(cache.lookUp(now: later) == .lead)
        #expect(cache.failed(now: later) == self.cell1)
        #expect(cache.lookUp(now: later + .seconds(59)) == .use(self.cell1))
        #expect(cache.lookUp(now: later + .seconds(60)) == .lead)
    }

    @Test("an endpoint that refused is forgotten, one found since is not")
    func invalidation() {
        var cache = EndpointCache()
        _ = cache.lookUp(now: self.start)
        cache.found(self.cell2, minutes: 5, now: self.start)
        cache.invalidate(self.cell1)
        #expect(cache.lookUp(now: self.start) == .use(self.cell2))
        cache.invalidate(self.cell2)
        #expect(cache.lookUp(now: self.start) == .lead)
        #expect(cache.failed(now: self.start) == nil)
    }

    @Test("periods that the service names are kept within bounds", arguments: [Int.min, -1, 0, 1, 10_080, Int.max])
    func clamped(minutes: Int) {
        var cache = EndpointCache()
        _ = cache.lookUp(now: self.start)
        cache.found(self.cell1, minutes: minutes, now: self.start)
        #expect(cache.lookUp(now: self.start + .seconds(47)) == .use(self.cell1))
        #expect(cache.lookUp(now: self.start + .seconds(60 * 10_080)) == .lead)
    }
}

@Suite("Discovering endpoints")
struct EndpointDiscoveryTests {
    private func found(_ address: String, minutes: Int = 1440) -> ScriptedServer.Reply {
        .json(200, #"{"Endpoints":[{"Address":"\#(address)","CachePeriodInMinutes":\#(minutes)}]}"#)
    }

    private func operation(_ request: ScriptedServer.Request) -> String {
        String(request.header("x-amz-target")?.split(separator: ".").last ?? "")
    }

    @Test("each API asks its own regional host once, and calls go to the cell it names")
    func discovers() async throws {
        let cell = try ScriptedServer { $0.header("x-amz-target")?.hasSuffix("Query") == true ? onePage : ingested }
        let regional = try ScriptedServer { [url = cell.url] _ in self.found(url) }
        defer {
            cell.stop()
            regional.stop()
        }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url)
        for _ in 0..<3 {
            try await fixture.write()
            _ = try await fixture.query()
        }
        #expect(regional.requests.map(\.target).sorted() == ["/query", "/write"])
        #expect(regional.requests.allSatisfy { self.operation($0) == "DescribeEndpoints" })
        #expect(regional.requests.allSatisfy { $0.header("x-amz-api-version") == "2018-11-01" })
        #expect(cell.requests.count == 6)
        #expect(cell.requests.allSatisfy { $0.header("host") == "127.0.0.1:\(cell.port)" })
        #expect(fixture.calls("DescribeEndpoints", "none") == 2)
        await fixture.upstream.shutdown()
    }

    @Test("with a configured endpoint nothing is discovered, and a 421 is not followed")
    func configured() async throws {
        let server = try ScriptedServer { $0.ordinal == 0 ? ingested : serviceError(421, "InvalidEndpointException") }
        defer { server.stop() }
        let fixture = try ServiceFixture(endpoint: server.url)
        try await fixture.write()
        #expect(await failure { try await fixture.write() }?.code == .invalidEndpoint)
        #expect(server.requests.map { self.operation($0) } == ["WriteRecords", "WriteRecords"])
        await fixture.upstream.shutdown()
    }

    @Test("many callers at once ask once")
    func oneInFlight() async throws {
        let cell = try ScriptedServer { _ in ingested }
        let regional = try ScriptedServer { [url = cell.url] _ in
            Thread.sleep(forTimeInterval: 0.02)
            return self.found(url)
        }
        defer {
            cell.stop()
            regional.stop()
        }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<40 { group.addTask { try await fixture.write() } }
            try await group.waitForAll()
        }
        #expect(regional.requests.count == 1)
        #expect(cell.requests.count == 40)
        await fixture.upstream.shutdown()
    }

    @Test("a cell that sends its callers away is replaced, and the call sent once more")
    func misdirected() async throws {
        let new = try ScriptedServer { _ in ingested }
        let old = try ScriptedServer { _ in serviceError(421, "InvalidEndpointException") }
        let count = Atomic<Int>(0)
        let regional = try ScriptedServer { [old = old.url, new = new.url] _ in
            self.found(count.wrappingAdd(1, ordering: .relaxed).oldValue == 0 ? old : new)
        }
        defer {
            new.stop()
            old.stop()
            regional.stop()
        }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url)
        try await fixture.write()
        try await fixture.write()
        #expect(regional.requests.count == 2)
        #expect(old.requests.count == 1)
        #expect(new.requests.count == 2)
        #expect(fixture.retries == 1)
        await fixture.upstream.shutdown()
    }

    @Test("cells that all send their callers away are not asked for ever")
    func misdirectedForEver() async throws {
        let cell = try ScriptedServer { _ in serviceError(421, "InvalidEndpointException") }
        let regional = try ScriptedServer { [url = cell.url] _ in self.found(url) }
        defer {
            cell.stop()
            regional.stop()
        }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url)
        let error = await failure { try await fixture.write() }
        #expect(error?.code == .invalidEndpoint)
        #expect(error?.isTransient == true)
        #expect(cell.requests.count == 2)
        await fixture.upstream.shutdown()
    }

    @Test(
        "an answer without an endpoint is no answer",
        arguments: [
            "{}", #"{"Endpoints":[]}"#, #"{"Endpoints":[{"Address":"a"}]}"#,
            #"{"Endpoints":[{"CachePeriodInMinutes":1}]}"#,
            #"{"Endpoints":[{"Address":"a","CachePeriodInMinutes":1}]"#, #"{"Endpoints":{"Address":"a"}}"#, "",
        ]
    )
    func useless(text: String) async throws {
        let regional = try ScriptedServer { _ in .json(200, text) }
        defer { regional.stop() }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url, maxRetries: 1)
        #expect(await failure { try await fixture.write() }?.code == .malformedResponse)
        #expect(regional.requests.count == 2)
        #expect(fixture.calls("WriteRecords", "none") == 0)
        await fixture.upstream.shutdown()
    }

    @Test("a discovery that is refused is reported as such, one that fails for now is tried again")
    func failing() async throws {
        let cell = try ScriptedServer { _ in ingested }
        let refusing = try ScriptedServer { _ in serviceError(403, "AccessDeniedException") }
        let recovering = try ScriptedServer { [url = cell.url] request in
            request.ordinal == 0 ? serviceError(500, "InternalServerException") : self.found(url)
        }
        defer {
            cell.stop()
            refusing.stop()
            recovering.stop()
        }
        let refused = try ServiceFixture(endpoint: nil, discovery: refusing.url)
        #expect(await failure { try await refused.write() }?.code == .accessDenied)
        #expect(refusing.requests.count == 1)
        await refused.upstream.shutdown()
        let recovered = try ServiceFixture(endpoint: nil, discovery: recovering.url)
        try await recovered.write()
        #expect(recovering.requests.count == 2)
        await recovered.upstream.shutdown()
    }

    @Test("who waits for another's discovery is cancelled at once, and gives up at the deadline")
    func waiting() async throws {
        let regional = try ScriptedServer { _ in .silence }
        defer { regional.stop() }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url)
        let leader = Task { await failure { try await fixture.write() } }
        try await regional.wait { $0.requests.count == 1 }
        let late = await failure { try await fixture.write(within: .milliseconds(30)) }
        #expect(late?.code == .timedOut)
        let follower = Task { await failure { try await fixture.write() } }
        await Task.yield()
        follower.cancel()
        #expect(await follower.value?.code == .cancelled)
        #expect(regional.requests.count == 1)
        leader.cancel()
        #expect(await leader.value?.code == .cancelled)
        await fixture.upstream.shutdown()
    }

    @Test("when the one who asks is cancelled, another takes over")
    func takesOver() async throws {
        let cell = try ScriptedServer { _ in ingested }
        let regional = try ScriptedServer { [url = cell.url] in $0.connection == 0 ? .silence : self.found(url) }
        defer {
            cell.stop()
            regional.stop()
        }
        let fixture = try ServiceFixture(endpoint: nil, discovery: regional.url)
        let leader = Task { await failure { try await fixture.write() } }
        try await regional.wait { $0.requests.count == 1 }
        let followers = (0..<5).map { _ in Task { await failure { try await fixture.write() } } }
        for _ in 0..<20 { await Task.yield() }
        leader.cancel()
        #expect(await leader.value?.code == .cancelled)
        for follower in followers {
            let error = await follower.value
            #expect(error == nil)
        }
        #expect(regional.requests.count == 2)
        await fixture.upstream.shutdown()
    }
}
