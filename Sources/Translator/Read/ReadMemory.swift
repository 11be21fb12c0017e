import Common

/// Takes memory for results from whoever keeps account of it.
///
/// - Throws: `ReadError.overMemory` if there is none.
package typealias MemoryReservation = @Sendable (_ byteCount: Int) throws(ReadError) -> Void

/// The memory of one request's results: what was reserved once serves again after what it held is gone.
final class ReadMemory: Sendable {
    /// Reserved at once, so that small growth does not ask each time.
    private static let stepBytes = 64 << 10

    private let reservedBytes = Locked(0)
    private let reserve: MemoryReservation

    init(reserve: @escaping MemoryReservation) {
        self.reserve = reserve
    }

    /// Sees to it that so much is reserved altogether.
    func require(_ byteCount: Int) throws(ReadError) {
        let reserved = self.reservedBytes.withLock(\.self)
        guard byteCount > reserved else { return }
        // One task at a time reads a request, so nobody else reserves meanwhile.
        let wanted = (byteCount / Self.stepBytes + 1) * Self.stepBytes
        try self.reserve(wanted - reserved)
        self.reservedBytes.withLock { $0 = wanted }
    }
}

/// What the answer to a request may still take.
struct ReadBudget: Sendable {
    let limits: ReadLimits
    private let memory: ReadMemory
    private(set) var samples = 0
    private(set) var series = 0
    /// What results hold that are complete.
    var heldBytes = 0

    init(limits: ReadLimits, memory: ReadMemory) {
        self.limits = limits
        self.memory = memory
    }

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

    /// Reserves what is held besides the complete results.
    func require(_ byteCount: Int) throws(ReadError) {
        try self.memory.require(self.heldBytes + byteCount)
    }
}
