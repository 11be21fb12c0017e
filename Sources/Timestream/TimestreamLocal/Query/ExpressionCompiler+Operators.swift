extension ExpressionCompiler {
    /// `a AND b AND c`: as a balanced tree, since SQLite limits how deep an expression is.
    mutating func chain(
        _ terms: [SQLExpression],
        _ word: String,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        var compiled: [CompiledExpression] = []
        compiled.reserveCapacity(terms.count)
        for term in terms { compiled.append(try self.condition(term, "Logical expression term")) }
        return Self.combine(compiled, Self.balanced(compiled.map(\.sql)[...], word), .boolean)
    }

    static func balanced(_ terms: ArraySlice<String>, _ word: String) -> String {
        var level = Array(terms)
        while level.count > 1 {
            var next: [String] = []
            next.reserveCapacity((level.count + 1) / 2)
            for index in stride(from: 0, to: level.count, by: 2) {
                next.append(index + 1 < level.count ? "(\(level[index]) \(word) \(level[index + 1]))" : level[index])
            }
            level = next
        }
        return level.first ?? ""
    }

    mutating func comparison(
        _ comparison: SQLComparison,
        _ left: CompiledExpression,
        _ right: CompiledExpression,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        let operands = try self.unified([left, right], comparison.rawValue, position)
        return Self.combine(operands, "(\(operands[0].sql) \(comparison.rawValue) \(operands[1].sql))", .boolean)
    }

    mutating func inList(
        _ operand: SQLExpression,
        _ values: [SQLExpression],
        isNegated: Bool,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        var operands = [try self.compile(operand)]
        for value in values { operands.append(try self.compile(value)) }
        operands = try self.unified(operands, "IN", position)
        let list = operands[1...].map(\.sql).joined(separator: ", ")
        return Self.combine(operands, "(\(operands[0].sql) \(isNegated ? "NOT " : "")IN (\(list)))", .boolean)
    }

    mutating func negative(
        _ operand: SQLExpression,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        let compiled = try self.compile(operand)
        switch compiled.type {
        case .double:
            // -x, and not 0 - x, which loses the sign of zero.
            let minusOne = self.constant(-1.0)
            return try self.call(.multiplyDoubles, [minusOne, compiled], .double, position)
        case .integer, .bigint, .interval:
            return try self.arithmetic(.subtract, Self.constant(0, compiled.type), compiled, position)
        case .unknown: return compiled
        default: throw .sql(position, "'-' cannot be applied to \(compiled.type.rawValue)")
        }
    }

    mutating func arithmetic(
        _ operation: SQLArithmetic,
        _ left: CompiledExpression,
        _ right: CompiledExpression,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        let types = (left.type, right.type)
        let whole: (SQLType) -> (SQLType, Int64) = { ($0, $0 == .integer ? 32 : 64) }
        let (type, bits): (SQLType, Int64)
        switch (operation, types.0, types.1) {
        case (_, .unknown, _) where types.1.isNumeric || types.1 == .unknown,
            (_, _, .unknown) where types.0.isNumeric:
            return Self.combine([left, right], "NULL", types.0 == .unknown ? types.1 : types.0)
        case (_, _, _) where types.0.isNumeric && types.1.isNumeric:
            if types.0 == .double || types.1 == .double {
                let operands = try self.unified([left, right], operation.rawValue, position)
                return try self.call(operation.onDoubles, operands, .double, position)
            }
            (type, bits) = whole(types.0 == .bigint || types.1 == .bigint ? .bigint : .integer)
        case (.add, .timestamp, .interval), (.add, .interval, .timestamp), (.subtract, .timestamp, .interval):
            (type, bits) = whole(.timestamp)
        case (.subtract, .timestamp, .timestamp), (.add, .interval, .interval), (.subtract, .interval, .interval):
            (type, bits) = whole(.interval)
        case (.multiply, .interval, _) where types.1.isWhole, (.multiply, _, .interval) where types.0.isWhole,
            (.divide, .interval, _) where types.1.isWhole:
            (type, bits) = whole(.interval)
        default:
            throw .sql(
                position,
                "'\(operation.rawValue)' cannot be applied to \(types.0.rawValue), \(types.1.rawValue)"
            )
        }
        return try self.call(operation.onIntegers, [left, right, Self.constant(bits, .bigint)], type, position)
    }

    mutating func concatenation(
        _ left: CompiledExpression,
        _ right: CompiledExpression,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        for operand in [left, right] where operand.type != .varchar && operand.type != .unknown {
            throw .sql(position, "'||' cannot be applied to \(left.type.rawValue), \(right.type.rawValue)")
        }
        return try self.call(.concatenate, [left, right], .varchar, position)
    }

    mutating func choice(
        _ subject: SQLExpression?,
        _ branches: [(condition: SQLExpression, value: SQLExpression)],
        _ otherwise: SQLExpression?,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        var conditions: [CompiledExpression] = []
        var values: [CompiledExpression] = []
        if let subject { conditions.append(try self.compile(subject)) }
        for branch in branches {
            conditions.append(
                subject == nil
                    ? try self.condition(branch.condition, "CASE WHEN clause") : try self.compile(branch.condition)
            )
            values.append(try self.compile(branch.value))
        }
        if let otherwise { values.append(try self.compile(otherwise)) }
        if subject != nil { conditions = try self.unified(conditions, "CASE", position) }
        values = try self.unified(values, "CASE", position)
        var sql = subject == nil ? "(CASE" : "(CASE \(conditions[0].sql)"
        for (condition, value) in zip(conditions[(subject == nil ? 0 : 1)...], values) {
            sql += " WHEN \(condition.sql) THEN \(value.sql)"
        }
        if otherwise != nil { sql += " ELSE \(values[values.count - 1].sql)" }
        return Self.combine(conditions + values, sql + " END)", values[0].type)
    }

    mutating func cast(
        _ operand: CompiledExpression,
        to type: SQLType,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        let bits = Self.constant(type == .integer ? 32 : 64, .bigint)
        switch (operand.type, type) {
        case (type, type), (.integer, .bigint), (.unknown, _):
            var same = operand
            same.type = type
            return same
        case (.bigint, .integer): return try self.call(.narrow, [operand], type, position)
        case (.integer, .double), (.bigint, .double): return try self.call(.toDouble, [operand], type, position)
        case (.double, .bigint), (.double, .integer):
            return try self.call(.integerOfDouble, [operand, bits], type, position)
        case (.varchar, .bigint), (.varchar, .integer):
            return try self.call(.integerOfText, [operand, bits], type, position)
        case (.varchar, .double): return try self.call(.doubleOfText, [operand], type, position)
        case (.varchar, .boolean): return try self.call(.booleanOfText, [operand], type, position)
        case (.varchar, .timestamp): return try self.call(.timestampOfText, [operand], type, position)
        case (.integer, .varchar), (.bigint, .varchar):
            return try self.call(.textOfInteger, [operand], type, position)
        case (.double, .varchar): return try self.call(.textOfDouble, [operand], type, position)
        case (.boolean, .varchar): return try self.call(.textOfBoolean, [operand], type, position)
        case (.timestamp, .varchar): return try self.call(.textOfTimestamp, [operand], type, position)
        case (.boolean, .integer), (.boolean, .bigint):
            return Self.combine([operand], operand.term, type)
        case (.integer, .boolean), (.bigint, .boolean):
            return Self.combine([operand], "(\(operand.sql) <> 0)", type)
        default:
            throw .sql(position, "Cannot cast \(operand.type.rawValue) to \(type.rawValue)")
        }
    }
}

extension SQLArithmetic {
    fileprivate var onIntegers: SQLScalar {
        switch self {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        case .remainder: .remainder
        }
    }

    fileprivate var onDoubles: SQLScalar {
        switch self {
        case .add: .addDoubles
        case .subtract: .subtractDoubles
        case .multiply: .multiplyDoubles
        case .divide: .divideDoubles
        case .remainder: .remainderDoubles
        }
    }
}
