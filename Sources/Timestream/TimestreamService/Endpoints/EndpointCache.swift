import TimestreamModel

/// What is known of one API's discovered address, and who waits for it: a value with one method per event.
///
/// At most one discovery is in flight. While it is, and after one has failed, an address whose time is over is still
/// used; without any address callers wait for the discovery's end.
struct EndpointCache<Waiter> {
    /// How long nobody asks again after a discovery has failed, if there is an old address to go on with.
    static var pauseAfterFailure: Duration { .seconds(60) }

    private var url: String?
    private var expiry: ContinuousClock.Instant?
    private var isDiscovering = false
    private var waiters: [UInt64: Waiter] = [:]

    enum OnRequest {
        case use(String)
        /// The caller has to discover now, and to report by `discovered` or `failed`.
        case discover
        /// The caller has to come back as a waiter.
        case wait
    }

    mutating func request(now: ContinuousClock.Instant) -> OnRequest {
        if let url, let expiry, now < expiry { return .use(url) }
        guard self.isDiscovering else {
            self.isDiscovering = true
            return .discover
        }
        if let url { return .use(url) }
        return .wait
    }

    /// Takes a waiter in; false if the discovery has ended meanwhile, so that it must ask again.
    mutating func add(_ waiter: Waiter, id: UInt64) -> Bool {
        guard self.isDiscovering, self.url == nil else { return false }
        self.waiters[id] = waiter
        return true
    }

    /// The waiter that gave up, if it was still waiting.
    mutating func remove(_ id: UInt64) -> Waiter? {
        self.waiters.removeValue(forKey: id)
    }

    /// - Returns: everybody to be told.
    mutating func discovered(_ answer: EndpointAnswer, now: ContinuousClock.Instant) -> [Waiter] {
        self.isDiscovering = false
        self.url = answer.url
        self.expiry = now + answer.validFor
        return self.takeWaiters()
    }

    /// - Returns: the old address, if there is one to go on with, and everybody to be told.
    mutating func failed(now: ContinuousClock.Instant) -> (url: String?, waiters: [Waiter]) {
        self.isDiscovering = false
        if self.url != nil { self.expiry = now + Self.pauseAfterFailure }
        return (self.url, self.takeWaiters())
    }

    /// The service says that an address is wrong: it must be asked for again.
    mutating func invalidate(_ url: String) {
        if self.url == url { self.expiry = nil }
    }

    private mutating func takeWaiters() -> [Waiter] {
        defer { self.waiters = [:] }
        return Array(self.waiters.values)
    }
}
