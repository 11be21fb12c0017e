extension ExpressionCompiler {
    static let aggregates: Set<String> = ["count", "min", "max", "sum", "avg"]

    mutating func function(_ call: SQLCall, _ position: SQLPosition) throws(ServiceError) -> CompiledExpression {
        if Self.aggregates.contains(call.name) { return try self.aggregate(call, position) }
        guard !call.isStar, !call.isDistinct else {
            throw .sql(position, "'\(call.name)' is not an aggregate function")
        }
        switch call.name {
        case "regexp_like": return try self.regexpLike(call, position)
        case "coalesce": return try self.coalesce(call, position)
        case "nullif": return try self.nullIf(call, position)
        case "if": return try self.condition(call, position)
        default: return try self.scalar(call, position)
        }
    }

    private mutating func compileArguments(
        _ call: SQLCall,
        _ counts: ClosedRange<Int>,
        _ position: SQLPosition
    ) throws(ServiceError) -> [CompiledExpression] {
        guard counts.contains(call.arguments.count) else {
            throw .sql(position, "Unexpected parameters for function \(call.name): found \(call.arguments.count)")
        }
        var arguments: [CompiledExpression] = []
        for argument in call.arguments { arguments.append(try self.compile(argument)) }
        return arguments
    }

    /// A function of fixed types.
    private mutating func scalar(_ call: SQLCall, _ position: SQLPosition) throws(ServiceError) -> CompiledExpression {
        switch call.name {
        case "from_milliseconds":
            return try self.fixed(call, .nanosecondsOfMilliseconds, [.bigint], .timestamp, position)
        case "from_nanoseconds": return try self.relabelled(call, from: .bigint, to: .timestamp, position)
        case "from_unixtime": return try self.fixed(call, .nanosecondsOfSeconds, [.double], .timestamp, position)
        case "to_milliseconds":
            return try self.fixed(call, .milliseconds, [.timestamp], .bigint, position, orInterval: true)
        case "to_nanoseconds": return try self.relabelled(call, from: .timestamp, to: .bigint, position)
        case "to_unixtime": return try self.fixed(call, .seconds, [.timestamp], .double, position)
        case "bin": return try self.fixed(call, .bin, [.timestamp, .interval], .timestamp, position)
        case "length": return try self.fixed(call, .length, [.varchar], .bigint, position)
        case "concat":
            let arguments = try self.compileArguments(call, 2...16, position)
            var joined = arguments[0]
            for next in arguments[1...] { joined = try self.concatenation(joined, next, position) }
            return joined
        default:
            throw .unsupported(position, "the function '\(call.name)'")
        }
    }

    private mutating func fixed(
        _ call: SQLCall,
        _ function: SQLScalar,
        _ types: [SQLType],
        _ result: SQLType,
        _ position: SQLPosition,
        orInterval: Bool = false
    ) throws(ServiceError) -> CompiledExpression {
        var arguments = try self.compileArguments(call, types.count...types.count, position)
        for (index, type) in types.enumerated() {
            if orInterval, arguments[index].type == .interval { continue }
            arguments[index] = try self.argument(arguments[index], type, call.name, position)
        }
        return try self.call(function, arguments, result, position)
    }

    /// A function that only gives a number another meaning.
    private mutating func relabelled(
        _ call: SQLCall,
        from: SQLType,
        to: SQLType,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        let arguments = try self.compileArguments(call, 1...1, position)
        var result = try self.argument(arguments[0], from, call.name, position)
        result.type = to
        return result
    }

    /// Brings an argument to the type that a function takes.
    private mutating func argument(
        _ argument: CompiledExpression,
        _ type: SQLType,
        _ name: String,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        switch (argument.type, type) {
        case (type, type), (.unknown, _), (.integer, .bigint):
            var same = argument
            same.type = type
            return same
        case (.integer, .double), (.bigint, .double):
            return try self.call(.toDouble, [argument], .double, position)
        case (.varchar, .timestamp) where argument.constant != nil:
            return try self.call(.timestampOfText, [argument], .timestamp, position)
        default:
            throw .sql(
                position,
                "Unexpected parameters (\(argument.type.rawValue)) for function \(name). Expected: \(type.rawValue)"
            )
        }
    }

    private mutating func regexpLike(
        _ call: SQLCall,
        _ position: SQLPosition
    ) throws(ServiceError) -> CompiledExpression {
        var arguments = try self.compileArguments(call, 2...2, position)
        for index in arguments.indices {
            arguments[index] = try self.argument(arguments[index], .varchar, call.name, position)
        }
        guard let constant = arguments[1].constant else {
            throw .unsupported(call.arguments[1].position, "a pattern that is computed row by row")
        }
        guard case .bytes(let bytes) = constant else { return self.constant(.null, .boolean) }
        let (place, pattern) = try self.parameters.pattern(bytes) { (bytes) throws(ServiceError) in
            do throws(SQLRunError) {
                return try SQLSearchPattern(bytes)
            } catch { throw .sql(call.arguments[1].position, error.message) }
        }
        arguments[1] = CompiledExpression(sql: place, type: .varchar, constant: pattern)
        return try self.call(.regexpLike, arguments, .boolean, position)
    }

    private mutating func coalesce(_ call: SQLCall, _ position: SQLPosition) throws(ServiceError) -> CompiledExpression
    {
        let arguments = try self.unified(try self.compileArguments(call, 2...64, position), "COALESCE", position)
        let sql = "coalesce(\(arguments.map(\.sql).joined(separator: ", ")))"
        return Self.combine(arguments, sql, arguments[0].type)
    }

    private mutating func nullIf(_ call: SQLCall, _ position: SQLPosition) throws(ServiceError) -> CompiledExpression {
        let arguments = try self.compileArguments(call, 2...2, position)
        let unified = try self.unified(arguments, "NULLIF", position)
        guard unified[0].type == arguments[0].type else {
            throw .unsupported(position, "NULLIF of values of different types")
        }
        return Self.combine(unified, "nullif(\(unified[0].sql), \(unified[1].sql))", unified[0].type)
    }

    /// `if(condition, value, otherwise)`
    private mutating func condition(_ call: SQLCall, _ position: SQLPosition) throws(ServiceError) -> CompiledExpression
    {
        guard (2...3).contains(call.arguments.count) else {
            throw .sql(position, "Invalid number of arguments for 'if' function")
        }
        return try self.choice(
            nil,
            [(call.arguments[0], call.arguments[1])],
            call.arguments.count == 3 ? call.arguments[2] : nil,
            position
        )
    }

    // MARK: Aggregates

    private mutating func aggregate(_ call: SQLCall, _ position: SQLPosition) throws(ServiceError) -> CompiledExpression
    {
        guard self.allowsAggregates else {
            throw .sql(position, "the aggregate function '\(call.name)' cannot stand here")
        }
        guard !self.isInAggregate else { throw .sql(position, "Cannot nest aggregations: '\(call.name)'") }
        if call.name == "count", call.isStar || call.arguments.isEmpty {
            return CompiledExpression(sql: "count(*)", type: .bigint, reach: .point, hasAggregate: true)
        }
        guard !call.isStar, call.arguments.count == 1 else {
            throw .sql(position, "Unexpected parameters for function \(call.name)")
        }
        self.isInAggregate = true
        defer { self.isInAggregate = false }
        let argument = try self.compile(call.arguments[0])
        let type: SQLType
        switch (call.name, argument.type) {
        case ("count", _): type = .bigint
        case ("min", _), ("max", _): type = argument.type
        case ("sum", .integer), ("sum", .bigint): type = .bigint
        case ("sum", .double), ("avg", .integer), ("avg", .bigint), ("avg", .double): type = .double
        default:
            throw .sql(position, "Unexpected parameters (\(argument.type.rawValue)) for function \(call.name)")
        }
        let sql = "\(call.name)(\(call.isDistinct ? "DISTINCT " : "")\(argument.sql))"
        return CompiledExpression(sql: sql, type: type, reach: .point, hasAggregate: true)
    }
}
