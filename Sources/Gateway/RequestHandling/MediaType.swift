import HTTPTypes
import Translator

/// What a request says its body is, checked before the body is read.
enum MediaType {
    /// Why a request's body is in no form that the route takes; the text is the answer's.
    struct Unsupported: Error, Equatable {
        var message: String
    }

    /// Checks a remote write request's headers.
    ///
    /// A missing `Content-Type` or `Content-Encoding` means remote write 1.0 and snappy, as in Prometheus' receiver. The
    /// schema is chosen by `Content-Type`: version 2.0 read as 1.0 would look like an empty request, and be lost.
    static func checkWrite(_ fields: HTTPFields) throws(Unsupported) -> WriteProtocol {
        let schemas = ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"]
        return try self.checkProtobuf(fields, schemas: schemas) == schemas[1] ? .version2 : .version1
    }

    /// Checks a remote read request's headers.
    static func checkRead(_ fields: HTTPFields) throws(Unsupported) {
        _ = try self.checkProtobuf(fields, schemas: ["prometheus.ReadRequest"])
    }

    /// - Returns: the schema that is named; the first one if none is.
    private static func checkProtobuf(_ fields: HTTPFields, schemas: [String]) throws(Unsupported) -> String {
        var schema = schemas[0]
        if let type = fields[.contentType] {
            let parts = type.split(separator: ";", omittingEmptySubsequences: false).map(Self.trimmed)
            guard parts.first?.lowercased() == "application/x-protobuf" else {
                throw Unsupported(message: "Content-Type must be application/x-protobuf")
            }
            for parameter in parts.dropFirst() {
                guard let equals = parameter.firstIndex(of: "=") else { continue }
                let name = Self.trimmed(parameter[..<equals]).lowercased()
                var value = Self.trimmed(parameter[parameter.index(after: equals)...])
                if value.count >= 2, value.first == "\"", value.last == "\"" {
                    value = String(value.dropFirst().dropLast())
                }
                if name == "proto", !schemas.contains(value) {
                    throw Unsupported(
                        message:
                            "the protobuf message in Content-Type is not supported; send \(schemas.joined(separator: " or "))"
                    )
                }
                if name == "proto" { schema = value }
            }
        }
        if let encoding = fields[.contentEncoding], Self.trimmed(encoding[...]).lowercased() != "snappy" {
            throw Unsupported(message: "Content-Encoding must be snappy")
        }
        return schema
    }

    private static func trimmed(_ text: Substring) -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        let start = text.drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(start[...last])
    }
}
