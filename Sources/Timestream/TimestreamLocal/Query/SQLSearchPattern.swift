import RegularExpressions

/// What REGEXP_LIKE looks for: a regular expression that may match anywhere in the value.
///
/// RE2's syntax and meaning, as Trino's RE2J has them: the dot stops at line feeds, `$` is the very end. What only other
/// engines know, and what they would read differently, is refused.
final class SQLSearchPattern: Sendable, Equatable {
    private let expression: RegularExpression

    /// The name under which SQLite passes patterns on.
    static let pointerType: StaticString = "timestream-search-pattern"

    /// - Throws: what is wrong with the pattern.
    init(_ pattern: [UInt8]) throws(SQLRunError) {
        let text = String(decoding: pattern, as: UTF8.self)
        do throws(RegularExpressionError) {
            // By itself first: `a)(b` is no pattern, but would be one inside parentheses.
            _ = try RegularExpression(text)
            let quotationEnd = try Self.check(pattern) ? #"\E"# : ""
            self.expression = try RegularExpression("(?s:.*)(?-s:\(text)\(quotationEnd))(?s:.*)")
        } catch { throw SQLRunError("The pattern is not supported: \(error)") }
    }

    func isFound(in value: [UInt8]) -> Bool {
        self.expression.matches(value)
    }

    static func == (left: SQLSearchPattern, right: SQLSearchPattern) -> Bool {
        left.expression.pattern == right.expression.pattern
    }

    /// Refuses classes inside classes, where Java reads unions and intersections and RE2 plain characters.
    ///
    /// - Parameter pattern: sound as RE2.
    /// - Returns: whether it ends inside a quotation, `\Q` without `\E`.
    private static func check(_ pattern: [UInt8]) throws(RegularExpressionError) -> Bool {
        var index = 0
        var isInClass = false
        var classStart = 0
        func next(_ ahead: Int) -> UInt8? { index + ahead < pattern.count ? pattern[index + ahead] : nil }
        while let byte = next(0) {
            switch (byte, isInClass) {
            case (UInt8(ascii: "\\"), false) where next(1) == UInt8(ascii: "Q"):
                guard let end = pattern[(index + 2)...].firstRange(of: Array(#"\E"#.utf8)) else { return true }
                index = end.upperBound
                continue
            case (UInt8(ascii: "\\"), _): index += 1
            case (UInt8(ascii: "["), false):
                isInClass = true
                if next(1) == UInt8(ascii: "^") { index += 1 }
                classStart = index + 1
            case (UInt8(ascii: "]"), true) where index > classStart: isInClass = false
            case (UInt8(ascii: "["), true),
                (UInt8(ascii: "&"), true) where next(1) == UInt8(ascii: "&"):
                throw RegularExpressionError(offset: index, message: "a class inside a class")
            default: break
            }
            index += 1
        }
        return false
    }
}
