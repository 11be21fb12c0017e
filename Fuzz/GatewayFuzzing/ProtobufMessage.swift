@testable import Translator

/// Fields of a message, copied one by one: slow and plain, to compare the product's walks with.
enum ProtobufMessage {
    struct Field {
        var number: Int
        var content: Content
    }

    enum Content {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes([UInt8])
        case other
    }

    static func fields(of message: [UInt8]) throws -> [Field] {
        var reader = ProtobufReader(message.span.bytes)
        var fields: [Field] = []
        while let field = try reader.nextField() {
            let content: Content
            switch field.wireType {
            case .varint: content = .varint(try reader.varint())
            case .fixed64: content = .fixed64(try reader.fixed64())
            case .lengthDelimited: content = .bytes(Array(message[try reader.lengthDelimited()]))
            default:
                try reader.skip(field)
                content = .other
            }
            fields.append(Field(number: Int(field.number), content: content))
        }
        return fields
    }

    /// All that a repeated field of messages, texts or bytes holds.
    static func messages(_ number: Int, in message: [UInt8]) throws -> [[UInt8]] {
        try self.fields(of: message).compactMap {
            if $0.number == number, case .bytes(let bytes) = $0.content { bytes } else { nil }
        }
    }

    static func varint(_ number: Int, in message: [UInt8]) throws -> UInt64? {
        try self.fields(of: message).compactMap {
            if $0.number == number, case .varint(let value) = $0.content { value } else { nil }
        }.last
    }

    static func fixed64(_ number: Int, in message: [UInt8]) throws -> UInt64? {
        try self.fields(of: message).compactMap {
            if $0.number == number, case .fixed64(let value) = $0.content { value } else { nil }
        }.last
    }

    // MARK: Writing

    static func append(_ number: UInt8, varint value: UInt64, to message: inout [UInt8]) {
        message.append(number << 3)
        self.append(value, to: &message)
    }

    static func append(_ number: UInt8, fixed64 value: UInt64, to message: inout [UInt8]) {
        message.append(number << 3 | 1)
        withUnsafeBytes(of: value.littleEndian) { message.append(contentsOf: $0) }
    }

    static func append(_ number: UInt8, _ bytes: [UInt8], to message: inout [UInt8]) {
        message.append(number << 3 | 2)
        self.append(UInt64(bytes.count), to: &message)
        message += bytes
    }

    private static func append(_ value: UInt64, to message: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            message.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        message.append(UInt8(rest))
    }
}
