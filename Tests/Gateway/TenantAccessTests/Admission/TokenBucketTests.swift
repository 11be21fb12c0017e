import Testing

@testable import TenantAccess

private let second: Int64 = 1_000_000_000

@Suite("A rate limit with a burst")
struct TokenBucketTests {
    @Test("a full bucket grants its burst at once, then makes the next ones wait in order")
    func burst() {
        var bucket = TokenBucket(perSecond: 10, burst: 3, now: 0)
        let granted = (0..<6).map { _ in bucket.reserve(1, now: 0, maxWait: second) }
        #expect(
            granted == [
                .granted(wait: 0), .granted(wait: 0), .granted(wait: 0), .granted(wait: second / 10),
                .granted(wait: second / 5), .granted(wait: 3 * second / 10),
            ]
        )
        #expect(bucket.tokens == -3)
    }

    @Test("a wait longer than allowed takes nothing")
    func refused() {
        var bucket = TokenBucket(perSecond: 1, burst: 1, now: 0)
        let results = [
            bucket.reserve(1, now: 0, maxWait: 0), bucket.reserve(1, now: 0, maxWait: second - 1),
            bucket.reserve(1, now: 0, maxWait: second), bucket.reserve(1, now: 0, maxWait: second),
        ]
        #expect(
            results == [
                .granted(wait: 0), .refused(wait: second), .granted(wait: second), .refused(wait: 2 * second),
            ]
        )
    }

    @Test("tokens come back exactly: at any rate, over any sequence of times, none is lost or won")
    func exact() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let rate = Int.random(in: 1...1_000_000, using: &generator)
            var bucket = TokenBucket(perSecond: rate, burst: 1_000_000_000, now: 0)
            _ = bucket.reserve(1_000_000_000, now: 0, maxWait: 0)
            var now: Int64 = 0
            for _ in 0..<100 {
                now += Int64.random(in: 0...50_000_000, using: &generator)
                _ = bucket.reserve(0, now: now, maxWait: 0)
            }
            let (high, low) = UInt64(now).multipliedFullWidth(by: UInt64(rate))
            let expected = UInt64(second).dividingFullWidth((high, low)).quotient
            #expect(bucket.tokens == Int(expected))
        }
    }

    @Test("a request of more tokens than the burst passes when the bucket is full, and leaves the rest as debt")
    func largerThanBurst() {
        var bucket = TokenBucket(perSecond: 10, burst: 10, now: 0)
        let first = bucket.reserve(100, now: 0, maxWait: 0)
        #expect(first == .granted(wait: 0))
        #expect(bucket.tokens == -90)
        let tooEarly = bucket.reserve(1, now: 0, maxWait: 9 * second)
        #expect(tooEarly == .refused(wait: 9 * second + second / 10))
        let later = bucket.reserve(100, now: 9 * second, maxWait: second)
        #expect(later == .granted(wait: second))
    }

    @Test("a refund gives back what was taken, never above the burst")
    func refund() {
        var bucket = TokenBucket(perSecond: 1, burst: 5, now: 0)
        _ = bucket.reserve(3, now: 0, maxWait: 0)
        bucket.refund(2)
        #expect(bucket.tokens == 4)
        bucket.refund(100)
        #expect(bucket.tokens == 5)
        bucket.refund(-7)
        bucket.refund(0)
        #expect(bucket.tokens == 5)
    }

    @Test("a clock that seems to go back adds and takes nothing")
    func backwards() {
        var bucket = TokenBucket(perSecond: 10, burst: 10, now: second)
        _ = bucket.reserve(10, now: second, maxWait: 0)
        let earlier = bucket.reserve(1, now: 0, maxWait: second)
        #expect(earlier == .granted(wait: second / 10))
        let same = bucket.reserve(1, now: second, maxWait: second)
        #expect(same == .granted(wait: second / 5))
    }

    @Test("new limits keep level and debt; a smaller burst cuts the level")
    func reconfigure() {
        var bucket = TokenBucket(perSecond: 10, burst: 100, now: 0)
        bucket.reconfigure(perSecond: 1, burst: 20, now: 0)
        #expect(bucket.tokens == 20)
        _ = bucket.reserve(40, now: 0, maxWait: 0)
        bucket.reconfigure(perSecond: 1000, burst: 1000, now: 0)
        #expect(bucket.tokens == -20)
        // What was earned before the change was earned at the old rate.
        bucket.reconfigure(perSecond: 1, burst: 1000, now: second / 100)
        #expect(bucket.tokens == -10)
    }

    @Test(
        "extreme numbers neither trap nor overflow",
        arguments: [
            (1, 1, Int.max), (Int.max, Int.max, Int.max), (Int.max, 1, 1), (1, Int.max, Int.max), (0, 0, 5),
            (-5, -5, 5),
            (Int.min, Int.min, Int.min),
        ]
    )
    func extremes(perSecond: Int, burst: Int, count: Int) {
        var bucket = TokenBucket(perSecond: perSecond, burst: burst, now: .min)
        for now in [Int64.min, -1, 0, 1, .max] {
            switch bucket.reserve(count, now: now, maxWait: .max) {
            case .granted(let wait), .refused(let wait): #expect(wait >= 0)
            }
            bucket.refund(count)
            bucket.reconfigure(perSecond: perSecond, burst: burst, now: now)
            #expect(bucket.tokens <= max(burst, 1))
        }
    }
}
