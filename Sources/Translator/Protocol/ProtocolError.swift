/// A request body that cannot be read at all: nothing of it is stored or answered.
package enum ProtocolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong with a protobuf message.
    package enum Fault: String, Sendable {
        case truncated = "ends in the middle of a field"
        case varint = "has a varint of more than 64 bits"
        case wireType = "has an unknown wire type or an unmatched group"
        case fieldNumber = "has a field number that does not exist"
        case nesting = "has groups nested too deep"
        case fieldType = "has a known field of the wrong wire type"
    }

    case emptyBody
    /// Not a snappy block; `framed` if it is the framed format, which remote write forbids.
    case malformedSnappy(framed: Bool)
    /// The declared decoded size is over the limit.
    case decodedTooLarge(declared: Int, limitBytes: Int)
    /// `offset` counts bytes of the decoded body.
    case malformedProtobuf(offset: Int, Fault)
    /// The message of the other version of remote write: read as the one it claims to be, it would look empty.
    case otherWriteVersion(isVersion2: Bool)
    /// Reading it takes more memory than the caller has set aside; with more, the same body may be read.
    case overMemory(limitBytes: Int)

    package var description: String {
        switch self {
        case .emptyBody:
            "the body is empty; expected a snappy block"
        case .malformedSnappy(framed: true):
            "the body is in snappy's framed format; expected its block format"
        case .malformedSnappy(framed: false):
            "the body is not a valid snappy block"
        case .decodedTooLarge(let declared, let limit):
            "the body declares \(declared) decoded bytes; the limit is \(limit)"
        case .malformedProtobuf(let offset, let fault):
            "the protobuf message \(fault.rawValue), at decoded byte \(offset)"
        case .otherWriteVersion(isVersion2: true):
            "the body is a remote write 2.0 message, and its Content-Type does not say so "
                + "(application/x-protobuf;proto=io.prometheus.write.v2.Request)"
        case .otherWriteVersion(isVersion2: false):
            "the body is a remote write 1.0 message, and its Content-Type says 2.0"
        case .overMemory(let limit):
            "the body takes more than \(limit) bytes of memory to read"
        }
    }
}
