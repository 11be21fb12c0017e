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
        case brokenRead
        case droppedExemplars

        var interval: Duration {
            switch self {
            case .store, .unreadableHistograms, .brokenRead: .seconds(10)
            // No fault: a sender's setting, which may stay as it is for good.
            case .droppedExemplars: .seconds(3600)
            }
        }
    }

    /// The request in which something happened.
    struct Request: Sendable {
        var tenant: String
        var id: String
        var logger: Logger
        var now = ContinuousClock.now
    }

    private let lastTimes = Locked<[Kind: (time: ContinuousClock.Instant, suppressed: Int)]>([:])

    /// Logs why the store failed; nothing if the request was given up.
    func note(_ failure: StoreFailure, in request: Request) {
        let error = failure.error
        guard error.code != .cancelled else { return }
        self.log(
            .store(error.code, isCallers: failure.isCallers),
            failure.isOperatorFault ? .error : .warning,
            failure.isOperatorFault
                ? "Timestream refuses this tenant's calls: mend its credentials, permissions, table or quota"
                : "Timestream did not take or answer a call in time",
            [LogKey.errorCode: .string(error.code.rawValue), "error.message": Self.line(error.debugDescription)]
                .merging(failure.mending) { $1 },
            in: request
        )
    }

    /// Logs that an answer lacks stored histograms, if it does.
    func note(_ counts: ReadCounts, in request: Request) {
        guard counts.incompleteHistograms > 0 || counts.malformedHistograms > 0 else { return }
        self.log(
            .unreadableHistograms,
            .warning,
            "Stored native histograms are not in an answer: parts are missing, or are none of ours",
            [
                "histograms.incomplete": .stringConvertible(counts.incompleteHistograms),
                "histograms.malformed": .stringConvertible(counts.malformedHistograms),
            ],
            in: request
        )
    }

    /// Logs why a streamed answer was broken off, where it was not the store's fault: nobody else is told.
    func note(brokenRead error: ReadError, in request: Request) {
        self.log(
            .brokenRead,
            .warning,
            "A streamed answer was broken off",
            ["error.message": Self.line(error.description)],
            in: request
        )
    }

    /// Logs that a request's exemplars are not stored, if it has any.
    func note(_ counts: WriteCounts, in request: Request) {
        guard counts.exemplars > 0 else { return }
        self.log(
            .droppedExemplars,
            .notice,
            "Exemplars are not stored: Timestream has no place for them; send_exemplars: false saves sending them",
            [
                "exemplars.no_place": .stringConvertible(counts.exemplars - counts.refusedExemplars),
                "exemplars.malformed": .stringConvertible(counts.refusedExemplars),
            ],
            in: request
        )
    }

    private static func line(_ text: String) -> Logger.MetadataValue {
        .string(oneLine(text, limitBytes: 512))
    }

    private func log(
        _ kind: Kind,
        _ level: Logger.Level,
        _ message: Logger.Message,
        _ metadata: @autoclosure () -> Logger.Metadata,
        in request: Request
    ) {
        guard let suppressed = self.suppressed(kind, now: request.now) else { return }
        let place: Logger.Metadata = [
            LogKey.tenant: .string(request.tenant),
            LogKey.requestID: .string(request.id),
            "suppressed": .stringConvertible(suppressed),
        ]
        request.logger.log(level: level, message, metadata: metadata().merging(place) { $1 })
    }

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
}
