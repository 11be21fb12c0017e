import Common
import Logging
import TimestreamModel

/// Logs the store's faults of one tenant, each kind at most once in ten seconds: a fault that lasts must be seen, and must
/// not fill the disk.
final class FaultLog: Sendable {
    private static let interval = Duration.seconds(10)

    private let lastTimes = Locked<[TimestreamError.Code: (time: ContinuousClock.Instant, suppressed: Int)]>([:])

    func note(
        _ error: TimestreamError,
        tenant: String,
        requestID: String,
        logger: Logger,
        now: ContinuousClock.Instant = .now
    ) {
        let suppressed: Int? = self.lastTimes.withLock { times in
            if let last = times[error.code], now - last.time < Self.interval {
                times[error.code] = (last.time, last.suppressed + 1)
                return nil
            }
            let suppressed = times[error.code]?.suppressed ?? 0
            times[error.code] = (now, 0)
            return suppressed
        }
        guard let suppressed else { return }
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
}
