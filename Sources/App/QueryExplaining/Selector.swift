/// A series selector of PromQL: `metric{label="value",other=~"a|b"}`, or `{"metric.name",label!="value"}` as
/// Prometheus 3 writes names with other characters.
///
/// - Source: Prometheus documentation, "Querying basics", "Time series selectors" and "String literals".
package struct Selector: Sendable, Equatable {
    package enum Operation: String, Sendable, CaseIterable {
        case equal = "="
        case notEqual = "!="
        case matches = "=~"
        case doesNotMatch = "!~"
    }

    /// Name and value in bytes: an escape may spell bytes that are no UTF-8.
    package struct Matcher: Sendable, Equatable {
        package var name: [UInt8]
        package var operation: Operation
        package var value: [UInt8]
    }

    /// The metric's name first if it stands before the braces, as a matcher of `__name__`; else in the order of the
    /// text.
    package let matchers: [Matcher]

    /// - Throws: `SelectorError` for what Prometheus refuses, and for everything that is more than a selector. Whether
    ///   patterns are good, and whether any matcher keeps a series out, is not looked at.
    package init(_ text: String) throws(SelectorError) {
        var parser = SelectorParser(text)
        self.matchers = try parser.parse()
    }

    static let metricName = Array("__name__".utf8)
}

/// Why a text is no selector.
package struct SelectorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Where, in Unicode scalars from 1; one more than there are if something is missing at the end.
    package var column: Int
    package var message: String

    package var description: String { "column \(self.column): \(self.message)" }
}

extension Selector: CustomStringConvertible {
    /// A selector that reads back as the same one.
    package var description: String {
        var rest = self.matchers[...]
        var text = ""
        if let first = rest.first, first.name == Self.metricName, first.operation == .equal,
            Self.isIdentifier(first.value, allowsColons: true),
            !rest.dropFirst().contains(where: { $0.name == Self.metricName })
        {
            text = String(decoding: first.value, as: UTF8.self)
            rest = rest.dropFirst()
            if rest.isEmpty { return text }
        }
        return text + "{" + rest.map(\.description).joined(separator: ",") + "}"
    }

    static func isIdentifier(_ bytes: [UInt8], allowsColons: Bool) -> Bool {
        guard let first = bytes.first, SelectorParser.isLetter(first, allowsColons: allowsColons) else { return false }
        return bytes.allSatisfy {
            SelectorParser.isLetter($0, allowsColons: allowsColons) || SelectorParser.isDigit($0)
        }
    }
}

extension Selector.Matcher: CustomStringConvertible {
    package var description: String {
        if self.name == Selector.metricName, self.operation == .equal,
            !Selector.isIdentifier(self.value, allowsColons: true)
        {
            return Self.quoted(self.value)
        }
        let name =
            Selector.isIdentifier(self.name, allowsColons: false)
            ? String(decoding: self.name, as: UTF8.self) : Self.quoted(self.name)
        return name + self.operation.rawValue + Self.quoted(self.value)
    }

    /// Control characters are escaped, and of what is not UTF-8 every byte that is not ASCII.
    private static func quoted(_ bytes: [UInt8]) -> String {
        let isUTF8 = (try? UTF8Span(validating: bytes.span)) != nil
        var result: [UInt8] = [UInt8(ascii: "\"")]
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): result += Array(#"\n"#.utf8)
            case UInt8(ascii: "\t"): result += Array(#"\t"#.utf8)
            case 0x20..<0x7F: result.append(byte)
            case 0x80... where isUTF8: result.append(byte)
            default:
                let digits = String(byte, radix: 16)
                result += Array((digits.utf8.count == 1 ? #"\x0"# : #"\x"#).utf8) + Array(digits.utf8)
            }
        }
        result.append(UInt8(ascii: "\""))
        return String(decoding: result, as: UTF8.self)
    }
}
