import Common
import Logging
import TimestreamModel
import Translator

/// Logs the store's faults of one tenant, each kind at most once in ten seconds: a fault that lasts must be seen, and must
/// not fill the disk.
final class FaultLog: Sendable {
    private static let interval = Duration.seconds(10)

    private enum Kind: Hashable {
        case store(TimestreamError.Code)
        case unreadableHistograms
        case brokenRead
    }

    private let lastTimes = Locked<[Kind: (time: ContinuousClock.Instant, suppressed: Int)]>([:])

    /// How many lines of a kind were left out since the last one; nil if this one is to be left out too.
    private func suppressed(_ kind: Kind, now: ContinuousClock.Instant) -> Int? {
        self.lastTimes.withLock { times in
            if let last = times[kind], now - last.time < Self.interval {
                times[kind] = (last.time, last.suppressed + 1)
                return nil
            }
            let suppressed = times[kind]?.suppressed ?? 0
            times[kind] = (now, 0)
            return suppressed
        }
    }

    func note(
        _ error: TimestreamError,
        tenant: String,
        requestID: String,
        logger: Logger,
        now: ContinuousClock.Instant = .now
    ) {
        guard let suppressed = self.suppressed(.store(error.code), now: now) else { return }
        logger.log(
            level: error.isOperatorFault ? .error : .warning,
            error.isOperatorFault
                ? "Timestream refuses this tenant's calls: mend its credentials, permissions, table or quota"
                : "Timestream did not take or answer a call in time",
            metadata: [
                LogKey.tenant: .string(tenant),
                LogKey.requestID: .string(requestID),
                LogKey.errorCode: .string(error.code.rawValue),
                "error.message": .string(oneLine(error.debugDescription, limitBytes: 512)),
                "suppressed": .stringConvertible(suppressed),
            ]
        )
    }

    /// Logs that an answer lacks stored histograms, if it does.
    func note(
        _ counts: ReadCounts,
        tenant: String,
        requestID: String,
        logger: Logger,
        now: ContinuousClock.Instant = .now
    ) {
        guard counts.incompleteHistograms > 0 || counts.malformedHistograms > 0,
            let suppressed = self.suppressed(.unreadableHistograms, now: now)
        else { return }
        logger.warning(
            "Stored native histograms are not in an answer: parts are missing, or are none of ours",
            metadata: [
                LogKey.tenant: .string(tenant),
                LogKey.requestID: .string(requestID),
                "histograms.incomplete": .stringConvertible(counts.incompleteHistograms),
                "histograms.malformed": .stringConvertible(counts.malformedHistograms),
                "suppressed": .stringConvertible(suppressed),
            ]
        )
    }

    /// Logs why a streamed answer was broken off, where it was not the store's fault: nobody else is told.
    func note(
        brokenRead error: ReadError,
        tenant: String,
        requestID: String,
        logger: Logger,
        now: ContinuousClock.Instant = .now
    ) {
        guard let suppressed = self.suppressed(.brokenRead, now: now) else { return }
        logger.warning(
            "A streamed answer was broken off",
            metadata: [
                LogKey.tenant: .string(tenant),
                LogKey.requestID: .string(requestID),
                "error.message": .string(oneLine(error.description, limitBytes: 512)),
                "suppressed": .stringConvertible(suppressed),
            ]
        )
    }
}
