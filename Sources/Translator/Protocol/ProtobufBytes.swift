/// Protobuf's wire format, written by hand into byte arrays.
///
/// - Source: protobuf.dev, "Encoding".
enum ProtobufBytes {
    static func varintSize(_ value: UInt64) -> Int {
        (70 - (value | 1).leadingZeroBitCount) / 7
    }

    /// Of a length-delimited field with a key of one byte.
    static func fieldSize(_ count: Int) -> Int {
        1 + Self.varintSize(UInt64(count)) + count
    }

    /// The head of a length-delimited field.
    static func append(key number: UInt8, _ count: Int, to output: inout [UInt8]) {
        output.append(number << 3 | 2)
        Self.append(varint: UInt64(count), to: &output)
    }

    /// A number's field; zero is left out, as proto3 writers do.
    static func append(field number: UInt8, integer value: Int64, to output: inout [UInt8]) {
        guard value != 0 else { return }
        output.append(number << 3)
        Self.append(varint: UInt64(bitPattern: value), to: &output)
    }

    static func append(varint value: UInt64, to output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(truncatingIfNeeded: rest))
    }
}
