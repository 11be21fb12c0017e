import Common
import HTTPTypes

/// `/api/v1/status/metadata`: what is kept of a tenant's metric metadata, in the shape of Prometheus'
/// `/api/v1/metadata`.
///
/// - Source: Prometheus HTTP API, "Querying metric metadata".
package struct MetadataPage: Sendable {
    static let path = "/api/v1/status/metadata"

    /// What is told of one metric.
    package struct Entry: Sendable {
        /// The name in UTF-8 bytes.
        package var metric: [UInt8]
        package var type: String
        package var help: String
        package var unit: String

        package init(metric: [UInt8], type: String, help: String, unit: String) {
            self.metric = metric
            self.type = type
            self.help = help
            self.unit = unit
        }
    }

    /// The entries of a tenant, in the order they are to be shown in, each metric once; nil if there is no such tenant.
    package typealias Source = @Sendable (_ tenant: String, _ metric: [UInt8]?) -> [Entry]?

    private let source: Source

    package init(source: @escaping Source) {
        self.source = source
    }

    /// - Parameter query: what follows the question mark of the path.
    func answer(_ query: Substring) -> OutgoingResponse {
        let parameters: Parameters
        do throws(Parameters.Problem) {
            parameters = try Parameters(query)
        } catch {
            return Self.error(.badRequest, "bad_data", error.message)
        }
        guard let entries = self.source(parameters.tenant, parameters.metric) else {
            return Self.error(.notFound, "not_found", "there is no such tenant")
        }
        var body = Array(#"{"status":"success","data":{"#.utf8)
        for (index, entry) in entries.prefix(parameters.limit ?? .max).enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            JSONText.append(entry.metric, to: &body)
            body += Array(#":[{"type":"#.utf8)
            JSONText.append(entry.type, to: &body)
            body += Array(#","help":"#.utf8)
            JSONText.append(entry.help, to: &body)
            body += Array(#","unit":"#.utf8)
            JSONText.append(entry.unit, to: &body)
            body += Array("}]".utf8)
        }
        body += Array("}}".utf8)
        return Self.json(.ok, body)
    }

    private static func error(_ status: HTTPResponse.Status, _ type: String, _ message: String) -> OutgoingResponse {
        var body = Array(#"{"status":"error","errorType":"#.utf8)
        JSONText.append(type, to: &body)
        body += Array(#","error":"#.utf8)
        JSONText.append(message, to: &body)
        body.append(UInt8(ascii: "}"))
        return Self.json(status, body)
    }

    private static func json(_ status: HTTPResponse.Status, _ body: [UInt8]) -> OutgoingResponse {
        OutgoingResponse(
            status: status,
            headerFields: [.contentType: "application/json", .xContentTypeOptions: "nosniff"],
            body: body
        )
    }
}

extension MetadataPage {
    /// What a request asks for: `tenant`, and perhaps `metric` and `limit`.
    struct Parameters {
        struct Problem: Error {
            var message: String
        }

        var tenant: String
        var metric: [UInt8]?
        /// How many metrics at most; as with Prometheus, all of them if it is negative.
        var limit: Int?

        init(_ query: Substring) throws(Problem) {
            var values: [String: [UInt8]] = [:]
            for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
                let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                guard let name = Self.decoded(parts[0]),
                    let value = Self.decoded(parts.count == 2 ? parts[1] : "".utf8[...])
                else { throw Problem(message: "a percent sign is followed by two hexadecimal digits") }
                let key = String(decoding: name, as: UTF8.self)
                guard ["tenant", "metric", "limit"].contains(key) else {
                    throw Problem(message: "unknown parameter; there are tenant, metric and limit")
                }
                guard values.updateValue(value, forKey: key) == nil else {
                    throw Problem(message: "the parameter \(key) is there twice")
                }
            }
            guard let tenant = values["tenant"], !tenant.isEmpty else {
                throw Problem(message: "name the tenant: ?tenant=...")
            }
            self.tenant = String(decoding: tenant, as: UTF8.self)
            self.metric = values["metric"].flatMap { $0.isEmpty ? nil : $0 }
            guard let limit = values["limit"] else { return }
            guard let number = Int(String(decoding: limit, as: UTF8.self)) else {
                throw Problem(message: "limit must be a number")
            }
            self.limit = number < 0 ? nil : number
        }

        /// The bytes that a part of a query spells; nil if it is not well-formed.
        private static func decoded(_ text: Substring.UTF8View) -> [UInt8]? {
            var result: [UInt8] = []
            var rest = text[...]
            while let byte = rest.popFirst() {
                switch byte {
                case UInt8(ascii: "+"): result.append(UInt8(ascii: " "))
                case UInt8(ascii: "%"):
                    guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit)
                    else { return nil }
                    result.append(high << 4 | low)
                default: result.append(byte)
                }
            }
            return result
        }

        private static func digit(_ byte: UInt8) -> UInt8? {
            Character(UnicodeScalar(byte)).hexDigitValue.map(UInt8.init)
        }
    }
}
