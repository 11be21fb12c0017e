import Common
import RequestSigning
import TestSupport
import Testing
import TimestreamModel

@testable import CredentialProviders

private func credentials(_ id: String, expiration: Int64? = nil, outlives: Bool = false) -> Credentials {
    Credentials(
        key: AccessKey(accessKeyID: id, secretAccessKey: Secret("HUSH")),
        expiration: expiration,
        origin: .assumedRole,
        outlivesExpiration: outlives
    )
}

private let trouble = CredentialError(.unreachable, "no answer")

extension CredentialCache.Answer {
    fileprivate var text: String {
        switch self {
        case .use(let key): "use \(key.accessKeyID)"
        case .wait: "wait"
        case .fail(let error): "fail \(error.code.rawValue)"
        }
    }
}

@Suite("When credentials are used and renewed")
struct CredentialCacheTests {
    @Test(
        "they are renewed 10 to 15 minutes before they expire, short ones after three quarters of their time or later",
        arguments: [(3600, 2700, 3000), (21600, 20700, 21000), (900, 675, 750), (8, 6, 7), (1, 1, 1)]
            as [(Int, Int, Int)]
    )
    func schedule(lifetime: Int, earliest: Int, latest: Int) throws {
        func pause(_ jitter: Double) -> Double? {
            var cache = CredentialCache()
            return cache.succeeded(credentials("A", expiration: Int64(1000 + lifetime)), now: 1000, jitter: jitter)
        }
        let (first, middle, last) = (try #require(pause(0)), try #require(pause(0.5)), try #require(pause(1)))
        #expect((Double(earliest)..<Double(earliest + 1)).contains(first))
        #expect((Double(latest - 1)...Double(latest)).contains(last))
        #expect(first <= middle && middle <= last)
    }

    @Test("without an expiration nothing is renewed")
    func never() {
        var cache = CredentialCache()
        #expect(cache.lookUp(now: 0).text == "wait")
        let pause = cache.succeeded(credentials("A"), now: 1000, jitter: 0.5)
        #expect(pause == nil)
        #expect(cache.lookUp(now: 1e12).text == "use A")
    }

    @Test("after a failure the old ones are used until they expire, then callers fail at once")
    func failures() {
        var cache = CredentialCache()
        _ = cache.succeeded(credentials("A", expiration: 2000), now: 1000, jitter: 0.5)
        _ = cache.failed(trouble, jitter: 0.5)
        #expect(cache.lookUp(now: 1999).text == "use A")
        #expect(cache.lookUp(now: 2000).text == "fail unreachable")
        _ = cache.succeeded(credentials("B", expiration: 4000), now: 2001, jitter: 0.5)
        #expect(cache.lookUp(now: 2001).text == "use B")
        #expect(cache.lookUp(now: 4000).text == "wait")
    }

    @Test("pauses after failures double, to a minute and a quarter at most")
    func pauses() {
        var cache = CredentialCache()
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] as [Double] {
            var (early, late) = (cache, cache)
            let bounds = (early.failed(trouble, jitter: 0), late.failed(trouble, jitter: 1))
            #expect(bounds == (pause * 0.75, pause * 1.25))
            _ = cache.failed(trouble, jitter: 0.5)
        }
    }

    @Test("the instance's last beyond their time while the service is away")
    func outlive() {
        var cache = CredentialCache()
        _ = cache.succeeded(credentials("A", expiration: 2000, outlives: true), now: 1000, jitter: 0.5)
        #expect(cache.lookUp(now: 2000).text == "wait")
        _ = cache.failed(trouble, jitter: 0.5)
        #expect(cache.lookUp(now: 9000).text == "use A")
    }

    @Test("a refused key is waited for, once in a while, and only if it is the one in use")
    func refused() {
        var cache = CredentialCache()
        let old = credentials("A", expiration: 5000)
        _ = cache.succeeded(old, now: 1000, jitter: 0.5)
        let other = cache.refused(credentials("B").key, now: 1000)
        #expect(!other)
        let (first, again) = (cache.refused(old.key, now: 1000), cache.refused(old.key, now: 1001))
        #expect(first && !again)
        #expect(cache.lookUp(now: 1001).text == "wait")
        // No other came: the old one is better than none.
        _ = cache.failed(trouble, jitter: 0.5)
        #expect(cache.lookUp(now: 1002).text == "use A")
        let (early, late) = (cache.refused(old.key, now: 1004), cache.refused(old.key, now: 1005))
        #expect(!early && late)
    }
}

/// Answers as told, and counts.
private final class ScriptedProvider: CredentialProvider {
    struct State {
        var results: [Result<Credentials, CredentialError>]
        var running = 0
        var mostRunning = 0
        var count = 0
        var held: [CheckedContinuation<Void, Never>] = []
        var isHolding = false
    }
    let state: Locked<State>

    init(_ results: Result<Credentials, CredentialError>..., isHolding: Bool = false) {
        self.state = Locked(State(results: results, isHolding: isHolding))
    }

    func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        self.state.withLock { state in
            state.count += 1
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
        }
        defer { self.state.withLock { $0.running -= 1 } }
        await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
                let goesOn = self.state.withLock { state in
                    if !state.isHolding { return true }
                    state.held.append(waiter)
                    return false
                }
                if goesOn { waiter.resume() }
            }
        } onCancel: {
            self.release()
        }
        if Task.isCancelled { throw CredentialError(.cancelled, "cancelled") }
        // The last answer is repeated.
        let result = self.state.withLock { $0.results.count > 1 ? $0.results.removeFirst() : $0.results[0] }
        return try result.get()
    }

    func hold() { self.state.withLock { $0.isHolding = true } }

    func release() {
        let held = self.state.withLock { state in
            let held = state.held
            state.held = []
            state.isHolding = false
            return held
        }
        for waiter in held { waiter.resume() }
    }

    var count: Int { self.state.withLock { $0.count } }
}

/// Time that passes when the test says so.
private final class ManualClock: Sendable {
    private struct State {
        var now: Double
        var sleepers: [Int: (wakes: Double, waiter: CheckedContinuation<Void, Never>)] = [:]
        var cancelled: Set<Int> = []
        var last = 0
    }
    private let state: Locked<State>

    init(_ now: Double) { self.state = Locked(State(now: now)) }

    var clock: CredentialClock {
        CredentialClock(now: { self.state.withLock { $0.now } }, sleep: { await self.sleep($0) })
    }

    private func sleep(_ seconds: Double) async {
        let id = self.state.withLock { state in
            state.last += 1
            return state.last
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
                let isOver = self.state.withLock { state in
                    if state.cancelled.contains(id) { return true }
                    state.sleepers[id] = (state.now + seconds, waiter)
                    return false
                }
                if isOver { waiter.resume() }
            }
        } onCancel: {
            let sleeper = self.state.withLock { state in
                state.cancelled.insert(id)
                return state.sleepers.removeValue(forKey: id)
            }
            sleeper?.waiter.resume()
        }
    }

    /// Lets time pass in the steps in which the source sleeps; before each, it has to be asleep again.
    ///
    /// - Parameter isBusy: whether it is known to do something else than sleep, and time may pass all the same.
    func advance(by seconds: Double, unless isBusy: () -> Bool = { false }) async throws {
        let end = self.state.withLock { $0.now + seconds }
        while true {
            try await self.settle(isBusy)
            let (waiters, isOver) = self.state.withLock { state in
                let next = min(end, state.sleepers.values.map(\.wakes).min() ?? end)
                state.now = max(state.now, next)
                let due = state.sleepers.filter { $0.value.wakes <= state.now }
                for id in due.keys { state.sleepers[id] = nil }
                return (due.values.map(\.waiter), state.now >= end)
            }
            for waiter in waiters { waiter.resume() }
            if isOver { break }
        }
        try await self.settle(isBusy)
    }

    private func settle(_ isBusy: () -> Bool) async throws {
        for _ in 0..<30_000 {
            if isBusy() || self.state.withLock({ !$0.sleepers.isEmpty }) { return }
            try await Task.sleep(for: .milliseconds(1))
        }
        throw TestSupportError("the source neither sleeps nor works")
    }

    /// Sets the time, and wakes nobody.
    func set(forward seconds: Double) {
        self.state.withLock { $0.now += seconds }
    }
}

@Suite("A source that renews itself")
struct RefreshingCredentialSourceTests {
    private let fixture: CredentialFixture
    private let clock = ManualClock(1_000_000)

    init() throws { self.fixture = try CredentialFixture() }

    private func source(_ provider: ScriptedProvider) -> RefreshingCredentialSource {
        let source = RefreshingCredentialSource(
            tenant: "payments",
            provider: provider,
            clock: self.clock.clock,
            metrics: self.fixture.registry,
            logger: self.fixture.logger
        )
        source.start()
        return source
    }

    /// Other tests may keep all threads busy for longer than callers wait by default.
    private func key(of source: RefreshingCredentialSource) async throws -> AccessKey {
        try await source.accessKey(deadline: .now + .seconds(60))
    }

    private func eventually(_ condition: () -> Bool) async throws {
        for _ in 0..<30_000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("did not happen within a minute")
    }

    private func error(_ source: RefreshingCredentialSource, within duration: Duration = .seconds(60)) async
        -> TimestreamError?
    {
        do {
            _ = try await source.accessKey(deadline: .now + duration)
            return nil
        } catch {
            return error
        }
    }

    @Test("many callers wait for one fetch, and later ones for none")
    func oneFetch() async throws {
        let provider = ScriptedProvider(.success(credentials("AKIDEXAMPLE000001")), isHolding: true)
        let source = self.source(provider)
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 { group.addTask { try await self.key(of: source).accessKeyID } }
            try await self.eventually { provider.count == 1 }
            provider.release()
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(ids == ["AKIDEXAMPLE000001"])
        _ = try await self.key(of: source)
        #expect(provider.count == 1)
        await source.close()
    }

    @Test("they are renewed before they expire, and callers do not wait for that")
    func renews() async throws {
        let provider = ScriptedProvider(
            .success(credentials("OLD", expiration: 1_003_600)),
            .success(credentials("NEW", expiration: 1_007_200))
        )
        let source = self.source(provider)
        #expect(try await self.key(of: source).accessKeyID == "OLD")
        try await self.clock.advance(by: 2690)
        #expect(provider.count == 1)
        provider.hold()
        try await self.clock.advance(by: 400) { provider.count == 2 }
        #expect(provider.count == 2)
        // Under way, and the old one is still good.
        #expect(try await self.key(of: source).accessKeyID == "OLD")
        provider.release()
        try await self.eventually {
            self.fixture.value(#"gateway_credentials_refreshes_total{tenant="payments",result="ok"}"#) == 2
        }
        #expect(try await self.key(of: source).accessKeyID == "NEW")
        let expiry = #"gateway_credentials_expiry_timestamp_seconds{tenant="payments",source="assumed_role"}"#
        #expect(self.fixture.value(expiry) == 1_007_200)
        await source.close()
    }

    @Test(
        "a failing service costs nothing until the old ones expire; then calls fail at once, and come back by themselves"
    )
    func failing() async throws {
        let provider = ScriptedProvider(
            .success(credentials("OLD", expiration: 1_000_100)),
            .failure(CredentialError(.refused, "STS: AccessDenied"))
        )
        let source = self.source(provider)
        #expect(try await self.key(of: source).accessKeyID == "OLD")
        try await self.clock.advance(by: 99)
        #expect(provider.count > 2)
        #expect(try await self.key(of: source).accessKeyID == "OLD")
        try await self.clock.advance(by: 2)
        let error = await self.error(source)
        #expect(error?.code == .signature)
        #expect(error?.message == "no credentials: STS: AccessDenied")
        provider.state.withLock { $0.results = [.success(credentials("NEW"))] }
        try await self.clock.advance(by: 80)
        #expect(try await self.key(of: source).accessKeyID == "NEW")
        #expect(provider.state.withLock { $0.mostRunning } == 1)
        await source.close()
    }

    @Test("a caller waits no longer than its deadline, or its own life")
    func deadline() async throws {
        let provider = ScriptedProvider(.success(credentials("A")), isHolding: true)
        let source = self.source(provider)
        #expect(await self.error(source, within: .milliseconds(20))?.code == .timedOut)
        let caller = Task { await self.error(source) }
        caller.cancel()
        #expect(await caller.value?.code == .cancelled)
        provider.release()
        #expect(try await self.key(of: source).accessKeyID == "A")
        await source.close()
    }

    @Test("closing ends the fetch and all that wait for it")
    func close() async throws {
        let provider = ScriptedProvider(.success(credentials("A")), isHolding: true)
        let source = self.source(provider)
        let caller = Task { await self.error(source) }
        try await self.eventually { provider.count == 1 }
        await source.close()
        #expect(await caller.value?.code == .cancelled)
        #expect(await self.error(source)?.code == .cancelled || provider.count == 1)
        #expect(self.fixture.logs.lines.allSatisfy { !$0.hasPrefix("error") })
    }

    @Test("a refused key is replaced at once, and callers wait for the new one")
    func refused() async throws {
        let provider = ScriptedProvider(
            .success(credentials("OLD")),
            .success(credentials("NEW")),
            .success(credentials("TOO SOON"))
        )
        let source = self.source(provider)
        let old = try await self.key(of: source)
        for _ in 0..<10 { source.accessKeyWasRefused(old) }
        let new = try await self.key(of: source)
        #expect(new.accessKeyID == "NEW")
        source.accessKeyWasRefused(new)
        #expect(try await self.key(of: source).accessKeyID == "NEW")
        #expect(provider.count == 2)
        await source.close()
    }

    @Test("what comes expired is no success, and says to look at the clock")
    func expired() async throws {
        let source = self.source(ScriptedProvider(.success(credentials("A", expiration: 999_999))))
        let error = await self.error(source)
        #expect(error?.code == .signature)
        #expect(error?.message.contains("expired at 1970-01-12T13:46:39Z") == true)
        await source.close()
    }

    @Test("a clock that was set forward is noticed: the next caller has a new key fetched")
    func clockSet() async throws {
        let provider = ScriptedProvider(
            .success(credentials("OLD", expiration: 1_000_010)),
            .success(credentials("NEW", expiration: 1_009_999))
        )
        let source = self.source(provider)
        #expect(try await self.key(of: source).accessKeyID == "OLD")
        self.clock.set(forward: 100)
        #expect(try await self.key(of: source).accessKeyID == "NEW")
        await source.close()
    }

    @Test("logs and metrics show source, expiry and the key's last four characters, and no secret")
    func shows() async throws {
        let source = self.source(ScriptedProvider(.success(credentials("AKIDEXAMPLE01234", expiration: 1_003_600))))
        _ = try await self.key(of: source)
        try await self.eventually { !self.fixture.logs.lines.isEmpty }
        #expect(
            self.fixture.logs.lines == [
                "info fetched credentials expires=1970-01-12T14:46:40Z key=…1234 source=assumed_role tenant=payments"
            ]
        )
        #expect(!self.fixture.registry.exposition().contains("HUSH"))
        await source.close()
    }
}

@Suite("The default chain")
struct DefaultChainTests {
    @Test("the first that is there counts, in the order of AWS' SDKs")
    func order() async throws {
        let server = try ScriptedServer { request in
            request.body.isEmpty ? Answers.document : Answers.role("AssumeRoleWithWebIdentity")
        }
        defer { server.stop() }
        let fixture = try CredentialFixture()
        try fixture.write(".aws/credentials", "[default]\naws_access_key_id=AKIDFILE\naws_secret_access_key=HUSH\n")
        var environment = [
            "AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "HUSH",
            "AWS_WEB_IDENTITY_TOKEN_FILE": try fixture.write("token", "a.b.c"),
            "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        ]
        func origin() async throws -> CredentialOrigin {
            try await found(DefaultChainProvider(in: fixture.surroundings(environment, sts: server.url))).origin
        }
        #expect(try await origin() == .environment)
        environment["AWS_ACCESS_KEY_ID"] = ""
        #expect(try await origin() == .webIdentity)
        environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = nil
        #expect(try await origin() == .profile)
        environment["HOME"] = "/nonexistent"
        #expect(try await origin() == .container)
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = nil
        let error = await failure(DefaultChainProvider(in: fixture.surroundings(environment)))
        #expect(error?.code == .notConfigured)
        for part in ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "no profile", "AWS_EC2_METADATA_DISABLED"] {
            #expect(error?.message.contains(part) == true)
        }
    }

    @Test(
        "one that is there and wrong is not passed over",
        arguments: [
            (["AWS_ACCESS_KEY_ID": "A"], "AWS_SECRET_ACCESS_KEY is not"),
            (["AWS_WEB_IDENTITY_TOKEN_FILE": "/none"], "AWS_ROLE_ARN is not"),
            (["AWS_PROFILE": "x"], "no profile \"x\""),
            (["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "x"], "start with a slash"),
            (["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "HU SH"], "holds blanks"),
            (
                ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "HUSH", "AWS_CREDENTIAL_EXPIRATION": "soon"],
                "no time: soon"
            ),
        ]
    )
    func wrong(environment: [String: String], words: String) async throws {
        let error = await failure(DefaultChainProvider(in: try CredentialFixture().surroundings(environment)))
        #expect(error?.message.contains(words) == true)
        #expect(error?.message.contains("HUSH") == false)
    }
}
