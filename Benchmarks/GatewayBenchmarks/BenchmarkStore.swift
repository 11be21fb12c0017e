import Common
import HTTPTypes

/// A Timestream that acknowledges every write and keeps nothing, so that a benchmark measures the gateway alone.
///
/// `GET /meter` tells what came in since it was asked last, if it meters.
struct BenchmarkStore: HTTPResponder {
    let delay: Duration
    /// Nil: bodies are not looked at.
    let meter: Locked<WriteMeter>?

    func respond(to request: IncomingRequest) async -> OutgoingResponse {
        if request.head.method == .get { return self.tellMeter() }
        guard let body = try? await request.body.collect(limitBytes: 64 << 20) else {
            return .text(.badRequest, "no body")
        }
        if let meter = self.meter {
            let isMetered = meter.withLock { (try? $0.add(body)) != nil }
            guard isMetered else { return .text(.badRequest, "not a body of WriteRecords") }
        }
        if self.delay > .zero { try? await Task.sleep(for: self.delay) }
        let isQuery = HTTPField.Name("x-amz-target").map { request.head.headerFields[$0]?.hasSuffix(".Query") == true }
        return OutgoingResponse(
            status: .ok,
            headerFields: [.contentType: "application/x-amz-json-1.0"],
            body: Array((isQuery == true ? Self.noRows : Self.stored).utf8)
        )
    }

    private static let stored = #"{"RecordsIngested":{"Total":100,"MemoryStore":100,"MagneticStore":0}}"#
    /// Also for the look at the columns that a table's first write takes.
    private static let noRows = #"{"QueryId":"benchmark","ColumnInfo":[],"Rows":[]}"#

    private func tellMeter() -> OutgoingResponse {
        let line = self.meter?.withLock { meter in
            defer { meter = WriteMeter() }
            return meter.line
        }
        return .text(.ok, line ?? "not metered")
    }
}
