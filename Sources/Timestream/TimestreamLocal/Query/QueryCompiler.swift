/// Turns a query into one SQLite statement.
///
/// A SELECT from a table reads `measures AS m`, `streams_N AS s` and `points_N AS p`, joined in that order: conditions on
/// the measure name and the dimensions decide which streams are read at all, those on `time` which part of each.
struct QueryCompiler {
    private var parameters = QueryParameters()
    private let columns: (SQLTableName) throws(ServiceError) -> TableColumns

    /// - Parameter columns: of a table; throws if there is none, or the caller may not read it.
    static func compile(
        _ query: SQLQuery,
        columns: (SQLTableName) throws(ServiceError) -> TableColumns
    ) throws(ServiceError) -> CompiledQuery {
        try withoutActuallyEscaping(columns) { (columns) throws(ServiceError) in
            var compiler = QueryCompiler(columns: columns)
            return try compiler.compile(query)
        }
    }

    private init(columns: @escaping (SQLTableName) throws(ServiceError) -> TableColumns) {
        self.columns = columns
    }

    private struct Item {
        var column: CompiledQuery.Column
        var value: CompiledExpression
        /// The name that ORDER BY may use for it.
        var alias: [UInt8]?
    }

    private mutating func compile(_ query: SQLQuery) throws(ServiceError) -> CompiledQuery {
        var compiled: CompiledQuery
        if query.selects.count == 1 {
            compiled = try self.select(query.selects[0], order: query.order)
        } else {
            compiled = try self.union(query)
        }
        if let limit = query.limit { compiled.sql += " LIMIT \(limit)" }
        compiled.parameters = self.parameters.values
        guard compiled.parameters.count <= QueryParameters.maximum else {
            throw ServiceError(
                .validation,
                "a statement with more than \(QueryParameters.maximum) different texts is not supported by the local engine"
            )
        }
        return compiled
    }

    // MARK: One SELECT

    private mutating func select(_ select: SQLSelect, order: [SQLSortKey]) throws(ServiceError) -> CompiledQuery {
        let table: TableColumns?
        if let name = select.table { table = try self.columns(name) } else { table = nil }
        var expressions = ExpressionCompiler(table: table, parameters: self.parameters)
        defer { self.parameters = expressions.parameters }

        let conditions = try self.conditions(select.condition, &expressions)
        let isGrouped =
            !select.groups.isEmpty || select.having != nil || Self.hasAggregate(select)
            || order.contains { $0.expression.hasAggregate }
        let groups = try self.groups(select, &expressions)
        if isGrouped { expressions.groups = Set(groups.map(\.sql)) }
        expressions.allowsAggregates = true
        let items = try self.items(select, &expressions)
        var having: CompiledExpression?
        if let condition = select.having { having = try expressions.condition(condition, "HAVING clause") }
        let keys = try self.sortKeys(order, items, select, &expressions)

        for value in items.map(\.value) + [having].compactMap(\.self) + keys.map(\.value) {
            guard isGrouped, let (name, position) = value.ungrouped else { continue }
            throw .sql(position, "'\"\(name)\"' must be an aggregate expression or appear in GROUP BY clause")
        }

        var sql = "SELECT "
        var groupBy = groups
        if select.isDistinct {
            // SQLite would tell doubles apart by their bits, 0.0 from -0.0; grouped by value they are one.
            if items.contains(where: { $0.column.type == .double }) {
                guard !isGrouped else {
                    throw .unsupported(select.position, "SELECT DISTINCT of doubles together with GROUP BY")
                }
                groupBy = items.map(\.value)
            } else {
                sql += "DISTINCT "
            }
        }
        sql += items.enumerated().map { "\($1.value.output) AS c\($0)" }.joined(separator: ", ")
        let isOncePerStream =
            !items.contains { $0.value.reach == .point } && !keys.contains { $0.value.reach == .point }
            && (having?.reach ?? .constant) < .point && groupBy.allSatisfy { $0.reach < .point }
            && (select.isDistinct || isGrouped)
        sql += Self.source(table, conditions, readsStreamsOnly: isOncePerStream)
        if !groupBy.isEmpty {
            // A constant divides nothing, and a number, even in parentheses, would be a position.
            let dividing = groupBy.filter { $0.reach != .constant }.map(\.term)
            sql += " GROUP BY " + (dividing.isEmpty ? "NULL" : dividing.joined(separator: ", "))
        }
        if let having {
            guard !groupBy.isEmpty || having.hasAggregate || Self.hasAggregate(select) else {
                throw .unsupported(select.position, "HAVING without GROUP BY and aggregates")
            }
            sql += " HAVING \(having.sql)"
        }
        // A constant orders nothing either.
        let terms = keys.filter { $0.value.reach != .constant }.map(\.sql)
        if !terms.isEmpty { sql += " ORDER BY " + terms.joined(separator: ", ") }
        return CompiledQuery(sql: sql, parameters: [], columns: items.map(\.column))
    }

    /// FROM and WHERE.
    ///
    /// - Parameter readsStreamsOnly: each stream counts once, however many points of it meet the conditions.
    private static func source(
        _ table: TableColumns?,
        _ conditions: [CompiledExpression],
        readsStreamsOnly: Bool
    ) -> String {
        guard let table else {
            return conditions.isEmpty ? "" : " WHERE " + conditions.map(\.sql).joined(separator: " AND ")
        }
        var sql = " FROM measures AS m CROSS JOIN streams_\(table.id) AS s ON s.measure = m.id"
        var terms = ["m.table_id = \(table.id)"]
        if readsStreamsOnly {
            terms += conditions.filter { $0.reach < .point }.map(\.sql)
            let ofPoints = conditions.filter { $0.reach == .point }.map(\.sql)
            // Every stream has a point, so without conditions on points there is nothing to look for.
            if !ofPoints.isEmpty {
                terms.append(
                    "EXISTS (SELECT 1 FROM points_\(table.id) AS p WHERE p.stream = s.id AND "
                        + ofPoints.joined(separator: " AND ") + ")"
                )
            }
        } else {
            sql += " CROSS JOIN points_\(table.id) AS p ON p.stream = s.id"
            terms += conditions.map(\.sql)
        }
        return sql + " WHERE " + terms.joined(separator: " AND ")
    }

    /// The terms of WHERE that must all be true.
    private func conditions(
        _ condition: SQLExpression?,
        _ expressions: inout ExpressionCompiler
    ) throws(ServiceError) -> [CompiledExpression] {
        guard let condition else { return [] }
        guard case .all(let terms) = condition.kind else {
            return [try expressions.condition(condition, "WHERE clause")]
        }
        var compiled: [CompiledExpression] = []
        for term in terms { compiled += try self.conditions(term, &expressions) }
        // More than SQLite takes in one chain: as a tree, at the price of the terms' own indexes.
        guard compiled.count > 500 else { return compiled }
        let sql = ExpressionCompiler.balanced(compiled.map(\.sql)[...], "AND")
        return [ExpressionCompiler.combine(compiled, sql, .boolean)]
    }

    private func groups(
        _ select: SQLSelect,
        _ expressions: inout ExpressionCompiler
    ) throws(ServiceError) -> [CompiledExpression] {
        var groups: [CompiledExpression] = []
        guard select.groups.count <= Self.maximumColumns else { throw Self.tooManyColumns(select.position) }
        for group in select.groups {
            guard case .integer(let place) = group.kind else {
                groups.append(try expressions.compile(group))
                continue
            }
            guard place >= 1, place <= select.items.count, case .expression(let item, _) = select.items[Int(place) - 1]
            else { throw .sql(group.position, "GROUP BY position \(place) is not in select list") }
            groups.append(try expressions.compile(item))
        }
        return groups
    }

    private func items(
        _ select: SQLSelect,
        _ expressions: inout ExpressionCompiler
    ) throws(ServiceError) -> [Item] {
        var items: [Item] = []
        for item in select.items {
            // Before there are more: `*` stands for a thousand, and may be written a hundred thousand times.
            guard items.count <= Self.maximumColumns else { throw Self.tooManyColumns(select.position) }
            switch item {
            case .star(let position):
                guard let table = expressions.table else {
                    throw .sql(position, "SELECT * not allowed in queries without FROM clause")
                }
                for column in table.columns {
                    let name = SQLExpression(kind: .column(column.name), position: position)
                    items.append(
                        Item(
                            column: CompiledQuery.Column(name: column.name, type: column.type),
                            value: try expressions.compile(name)
                        )
                    )
                }
            case .expression(let expression, let alias):
                let value = try expressions.compile(expression)
                var name = Array("_col\(items.count)".utf8)
                if case .column(let column) = expression.kind { name = column }
                if let alias { name = alias.bytes }
                items.append(
                    Item(
                        column: CompiledQuery.Column(name: name, type: value.type),
                        value: value,
                        alias: alias?.bytes
                    )
                )
            }
        }
        guard items.count <= Self.maximumColumns else { throw Self.tooManyColumns(select.position) }
        return items
    }

    /// SQLite's bound on the columns of a result, and on the terms of GROUP BY and ORDER BY.
    private static let maximumColumns = 2000

    private static func tooManyColumns(_ position: SQLPosition) -> ServiceError {
        .unsupported(position, "a SELECT, GROUP BY or ORDER BY of more than \(Self.maximumColumns) columns")
    }

    private struct SortKey {
        var value: CompiledExpression
        var sql: String
    }

    private func sortKeys(
        _ order: [SQLSortKey],
        _ items: [Item],
        _ select: SQLSelect,
        _ expressions: inout ExpressionCompiler
    ) throws(ServiceError) -> [SortKey] {
        var keys: [SortKey] = []
        guard order.count <= Self.maximumColumns else { throw Self.tooManyColumns(select.position) }
        for key in order {
            let value: CompiledExpression
            switch key.expression.kind {
            case .integer(let place):
                guard place >= 1, place <= items.count else {
                    throw .sql(key.expression.position, "ORDER BY position \(place) is not in select list")
                }
                value = items[Int(place) - 1].value
            case .column(let name):
                let named = items.filter { $0.alias == name }
                guard named.count < 2 else {
                    throw .sql(
                        key.expression.position,
                        "Column '\(String(decoding: name, as: UTF8.self))' is ambiguous"
                    )
                }
                if let item = named.first {
                    value = item.value
                } else {
                    value = try expressions.compile(key.expression)
                }
            default:
                try Self.refuseAlias(in: key.expression, items, expressions)
                value = try expressions.compile(key.expression)
            }
            guard !select.isDistinct || items.contains(where: { $0.value.sql == value.sql }) else {
                throw .sql(
                    key.expression.position,
                    "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
                )
            }
            keys.append(SortKey(value: value, sql: Self.sortTerm(value.term, key)))
        }
        return keys
    }

    private static func sortTerm(_ sql: String, _ key: SQLSortKey) -> String {
        "\(sql) \(key.isDescending ? "DESC" : "ASC") NULLS \(key.nullsFirst ? "FIRST" : "LAST")"
    }

    /// In ORDER BY a name means the column of the result first; inside expressions the engine knows only the table's.
    private static func refuseAlias(
        in expression: SQLExpression,
        _ items: [Item],
        _ expressions: ExpressionCompiler
    ) throws(ServiceError) {
        if case .column(let name) = expression.kind {
            let own = expressions.table?.column(name).map { expressions.column($0).sql }
            if items.contains(where: { $0.alias == name && $0.value.sql != own }) {
                throw .unsupported(
                    expression.position,
                    "the alias '\(String(decoding: name, as: UTF8.self))' inside an expression of ORDER BY"
                )
            }
        }
        for operand in expression.kind.operands { try Self.refuseAlias(in: operand, items, expressions) }
    }

    private static func hasAggregate(_ select: SQLSelect) -> Bool {
        select.items.contains {
            if case .expression(let expression, _) = $0 { expression.hasAggregate } else { false }
        }
    }

    // MARK: UNION ALL

    private mutating func union(_ query: SQLQuery) throws(ServiceError) -> CompiledQuery {
        var parts: [CompiledQuery] = []
        for select in query.selects {
            let part = try self.select(select, order: [])
            if var first = parts.first {
                guard part.columns.count == first.columns.count else {
                    throw .sql(select.position, "UNION query has different number of fields")
                }
                for index in first.columns.indices {
                    let (left, right) = (first.columns[index].type, part.columns[index].type)
                    guard left == right || left == .unknown || right == .unknown || left.isWhole && right.isWhole else {
                        throw .unsupported(
                            select.position,
                            "UNION ALL of a column of type \(left.rawValue) with one of type \(right.rawValue)"
                        )
                    }
                    if left != right, right != .unknown {
                        first.columns[index].type = left == .unknown ? right : .bigint
                    }
                }
                parts[0] = first
            }
            parts.append(part)
        }
        let columns = parts[0].columns
        let names = columns.indices.map { "c\($0)" }.joined(separator: ", ")
        var sql = "SELECT \(names) FROM (" + parts.map(\.sql).joined(separator: " UNION ALL ") + ")"
        var terms: [String] = []
        for key in query.order {
            let index: Int
            switch key.expression.kind {
            case .integer(let place) where place >= 1 && place <= columns.count: index = Int(place) - 1
            case .column(let name):
                let places = columns.indices.filter { columns[$0].name == name }
                guard places.count == 1 else {
                    let text = String(decoding: name, as: UTF8.self)
                    throw .sql(
                        key.expression.position,
                        places.isEmpty ? "Column '\(text)' does not exist" : "Column '\(text)' is ambiguous"
                    )
                }
                index = places[0]
            default:
                throw .unsupported(key.expression.position, "ORDER BY of an expression after UNION ALL")
            }
            let value = columns[index].type == .double ? "\(SQLScalar.doubleOfBits.rawValue)(c\(index))" : "c\(index)"
            terms.append(Self.sortTerm(value, key))
        }
        if !terms.isEmpty { sql += " ORDER BY " + terms.joined(separator: ", ") }
        return CompiledQuery(sql: sql, parameters: [], columns: columns)
    }
}

extension SQLExpression {
    /// Whether an aggregate function is called in it.
    var hasAggregate: Bool {
        if case .call(let call) = self.kind, ExpressionCompiler.aggregates.contains(call.name) { return true }
        return self.kind.operands.contains(where: \.hasAggregate)
    }
}
