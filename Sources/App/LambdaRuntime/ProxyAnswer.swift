import Common
import FoundationEssentials
import HTTPTypes
import Synchronization

/// An answer as API Gateway and function URLs take it from a function; the same for both payload versions.
struct ProxyAnswer {
    /// What a function may answer at most, all of its JSON together (Lambda quotas, "Invocation payload", 6 MB).
    static let maximumBytes = 6_291_556
    /// What of it a body may have before it is written as base64; the rest is for headers.
    static let maximumBodyBytes = (Self.maximumBytes - 16_384) / 4 * 3

    private var response: OutgoingResponse
    private var body: [UInt8]

    /// Runs the answer's producer, if it has one. What cannot be handed on whole becomes another status.
    static func collect(_ response: OutgoingResponse) async -> ProxyAnswer {
        var body = response.body
        if let producer = response.producer {
            let sink = CollectingSink(limitBytes: Self.maximumBodyBytes)
            do {
                try await producer(sink)
            } catch {
                guard !sink.isFull else { return .tooLarge }
                // The beginning alone would look like a whole answer.
                return Self.plain(.serviceUnavailable, "the answer broke off; repeat the request", ["Retry-After": "1"])
            }
            body = sink.bytes
        }
        guard body.count <= Self.maximumBodyBytes else { return .tooLarge }
        return ProxyAnswer(response: response, body: body)
    }

    static func plain(
        _ status: HTTPResponse.Status,
        _ line: String,
        _ fields: KeyValuePairs<String, String> = [:]
    ) -> ProxyAnswer {
        var response = OutgoingResponse.text(status, line)
        for (name, value) in fields {
            if let name = HTTPField.Name(name) { response.headerFields[name] = value }
        }
        return ProxyAnswer(response: response, body: response.body)
    }

    private static var tooLarge: ProxyAnswer {
        let line =
            "the answer has more than \(Self.maximumBodyBytes) bytes, which is all that a Lambda function can answer; "
            + "ask for a shorter time or for fewer series"
        return Self.plain(.contentTooLarge, line)
    }

    var status: Int { self.response.status.code }

    /// The answer's JSON.
    var json: [UInt8] {
        var json: [UInt8] = Array(#"{"statusCode":\#(self.status),"headers":{"#.utf8)
        var values: [(name: String, value: String)] = []
        // Connections are API Gateway's affair.
        for field in self.response.headerFields where field.name != .connection {
            if let index = values.firstIndex(where: { $0.name == field.name.canonicalName }) {
                values[index].value += ", \(field.value)"
            } else {
                values.append((field.name.canonicalName, field.value))
            }
        }
        for (index, value) in values.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            JSONText.append(value.name, to: &json)
            json.append(UInt8(ascii: ":"))
            JSONText.append(value.value, to: &json)
        }
        json += Array(#"},"isBase64Encoded":"#.utf8)
        let isText = self.response.headerFields[.contentType]?.hasPrefix("text/") ?? self.body.isEmpty
        json += Array((isText ? #"false,"body":"# : #"true,"body":"#).utf8)
        if isText {
            JSONText.append(self.body, to: &json)
        } else {
            json.append(UInt8(ascii: "\""))
            json += Data(self.body).base64EncodedData()
            json.append(UInt8(ascii: "\""))
        }
        json.append(UInt8(ascii: "}"))
        return json
    }
}

/// Keeps what a producer writes, up to a limit.
private final class CollectingSink: OutgoingBodySink {
    private struct State {
        var bytes: [UInt8] = []
        var isFull = false
    }
    private let limitBytes: Int
    private let state = Mutex(State())

    init(limitBytes: Int) {
        self.limitBytes = limitBytes
    }

    var bytes: [UInt8] { self.state.withLock { $0.bytes } }
    var isFull: Bool { self.state.withLock { $0.isFull } }

    func write(_ bytes: [UInt8]) async throws(OutgoingBodyError) {
        let hasRoom = self.state.withLock { state in
            guard state.bytes.count + bytes.count <= self.limitBytes else {
                state.isFull = true
                return false
            }
            state.bytes += bytes
            return true
        }
        guard hasRoom else { throw .disconnected }
    }
}
