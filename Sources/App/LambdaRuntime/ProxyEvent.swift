import Common
import FoundationEssentials
import HTTPTypes

/// Why an event is no request that could be answered; it names no content.
package struct EventFault: Error, Equatable, CustomStringConvertible {
    package var description: String
}

/// A request as API Gateway and function URLs hand it to a function: HTTP APIs with payload 2.0 or 1.0, REST APIs, and
/// function URLs (which are 2.0).
///
/// - Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs" and "Input format of a
///   Lambda function for proxy integration"; Lambda developer guide, "Request and response payloads" of function URLs.
struct ProxyEvent: Sendable {
    var head: HTTPRequest
    var body: [UInt8]
    var sourceAddress: String
    /// Whether AWS has checked a signature of the caller (authorizer `AWS_IAM`).
    var isSigned: Bool
    /// PEM of the client certificate that a custom domain with mutual TLS has verified.
    var clientCertificate: String?

    init(_ bytes: [UInt8]) throws(EventFault) {
        let event: Wire
        do {
            event = try JSONDecoder().decode(Wire.self, from: Data(bytes))
        } catch {
            throw EventFault(description: "the event is not a request of API Gateway or of a function URL")
        }
        let context = event.requestContext
        // Payload 2.0 has the method in `http`; all others beside the path.
        let method = context?.http?.method ?? event.httpMethod
        let path = context?.http == nil ? event.path : event.rawPath
        guard let context, let method = method.flatMap({ HTTPRequest.Method(rawValue: $0) }), let path else {
            throw EventFault(description: "the event is not a request of API Gateway or of a function URL")
        }
        var fields = HTTPFields()
        for (name, values) in event.allHeaders {
            // What is no header name cannot be one of those that mean something here.
            guard let name = HTTPField.Name(name) else { continue }
            for value in values { fields.append(HTTPField(name: name, value: value)) }
        }
        self.head = HTTPRequest(
            method: method,
            scheme: "https",
            authority: context.domainName,
            path: Self.path(path, at: event.route, event.pathParameters ?? [:])
                ?? Self.withoutStage(path, context.stage),
            headerFields: fields
        )
        self.body = try Self.body(event)
        self.sourceAddress = context.http?.sourceIp ?? context.identity?.sourceIp ?? "unknown"
        self.isSigned = Self.isFilled(context.authorizer?.iam?.userArn) || Self.isFilled(context.identity?.userArn)
        let certificate = context.authentication?.clientCert ?? context.identity?.clientCert
        self.clientCertificate = certificate?.clientCertPem
    }

    private static func isFilled(_ text: String?) -> Bool { text.map { !$0.isEmpty } ?? false }

    /// The part of the path that the API's route has matched, or nil where the event names no route with a path.
    ///
    /// A route matches the end of the path. What precedes it is the stage, or the key that an API mapping of a custom
    /// domain has: payload 1.0 and REST APIs leave the key in the path, and for payload 2.0 the documentation and what
    /// is seen differ.
    private static func path(_ path: String, at route: String?, _ parameters: [String: String?]) -> String? {
        guard let route, route.hasPrefix("/") else { return nil }
        var pattern = route.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        if let last = pattern.last, last.hasPrefix("{"), last.hasSuffix("+}") {
            // A greedy variable stands for as many segments as its value has.
            guard let value = parameters[String(last.dropFirst().dropLast(2))] ?? nil else { return nil }
            pattern.removeLast()
            pattern += value.split(separator: "/", omittingEmptySubsequences: false)
        }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard path.hasPrefix("/"), segments.count >= pattern.count else { return nil }
        let matched = segments.suffix(pattern.count)
        for (segment, expected) in zip(matched, pattern) where segment != expected && !expected.hasPrefix("{") {
            return nil
        }
        return "/" + matched.joined(separator: "/")
    }

    /// A named stage stands before the route; `$default` does not, and neither does one behind a custom domain.
    private static func withoutStage(_ path: String, _ stage: String?) -> String {
        guard let stage, !stage.isEmpty, path.hasPrefix("/\(stage)/") else { return path }
        return String(path.dropFirst(stage.count + 1))
    }

    private static func body(_ event: Wire) throws(EventFault) -> [UInt8] {
        guard let text = event.body else { return [] }
        guard event.isBase64Encoded == true else { return Array(text.utf8) }
        guard let bytes = Data(base64Encoded: text) else {
            throw EventFault(description: "the event's body is said to be base64, and is not")
        }
        return Array(bytes)
    }
}

/// The members of an event that matter here.
private struct Wire: Decodable {
    struct Context: Decodable {
        struct HTTP: Decodable {
            var method: String
            var sourceIp: String?
        }
        struct Certificate: Decodable { var clientCertPem: String? }
        struct Authentication: Decodable { var clientCert: Certificate? }
        struct Authorizer: Decodable {
            struct IAM: Decodable { var userArn: String? }
            var iam: IAM?
        }
        struct Identity: Decodable {
            var sourceIp: String?
            var userArn: String?
            var clientCert: Certificate?
        }
        var http: HTTP?
        var stage: String?
        var domainName: String?
        var authentication: Authentication?
        var authorizer: Authorizer?
        var identity: Identity?
    }

    var routeKey: String?
    var resource: String?
    var pathParameters: [String: String?]?
    var rawPath: String?
    var path: String?
    var httpMethod: String?
    var headers: [String: String]?
    var multiValueHeaders: [String: [String]]?
    var requestContext: Context?
    var body: String?
    var isBase64Encoded: Bool?

    /// The path of the API's route, such as `/t/{tenant}/write`: payload 2.0 has the method before it, and `$default` for
    /// no path at all.
    var route: String? { self.routeKey?.split(separator: " ").last.map(String.init) ?? self.resource }

    /// With every value of a header that came more than once, where the event tells them apart.
    var allHeaders: [String: [String]] {
        guard let multiValueHeaders, !multiValueHeaders.isEmpty else {
            return (self.headers ?? [:]).mapValues { [$0] }
        }
        return multiValueHeaders
    }
}
