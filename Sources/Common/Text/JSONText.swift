/// JSON strings, for text that is known to be UTF-8.
package enum JSONText {
    /// Appends a JSON string: quotes, backslashes and control characters escaped, all else as it is.
    package static func append(_ text: [UInt8], to output: inout [UInt8]) {
        unsafe text.withUnsafeBufferPointer { unsafe self.append($0, to: &output) }
    }

    package static func append(_ text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var start = 0
        for index in text.indices {
            let byte = unsafe text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            unsafe output.append(contentsOf: text[start..<index])
            start = index + 1
            switch byte {
            case 0..<0x20: output += [0x5C, 0x75, 0x30, 0x30, self.digit(byte >> 4), self.digit(byte & 15)]
            default: output += [0x5C, byte]
            }
        }
        unsafe output.append(contentsOf: text[start...])
        output.append(UInt8(ascii: "\""))
    }

    package static func append(_ text: String, to output: inout [UInt8]) {
        self.append(Array(text.utf8), to: &output)
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
