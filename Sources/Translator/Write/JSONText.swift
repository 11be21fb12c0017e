/// JSON strings, for text that is known to be UTF-8.
enum JSONText {
    /// Appends a JSON string: quotes, backslashes and control characters escaped, all else as it is.
    static func append(_ text: some Collection<UInt8>, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""):
                output.append(UInt8(ascii: "\\"))
                output.append(UInt8(ascii: "\""))
            case UInt8(ascii: "\\"):
                output.append(UInt8(ascii: "\\"))
                output.append(UInt8(ascii: "\\"))
            case 0..<0x20:
                output += [0x5C, 0x75, 0x30, 0x30, self.digit(byte >> 4), self.digit(byte & 15)]
            default:
                output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    /// Appends `{"Name":…,"Value":…}`.
    static func appendDimension(
        _ name: some Collection<UInt8>,
        _ value: some Collection<UInt8>,
        to output: inout [UInt8]
    ) {
        output += Array(#"{"Name":"#.utf8)
        self.append(name, to: &output)
        output += Array(#","Value":"#.utf8)
        self.append(value, to: &output)
        output.append(UInt8(ascii: "}"))
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
