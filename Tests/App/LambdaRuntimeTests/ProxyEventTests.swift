import Foundation
import HTTPTypes
import Testing

@testable import LambdaRuntime

/// The events of AWS' documentation.
enum Events {
    static let all = [
        "http-api-2.0", "http-api-2.0-default-stage", "http-api-2.0-iam", "http-api-2.0-mtls", "http-api-1.0", "rest",
        "rest-iam", "rest-mtls", "function-url", "function-url-iam",
    ]

    static func bytes(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Events"))
        return Array(try Data(contentsOf: url))
    }

    /// An event with one text in it replaced by another.
    static func changed(_ name: String, _ old: String, _ new: String) throws -> [UInt8] {
        let text = String(decoding: try self.bytes(name), as: UTF8.self)
        #expect(text.contains(old))
        return Array(text.replacing(old, with: new).utf8)
    }
}

@Suite("Events of API Gateway and function URLs, as requests")
struct ProxyEventTests {
    @Test("every kind of event is the same request", arguments: Events.all)
    func request(name: String) throws {
        let event = try ProxyEvent(try Events.bytes(name))
        #expect(event.head.method == .post)
        #expect(event.head.path == "/write")
        #expect(event.head.headerFields[.contentEncoding] == "snappy")
        let version = try #require(HTTPField.Name("X-Prometheus-Remote-Write-Version"))
        #expect(event.head.headerFields[values: version] == ["0.1.0"])
        #expect(event.body == Array("hello world".utf8))
        #expect(event.sourceAddress == "203.0.113.7")
    }

    @Test("only what AWS says of the caller makes a signed caller", arguments: Events.all)
    func signed(name: String) throws {
        #expect(try ProxyEvent(try Events.bytes(name)).isSigned == name.hasSuffix("-iam"))
    }

    @Test("an authorizer of another kind is no signature")
    func otherAuthorizer() throws {
        for authorizer in [
            #"{"jwt":{"claims":{"sub":"x"}}}"#, #"{"lambda":{"userArn":"x"}}"#, #"{"iam":null}"#, "null",
        ] {
            let event = try Events.changed(
                "http-api-2.0",
                #""stage": "dev""#,
                #""stage":"dev","authorizer":\#(authorizer)"#
            )
            #expect(try !ProxyEvent(event).isSigned)
        }
        let event = try Events.changed("rest", #""userArn": null"#, #""userArn": """#)
        #expect(try !ProxyEvent(event).isSigned)
    }

    @Test("a certificate comes from mutual TLS alone, and never from a header", arguments: Events.all)
    func certificate(name: String) throws {
        #expect((try ProxyEvent(try Events.bytes(name)).clientCertificate != nil) == name.hasSuffix("-mtls"))
        let header = try Events.changed(
            "http-api-2.0",
            #""user-agent": "#,
            #""x-amzn-mtls-clientcert": "x", "user-agent": "#
        )
        #expect(try ProxyEvent(header).clientCertificate == nil)
    }

    @Test(
        "a stage is taken off where it is one",
        arguments: [
            ("dev", "/dev/write", "/write"), ("dev", "/dev/t/a/write", "/t/a/write"), ("dev", "/write", "/write"),
            ("dev", "/development/write", "/development/write"), ("dev", "/dev", "/dev"),
            ("$default", "/write", "/write"), ("", "/write", "/write"),
        ]
    )
    func stage(stage: String, path: String, expected: String) throws {
        let event =
            #"{"rawPath":"\#(path)","requestContext":{"stage":"\#(stage)","http":{"method":"POST","sourceIp":"::1"}}}"#
        #expect(try ProxyEvent(Array(event.utf8)).head.path == expected)
    }

    @Test(
        "what precedes the API's route is the stage or the key of a custom domain's mapping",
        arguments: [
            ("/write", "/metrics/write", "null", "/write"), ("/write", "/metrics/team/write", "null", "/write"),
            ("/write", "/dev/write", "null", "/write"), ("/write", "/write", "null", "/write"),
            ("/t/{tenant}/write", "/metrics/t/a/write", #"{"tenant":"a"}"#, "/t/a/write"),
            ("/t/{tenant}/write", "/t/t/a%2Fb/write", #"{"tenant":"a/b"}"#, "/t/a%2Fb/write"),
            ("/{proxy+}", "/metrics/t/a/write", #"{"proxy":"t/a/write"}"#, "/t/a/write"),
            ("/t/{rest+}", "/dev/t/a/write", #"{"rest":"a/write"}"#, "/t/a/write"),
            // What does not fit together is left as it is, but for the stage.
            ("/write", "/metrics/read", "null", "/metrics/read"), ("/a/b/write", "/dev/write", "null", "/write"),
            ("/{proxy+}", "/dev/write", "null", "/write"), ("/{proxy+}", "/dev/write", #"{"proxy":null}"#, "/write"),
            ("/", "/metrics", "null", "/metrics"), ("$default", "/metrics/write", "null", "/metrics/write"),
        ]
    )
    func route(route: String, path: String, parameters: String, expected: String) throws {
        let event =
            #"{"resource":"\#(route)","path":"\#(path)","pathParameters":\#(parameters),"httpMethod":"POST","#
            + #""requestContext":{"stage":"dev"}}"#
        #expect(try ProxyEvent(Array(event.utf8)).head.path == expected)
        let key = route == "$default" ? route : "POST \(route)"
        let second =
            #"{"version":"2.0","routeKey":"\#(key)","rawPath":"\#(path)","pathParameters":\#(parameters),"#
            + #""requestContext":{"stage":"dev","http":{"method":"POST"}}}"#
        #expect(try ProxyEvent(Array(second.utf8)).head.path == expected)
    }

    @Test("a header that came more than once stays so where the event tells")
    func repeatedHeaders() throws {
        let event = #"""
            {"path":"/write","httpMethod":"POST","headers":{"X-Scope-OrgID":"b"},
             "multiValueHeaders":{"X-Scope-OrgID":["a","b"],"not a name":["x"]},"requestContext":{"stage":"dev"}}
            """#
        let name = try #require(HTTPField.Name("x-scope-orgid"))
        let fields = try ProxyEvent(Array(event.utf8)).head.headerFields
        #expect(fields[values: name] == ["a", "b"])
        #expect(fields.count == 2)
    }

    @Test("a body that is no base64 is taken as it stands")
    func plainBody() throws {
        let event = try Events.changed("rest", #""isBase64Encoded": true"#, #""isBase64Encoded": false"#)
        #expect(try ProxyEvent(event).body == Array("aGVsbG8gd29ybGQ=".utf8))
        let none = try Events.changed("rest", #""body": "aGVsbG8gd29ybGQ=""#, #""body": null"#)
        #expect(try ProxyEvent(none).body.isEmpty)
    }

    @Test(
        "what is no request is a fault",
        arguments: [
            "", "null", "[]", "{}", "7", #"{"requestContext":{}}"#, #"{"path":"/write","requestContext":{}}"#,
            #"{"httpMethod":"POST","requestContext":{}}"#, #"{"path":"/write","httpMethod":"POST"}"#,
            #"{"requestContext":{"http":{"method":"POST"}}}"#,
            #"{"rawPath":"/write","requestContext":{"http":{"method":"NO METHOD"}}}"#,
            #"{"rawPath":"/w","requestContext":{"http":{"method":"POST"}},"body":"%","isBase64Encoded":true}"#,
            #"{"Records":[{"eventSource":"aws:sqs"}]}"#, #"{"source":"aws.events"}"#,
        ]
    )
    func faults(event: String) {
        #expect(throws: EventFault.self) { try ProxyEvent(Array(event.utf8)) }
    }

    @Test("every beginning of an event is a fault too", arguments: Events.all)
    func truncated(name: String) throws {
        let bytes = try Events.bytes(name)
        for length in stride(from: 0, to: bytes.count - 2, by: 37) {
            #expect(throws: EventFault.self) { try ProxyEvent(Array(bytes[..<length])) }
        }
    }
}
