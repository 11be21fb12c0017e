import Common
import UpstreamHTTP

/// Asks a running gateway's health page.
package enum HealthProbe {
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// The status that a URL answers with; within three seconds.
    package static func status(of url: String) async throws -> Int {
        do {
            let client = try UpstreamClient(UpstreamConfiguration(), metrics: MetricRegistry())
            let response = try await client.send(
                UpstreamRequest(method: "GET", url: url, headers: [], body: nil),
                deadline: .now + .seconds(3)
            )
            await client.shutdown()
            return response.status
        } catch {
            throw Failure(description: "\(error)")
        }
    }
}
