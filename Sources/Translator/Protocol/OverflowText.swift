import Common

/// The labels of a series that have no column of their own, as the value of one dimension.
///
/// `4:team=8:payments,6:region=2:eu`: name and value, each behind the number of its bytes, in the order of the names'
/// bytes. Nothing is escaped, so a label can be told, and searched for in SQL, as it stands; and one set of labels has one
/// text.
enum OverflowText {
    /// Appends one label as a part of a JSON string, without quotes and without a comma.
    ///
    /// - Parameters:
    ///   - name: the label's own name, not a column's.
    ///   - value: not empty.
    /// - Returns: how many bytes the label is in Timestream.
    static func append(_ name: [UInt8], _ value: [UInt8], to output: inout [UInt8]) -> Int {
        var text = Array("\(name.count):".utf8)
        text += name
        text += "=\(value.count):".utf8
        text += value
        var json: [UInt8] = []
        JSONText.append(text, to: &json)
        output += json.dropFirst().dropLast()
        return text.count
    }

    /// Takes a text apart.
    ///
    /// - Parameter body: is given where a label's name and value stand in the text.
    /// - Returns: false if the text is none of ours; `body` has then seen the labels before the fault.
    static func forEachLabel(_ text: Span<UInt8>, _ body: (_ name: Range<Int>, _ value: Range<Int>) -> Void) -> Bool {
        var position = 0
        while true {
            guard let name = Self.counted(text, &position), position < text.count,
                text[position] == UInt8(ascii: "=")
            else { return false }
            position += 1
            guard let value = Self.counted(text, &position) else { return false }
            body(name, value)
            if position == text.count { return true }
            guard text[position] == UInt8(ascii: ",") else { return false }
            position += 1
        }
    }

    /// A number, a colon, and as many bytes.
    private static func counted(_ text: Span<UInt8>, _ position: inout Int) -> Range<Int>? {
        var count = 0
        let start = position
        while position < text.count, position < start + 5 {
            let digit = text[position] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            count = count * 10 + Int(digit)
            position += 1
        }
        guard position > start, position < text.count, text[position] == UInt8(ascii: ":") else { return nil }
        position += 1
        guard count <= text.count - position else { return nil }
        defer { position += count }
        return position..<position + count
    }
}
