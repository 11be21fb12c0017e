/// An expression of the dialect: as text, and as what it means.
indirect enum ReferenceExpression {
    typealias Row = [String: ReferenceValue]

    case null
    case column(String, ReferenceType)
    case literal(ReferenceValue, ReferenceType)
    case all([Self])
    case any([Self])
    case not(Self)
    case comparison(String, Self, Self)
    case isNull(Self, negated: Bool)
    case inList(Self, [Self], negated: Bool)
    case between(Self, Self, Self, negated: Bool)
    case like(Self, pattern: Self, escape: Character?, negated: Bool)
    case arithmetic(Character, Self, Self)
    case negative(Self)
    case concatenation(Self, Self)
    case cast(Self, ReferenceType)
    case choice([(Self, Self)], otherwise: Self?)
    case matchedChoice(Self, [(Self, Self)], otherwise: Self?)
    case call(String, [Self])

    var type: ReferenceType {
        switch self {
        case .null: .unknown
        case .column(_, let type), .literal(_, let type), .cast(_, let type): type
        case .all, .any, .not, .comparison, .isNull, .inList, .between, .like: .boolean
        case .arithmetic(let operation, let left, let right): Self.type(operation, left.type, right.type)
        case .negative(let operand): operand.type
        case .concatenation: .varchar
        case .choice(let branches, let otherwise), .matchedChoice(_, let branches, let otherwise):
            .common(branches.map(\.1.type) + [otherwise].compactMap { $0?.type })
        case .call(let name, let arguments):
            switch name {
            case "length", "to_milliseconds", "to_nanoseconds": .bigint
            case "from_milliseconds", "bin": .timestamp
            case "regexp_like": .boolean
            case "concat": .varchar
            case "if": .common(arguments.dropFirst().map(\.type))
            default: .common(arguments.map(\.type))
            }
        }
    }

    private static func type(_ operation: Character, _ left: ReferenceType, _ right: ReferenceType) -> ReferenceType {
        switch (left, right) {
        case (.timestamp, .timestamp): .interval
        case (.timestamp, _), (_, .timestamp): .timestamp
        case (.interval, _), (_, .interval): .interval
        default: .common([left, right])
        }
    }
}

// MARK: What it means

extension ReferenceExpression {
    /// - Throws: `ReferenceFailure` if any part of it, needed or not, cannot be computed.
    func value(in row: Row) throws -> ReferenceValue {
        switch self {
        case .null: return .null
        case .column(let name, _): return row[name] ?? .null
        case .literal(let value, _): return value
        case .all(let terms):
            let truths = try terms.map { try $0.value(in: row).truth }
            return .init(truths.contains(false) ? false : truths.contains(nil) ? nil : true)
        case .any(let terms):
            let truths = try terms.map { try $0.value(in: row).truth }
            return .init(truths.contains(true) ? true : truths.contains(nil) ? nil : false)
        case .not(let operand): return .init(try operand.value(in: row).truth.map { !$0 })
        case .comparison(let operation, let left, let right):
            guard let order = try left.value(in: row).compared(to: try right.value(in: row)) else { return .null }
            switch operation {
            case "=": return .bool(order == 0)
            case "<>", "!=": return .bool(order != 0)
            case "<": return .bool(order < 0)
            case "<=": return .bool(order <= 0)
            case ">": return .bool(order > 0)
            default: return .bool(order >= 0)
            }
        case .isNull(let operand, let negated): return .bool(try operand.value(in: row).isNull != negated)
        case .inList(let operand, let values, let negated):
            let value = try operand.value(in: row)
            let orders = try values.map { value.compared(to: try $0.value(in: row)) }
            let found: Bool? = orders.contains(0) ? true : orders.contains(nil) ? nil : false
            return .init(found.map { $0 != negated })
        case .between(let operand, let low, let high, let negated):
            let value = try operand.value(in: row)
            let above = value.compared(to: try low.value(in: row)).map { $0 >= 0 }
            let below = value.compared(to: try high.value(in: row)).map { $0 <= 0 }
            let inside: Bool? = above == false || below == false ? false : above == nil || below == nil ? nil : true
            return .init(inside.map { $0 != negated })
        case .like(let operand, let pattern, let escape, let negated):
            let operands = (try operand.value(in: row), try pattern.value(in: row))
            guard case (.text(let value), .text(let text)) = operands else { return .null }
            let matches = Self.like(
                Array(String(decoding: value, as: UTF8.self).unicodeScalars)[...],
                Array(String(decoding: text, as: UTF8.self).unicodeScalars)[...],
                escape?.unicodeScalars.first
            )
            return .bool(matches != negated)
        default: return try self.computed(in: row)
        }
    }

    private static func like(
        _ value: ArraySlice<Unicode.Scalar>,
        _ pattern: ArraySlice<Unicode.Scalar>,
        _ escape: Unicode.Scalar?
    ) -> Bool {
        guard let first = pattern.first else { return value.isEmpty }
        if first == escape, let meant = pattern.dropFirst().first {
            return value.first == meant && Self.like(value.dropFirst(), pattern.dropFirst(2), escape)
        }
        switch first {
        case "%":
            return Self.like(value, pattern.dropFirst(), escape)
                || !value.isEmpty && Self.like(value.dropFirst(), pattern, escape)
        case "_": return !value.isEmpty && Self.like(value.dropFirst(), pattern.dropFirst(), escape)
        default: return value.first == first && Self.like(value.dropFirst(), pattern.dropFirst(), escape)
        }
    }

    private func computed(in row: Row) throws -> ReferenceValue {
        switch self {
        case .arithmetic(let operation, let left, let right):
            return try self.arithmetic(operation, try left.value(in: row), try right.value(in: row))
        case .negative(let operand):
            switch try operand.value(in: row) {
            case .double(let value): return .double(-value)
            case .int(let value): return try self.arithmetic("-", .int(0), .int(value))
            case .interval(let value): return try self.arithmetic("-", .interval(0), .interval(value))
            default: return .null
            }
        case .concatenation(let left, let right):
            let operands = (try left.value(in: row), try right.value(in: row))
            guard case (.text(let head), .text(let tail)) = operands else { return .null }
            return .text(head + tail)
        case .cast(let operand, let type): return try Self.cast(try operand.value(in: row), to: type)
        case .choice(let branches, let otherwise):
            return try self.chosen(branches, otherwise, in: row) { $0.truth == true }
        case .matchedChoice(let subject, let branches, let otherwise):
            let subject = try subject.value(in: row)
            return try self.chosen(branches, otherwise, in: row) { subject.compared(to: $0) == 0 }
        case .call(let name, let arguments):
            return try self.call(name, try arguments.map { try $0.value(in: row) })
        default: preconditionFailure("\(self) is a condition")
        }
    }

    private func chosen(
        _ branches: [(Self, Self)],
        _ otherwise: Self?,
        in row: Row,
        _ isMet: (ReferenceValue) -> Bool
    ) throws -> ReferenceValue {
        let values = try branches.map { (try $0.0.value(in: row), try $0.1.value(in: row)) }
        let last = try otherwise?.value(in: row) ?? .null
        return self.widened(values.first { isMet($0.0) }?.1 ?? last)
    }

    /// Brings a whole number to the type of the whole expression.
    private func widened(_ value: ReferenceValue) -> ReferenceValue {
        if case .int(let number) = value, self.type == .double { return .double(Double(number)) }
        return value
    }

    private func arithmetic(
        _ operation: Character,
        _ left: ReferenceValue,
        _ right: ReferenceValue
    ) throws -> ReferenceValue {
        if left.isNull || right.isNull { return .null }
        switch (self.widened(left), self.widened(right)) {
        case (.double(let left), .double(let right)):
            let result =
                switch operation {
                case "+": left + right
                case "-": left - right
                case "*": left * right
                case "/": left / right
                default: left.truncatingRemainder(dividingBy: right)
                }
            guard result.isFinite else { throw ReferenceFailure() }
            return .double(result)
        case (.int(let left), .int(let right)):
            let result = try Self.whole(operation, left, right)
            guard self.type != .integer || Int32(exactly: result) != nil else { throw ReferenceFailure() }
            return .int(result)
        case (.time(let left), .time(let right)), (.interval(let left), .interval(let right)),
            (.interval(let left), .int(let right)), (.int(let left), .interval(let right)):
            return .interval(try Self.whole(operation, left, right))
        case (.time(let left), .interval(let right)), (.interval(let left), .time(let right)):
            return .time(try Self.whole(operation, left, right))
        default: preconditionFailure("\(left) \(operation) \(right)")
        }
    }

    private static func whole(_ operation: Character, _ left: Int64, _ right: Int64) throws -> Int64 {
        let (result, overflow): (Int64, Bool)
        switch operation {
        case "+": (result, overflow) = left.addingReportingOverflow(right)
        case "-": (result, overflow) = left.subtractingReportingOverflow(right)
        case "*": (result, overflow) = left.multipliedReportingOverflow(by: right)
        case "/": (result, overflow) = left.dividedReportingOverflow(by: right)
        default:
            if right == -1 { return 0 }
            (result, overflow) = left.remainderReportingOverflow(dividingBy: right)
        }
        guard !overflow else { throw ReferenceFailure() }
        return result
    }

    private static func cast(_ value: ReferenceValue, to type: ReferenceType) throws -> ReferenceValue {
        switch (value, type) {
        case (.int(let value), .double): return .double(Double(value))
        case (.int(let value), .boolean): return .bool(value != 0)
        case (.int(let value), .integer):
            guard Int32(exactly: value) != nil else { throw ReferenceFailure() }
            return .int(value)
        case (.int, .varchar), (.bool, .varchar): return .text(Array((value.cell ?? "").utf8))
        case (.bool(let value), .bigint), (.bool(let value), .integer): return .int(value ? 1 : 0)
        case (.double(let value), .bigint), (.double(let value), .integer):
            // Halves go away from zero.
            guard let whole = Int64(exactly: value.rounded(.toNearestOrAwayFromZero)) else { throw ReferenceFailure() }
            return try Self.cast(.int(whole), to: type)
        case (.text(let bytes), .bigint), (.text(let bytes), .integer):
            guard let whole = Int64(String(decoding: bytes, as: UTF8.self)) else { throw ReferenceFailure() }
            return try Self.cast(.int(whole), to: type)
        case (.text(let bytes), .double):
            let text = String(decoding: bytes, as: UTF8.self)
            guard let number = Double(text), text.allSatisfy({ "+-.eE0123456789".contains($0) }) else {
                throw ReferenceFailure()
            }
            return .double(number)
        case (.text(let bytes), .boolean):
            switch String(decoding: bytes, as: UTF8.self).lowercased() {
            case "true", "t", "1": return .bool(true)
            case "false", "f", "0": return .bool(false)
            default: throw ReferenceFailure()
            }
        default: return value
        }
    }

    private func call(_ name: String, _ values: [ReferenceValue]) throws -> ReferenceValue {
        switch name {
        case "coalesce": return self.widened(values.first { !$0.isNull } ?? .null)
        case "nullif": return values[0].compared(to: values[1]) == 0 ? .null : values[0]
        case "if": return self.widened(values[0].truth == true ? values[1] : values.count > 2 ? values[2] : .null)
        default: break
        }
        if values.contains(.null) { return .null }
        switch (name, values.first, values.last) {
        case ("length", .text(let bytes), _):
            return .int(Int64(String(decoding: bytes, as: UTF8.self).unicodeScalars.count))
        case ("concat", _, _):
            return .text(values.flatMap { if case .text(let bytes) = $0 { bytes } else { [UInt8]() } })
        case ("to_nanoseconds", .time(let time), _): return .int(time)
        case ("to_milliseconds", .time(let time), _), ("to_milliseconds", .interval(let time), _):
            return .int(time / 1_000_000 - (time % 1_000_000 < 0 ? 1 : 0))
        case ("from_milliseconds", .int(let milliseconds), _):
            return .time(try Self.whole("*", milliseconds, 1_000_000))
        case ("bin", .time(let time), .interval(let width)):
            guard width > 0 else { throw ReferenceFailure() }
            let rest = ((time % width) + width) % width
            return .time(try Self.whole("-", time, rest))
        default: preconditionFailure("\(name)(\(values))")
        }
    }
}
