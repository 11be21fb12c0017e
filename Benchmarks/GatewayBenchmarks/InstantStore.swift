import Common
import HTTPTypes

/// A Timestream that acknowledges every call at once and keeps nothing, so that a benchmark measures the gateway alone.
struct InstantStore: HTTPResponder {
    func respond(to request: IncomingRequest) async -> OutgoingResponse {
        guard (try? await request.body.collect(limitBytes: 64 << 20)) != nil else {
            return .text(.badRequest, "no body")
        }
        return OutgoingResponse(
            status: .ok,
            headerFields: [.contentType: "application/x-amz-json-1.0"],
            body: Array(#"{"RecordsIngested":{"Total":100,"MemoryStore":100,"MagneticStore":0}}"#.utf8)
        )
    }
}
