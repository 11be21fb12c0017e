import Common

/// Takes memory for results from whoever keeps account of it.
///
/// - Throws: `ReadError.overMemory` if there is none.
package typealias MemoryReservation = @Sendable (_ byteCount: Int) throws(ReadError) -> Void

/// What the answer to one request takes, over all its queries, some of which are read at the same time.
///
/// Memory that was reserved once serves again after what it held is gone.
final class ReadAccount: Sendable {
    /// What one query's result takes.
    struct Share: Sendable {
        var samples = 0
        var series = 0
        var bytes = 0
    }

    private struct State {
        var shares: [Int: Share] = [:]
        var total = Share()
        var reservedBytes = 0
    }

    /// Reserved at once, so that small growth does not ask each time.
    private static let stepBytes = 64 << 10

    let limits: ReadLimits
    private let state = Locked(State())
    private let reserve: MemoryReservation

    init(limits: ReadLimits, reserve: @escaping MemoryReservation) {
        self.limits = limits
        self.reserve = reserve
    }

    /// Says what a query's result takes now, and no more what it took before.
    ///
    /// - Throws: `ReadError.tooManySamples`, `.tooManySeries` or `.overMemory`. The request has failed then.
    func set(_ share: Share, ofQuery query: Int) throws(ReadError) {
        let missingBytes = try self.state.withLock { state throws(ReadError) in
            let before = state.shares.updateValue(share, forKey: query) ?? Share()
            state.total.samples += share.samples - before.samples
            state.total.series += share.series - before.series
            state.total.bytes += share.bytes - before.bytes
            guard state.total.samples <= self.limits.maxSamples else {
                throw .tooManySamples(limit: self.limits.maxSamples)
            }
            guard state.total.series <= self.limits.maxSeries else {
                throw .tooManySeries(limit: self.limits.maxSeries)
            }
            guard state.total.bytes > state.reservedBytes else { return 0 }
            let wanted = (state.total.bytes / Self.stepBytes + 1) * Self.stepBytes
            defer { state.reservedBytes = wanted }
            return wanted - state.reservedBytes
        }
        // Another query may count on it already: should it fail, so does the request.
        if missingBytes > 0 { try self.reserve(missingBytes) }
    }
}

/// What the result of a query takes, and may still take.
///
/// Copied freely: what an attempt took that led to nothing is forgotten with its copy.
struct ReadBudget: Sendable {
    private let account: ReadAccount
    private let query: Int
    private var samples = 0
    private var series = 0
    /// What results hold that are complete.
    var heldBytes = 0

    /// - Parameter query: its number in the request; queries that are read one after the other may share one.
    init(_ account: ReadAccount, query: Int) {
        self.account = account
        self.query = query
    }

    var limits: ReadLimits { self.account.limits }

    /// Takes a sample; the other queries' are looked at by `require`.
    mutating func takeSample() throws(ReadError) {
        guard self.samples < self.limits.maxSamples else { throw .tooManySamples(limit: self.limits.maxSamples) }
        self.samples += 1
    }

    mutating func takeSeries() throws(ReadError) {
        guard self.series < self.limits.maxSeries else { throw .tooManySeries(limit: self.limits.maxSeries) }
        self.series += 1
    }

    /// Whether so many samples could still be taken, before any is read.
    func checkRoom(samples count: Int) throws(ReadError) {
        guard count <= self.limits.maxSamples - self.samples else {
            throw .tooManySamples(limit: self.limits.maxSamples)
        }
    }

    /// Reserves what is held besides the complete results, and holds the request to its limits.
    func require(_ byteCount: Int) throws(ReadError) {
        let share = ReadAccount.Share(samples: self.samples, series: self.series, bytes: self.heldBytes + byteCount)
        try self.account.set(share, ofQuery: self.query)
    }
}
