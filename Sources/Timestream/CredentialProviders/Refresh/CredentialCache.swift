import RequestSigning

/// What is known of one tenant's credentials: decides who may use them, and when others are fetched.
///
/// Times are seconds since 1970, since that is what credentials say of themselves.
struct CredentialCache {
    /// Credentials are renewed so long before they expire, or after three quarters of what is left of them if that comes
    /// first; up to a third of the lead is given away, so that many tenants do not come at once.
    ///
    /// Source: AWS' SDKs renew from 15 minutes before (advisory) to 10 minutes before (mandatory).
    static let lead: Double = 900
    static let shortestPause: Double = 1
    static let longestPauseAfterFailure: Double = 60
    /// Refusals of a key count once in so many seconds.
    static let refusalInterval: Double = 5

    private(set) var current: Credentials?
    /// Of the last fetch, if it failed.
    private(set) var failure: CredentialError?
    private var failures = 0
    /// The service has refused the current key, and it is not known yet whether there is another.
    private var isRefused = false
    private var lastRefusal = -Double.infinity

    enum Answer {
        case use(AccessKey)
        /// A fetch is under way, or has to be.
        case wait
        /// There is none, and a fetch is not due yet.
        case fail(CredentialError)
    }

    func lookUp(now: Double) -> Answer {
        if let current, self.isUsable(current, now) { return self.isRefused ? .wait : .use(current.key) }
        if let failure { return .fail(failure) }
        return .wait
    }

    private func isUsable(_ credentials: Credentials, _ now: Double) -> Bool {
        guard let expiration = credentials.expiration else { return true }
        return now < Double(expiration) || (credentials.outlivesExpiration && self.failures > 0)
    }

    /// - Parameter jitter: from 0 to 1, drawn evenly.
    /// - Returns: the seconds until the next fetch; `nil`: none is needed.
    mutating func succeeded(_ credentials: Credentials, now: Double, jitter: Double) -> Double? {
        self.current = credentials
        self.failure = nil
        self.failures = 0
        self.isRefused = false
        guard let expiration = credentials.expiration else { return nil }
        let left = Double(expiration) - now
        let lead = min(Self.lead, left / 4) * (1 - jitter / 3)
        return max(Self.shortestPause, left - lead)
    }

    /// - Parameter jitter: from 0 to 1, drawn evenly.
    /// - Returns: the seconds until the next fetch, twice as long after each failure.
    mutating func failed(_ error: CredentialError, jitter: Double) -> Double {
        self.failure = error
        self.failures += 1
        // The old key is all there is; perhaps the refusal was not meant for it.
        self.isRefused = false
        let pause = min(Self.longestPauseAfterFailure, Double(1 << min(self.failures - 1, 10)))
        return pause * (0.75 + jitter / 2)
    }

    /// - Returns: whether another key should be fetched now.
    mutating func refused(_ key: AccessKey, now: Double) -> Bool {
        guard let current, current.key == key, !self.isRefused, now - self.lastRefusal >= Self.refusalInterval else {
            return false
        }
        self.lastRefusal = now
        self.isRefused = true
        return true
    }
}
