package import Common
import HTTPTypes

/// Serves the metrics under one path of another responder, as AWS' connector does on its only port.
package struct TelemetryResponder: HTTPResponder {
    private let path: String
    private let metrics: MetricRegistry
    private let rest: any HTTPResponder

    /// - Parameters:
    ///   - path: without query, compared byte by byte.
    ///   - rest: answers every other path.
    package init(path: String, metrics: MetricRegistry, rest: any HTTPResponder) {
        self.path = path
        self.metrics = metrics
        self.rest = rest
    }

    package func respond(to request: IncomingRequest) async -> OutgoingResponse {
        let target = (request.head.path ?? "/").unicodeScalars
        guard target.prefix(while: { $0 != "?" }).elementsEqual(self.path.unicodeScalars) else {
            return await self.rest.respond(to: request)
        }
        guard request.head.method == .get || request.head.method == .head else {
            return .text(.methodNotAllowed, "this page is only read; use GET", headerFields: [.allow: "GET, HEAD"])
        }
        return .exposition(of: self.metrics)
    }
}

extension OutgoingResponse {
    /// All metrics, in Prometheus' text format.
    static func exposition(of metrics: MetricRegistry) -> OutgoingResponse {
        OutgoingResponse(
            status: .ok,
            headerFields: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: Array(metrics.exposition().utf8)
        )
    }
}
