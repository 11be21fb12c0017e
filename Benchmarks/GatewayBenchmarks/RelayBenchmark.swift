import Common
import HTTPTypes
import Translator
import UpstreamHTTP

/// The floor of the whole gateway: the same listener and the same client, which send as many calls with the same bodies,
/// decompress what came in, and take a digest of what goes out; nothing is translated, proved, limited or counted.
struct RelayBenchmark: HTTPResponder {
    let client: UpstreamClient
    let storeURL: String
    /// The calls of one request, made before.
    let bodies: [FrozenBytes]

    func respond(to request: IncomingRequest) async -> OutgoingResponse {
        guard let block = try? await request.body.collect(limitBytes: 64 << 20),
            (try? SnappyBlock.decode(block, limitBytes: 64 << 20)) != nil
        else { return .text(.badRequest, "no body") }
        let deadline = ContinuousClock.now.advanced(by: .seconds(20))
        let isStored = await withTaskGroup(of: Bool.self) { group in
            // As many at once as the gateway has.
            var bodies = self.bodies[...]
            for body in bodies.prefix(RecordWriter.concurrentCalls) {
                group.addTask { await self.send(body, deadline) }
            }
            bodies = bodies.dropFirst(RecordWriter.concurrentCalls)
            var isStored = true
            while let one = await group.next() {
                isStored = isStored && one
                if let body = bodies.popFirst() { group.addTask { await self.send(body, deadline) } }
            }
            return isStored
        }
        return isStored ? OutgoingResponse(status: .noContent) : .text(.serviceUnavailable, "not stored")
    }

    private func send(_ body: FrozenBytes, _ deadline: ContinuousClock.Instant) async -> Bool {
        let copy = body.array
        let headers = [
            (name: "content-type", value: "application/x-amz-json-1.0"),
            ("x-amz-target", "Timestream_20181101.WriteRecords"), ("authorization", hexadecimal(sha256(copy))),
        ]
        let request = UpstreamRequest(method: "POST", url: self.storeURL, headers: headers, body: body)
        guard let response = try? await self.client.send(request, deadline: deadline) else { return false }
        return response.status == 200
    }
}
