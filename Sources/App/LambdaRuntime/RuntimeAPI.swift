import Common
package import UpstreamHTTP

/// One event that the function is called with.
package struct Invocation: Sendable {
    package var requestID: String
    /// When the function's time is over, in milliseconds since 1970-01-01 UTC.
    package var deadlineMilliseconds: Int64
    /// For AWS X-Ray; empty without it.
    package var traceID: String
    package var event: [UInt8]
}

/// The runtime API of AWS Lambda, over libcurl.
///
/// - Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes", version 2018-06-01.
package struct RuntimeAPI: Sendable {
    /// Why the runtime API is of no use.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    private let base: String
    private let upstream: UpstreamClient

    /// - Parameters:
    ///   - address: host and port, as in the variable `AWS_LAMBDA_RUNTIME_API`.
    ///   - upstream: for this API alone: it goes through no proxy.
    package init(address: String, upstream: UpstreamClient) {
        self.base = "http://\(address)/2018-06-01/runtime"
        self.upstream = upstream
    }

    /// Waits for the next event. The environment may be frozen meanwhile, for hours.
    package func next() async throws -> Invocation {
        let request = UpstreamRequest(method: "GET", url: "\(self.base)/invocation/next", headers: [], body: nil)
        // The documentation forbids a time-out here; ours is longer than AWS keeps an environment.
        let response = try await self.upstream.send(request, deadline: .now + .seconds(86_400))
        guard response.status == 200 else {
            throw Failure(description: "the runtime API answered \(response.status) when asked for the next event")
        }
        guard let requestID = response.header("lambda-runtime-aws-request-id"), Self.isPlain(requestID) else {
            throw Failure(description: "the runtime API gave an event without a request id")
        }
        return Invocation(
            requestID: requestID,
            deadlineMilliseconds: response.header("lambda-runtime-deadline-ms").flatMap { Int64($0) } ?? .max,
            traceID: response.header("lambda-runtime-trace-id") ?? "",
            event: response.body
        )
    }

    /// Hands in an event's answer.
    package func respond(to requestID: String, _ body: [UInt8]) async throws {
        try await self.post("invocation/\(requestID)/response", body, [])
    }

    /// Says that an event could not be handled.
    package func fail(_ requestID: String, type: String, message: String) async throws {
        try await self.post("invocation/\(requestID)/error", type: type, message: message)
    }

    /// Says that the function could not be made ready.
    package func failInitialization(type: String, message: String) async throws {
        try await self.post("init/error", type: type, message: message)
    }

    private func post(_ path: String, type: String, message: String) async throws {
        var body: [UInt8] = Array(#"{"errorMessage":"#.utf8)
        JSONText.append(message, to: &body)
        body += Array(#","errorType":"#.utf8)
        JSONText.append(type, to: &body)
        body += Array(#","stackTrace":[]}"#.utf8)
        try await self.post(path, body, [("Lambda-Runtime-Function-Error-Type", type)])
    }

    private func post(_ path: String, _ body: [UInt8], _ headers: [(name: String, value: String)]) async throws {
        let request = UpstreamRequest(
            method: "POST",
            url: "\(self.base)/\(path)",
            headers: [("Content-Type", "application/json")] + headers,
            body: FrozenBytes(body)
        )
        let response = try await self.upstream.send(request, deadline: .now + .seconds(10))
        guard response.status == 202 else {
            throw Failure(description: "the runtime API answered \(response.status) to \(path)")
        }
    }

    /// Whether it can stand in a path as it is.
    private static func isPlain(_ requestID: String) -> Bool {
        !requestID.isEmpty
            && requestID.unicodeScalars.allSatisfy {
                $0.isASCII && ($0.properties.isAlphabetic || "0123456789-".unicodeScalars.contains($0))
            }
    }
}
