import CCurl
package import Common
import Glibc
import Synchronization

/// Sends HTTP/1.1 requests with libcurl, on a thread of its own.
///
/// Connections are kept and shared by all callers. A request on a kept connection that the upstream has just closed,
/// with no byte of the answer come, is sent again by libcurl on another connection; so requests must bear being sent
/// twice. Redirects are not followed. Cancelling the calling task closes the transfer's connection.
package final class UpstreamClient: Sendable {
    private let exchange: TransferExchange
    private let metrics: UpstreamMetrics
    private let thread: DriverThread
    private let lastNumber = Atomic<UInt64>(0)

    /// - Throws: `.invalidRequest` if the CA bundle cannot be read, `.library` if libcurl is unfit.
    package init(_ configuration: UpstreamConfiguration, metrics registry: MetricRegistry) throws(UpstreamError) {
        if let path = configuration.caBundlePath {
            // libcurl would say so at each transfer; the operator should hear it at the start.
            guard unsafe access(path, R_OK) == 0 else {
                let reason = unsafe String(cString: strerror(errno))
                throw UpstreamError(.invalidRequest, message: "cannot read the CA bundle \(path): \(reason)")
            }
        }
        let exchange = TransferExchange(capacity: configuration.maxTransfers)
        let metrics = UpstreamMetrics(registry)
        let multi = try MultiHandle(maxIdleConnections: configuration.maxConnectionsPerHost * 2, metrics: metrics)
        self.exchange = exchange
        self.metrics = metrics
        self.thread = try DriverThread {
            TransferDriver(configuration: configuration, exchange: exchange, metrics: metrics, multi: multi).run()
        }
    }

    deinit {
        // The thread ends by itself; nobody can wait for it here.
        self.exchange.close()
    }

    /// Sends a request and receives the whole answer, whatever its status.
    ///
    /// - Parameter deadline: covers the wait for a place, connecting, sending and receiving.
    /// - Throws: `UpstreamError`; `.cancelled` at once when the calling task is cancelled, the transfer is aborted then.
    package func send(
        _ request: UpstreamRequest,
        deadline: ContinuousClock.Instant
    ) async throws(UpstreamError) -> UpstreamResponse {
        let result = await self.transfer(request, deadline)
        self.metrics.note(result)
        return try result.get()
    }

    private func transfer(
        _ request: UpstreamRequest,
        _ deadline: ContinuousClock.Instant
    ) async -> Result<UpstreamResponse, UpstreamError> {
        guard let origin = request.origin else {
            return .failure(UpstreamError(.invalidRequest, message: "not an http or https URL"))
        }
        guard request.hasCleanTarget, let lines = HeaderLines(request.headers) else {
            let message = "\(origin): a control character in the URL or in a header"
            return .failure(UpstreamError(.invalidRequest, message: message))
        }
        // From one: the number travels through libcurl as a pointer.
        let id = TransferID(number: self.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue)
        defer { self.exchange.forget(id) }
        let queued = QueuedTransfer(
            id: id,
            origin: origin,
            request: request,
            headerLines: lines,
            deadline: deadline
        )
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                self.exchange.start(queued, waiter)
            }
        } onCancel: {
            self.exchange.cancel(id)
        }
    }

    /// Refuses new transfers, fails those under way with `.shutDown`, and returns when all connections are closed.
    package func shutdown() async {
        self.exchange.close()
        await self.thread.join()
    }
}
