/// Turns expressions of one SELECT into SQLite's, with the dialect's types and three-valued logic.
///
/// Types are known for every expression, so SQLite's own conversions never happen: text is a BLOB, a boolean 0 or 1, a
/// timestamp an integer of nanoseconds, and a whole number next to a double is converted by a call.
struct ExpressionCompiler {
    let table: TableColumns?
    var parameters: QueryParameters
    /// The SQL of the expressions grouped by; `nil` where nothing is grouped.
    var groups: Set<String>?
    /// Inside the arguments of an aggregate.
    var isInAggregate = false
    /// Whether aggregates may stand here.
    var allowsAggregates = false

    init(table: TableColumns?, parameters: QueryParameters) {
        self.table = table
        self.parameters = parameters
    }

    mutating func compile(_ expression: SQLExpression) throws(ServiceError) -> CompiledExpression {
        var compiled = try self.compileUngrouped(expression)
        if let groups = self.groups, groups.contains(compiled.sql) { compiled.ungrouped = nil }
        return compiled
    }

    /// A condition: a boolean, or NULL.
    mutating func condition(_ expression: SQLExpression, _ clause: String) throws(ServiceError) -> CompiledExpression {
        let compiled = try self.compile(expression)
        guard compiled.type == .boolean || compiled.type == .unknown else {
            throw .sql(
                expression.position,
                "\(clause) must evaluate to a boolean: actual type \(compiled.type.rawValue)"
            )
        }
        return compiled
    }

    private mutating func compileUngrouped(_ expression: SQLExpression) throws(ServiceError) -> CompiledExpression {
        let position = expression.position
        switch expression.kind {
        case .null: return CompiledExpression(sql: "NULL", type: .unknown, constant: .null)
        case .boolean(let value): return Self.constant(value ? 1 : 0, .boolean)
        case .integer(let value): return Self.constant(value, Int32(exactly: value) == nil ? .bigint : .integer)
        case .double(let value): return self.constant(value)
        case .string(let text): return self.constant(text)
        case .timestamp(let time): return Self.constant(time, .timestamp)
        case .interval(let interval): return Self.constant(interval, .interval)
        case .column(let name): return try self.column(name, position)
        case .all(let terms): return try self.chain(terms, "AND", position)
        case .any(let terms): return try self.chain(terms, "OR", position)
        case .not(let operand):
            let compiled = try self.condition(operand, "Value of logical NOT expression")
            return Self.combine([compiled], "(NOT \(compiled.sql))", .boolean)
        case .negative(let operand): return try self.negative(operand, position)
        case .arithmetic(let operation, let left, let right):
            return try self.arithmetic(operation, try self.compile(left), try self.compile(right), position)
        case .concatenation(let left, let right):
            return try self.concatenation(try self.compile(left), try self.compile(right), position)
        case .comparison(let comparison, let left, let right):
            return try self.comparison(comparison, try self.compile(left), try self.compile(right), position)
        case .isNull(let operand, let isNegated):
            let compiled = try self.compile(operand)
            return Self.combine([compiled], "(\(compiled.sql) IS \(isNegated ? "NOT " : "")NULL)", .boolean)
        case .inList(let operand, let values, let isNegated):
            return try self.inList(operand, values, isNegated: isNegated, position)
        case .between(let operand, let low, let high, let isNegated):
            let value = try self.compile(operand)
            let operands = try self.unified(
                [value, try self.compile(low), try self.compile(high)],
                "BETWEEN",
                position
            )
            let not = isNegated ? "NOT " : ""
            let sql = "(\(operands[0].sql) \(not)BETWEEN \(operands[1].sql) AND \(operands[2].sql))"
            return Self.combine(operands, sql, .boolean)
        case .like(let operand, let pattern, let escape, let isNegated):
            var operands = [try self.compile(operand), try self.compile(pattern)]
            if let escape { operands.append(try self.compile(escape)) }
            for operand in operands where operand.type != .varchar && operand.type != .unknown {
                throw .sql(position, "LIKE cannot be applied to \(operand.type.rawValue)")
            }
            let like = try self.call(operands.count == 3 ? .likeEscape : .like, operands, .boolean, position)
            return isNegated ? Self.combine([like], "(NOT \(like.sql))", .boolean) : like
        case .cast(let operand, let type): return try self.cast(try self.compile(operand), to: type, position)
        case .choice(let subject, let branches, let otherwise):
            return try self.choice(subject, branches, otherwise, position)
        case .call(let call): return try self.function(call, position)
        }
    }

    // MARK: Constants and columns

    static func constant(_ value: Int64, _ type: SQLType) -> CompiledExpression {
        // The smallest integer cannot be written as one.
        let sql = value == .min ? "(-9223372036854775807 - 1)" : String(value)
        return CompiledExpression(sql: sql, type: type, constant: .integer(value))
    }

    mutating func constant(_ value: Double) -> CompiledExpression {
        CompiledExpression(sql: self.parameters.place(of: value), type: .double, constant: .double(value))
    }

    mutating func constant(_ text: [UInt8]) -> CompiledExpression {
        CompiledExpression(sql: self.parameters.place(of: text), type: .varchar, constant: .bytes(text))
    }

    mutating func constant(_ value: SQLValue, _ type: SQLType) -> CompiledExpression {
        switch value {
        case .null: CompiledExpression(sql: "NULL", type: type, constant: .null)
        case .integer(let value): Self.constant(value, type)
        case .double(let value): self.constant(value)
        case .bytes(let text): self.constant(text)
        case .pattern: preconditionFailure("a pattern is never a result")
        }
    }

    private func column(_ name: [UInt8], _ position: SQLPosition) throws(ServiceError) -> CompiledExpression {
        let text = String(decoding: name, as: UTF8.self)
        guard let column = self.table?.column(name) else { throw .sql(position, "Column '\(text)' does not exist") }
        var compiled = self.column(column)
        if self.groups != nil, !self.isInAggregate { compiled.ungrouped = (text, position) }
        return compiled
    }

    func column(_ column: TableColumns.Column) -> CompiledExpression {
        switch column.source {
        case .dimension(let number):
            return CompiledExpression(sql: "s.d\(number)", type: .varchar, reach: .stream)
        case .measureName:
            return CompiledExpression(sql: "m.name", type: .varchar, reach: .stream)
        case .time:
            return CompiledExpression(sql: "p.time", type: .timestamp, reach: .point)
        case .value(let type):
            let value =
                self.table?.hasOneType == true
                ? "p.value" : "(CASE m.type WHEN \(type.rawValue) THEN p.value END)"
            return Self.stored(value, column.type)
        case .multi(let number, let type):
            let read: SQLScalar = type == .varchar ? .multiText : .multiWord
            let value =
                self.table?.hasOneType == true
                ? "p.value" : "(CASE m.type WHEN \(MeasureType.multi.rawValue) THEN p.value END)"
            return Self.stored("\(read.rawValue)(\(value), \(number))", column.type)
        }
    }

    private static func stored(_ sql: String, _ type: SQLType) -> CompiledExpression {
        guard type == .double else { return CompiledExpression(sql: sql, type: type, reach: .point) }
        return CompiledExpression(
            sql: "\(SQLScalar.doubleOfBits.rawValue)(\(sql))",
            type: .double,
            reach: .point,
            storedBits: sql
        )
    }

    // MARK: Joining operands

    /// An expression made of others: needs what they need.
    static func combine(
        _ operands: [CompiledExpression],
        _ sql: String,
        _ type: SQLType
    ) -> CompiledExpression {
        var result = CompiledExpression(sql: sql, type: type)
        for operand in operands {
            result.reach = max(result.reach, operand.reach)
            result.hasAggregate = result.hasAggregate || operand.hasAggregate
            result.ungrouped = result.ungrouped ?? operand.ungrouped
        }
        return result
    }

    /// A call of one of our functions; of constants it is made now, so that bounds on `time` are plain numbers.
    mutating func call(
        _ function: SQLScalar,
        _ operands: [CompiledExpression],
        _ type: SQLType,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        let constants = operands.compactMap(\.constant)
        if constants.count == operands.count {
            if constants.contains(.null) { return self.constant(.null, type) }
            do throws(SQLRunError) {
                return self.constant(try function.evaluate(constants), type)
            } catch { throw .sql(position, error.message) }
        }
        let arguments = operands.map(\.sql).joined(separator: ", ")
        return Self.combine(operands, "\(function.rawValue)(\(arguments))", type)
    }

    /// Brings operands to one type, as the dialect does: whole numbers become doubles beside a double, texts that are
    /// written out become timestamps beside a timestamp, NULL is of any type.
    mutating func unified(
        _ operands: [CompiledExpression],
        _ operation: String,
        _ position: SQLPosition
    ) throws(ServiceError) -> [CompiledExpression] {
        var type = SQLType.unknown
        for operand in operands {
            guard let common = Self.common(type, operand.type) else {
                throw .sql(
                    position,
                    "'\(operation)' cannot be applied to \(operands.map(\.type.rawValue).joined(separator: ", "))"
                )
            }
            type = common
        }
        var result: [CompiledExpression] = []
        for operand in operands { result.append(try self.convert(operand, to: type, operation, position)) }
        return result
    }

    static func common(_ left: SQLType, _ right: SQLType) -> SQLType? {
        if left == right || right == .unknown { return left }
        if left == .unknown { return right }
        if left.isNumeric, right.isNumeric { return left == .double || right == .double ? .double : .bigint }
        if [left, right].contains(.timestamp), [left, right].contains(.varchar) { return .timestamp }
        return nil
    }

    private mutating func convert(
        _ operand: CompiledExpression,
        to type: SQLType,
        _ operation: String,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        switch (operand.type, type) {
        case (.integer, .double), (.bigint, .double):
            return try self.call(.toDouble, [operand], .double, position)
        case (.varchar, .timestamp):
            guard operand.constant != nil else {
                throw .sql(position, "'\(operation)' cannot be applied to timestamp, varchar")
            }
            return try self.call(.timestampOfText, [operand], .timestamp, position)
        default:
            var converted = operand
            converted.type = type
            return converted
        }
    }
}
