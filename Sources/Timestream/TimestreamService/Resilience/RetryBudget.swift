/// How many retries may still be sent: a bucket that retries empty and successes fill.
///
/// While most calls succeed, each failed one may be repeated; when most fail, repeats would only multiply the load on a
/// service that is in trouble, and only first tries go on. Throttled calls are not charged: `AdaptiveLimit` bounds those,
/// and the service wants them repeated, so that the table scales out.
///
/// Source: AWS SDKs, "Retry behavior", retry quota (500 tokens, 5 a retry, 1 back for each success).
struct RetryBudget: Sendable {
    struct Policy: Sendable {
        var capacity = 500
        var costOfRetry = 5
        var gainOfSuccess = 1
    }

    private let policy: Policy
    private(set) var tokens: Int

    init(_ policy: Policy) {
        self.policy = policy
        self.tokens = policy.capacity
    }

    /// Takes what a retry costs.
    ///
    /// - Returns: whether it was there; if not, nothing is taken.
    mutating func takeRetry() -> Bool {
        guard self.tokens >= self.policy.costOfRetry else { return false }
        self.tokens -= self.policy.costOfRetry
        return true
    }

    mutating func succeeded() {
        self.tokens = min(self.policy.capacity, self.tokens + self.policy.gainOfSuccess)
    }
}
