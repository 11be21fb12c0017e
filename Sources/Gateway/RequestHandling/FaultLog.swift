import Common
import Logging
import TimestreamModel
import Translator

/// Logs what one tenant's data suffers, each kind at most once in a while: a fault that lasts must be seen, and must not
/// fill the disk.
final class FaultLog: Sendable {
    private enum Kind: Hashable {
        case store(TimestreamError.Code, isCallers: Bool)
        case unreadableHistograms
        case droppedExemplars

        var interval: Duration {
            switch self {
            case .store, .unreadableHistograms: .seconds(10)
            // No fault: a sender's setting, which may stay as it is for good.
            case .droppedExemplars: .seconds(3600)
            }
        }
    }

    private let lastTimes = Locked<[Kind: (time: ContinuousClock.Instant, suppressed: Int)]>([:])

    /// How many lines of a kind were left out since the last one; nil if this one is to be left out too.
    private func suppressed(_ kind: Kind, now: ContinuousClock.Instant) -> Int? {
        self.lastTimes.withLock { times in
            if let last = times[kind], now - last.time < kind.interval {
                times[kind] = (last.time, last.suppressed + 1)
                return nil
            }
            let suppressed = times[kind]?.suppressed ?? 0
            times[kind] = (now, 0)
            return suppressed
        }
    }

    /// Logs why the store failed; nothing if the request was given up.
    func note(
        _ failure: StoreFailure,
        tenant: String,
        requestID: String,
        logger: Logger,
        now: ContinuousClock.Instant = .now
    ) {
        let error = failure.error
        let kind = Kind.store(error.code, isCallers: failure.isCallers)
        guard error.code != .cancelled, let suppressed = self.suppressed(kind, now: now) else { return }
        // What one caller's keys may do is that caller's affair.
        let isOperatorFault =
            error.isOperatorFault && !(failure.isCallers && [.signature, .accessDenied].contains(error.code))
        var metadata: Logger.Metadata = [
            LogKey.tenant: .string(tenant),
            LogKey.requestID: .string(requestID),
            LogKey.errorCode: .string(error.code.rawValue),
            "error.message": .string(oneLine(error.debugDescription, limitBytes: 512)),
            "suppressed": .stringConvertible(suppressed),
        ]
        metadata.merge(Self.mending(error)) { $1 }
        logger.log(
            level: isOperatorFault ? .error : .warning,
            isOperatorFault
                ? "Timestream refuses this tenant's calls: mend its credentials, permissions, table or quota"
                : "Timestream did not take or answer a call in time",
            metadata: metadata
        )
    }

    /// What is missing, and what mends it, as far as the service's words tell.
    private static func mending(_ error: TimestreamError) -> Logger.Metadata {
        if error.isClosedToNewCustomers {
            let remedy =
                "Amazon Timestream for LiveAnalytics is closed to new customers since 20 June 2025, and this AWS account is "
                + "not an existing one: no policy mends that; use an account that is, or backend: local"
            return ["remedy": .string(remedy)]
        }
        switch error.code {
        case .accessDenied:
            guard let missing = MissingPermission(message: error.message) else { return [:] }
            var metadata: Logger.Metadata = [
                "iam.action": .string(missing.action), "remedy": .string(oneLine(missing.remedy, limitBytes: 1024)),
            ]
            if let resource = missing.resource { metadata["iam.resource"] = .string(resource) }
            return metadata
        case .resourceNotFound:
            return ["remedy": "make the tenant's database and table in its region, or name those that exist"]
        case .serviceQuotaExceeded:
            return ["remedy": "ask AWS to raise the quota that the message names"]
        case .unknownOperation:
            return [
                "remedy":
                    "the endpoint is not one of Timestream's cells: mend or remove write_endpoint and query_endpoint"
            ]
        case .signature:
            return ["remedy": "mend the tenant's keys, or this machine's clock"]
        default:
            return [:]
        }
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

    /// Logs that a request's exemplars are not stored, if it has any.
    func note(
        _ counts: WriteCounts,
        tenant: String,
        requestID: String,
        logger: Logger,
        now: ContinuousClock.Instant = .now
    ) {
        guard counts.exemplars > 0, let suppressed = self.suppressed(.droppedExemplars, now: now) else { return }
        logger.notice(
            "Exemplars are not stored: Timestream has no place for them; send_exemplars: false saves sending them",
            metadata: [
                LogKey.tenant: .string(tenant),
                LogKey.requestID: .string(requestID),
                "exemplars.no_place": .stringConvertible(counts.exemplars - counts.refusedExemplars),
                "exemplars.malformed": .stringConvertible(counts.refusedExemplars),
                "suppressed": .stringConvertible(suppressed),
            ]
        )
    }
}
