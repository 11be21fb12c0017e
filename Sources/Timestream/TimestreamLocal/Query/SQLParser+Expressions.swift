extension SQLParser {
    /// An expression. Binds from loosest to tightest: OR, AND, NOT, comparison and its kin, `+ -  ||`, `* / %`, sign.
    mutating func expression() throws(ServiceError) -> SQLExpression {
        let position = self.current.position
        var terms = [try self.conjunction()]
        while self.accept("OR") { terms.append(try self.conjunction()) }
        return terms.count == 1 ? terms[0] : try self.node(.any(terms), position)
    }

    /// An expression that may contain others; not too deep for the recursion of what works on it.
    private func node(_ kind: SQLExpression.Kind, _ position: SQLPosition) throws(ServiceError) -> SQLExpression {
        let expression = SQLExpression(kind: kind, position: position)
        guard expression.height <= Self.maximumHeight else {
            throw .unsupported(position, "an expression nested deeper than \(Self.maximumHeight) levels")
        }
        return expression
    }

    private mutating func nested<Result>(
        _ body: (inout SQLParser) throws(ServiceError) -> Result
    ) throws(ServiceError) -> Result {
        guard self.depth < Self.maximumDepth else {
            throw .unsupported(self.current.position, "an expression nested deeper than \(Self.maximumDepth) levels")
        }
        self.depth += 1
        let result = try body(&self)
        self.depth -= 1
        return result
    }

    private mutating func conjunction() throws(ServiceError) -> SQLExpression {
        let position = self.current.position
        var terms = [try self.negation()]
        while self.accept("AND") { terms.append(try self.negation()) }
        return terms.count == 1 ? terms[0] : try self.node(.all(terms), position)
    }

    private mutating func negation() throws(ServiceError) -> SQLExpression {
        let position = self.current.position
        guard self.accept("NOT") else { return try self.predicate() }
        let operand = try self.nested { (parser) throws(ServiceError) in try parser.negation() }
        return try self.node(.not(operand), position)
    }

    private mutating func predicate() throws(ServiceError) -> SQLExpression {
        var left = try self.sum()
        while true {
            let position = self.current.position
            if let comparison = self.comparison() {
                if self.at("ALL") || self.at("ANY") || self.at("SOME") {
                    throw .unsupported(self.current.position, "a quantified comparison")
                }
                let right = try self.sum()
                left = try self.node(.comparison(comparison, left, right), position)
                // `a = b = c` would compare a truth value: refused by the grammar.
                guard self.comparison() == nil else { throw .sql(position, "comparisons cannot be chained") }
                continue
            }
            if self.accept("IS") {
                let isNegated = self.accept("NOT")
                if self.at("DISTINCT") { throw .unsupported(self.current.position, "IS DISTINCT FROM") }
                try self.expect("NULL")
                left = try self.node(.isNull(left, isNegated: isNegated), left.position)
                continue
            }
            let isNegated = self.at("NOT")
            if isNegated {
                guard ["IN", "LIKE", "BETWEEN"].contains(where: { self.isKeyword($0, self.following) }) else {
                    break
                }
                self.advance()
            }
            if self.accept("IN") {
                left = try self.inList(left, isNegated: isNegated)
            } else if self.accept("LIKE") {
                let pattern = try self.sum()
                let escape = self.accept("ESCAPE") ? try self.sum() : nil
                left = try self.node(
                    .like(left, pattern, escape: escape, isNegated: isNegated),
                    position
                )
            } else if self.accept("BETWEEN") {
                let low = try self.sum()
                try self.expect("AND")
                left = try self.node(
                    .between(left, low, try self.sum(), isNegated: isNegated),
                    position
                )
            } else {
                break
            }
        }
        return left
    }

    private mutating func comparison() -> SQLComparison? {
        guard case .symbol(let symbol) = self.current.kind else { return nil }
        let comparison: SQLComparison
        switch symbol {
        case .equal: comparison = .equal
        case .notEqual, .bangEqual: comparison = .notEqual
        case .less: comparison = .less
        case .lessOrEqual: comparison = .lessOrEqual
        case .greater: comparison = .greater
        case .greaterOrEqual: comparison = .greaterOrEqual
        default: return nil
        }
        self.advance()
        return comparison
    }

    private mutating func inList(_ left: SQLExpression, isNegated: Bool) throws(ServiceError) -> SQLExpression {
        try self.expect(.leftParenthesis)
        if self.at("SELECT") { throw .unsupported(self.current.position, "a sub-query") }
        let values = try self.nested { (parser) throws(ServiceError) in
            var values: [SQLExpression] = []
            repeat { values.append(try parser.expression()) } while parser.accept(.comma)
            return values
        }
        try self.expect(.rightParenthesis)
        return try self.node(.inList(left, values, isNegated: isNegated), left.position)
    }

    private mutating func sum() throws(ServiceError) -> SQLExpression {
        var left = try self.product()
        while case .symbol(let symbol) = self.current.kind, [.plus, .minus, .concatenate].contains(symbol) {
            let position = self.current.position
            self.advance()
            let right = try self.product()
            switch symbol {
            case .plus: left = try self.node(.arithmetic(.add, left, right), position)
            case .minus: left = try self.node(.arithmetic(.subtract, left, right), position)
            default: left = try self.node(.concatenation(left, right), position)
            }
        }
        return left
    }

    private mutating func product() throws(ServiceError) -> SQLExpression {
        var left = try self.sign()
        while case .symbol(let symbol) = self.current.kind, [.star, .slash, .percent].contains(symbol) {
            let position = self.current.position
            self.advance()
            let right = try self.sign()
            let arithmetic: SQLArithmetic = symbol == .star ? .multiply : symbol == .slash ? .divide : .remainder
            left = try self.node(.arithmetic(arithmetic, left, right), position)
        }
        return left
    }

    private mutating func sign() throws(ServiceError) -> SQLExpression {
        let position = self.current.position
        if self.accept(.plus) { return try self.nested { (parser) throws(ServiceError) in try parser.sign() } }
        guard self.accept(.minus) else { return try self.primary() }
        let operand = try self.nested { (parser) throws(ServiceError) in try parser.sign() }
        switch operand.kind {
        case .integer(let value) where value != .min: return try self.node(.integer(-value), position)
        case .double(let value): return try self.node(.double(-value), position)
        case .interval(let value) where value != .min: return try self.node(.interval(-value), position)
        default: return try self.node(.negative(operand), position)
        }
    }

    private mutating func primary() throws(ServiceError) -> SQLExpression {
        let token = self.current
        let kind: SQLExpression.Kind
        switch token.kind {
        case .integer(let value): kind = .integer(value)
        case .double(let value): kind = .double(value)
        case .interval(let value): kind = .interval(value)
        case .string(let text): kind = .string(text)
        case .quoted(let name): kind = .column(name)
        case .symbol(.leftParenthesis):
            self.advance()
            if self.at("SELECT") { throw .unsupported(self.current.position, "a sub-query") }
            let inner = try self.nested { (parser) throws(ServiceError) in try parser.expression() }
            if case .symbol(.comma) = self.current.kind { throw .unsupported(token.position, "a row value") }
            try self.expect(.rightParenthesis)
            return inner
        case .word(let word):
            return try self.word(word, token)
        default:
            throw self.mismatch("<expression>")
        }
        self.advance()
        return try self.checked(try self.node(kind, token.position))
    }

    /// A column is not followed by a dot or a bracket here.
    private func checked(_ expression: SQLExpression) throws(ServiceError) -> SQLExpression {
        if case .column = expression.kind, case .symbol(.dot) = self.current.kind {
            throw .unsupported(self.current.position, "a qualified column name")
        }
        return expression
    }

    private mutating func word(_ word: String, _ token: SQLToken) throws(ServiceError) -> SQLExpression {
        let keyword = word.uppercased()
        self.advance()
        let kind: SQLExpression.Kind
        switch keyword {
        case "NULL": kind = .null
        case "TRUE": kind = .boolean(true)
        case "FALSE": kind = .boolean(false)
        case "CURRENT_TIMESTAMP": kind = .timestamp(self.now)
        case "CASE": kind = try self.choice()
        case "CAST": kind = try self.cast()
        case "EXISTS", "EXTRACT", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_USER",
            "GROUPING", "NORMALIZE":
            throw .unsupported(token.position, keyword)
        case "TIMESTAMP" where self.atString:
            let position = self.current.position
            let text = try self.string()
            guard let time = SQLTimestamp.parse(text[...]) else {
                throw .sql(position, "'\(String(decoding: text, as: UTF8.self))' is not a valid timestamp literal")
            }
            kind = .timestamp(time)
        case "INTERVAL" where self.atString || self.current.kind == .symbol(.minus): kind = try self.interval()
        case "DATE" where self.atString, "TIME" where self.atString: throw .unsupported(token.position, "a \(keyword)")
        case "ARRAY" where self.current.text == "[", "ROW" where self.current.kind == .symbol(.leftParenthesis):
            throw .unsupported(token.position, keyword)
        default:
            guard !Self.reserved.contains(keyword) else {
                throw .sql(token.position, "mismatched input '\(word)'. Expecting: <expression>")
            }
            if self.accept(.leftParenthesis) {
                kind = self.resolvingNow(try self.call(word.lowercased()), token.position)
                if self.at("OVER") || self.at("FILTER") || self.at("WITHIN") {
                    throw .unsupported(self.current.position, self.current.text.uppercased())
                }
            } else {
                kind = .column(Array(word.utf8))
            }
        }
        return try self.checked(try self.node(kind, token.position))
    }

    /// The statement's own time is a literal from here on.
    private func resolvingNow(_ call: SQLCall, _ position: SQLPosition) -> SQLExpression.Kind {
        if call.name == "now", call.arguments.isEmpty { return .timestamp(self.now) }
        if call.name == "ago", call.arguments.count == 1 {
            let now = SQLExpression(kind: .timestamp(self.now), position: position)
            return .arithmetic(.subtract, now, call.arguments[0])
        }
        return .call(call)
    }

    private var atString: Bool {
        if case .string = self.current.kind { true } else { false }
    }

    /// `interval '2' day`
    private mutating func interval() throws(ServiceError) -> SQLExpression.Kind {
        let isNegative = self.accept(.minus)
        let position = self.current.position
        let text = try self.string()
        guard case .word(let unit) = self.current.kind else { throw self.mismatch("an interval unit") }
        guard let count = NumberText.integer(text[...]), count != .min,
            let nanoseconds = SQLInterval.nanoseconds(isNegative ? -count : count, unit: unit)
        else { throw .unsupported(position, "this interval") }
        self.advance()
        return .interval(nanoseconds)
    }

    private mutating func call(_ name: String) throws(ServiceError) -> SQLCall {
        var call = SQLCall(name: name, arguments: [], isDistinct: false, isStar: false)
        if self.accept(.star) {
            call.isStar = true
            try self.expect(.rightParenthesis)
            return call
        }
        if self.accept(.rightParenthesis) { return call }
        call.isDistinct = self.accept("DISTINCT")
        call.arguments = try self.nested { (parser) throws(ServiceError) in
            var arguments: [SQLExpression] = []
            repeat { arguments.append(try parser.expression()) } while parser.accept(.comma)
            return arguments
        }
        if self.at("ORDER") { throw .unsupported(self.current.position, "ORDER BY in an aggregate") }
        try self.expect(.rightParenthesis)
        return call
    }

    private mutating func cast() throws(ServiceError) -> SQLExpression.Kind {
        try self.expect(.leftParenthesis)
        let operand = try self.nested { (parser) throws(ServiceError) in try parser.expression() }
        try self.expect("AS")
        let position = self.current.position
        guard case .word(let word) = self.current.kind else { throw self.mismatch("a type") }
        self.advance()
        let type: SQLType
        switch word.lowercased() {
        case "varchar": type = .varchar
        case "bigint": type = .bigint
        case "int", "integer": type = .integer
        case "double": type = .double
        case "boolean": type = .boolean
        case "timestamp": type = .timestamp
        default: throw .unsupported(position, "the type '\(word)'")
        }
        if case .symbol(.leftParenthesis) = self.current.kind {
            throw .unsupported(self.current.position, "a type with a length")
        }
        try self.expect(.rightParenthesis)
        return .cast(operand, type)
    }

    /// `CASE WHEN c THEN v ... ELSE e END`, or `CASE x WHEN v THEN ...`
    private mutating func choice() throws(ServiceError) -> SQLExpression.Kind {
        try self.nested { (parser) throws(ServiceError) in
            let subject = parser.at("WHEN") ? nil : try parser.expression()
            var branches: [(condition: SQLExpression, value: SQLExpression)] = []
            while parser.accept("WHEN") {
                let condition = try parser.expression()
                try parser.expect("THEN")
                branches.append((condition, try parser.expression()))
            }
            guard !branches.isEmpty else { throw parser.mismatch("'WHEN'") }
            let otherwise = parser.accept("ELSE") ? try parser.expression() : nil
            try parser.expect("END")
            return .choice(subject: subject, branches, otherwise: otherwise)
        }
    }
}
