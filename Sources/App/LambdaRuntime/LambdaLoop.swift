package import Common
import Glibc
import HTTPTypes
package import Logging
package import TLSTransport
import UpstreamHTTP

/// Takes one event after the other from the runtime API and hands in its answer.
package struct LambdaLoop: Sendable {
    /// What is left of the function's time when an answer is given up, so that "try again" is heard before AWS ends the
    /// function.
    static let reserve: Duration = .milliseconds(500)
    /// How often in a row the runtime API may fail before the process ends and AWS makes a new environment.
    private static let tolerableFailures = 3

    private let api: RuntimeAPI
    private let responder: any HTTPResponder
    private let signedResponder: (any HTTPResponder)?
    private let certificates: ForwardedCertificates?
    private let logger: Logger

    /// - Parameters:
    ///   - responder: answers requests as if a listener had them.
    ///   - signedResponder: answers those whose caller AWS has authenticated by a signature; absent: the other does too.
    ///   - certificates: judges the client certificates that a custom domain with mutual TLS hands on; absent: they
    ///     prove nothing.
    package init(
        api: RuntimeAPI,
        responder: any HTTPResponder,
        signedResponder: (any HTTPResponder)?,
        certificates: ForwardedCertificates?,
        logger: Logger
    ) {
        self.api = api
        self.responder = responder
        self.signedResponder = signedResponder
        self.certificates = certificates
        self.logger = logger
    }

    /// Runs until its task is cancelled; an event that has been taken by then is answered.
    ///
    /// - Throws: when the runtime API fails again and again.
    package func run() async throws {
        var failures = 0
        while !Task.isCancelled {
            do {
                let invocation = try await self.api.next()
                failures = 0
                // A task of its own, which is not cancelled with this one; the event's deadline bounds it.
                await Task { await self.handle(invocation) }.value
            } catch let error as UpstreamError where error.code == .cancelled {
                return
            } catch {
                failures += 1
                self.logger.error("the runtime API gave no event", metadata: [LogKey.errorCode: "\(error)"])
                guard failures < Self.tolerableFailures else { throw error }
            }
        }
    }

    private func handle(_ invocation: Invocation) async {
        let start = ContinuousClock.now
        var metadata: Logger.Metadata = ["lambda.request.id": .string(invocation.requestID)]
        if !invocation.traceID.isEmpty { metadata["trace.id"] = .string(invocation.traceID) }
        do {
            let event = try ProxyEvent(invocation.event)
            let answer = await self.answer(event, until: Self.instant(of: invocation.deadlineMilliseconds))
            metadata["status"] = .stringConvertible(answer.status)
            try await self.api.respond(to: invocation.requestID, answer.json)
        } catch let fault as EventFault {
            // API Gateway makes 500 of it, so that a sender keeps what it has.
            self.logger.error("an event could not be handled", metadata: [LogKey.errorCode: .string("\(fault)")])
            try? await self.api.fail(invocation.requestID, type: "Gateway.InvalidEvent", message: "\(fault)")
        } catch {
            metadata[LogKey.errorCode] = .string("\(error)")
            self.logger.error("an answer could not be handed in", metadata: metadata)
        }
        metadata[LogKey.durationSeconds] = .stringConvertible((ContinuousClock.now - start) / .seconds(1))
        self.logger.debug("event", metadata: metadata)
    }

    /// - Returns: 503 if there is no answer before the deadline.
    private func answer(_ event: ProxyEvent, until deadline: ContinuousClock.Instant) async -> ProxyAnswer {
        let isSigned = event.isSigned && self.signedResponder != nil
        let responder = isSigned ? self.signedResponder ?? self.responder : self.responder
        let request = IncomingRequest(
            head: event.head,
            peer: Peer(
                address: event.sourceAddress,
                isEncrypted: true,
                identity: event.clientCertificate.flatMap { self.certificates?.identity(ofPEM: $0) }
            ),
            body: EventBody(bytes: event.body)
        )
        return await withTaskGroup(of: ProxyAnswer?.self) { group in
            group.addTask { await ProxyAnswer.collect(responder.respond(to: request)) }
            group.addTask {
                try? await Task.sleep(until: deadline, clock: .continuous)
                return nil
            }
            defer { group.cancelAll() }
            guard let answer = await group.next() ?? nil else {
                self.logger.warning("the function's time was over before there was an answer")
                return .plain(
                    .serviceUnavailable,
                    "the function's time is over; repeat the request",
                    ["Retry-After": "5"]
                )
            }
            return answer
        }
    }

    /// A wall-clock time on this process' own clock, less the reserve.
    private static func instant(of milliseconds: Int64) -> ContinuousClock.Instant {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        let left = milliseconds.subtractingReportingOverflow(Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000)
        // AWS gives a function 15 minutes at most.
        return .now + .milliseconds(min(max(left.overflow ? .max : left.partialValue, 0), 900_000)) - Self.reserve
    }
}
