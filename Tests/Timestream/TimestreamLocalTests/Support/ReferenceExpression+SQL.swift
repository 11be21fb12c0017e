// MARK: How it is written

extension ReferenceExpression {
    /// How tightly a form binds, from OR to what needs no parentheses.
    private enum Binding: Int {
        case or, and, not, predicate, sum, product, sign, primary
    }

    private var binding: Binding {
        switch self {
        case .any(let terms) where terms.count > 1: .or
        case .all(let terms) where terms.count > 1: .and
        case .not: .not
        case .comparison, .isNull, .inList, .between, .like: .predicate
        case .arithmetic("+", _, _), .arithmetic("-", _, _), .concatenation: .sum
        case .arithmetic: .product
        case .negative: .sign
        case .literal(let value, _): self.isNegative(value) ? .sign : .primary
        default: .primary
        }
    }

    private func isNegative(_ value: ReferenceValue) -> Bool {
        switch value {
        case .int(let value), .interval(let value): value < 0
        case .double(let value): value.sign == .minus
        default: false
        }
    }

    /// In no more parentheses than are needed.
    var sql: String {
        switch self {
        case .null: "NULL"
        case .column(let name, _): "\"\(name.replacing("\"", with: "\"\""))\""
        case .literal(let value, _): Self.literal(value)
        case .all(let terms): terms.map { $0.sql(.not) }.joined(separator: " AND ")
        case .any(let terms): terms.map { $0.sql(.and) }.joined(separator: " OR ")
        case .not(let operand): "NOT \(operand.sql(.not))"
        case .comparison(let operation, let left, let right): "\(left.sql(.sum)) \(operation) \(right.sql(.sum))"
        case .isNull(let operand, let negated): "\(operand.sql(.sum)) IS \(negated ? "NOT " : "")NULL"
        case .inList(let operand, let values, let negated):
            "\(operand.sql(.sum)) \(negated ? "NOT " : "")IN (\(Self.list(values)))"
        case .between(let operand, let low, let high, let negated):
            "\(operand.sql(.sum)) \(negated ? "NOT " : "")BETWEEN \(low.sql(.sum)) AND \(high.sql(.sum))"
        case .like(let operand, let pattern, let escape, let negated):
            "\(operand.sql(.sum)) \(negated ? "NOT " : "")LIKE \(pattern.sql(.sum))"
                + (escape.map { " ESCAPE '\($0)'" } ?? "")
        case .arithmetic(let operation, let left, let right):
            "\(left.sql(self.binding)) \(operation) \(right.sql(self.binding == .sum ? .product : .sign))"
        case .negative(let operand): "- \(operand.sql(.primary))"
        case .concatenation(let left, let right): "\(left.sql(.sum)) || \(right.sql(.product))"
        case .cast(let operand, let type): "CAST(\(operand.sql) AS \(type.rawValue.uppercased()))"
        case .choice(let branches, let otherwise): "CASE\(Self.branches(branches, otherwise))"
        case .matchedChoice(let subject, let branches, let otherwise):
            "CASE \(subject.sql)\(Self.branches(branches, otherwise))"
        case .call(let name, let arguments): "\(name)(\(Self.list(arguments)))"
        }
    }

    private func sql(_ least: Binding) -> String {
        self.binding.rawValue >= least.rawValue ? self.sql : "(\(self.sql))"
    }

    private static func list(_ expressions: [Self]) -> String {
        expressions.map(\.sql).joined(separator: ", ")
    }

    private static func branches(_ branches: [(Self, Self)], _ otherwise: Self?) -> String {
        branches.map { " WHEN \($0.0.sql) THEN \($0.1.sql)" }.joined() + (otherwise.map { " ELSE \($0.sql)" } ?? "")
            + " END"
    }

    private static func literal(_ value: ReferenceValue) -> String {
        switch value {
        case .null: "NULL"
        case .bool(let value): value ? "TRUE" : "false"
        case .int(let value): String(value)
        case .double(let value): value.description
        case .text(let bytes): "'\(String(decoding: bytes, as: UTF8.self).replacing("'", with: "''"))'"
        case .time(let nanoseconds): "from_nanoseconds(\(nanoseconds))"
        case .interval(let nanoseconds): "\(nanoseconds)ns"
        }
    }
}
