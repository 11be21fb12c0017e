import TimestreamModel

/// How far the service's clock is from ours, learned from what it refuses.
///
/// AWS takes signatures that are up to five minutes off. A machine whose clock is wrong would have all its calls refused,
/// although nothing else is wrong with it.
struct ClockSkew: Sendable {
    /// A smaller difference is the network's and the rounding of `Date`.
    static let noticeable: Int64 = 30
    /// A difference at which the clock is the likely reason of a refusal that does not speak of it.
    static let likely: Int64 = 240

    /// To be added to our own time.
    private(set) var offsetSeconds: Int64 = 0

    /// Learns from a refused signature.
    ///
    /// - Parameters:
    ///   - serverSeconds: the answer's `Date`.
    ///   - localSeconds: our own time, without the offset.
    /// - Returns: whether the same call, signed with the new offset, may be accepted.
    mutating func learn(
        from error: TimestreamError,
        serverSeconds: Int64,
        localSeconds: Int64
    ) -> Bool {
        guard error.code == .signature else { return false }
        let threshold = error.isAboutSigningTime ? Self.noticeable : Self.likely
        let (difference, isOverflow) = serverSeconds.subtractingReportingOverflow(localSeconds)
        guard !isOverflow, Int64.max.magnitude > difference.magnitude else { return false }
        let change = difference.subtractingReportingOverflow(self.offsetSeconds)
        guard !change.overflow, change.partialValue.magnitude >= threshold.magnitude else { return false }
        self.offsetSeconds = difference
        return true
    }
}
