/// The type of a measure value; the raw values are stored.
enum MeasureType: Int64, Sendable, CaseIterable {
    case double = 1
    case bigint = 2
    case varchar = 3
    case boolean = 4
    /// Only inside MULTI.
    case timestamp = 5
    case multi = 6

    /// As the wire protocol writes it.
    var wireName: String {
        switch self {
        case .double: "DOUBLE"
        case .bigint: "BIGINT"
        case .varchar: "VARCHAR"
        case .boolean: "BOOLEAN"
        case .timestamp: "TIMESTAMP"
        case .multi: "MULTI"
        }
    }

    /// As SQL writes it.
    var sqlName: String { self.wireName.lowercased() }

    private static let wireNames = Self.allCases.map { (Array($0.wireName.utf8), $0) }

    init?(wireName: ArraySlice<UInt8>) {
        guard let found = Self.wireNames.first(where: { $0.0.elementsEqual(wireName) }) else { return nil }
        self = found.1
    }
}

/// A measure value as it is stored.
enum MeasureValue: Sendable, Equatable {
    /// Bit pattern of a double, a bigint, 0 or 1 of a boolean, nanoseconds of a timestamp.
    case word(Int64)
    case text([UInt8])
    /// Of a MULTI record, sorted by name; each with its type.
    case multi([MultiValue])
}

/// One measure of a MULTI record.
struct MultiValue: Sendable, Equatable {
    var name: [UInt8]
    var type: MeasureType
    var value: MeasureValue
}

extension MeasureValue {
    /// Reads a value's text.
    ///
    /// A double may be written with or without an exponent; `NaN`, `Infinity`, hexadecimal and what rounds to infinity are
    /// not values. Source: developer guide, "Supported data types".
    ///
    /// - Parameter nanosecondsPerUnit: of the record's time unit, for timestamps.
    /// - Returns: `nil` if the text is not of this type.
    init?(_ text: ArraySlice<UInt8>, type: MeasureType, nanosecondsPerUnit: Int64) {
        switch type {
        case .double:
            guard let value = NumberText.double(text) else { return nil }
            self = .word(Int64(bitPattern: value.bitPattern))
        case .bigint:
            guard let value = NumberText.integer(text) else { return nil }
            self = .word(value)
        case .boolean:
            if text.elementsEqual("true".utf8) {
                self = .word(1)
            } else if text.elementsEqual("false".utf8) {
                self = .word(0)
            } else {
                return nil
            }
        case .varchar:
            self = .text(Array(text))
        case .timestamp:
            guard let value = NumberText.integer(text), value >= 0,
                case let (time, overflow) = value.multipliedReportingOverflow(by: nanosecondsPerUnit), !overflow
            else { return nil }
            self = .word(time)
        case .multi:
            return nil
        }
    }
}

/// Numbers as text, in the forms that are accepted from outside.
enum NumberText {
    /// `[+-]? [0-9]+`, within 64 bits.
    static func integer(_ text: ArraySlice<UInt8>) -> Int64? {
        var digits = text
        var isNegative = false
        if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            digits = digits.dropFirst()
        }
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard digit &- UInt8(ascii: "0") < 10 else { return nil }
            let place = Int64(digit - UInt8(ascii: "0"))
            let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) =
                isNegative
                ? product.subtractingReportingOverflow(place) : product.addingReportingOverflow(place)
            guard !tooBig, !overflow else { return nil }
            value = sum
        }
        return value
    }

    /// `[+-]? ([0-9]+ (.[0-9]*)? | .[0-9]+) ([eE][+-]?[0-9]+)?`, finite.
    static func double(_ text: ArraySlice<UInt8>) -> Double? {
        var rest = text
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest = rest.dropFirst() }
        let whole = Self.dropDigits(&rest)
        var fraction = 0
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = Self.dropDigits(&rest)
        }
        guard whole + fraction > 0 else { return nil }
        if let letter = rest.first, letter | 0x20 == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest = rest.dropFirst() }
            guard Self.dropDigits(&rest) > 0 else { return nil }
        }
        guard rest.isEmpty, let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite else {
            return nil
        }
        return value
    }

    private static func dropDigits(_ rest: inout ArraySlice<UInt8>) -> Int {
        let count = rest.prefix { $0 &- UInt8(ascii: "0") < 10 }.count
        rest = rest.dropFirst(count)
        return count
    }
}
