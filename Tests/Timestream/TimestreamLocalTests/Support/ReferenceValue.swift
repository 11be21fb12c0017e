/// The dialect's values and types, written down a second time and without SQLite: what the engine's answers are compared
/// with.
enum ReferenceValue: Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case text([UInt8])
    case time(Int64)
    case interval(Int64)

    var isNull: Bool { self == .null }

    /// The truth of a condition; nil is unknown.
    var truth: Bool? { if case .bool(let value) = self { value } else { nil } }

    init(_ truth: Bool?) {
        self = truth.map(Self.bool) ?? .null
    }

    /// As a cell of a result; times and intervals are selected as numbers.
    var cell: String? {
        switch self {
        case .null: nil
        case .bool(let value): value ? "true" : "false"
        case .int(let value), .time(let value), .interval(let value): String(value)
        case .double(let value): value.description
        case .text(let bytes): String(decoding: bytes, as: UTF8.self)
        }
    }

    /// -1, 0 or 1; nil if either is null. Whole numbers beside doubles are doubles.
    func compared(to other: Self) -> Int? {
        func order<Number: Comparable>(_ left: Number, _ right: Number) -> Int {
            left < right ? -1 : left > right ? 1 : 0
        }
        switch (self, other) {
        case (.null, _), (_, .null): return nil
        case (.int(let left), .int(let right)), (.time(let left), .time(let right)),
            (.interval(let left), .interval(let right)):
            return order(left, right)
        case (.double(let left), .double(let right)): return order(left, right)
        case (.int(let left), .double(let right)): return order(Double(left), right)
        case (.double(let left), .int(let right)): return order(left, Double(right))
        case (.bool(let left), .bool(let right)): return order(left ? 1 : 0, right ? 1 : 0)
        case (.text(let left), .text(let right)):
            return left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
        default: preconditionFailure("\(self) is never compared with \(other)")
        }
    }
}

/// What a statement may not compute: the engine must refuse it where it comes to it.
struct ReferenceFailure: Error {}

enum ReferenceType: String, CaseIterable {
    case boolean, integer, bigint, double, varchar, timestamp, interval, unknown

    var isNumeric: Bool { self == .integer || self == .bigint || self == .double }

    static func common(_ types: [Self]) -> Self {
        if types.contains(.double) { return .double }
        if types.contains(.bigint) { return .bigint }
        return types.first { $0 != .unknown } ?? .unknown
    }
}
