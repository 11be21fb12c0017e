import Common

/// A value while a statement runs. Booleans are 0 and 1, timestamps and intervals nanoseconds.
enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case double(Double)
    case bytes([UInt8])
    /// What REGEXP_LIKE looks for; never a result.
    case pattern(SQLSearchPattern)
}

/// Why a statement failed while it ran; told to the caller.
struct SQLRunError: Error {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}

/// The functions that give SQLite the dialect's meaning where its own differs: overflow is an error and not a double,
/// division by zero is an error and not NULL, text is bytes.
///
/// All but those said to be otherwise answer NULL if any argument is NULL; the caller sees to that.
enum SQLScalar: String, CaseIterable, Sendable {
    case toDouble = "ts_to_double"
    case doubleOfBits = "ts_double"
    case bitsOfDouble = "ts_bits"
    case multiWord = "ts_multi_word"
    case multiText = "ts_multi_text"
    /// Whole numbers; the third argument is 32 or 64, the bits of the result.
    case add = "ts_add"
    case subtract = "ts_subtract"
    case multiply = "ts_multiply"
    case divide = "ts_divide"
    case remainder = "ts_remainder"
    case addDoubles = "ts_add_doubles"
    case subtractDoubles = "ts_subtract_doubles"
    case multiplyDoubles = "ts_multiply_doubles"
    case divideDoubles = "ts_divide_doubles"
    case remainderDoubles = "ts_remainder_doubles"
    case concatenate = "ts_concatenate"
    case length = "ts_length"
    case like = "ts_like"
    case likeEscape = "ts_like_escape"
    case regexpLike = "ts_regexp_like"
    case bin = "ts_bin"
    case nanosecondsOfMilliseconds = "ts_from_milliseconds"
    case nanosecondsOfSeconds = "ts_from_unixtime"
    case milliseconds = "ts_to_milliseconds"
    case seconds = "ts_to_unixtime"
    case integerOfText = "ts_text_to_integer"
    case doubleOfText = "ts_text_to_double"
    case booleanOfText = "ts_text_to_boolean"
    case timestampOfText = "ts_text_to_timestamp"
    case integerOfDouble = "ts_double_to_integer"
    case narrow = "ts_narrow"
    case textOfInteger = "ts_integer_to_text"
    case textOfDouble = "ts_double_to_text"
    case textOfBoolean = "ts_boolean_to_text"
    case textOfTimestamp = "ts_timestamp_to_text"

    var argumentCount: Int32 {
        switch self {
        case .add, .subtract, .multiply, .divide, .remainder, .likeEscape: 3
        case .multiWord, .multiText, .addDoubles, .subtractDoubles, .multiplyDoubles, .divideDoubles, .remainderDoubles,
            .concatenate, .like, .regexpLike, .bin, .integerOfText, .integerOfDouble:
            2
        default: 1
        }
    }

    /// - Parameter arguments: as many as `argumentCount` says, none of them NULL, each of the kind that the compiler of
    ///   statements has made sure of.
    func evaluate(_ arguments: [SQLValue]) throws(SQLRunError) -> SQLValue {
        switch self {
        case .toDouble: return .double(Double(try arguments[0].integer))
        case .doubleOfBits: return .double(Double(bitPattern: UInt64(bitPattern: try arguments[0].integer)))
        case .bitsOfDouble: return .integer(Int64(bitPattern: try arguments[0].double.bitPattern))
        case .multiWord: return unsafe try Self.multi(arguments) { unsafe .integer(StoredMulti.word($0)) }
        case .multiText: return unsafe try Self.multi(arguments) { unsafe .bytes(Array($0)) }
        case .add, .subtract, .multiply, .divide, .remainder: return try self.whole(arguments)
        case .addDoubles, .subtractDoubles, .multiplyDoubles, .divideDoubles, .remainderDoubles:
            return try self.doubles(try arguments[0].double, try arguments[1].double)
        case .concatenate: return .bytes(try arguments[0].bytes + arguments[1].bytes)
        case .length: return .integer(Int64(try arguments[0].bytes.count { $0 & 0xC0 != 0x80 }))
        case .like:
            let pattern = try SQLLike(pattern: try arguments[1].bytes, escape: nil)
            return .integer(try pattern.matches(bounded: try arguments[0].bytes) ? 1 : 0)
        case .likeEscape:
            let pattern = try SQLLike(pattern: try arguments[1].bytes, escape: try arguments[2].bytes)
            return .integer(try pattern.matches(bounded: try arguments[0].bytes) ? 1 : 0)
        case .regexpLike:
            guard case .pattern(let pattern) = arguments[1] else { throw SQLRunError("internal error: not a pattern") }
            return .integer(pattern.isFound(in: try arguments[0].bytes) ? 1 : 0)
        default: return try self.conversion(arguments)
        }
    }

    private func conversion(_ arguments: [SQLValue]) throws(SQLRunError) -> SQLValue {
        switch self {
        case .bin:
            let (time, width) = (try arguments[0].integer, try arguments[1].integer)
            guard width > 0 else { throw SQLRunError("The interval of bin() must be positive") }
            let (start, overflow) = time.subtractingReportingOverflow(time.floored(by: width).remainder)
            guard !overflow else { throw Self.timeOutOfRange }
            return .integer(start)
        case .nanosecondsOfMilliseconds:
            let (time, overflow) = try arguments[0].integer.multipliedReportingOverflow(by: 1_000_000)
            guard !overflow else { throw Self.timeOutOfRange }
            return .integer(time)
        case .nanosecondsOfSeconds:
            // A double of seconds holds no more than milliseconds of our days.
            let milliseconds = (try arguments[0].double * 1000).rounded()
            guard milliseconds.magnitude < 9_223_372_036_854, let whole = Int64(exactly: milliseconds) else {
                throw Self.timeOutOfRange
            }
            return .integer(whole * 1_000_000)
        case .milliseconds: return .integer(try arguments[0].integer.floored(by: 1_000_000).quotient)
        case .seconds: return .double(Double(try arguments[0].integer) / 1e9)
        case .integerOfText:
            let bytes = try arguments[0].bytes
            guard let value = NumberText.integer(bytes[...]) else { throw Self.cannotCast(bytes, "a whole number") }
            return try Self.limited(value, bits: try arguments[1].integer)
        case .doubleOfText:
            let bytes = try arguments[0].bytes
            guard let value = NumberText.double(bytes[...]) else { throw Self.cannotCast(bytes, "DOUBLE") }
            return .double(value)
        case .booleanOfText:
            let bytes = try arguments[0].bytes
            switch String(decoding: bytes, as: UTF8.self).lowercased() {
            case "true", "t", "1": return .integer(1)
            case "false", "f", "0": return .integer(0)
            default: throw Self.cannotCast(bytes, "BOOLEAN")
            }
        case .timestampOfText:
            let bytes = try arguments[0].bytes
            guard let time = SQLTimestamp.parse(bytes[...]) else { throw Self.cannotCast(bytes, "TIMESTAMP") }
            return .integer(time)
        case .integerOfDouble:
            // Halves go away from zero, as in Trino's casts.
            guard let value = Int64(exactly: (try arguments[0].double).rounded(.toNearestOrAwayFromZero)) else {
                throw SQLRunError("The number is out of the range of BIGINT")
            }
            return try Self.limited(value, bits: try arguments[1].integer)
        case .narrow: return try Self.limited(try arguments[0].integer, bits: 32)
        default: return .bytes(try self.text(arguments[0]))
        }
    }

    private func text(_ value: SQLValue) throws(SQLRunError) -> [UInt8] {
        var text: [UInt8] = []
        switch self {
        case .textOfInteger: DecimalDigits.append(try value.integer, to: &text)
        case .textOfDouble: JavaDouble.append(try value.double, to: &text)
        case .textOfBoolean: text = Array((try value.integer != 0 ? "true" : "false").utf8)
        case .textOfTimestamp: SQLTimestamp.append(try value.integer, to: &text)
        default: throw SQLRunError("internal error: \(self.rawValue)")
        }
        return text
    }

    private func whole(_ arguments: [SQLValue]) throws(SQLRunError) -> SQLValue {
        let (left, right) = (try arguments[0].integer, try arguments[1].integer)
        let (result, overflow): (Int64, Bool)
        switch self {
        case .add: (result, overflow) = left.addingReportingOverflow(right)
        case .subtract: (result, overflow) = left.subtractingReportingOverflow(right)
        case .multiply: (result, overflow) = left.multipliedReportingOverflow(by: right)
        case .divide, .remainder:
            guard right != 0 else { throw SQLRunError("Division by zero") }
            (result, overflow) =
                self == .divide
                ? left.dividedReportingOverflow(by: right)
                // The one overflow here has the remainder 0.
                : (left.remainderReportingOverflow(dividingBy: right).partialValue, false)
        default: throw SQLRunError("internal error: \(self.rawValue)")
        }
        guard !overflow else { throw Self.outOfRange }
        return try Self.limited(result, bits: try arguments[2].integer)
    }

    /// Infinities and NaN have no place in SQLite, and cannot be stored at the service: refused where they would arise.
    private func doubles(_ left: Double, _ right: Double) throws(SQLRunError) -> SQLValue {
        let result: Double
        switch self {
        case .addDoubles: result = left + right
        case .subtractDoubles: result = left - right
        case .multiplyDoubles: result = left * right
        case .divideDoubles: result = left / right
        default: result = left.truncatingRemainder(dividingBy: right)
        }
        guard result.isFinite else {
            throw SQLRunError("A result that is infinite or not a number is not supported by the local engine")
        }
        return .double(result)
    }

    private static func limited(_ value: Int64, bits: Int64) throws(SQLRunError) -> SQLValue {
        guard bits != 32 || Int32(exactly: value) != nil else { throw Self.outOfRange }
        return .integer(value)
    }

    private static func multi(
        _ arguments: [SQLValue],
        _ value: (UnsafeRawBufferPointer) -> SQLValue
    ) throws(SQLRunError) -> SQLValue {
        let column = try arguments[1].integer
        return unsafe try arguments[0].bytes.withUnsafeBytes { bytes in
            guard let found = unsafe StoredMulti.find(column, in: bytes) else { return .null }
            return unsafe value(found)
        }
    }

    private static let outOfRange = SQLRunError("The result is out of the range of its type")
    private static let timeOutOfRange = SQLRunError("The time is outside the range 1677-09-21 to 2262-04-11")

    private static func cannotCast(_ bytes: [UInt8], _ type: String) -> SQLRunError {
        SQLRunError("Cannot cast '\(String(decoding: bytes.prefix(64), as: UTF8.self))' to \(type)")
    }
}

extension SQLValue {
    // The kinds are settled when a statement is compiled; another one here is a fault of ours, and no crash.

    var integer: Int64 {
        get throws(SQLRunError) {
            guard case .integer(let value) = self else { throw SQLRunError("internal error: not a whole number") }
            return value
        }
    }

    var double: Double {
        get throws(SQLRunError) {
            guard case .double(let value) = self else { throw SQLRunError("internal error: not a double") }
            return value
        }
    }

    var bytes: [UInt8] {
        get throws(SQLRunError) {
            guard case .bytes(let value) = self else { throw SQLRunError("internal error: not a text") }
            return value
        }
    }
}
