/// How text of a file is shown in a problem.
enum Quotation {
    /// Text in double quotes, cut to a length that fits a line, with nothing in it that a terminal would act on.
    static func quoted(_ text: String) -> String {
        let shown = 60
        var result = "\""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            guard index < shown else {
                result += "..."
                break
            }
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if Self.isPrintable(scalar) {
                    result.unicodeScalars.append(scalar)
                } else {
                    result += "\\u{\(String(scalar.value, radix: 16))}"
                }
            }
        }
        return result + "\""
    }

    /// A key as part of a path: as it is if it looks like a key, else in quotes.
    static func pathElement(_ key: String) -> String {
        let isOrdinary =
            (1...64).contains(key.utf8.count) && key.utf8.first != UInt8(ascii: ".")
            && key.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || "_.-".utf8.contains($0) }
        return isOrdinary ? key : Self.quoted(key)
    }

    /// "a", "a or b", "a, b or c".
    static func alternatives(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
        default: true
        }
    }
}

/// Classes of bytes.
enum ASCII {
    static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    static func isLowercaseLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        self.isDigit(byte) || self.isLowercaseLetter(byte | 0x20)
    }

    /// Printable, and no space.
    static func isVisible(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }
}
