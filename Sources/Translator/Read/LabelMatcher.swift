import RegularExpressions

/// What a query demands of one label; a label that a series lacks is the empty string.
///
/// The truth of every answer: what the SQL says is at most a first, wider sieve.
struct LabelMatcher: Sendable {
    enum Condition: Sendable {
        case equal([UInt8])
        case notEqual([UInt8])
        case matches(RegularExpression)
        case doesNotMatch(RegularExpression)
    }

    /// The label's name in UTF-8 bytes: never compared as `String`, which takes distinct names for equal.
    let name: [UInt8]
    let condition: Condition
    /// Whether a series without the label passes.
    let acceptsEmpty: Bool

    static let metricName = Array("__name__".utf8)
    /// Names and values are shown up to this many bytes in errors.
    private static let shownBytes = 100

    /// - Parameters:
    ///   - type: the number of `LabelMatcher.Type`: EQ 0, NEQ 1, RE 2, NRE 3.
    ///   - place: where it stands in the request, for errors.
    /// - Throws: `ReadError.unknownMatcherType`, `.invalidUTF8` or `.badPattern`.
    init(type: UInt64, name: [UInt8], value: [UInt8], place: String) throws(ReadError) {
        func shown(_ operation: String) -> String {
            let name = String(decoding: name.prefix(Self.shownBytes), as: UTF8.self)
            let value = String(decoding: value.prefix(Self.shownBytes), as: UTF8.self)
            return "\(place) \(name)\(operation)\"\(value)\""
        }
        func pattern(_ operation: String) throws(ReadError) -> RegularExpression {
            do throws(RegularExpressionError) {
                return try RegularExpression(String(decoding: value, as: UTF8.self))
            } catch {
                throw .badPattern(matcher: shown(operation), error)
            }
        }
        guard Self.isUTF8(name), Self.isUTF8(value) else { throw .invalidUTF8(matcher: place) }
        self.name = name
        switch type {
        case 0: self.condition = .equal(value)
        case 1: self.condition = .notEqual(value)
        case 2: self.condition = .matches(try pattern("=~"))
        case 3: self.condition = .doesNotMatch(try pattern("!~"))
        default: throw .unknownMatcherType(type, matcher: shown("?"))
        }
        self.acceptsEmpty = Self.matches(self.condition, [])
    }

    /// Whether a series with this value of the label passes; the empty value stands for no label.
    func matches(_ value: [UInt8]) -> Bool {
        Self.matches(self.condition, value)
    }

    private static func matches(_ condition: Condition, _ value: [UInt8]) -> Bool {
        switch condition {
        case .equal(let wanted): value == wanted
        case .notEqual(let unwanted): value != unwanted
        case .matches(let expression): expression.matches(value)
        case .doesNotMatch(let expression): !expression.matches(value)
        }
    }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool {
        (try? UTF8Span(validating: bytes.span)) != nil
    }
}
