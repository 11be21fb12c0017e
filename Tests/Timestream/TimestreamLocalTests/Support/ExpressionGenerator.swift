import TestSupport

/// Random expressions of a wanted type over given columns.
struct ExpressionGenerator {
    var random: SeededGenerator
    let columns: [(name: String, type: ReferenceType)]

    typealias Expression = ReferenceExpression

    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &self.random) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self.random)]
    }

    private mutating func several(_ range: ClosedRange<Int>, _ type: ReferenceType, _ depth: Int) -> [Expression] {
        (0..<Int.random(in: range, using: &self.random)).map { _ in self.expression(type, depth) }
    }

    /// Of that type, or NULL.
    private mutating func nullable(_ type: ReferenceType, _ depth: Int) -> Expression {
        self.chance(10) ? .null : self.expression(type, depth)
    }

    mutating func expression(_ type: ReferenceType, _ depth: Int) -> Expression {
        guard depth > 0, !self.chance(8) else { return self.leaf(type) }
        if self.chance(8) { return self.chosen(type, depth - 1) }
        switch type {
        case .boolean: return self.condition(depth - 1)
        case .double, .bigint, .integer: return self.number(type, depth - 1)
        case .varchar: return self.text(depth - 1)
        case .timestamp: return self.time(depth - 1)
        case .interval: return self.interval(depth - 1)
        case .unknown: return .null
        }
    }

    private mutating func leaf(_ type: ReferenceType) -> Expression {
        let names = self.columns.filter { $0.type == type }.map(\.name)
        if !names.isEmpty, !self.chance(3) { return .column(self.pick(names), type) }
        if type != .interval, self.chance(12) { return .cast(.null, type) }
        switch type {
        case .boolean: return .literal(.bool(self.chance(2)), type)
        case .integer, .bigint: return .literal(.int(self.pick([0, 1, 2, -1, 3, -5, 7, 100])), .integer)
        case .double: return .literal(.double(self.pick([0, 0.5, -1.5, 2, 1e10, -0.0, 3.25])), type)
        case .varchar:
            return .literal(.text(Array(self.pick(["", "a", "b", "ab", "A", "é", "%", "12", "'", "t"]).utf8)), type)
        case .timestamp:
            return .literal(.time(self.pick([0, 1_700_000_000_000_000_000, 1_700_000_000_500_000_001])), type)
        case .interval: return .literal(.interval(self.pick([1, 1_000_000, 60_000_000_000, -5_000_000_001])), type)
        case .unknown: return .null
        }
    }

    /// CASE, COALESCE, NULLIF or IF of that type; the first value has it, others may be narrower.
    private mutating func chosen(_ type: ReferenceType, _ depth: Int) -> Expression {
        let first = self.expression(type, depth)
        let other = self.chance(4) && type == .double ? self.expression(.bigint, depth) : self.nullable(type, depth)
        switch Int.random(in: 0..<5, using: &self.random) {
        case 0: return .call("coalesce", [first, other] + self.several(0...2, type, depth))
        case 1: return .call("nullif", [first, self.expression(type, depth)].map { Self.same($0, type) })
        case 2:
            let condition = self.nullable(.boolean, depth)
            return .call("if", self.chance(2) ? [condition, first, other] : [condition, first])
        case 3:
            let branches = [(self.nullable(.boolean, depth), first), (self.expression(.boolean, depth), other)]
            return .choice(branches, otherwise: self.chance(2) ? self.nullable(type, depth) : nil)
        default:
            let subject = self.pick([.bigint, .varchar, .boolean] as [ReferenceType])
            return .matchedChoice(
                self.expression(subject, depth),
                [(self.nullable(subject, depth), first), (self.expression(subject, depth), other)],
                otherwise: self.chance(2) ? self.nullable(type, depth) : nil
            )
        }
    }

    /// NULLIF of different types is refused by the engine: literals are made what the columns are.
    private static func same(_ expression: Expression, _ type: ReferenceType) -> Expression {
        expression.type == type || type == .interval ? expression : .cast(expression, type)
    }

    private mutating func condition(_ depth: Int) -> Expression {
        let negated = self.chance(3)
        let type = self.pick(
            [.double, .bigint, .varchar, .varchar, .timestamp, .boolean, .interval] as [ReferenceType]
        )
        switch Int.random(in: 0..<12, using: &self.random) {
        case 0, 1:
            let other = type == .double && self.chance(2) ? ReferenceType.bigint : type
            return .comparison(
                self.pick(["=", "<>", "!=", "<", "<=", ">", ">="]),
                self.expression(type, depth),
                self.nullable(other, depth)
            )
        case 2, 3: return .all([self.nullable(.boolean, depth)] + self.several(1...2, .boolean, depth))
        case 4, 5: return .any([self.nullable(.boolean, depth)] + self.several(1...2, .boolean, depth))
        case 6: return .not(self.nullable(.boolean, depth))
        case 7: return .isNull(self.nullable(type, depth), negated: negated)
        case 8:
            var values = self.several(0...3, type, depth)
            values.append(self.nullable(type, depth))
            return .inList(self.expression(type, depth), values, negated: negated)
        case 9:
            return .between(
                self.expression(type, depth),
                self.nullable(type, depth),
                self.nullable(type, depth),
                negated: negated
            )
        case 10: return self.like(depth, negated)
        default:
            let from = self.pick([.bigint, .varchar] as [ReferenceType])
            return .cast(self.expression(from, from == .varchar ? 0 : depth), .boolean)
        }
    }

    private mutating func like(_ depth: Int, _ negated: Bool) -> Expression {
        let value = self.expression(.varchar, depth)
        // Patterns that are texts of their own, escapes only where they are well formed.
        let escape: Character? = self.chance(2) ? "!" : nil
        var pattern = ""
        for _ in 0..<Int.random(in: 0...4, using: &self.random) {
            pattern += self.pick(["a", "b", "%", "_", "é", "A"] + (escape == nil ? [] : ["!%", "!_", "!!"]))
        }
        return .like(value, pattern: .literal(.text(Array(pattern.utf8)), .varchar), escape: escape, negated: negated)
    }

    private mutating func number(_ type: ReferenceType, _ depth: Int) -> Expression {
        switch Int.random(in: 0..<7, using: &self.random) {
        case 0: return .negative(self.expression(type, depth))
        case 1:
            switch type {
            case .double: return .cast(self.expression(.bigint, depth), .double)
            case .bigint: return .cast(self.expression(self.pick([.double, .boolean]), depth), .bigint)
            default: return .cast(self.expression(.bigint, depth), type)
            }
        case 2 where type != .double: return .call("length", [self.expression(.varchar, depth)])
        case 3 where type != .double:
            return .call("to_milliseconds", [self.expression(self.pick([.timestamp, .interval]), depth)])
        case 4 where !self.chance(3):
            return .cast(.literal(.text(Array(self.pick(["12", "-3", "+7", "x", "007"]).utf8)), .varchar), type)
        default:
            let other = type == .double && self.chance(3) ? ReferenceType.bigint : type
            let operands = [self.expression(type, depth), self.expression(other, depth)]
            return .arithmetic(
                self.pick(["+", "-", "*", "+", "-", "*", "/", "%", "+", "-", "*"]),
                operands[0],
                operands[1]
            )
        }
    }

    private mutating func text(_ depth: Int) -> Expression {
        switch Int.random(in: 0..<4, using: &self.random) {
        case 0: .cast(self.expression(self.pick([.bigint, .boolean]), depth), .varchar)
        case 1: .call("concat", self.several(2...3, .varchar, depth))
        default: .concatenation(self.expression(.varchar, depth), self.nullable(.varchar, depth))
        }
    }

    private mutating func time(_ depth: Int) -> Expression {
        switch Int.random(in: 0..<4, using: &self.random) {
        case 0: .call("from_milliseconds", [self.expression(.bigint, depth)])
        case 1:
            .call(
                "bin",
                [
                    self.expression(.timestamp, depth),
                    .literal(.interval(self.pick([1_000_000_000, 7, 3_600_000_000_000])), .interval),
                ]
            )
        case 2: .arithmetic("+", self.expression(.interval, depth), self.expression(.timestamp, depth))
        default:
            .arithmetic(self.pick(["+", "-"]), self.expression(.timestamp, depth), self.expression(.interval, depth))
        }
    }

    private mutating func interval(_ depth: Int) -> Expression {
        switch Int.random(in: 0..<4, using: &self.random) {
        case 0: .arithmetic("-", self.expression(.timestamp, depth), self.expression(.timestamp, depth))
        case 1: .arithmetic("*", self.expression(.interval, depth), self.expression(.bigint, depth))
        case 2: .arithmetic("/", self.expression(.interval, depth), self.expression(.bigint, depth))
        default:
            .arithmetic(self.pick(["+", "-"]), self.expression(.interval, depth), self.expression(.interval, depth))
        }
    }
}
