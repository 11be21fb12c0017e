import Synchronization
import TimestreamModel

/// Where calls go: the configured address of an API, or the one that discovery names.
final class EndpointDirectory: Sendable {
    /// What a waiter is told: the address, or why there is none; `cancelled` if it has to ask again.
    private typealias Waiter = CheckedContinuation<Result<String, TimestreamError>, Never>

    private let configured: [ServiceAPI: String]
    private let caches = Mutex<[ServiceAPI: EndpointCache<Waiter>]>([:])
    private let lastWaiter = Atomic<UInt64>(0)

    init(_ configuration: TimestreamServiceConfiguration) {
        var configured: [ServiceAPI: String] = [:]
        configured[.write] = configuration.writeEndpoint
        configured[.query] = configuration.queryEndpoint
        self.configured = configured
    }

    /// The URL to send a call of an API to.
    ///
    /// - Parameter discover: asks the service; called by at most one caller at a time for each API.
    func url(
        of api: ServiceAPI,
        discover: () async throws(TimestreamError) -> EndpointAnswer
    ) async throws(TimestreamError) -> String {
        if let url = self.configured[api] { return url }
        while true {
            switch self.caches.withLock({ $0[api, default: EndpointCache()].request(now: .now) }) {
            case .use(let url):
                return url
            case .discover:
                return try await self.discoverNow(api, discover)
            case .wait:
                let result = await self.wait(for: api)
                if case .failure(let error) = result, error.code == .cancelled, !Task.isCancelled { continue }
                return try result.get()
            }
        }
    }

    /// Notes that the service refused an address.
    func invalidate(_ url: String, of api: ServiceAPI) {
        self.caches.withLock { $0[api]?.invalidate(url) }
    }

    private func discoverNow(
        _ api: ServiceAPI,
        _ discover: () async throws(TimestreamError) -> EndpointAnswer
    ) async throws(TimestreamError) -> String {
        do throws(TimestreamError) {
            let answer = try await discover()
            let waiters = self.caches.withLock { $0[api, default: EndpointCache()].discovered(answer, now: .now) }
            for waiter in waiters { waiter.resume(returning: .success(answer.url)) }
            return answer.url
        } catch {
            let (url, waiters) = self.caches.withLock { $0[api, default: EndpointCache()].failed(now: .now) }
            // If this caller was cancelled, its waiters were not: they ask again, and one of them discovers.
            for waiter in waiters { waiter.resume(returning: url.map { .success($0) } ?? .failure(error)) }
            if let url, error.code != .cancelled { return url }
            throw error
        }
    }

    private func wait(for api: ServiceAPI) async -> Result<String, TimestreamError> {
        let id = self.lastWaiter.wrappingAdd(1, ordering: .relaxed).newValue
        let askAgain = TimestreamError(.cancelled, message: "the discovery that was waited for has ended")
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let isWaiting = self.caches.withLock { caches in
                    // A cancel that came before finds nobody to wake, so it is looked at here, under the lock.
                    !Task.isCancelled && caches[api, default: EndpointCache()].add(waiter, id: id)
                }
                if !isWaiting { waiter.resume(returning: .failure(askAgain)) }
            }
        } onCancel: {
            let waiter = self.caches.withLock { $0[api]?.remove(id) }
            waiter?.resume(returning: .failure(askAgain))
        }
    }
}
