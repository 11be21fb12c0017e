import Common
import TimestreamModel
import UpstreamHTTP

extension TimestreamServiceClient {
    private static let discoveryTimeout: Duration = .seconds(5)

    /// Where a call goes: as configured, else as discovered.
    func endpoint(
        _ api: TimestreamAPI,
        _ deadline: ContinuousClock.Instant
    ) async throws(Failure) -> Endpoint {
        if let configured = self.configuredEndpoint(api) { return configured }
        var transfer: UpstreamError.Code?
        do throws(TimestreamError) {
            return try await self.learned.directory(api).endpoint(
                deadline: deadline,
                discover: { () async throws(TimestreamError) -> (address: String, minutes: Int) in
                    do throws(Failure) {
                        return try await self.discover(api, deadline)
                    } catch {
                        transfer = error.transfer
                        throw error.error
                    }
                },
                refresh: { self.startRefresh(api) }
            )
        } catch {
            throw Failure(error: error, transfer: transfer)
        }
    }

    /// A task of its own: the call that noticed does not wait for it, nor does its end or cancel end it. It is bounded by
    /// the time-out of discovery.
    private func startRefresh(_ api: TimestreamAPI) {
        Task {
            await self.learned.directory(api).refresh {
                () async throws(TimestreamError) -> (address: String, minutes: Int) in
                do throws(Failure) {
                    return try await self.discover(api, .now + Self.discoveryTimeout)
                } catch {
                    throw error.error
                }
            }
        }
    }

    private func discover(
        _ api: TimestreamAPI,
        _ deadline: ContinuousClock.Instant
    ) async throws(Failure) -> (address: String, minutes: Int) {
        let endpoint = self.configuration.regionalEndpoint(api)
        let limit = min(deadline, .now + Self.discoveryTimeout)
        let role: EndpointRole = api == .write ? .writeDiscovery : .queryDiscovery
        var progress = CallProgress(mayRediscover: false)
        while true {
            do throws(Failure) {
                return try await self.guarded(.describeEndpoints, endpoint, role, limit) {
                    () async throws(Failure) -> (address: String, minutes: Int) in
                    try await self.exchange(.describeEndpoints, endpoint, RequestBody.describeEndpoints, limit) {
                        (answer: [UInt8]) throws(JSONError) in
                        try ServiceAnswer.endpoint(in: answer)
                    }
                }
            } catch {
                // A wrong clock or an old key is mended here: those who wait for this look-up see its outcome alone.
                guard await self.isMended(error, api, &progress, limit) else { throw error }
                self.noteRetry()
            }
        }
    }
}
