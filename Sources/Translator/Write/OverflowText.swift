import Common

/// The labels of a series that have no column of their own, as the value of one dimension.
///
/// `name=value`, separated by commas, in the order of the names' bytes; `%`, `,` and `=` in either are written as `%25`,
/// `%2C` and `%3D`. So every label can be told again, and one set of labels has one text.
enum OverflowText {
    private static let percent = UInt8(ascii: "%")

    /// Appends one label as a part of a JSON string, without quotes.
    ///
    /// - Parameters:
    ///   - name: the label's own name, not a column's.
    ///   - value: not empty.
    /// - Returns: how many bytes the label is in Timestream.
    static func append(_ name: [UInt8], _ value: [UInt8], to output: inout [UInt8]) -> Int {
        var text: [UInt8] = []
        self.appendEscaped(name, to: &text)
        text.append(UInt8(ascii: "="))
        self.appendEscaped(value, to: &text)
        var json: [UInt8] = []
        JSONText.append(text, to: &json)
        output += json.dropFirst().dropLast()
        return text.count
    }

    private static func appendEscaped(_ bytes: [UInt8], to text: inout [UInt8]) {
        for byte in bytes {
            switch byte {
            case Self.percent: text += "%25".utf8
            case UInt8(ascii: ","): text += "%2C".utf8
            case UInt8(ascii: "="): text += "%3D".utf8
            default: text.append(byte)
            }
        }
    }

    /// The labels of a text.
    ///
    /// - Returns: nil if it is none of ours.
    static func labels(_ text: some Collection<UInt8>) -> [(name: [UInt8], value: [UInt8])]? {
        var labels: [(name: [UInt8], value: [UInt8])] = []
        for part in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")),
                let name = self.unescaped(part[..<equals]),
                let value = self.unescaped(part[part.index(after: equals)...]),
                !name.isEmpty
            else { return nil }
            labels.append((name, value))
        }
        return labels
    }

    private static func unescaped(_ bytes: some Collection<UInt8>) -> [UInt8]? {
        guard bytes.contains(Self.percent) else { return Array(bytes) }
        var result: [UInt8] = []
        var rest = Array(bytes)[...]
        while let byte = rest.popFirst() {
            guard byte == Self.percent else {
                result.append(byte)
                continue
            }
            switch Array(rest.prefix(2)) {
            case Array("25".utf8): result.append(Self.percent)
            case Array("2C".utf8): result.append(UInt8(ascii: ","))
            case Array("3D".utf8): result.append(UInt8(ascii: "="))
            default: return nil
            }
            rest = rest.dropFirst(2)
        }
        return result
    }
}
